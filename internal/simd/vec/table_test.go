package vec

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTablesAreComplete catches a function that a level forgot.
func TestTablesAreComplete(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for op := range opCount {
			require.NotNil(t, k.maps[op], op)
			require.NotContains(t, op.String(), "Op(")
		}
		require.Positive(t, k.FMALoop(1))
	})
}
