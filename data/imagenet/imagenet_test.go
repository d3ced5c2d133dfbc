package imagenet

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Some numbers that are widely known from the outputs of networks.
func TestClasses(t *testing.T) {
	names := Classes()
	require.Len(t, names, 1000)
	for i, want := range map[int]string{
		0: "tench, Tinca tinca", 134: "crane", 207: "golden retriever", 281: "tabby, tabby cat", 517: "crane",
		817: "sports car, sport car", 999: "toilet tissue, toilet paper, bathroom tissue",
	} {
		require.Equal(t, want, names[i])
	}
	seen := map[string]int{}
	for i, name := range names {
		require.NotEmpty(t, name)
		if first, ok := seen[name]; ok {
			require.Equal(t, []int{134, 517}, []int{first, i}, name)
		}
		seen[name] = i
	}
}

func TestInfo(t *testing.T) {
	info := Info()
	require.NoError(t, info.Err())
	require.Equal(t, 224, info.Input.Int(1))
}
