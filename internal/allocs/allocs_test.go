package allocs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

var kept []byte

func TestOnlyWhatIsInEveryAttemptCounts(t *testing.T) {
	calls := 0
	require.Zero(t, PerRun(3, func() {
		if calls++; calls <= 4 { // the first attempt: one call to warm up, and three
			kept = make([]byte, 1<<10)
		}
	}))
	require.Equal(t, 1.0, PerRun(3, func() { kept = make([]byte, 1<<10) }))
}
