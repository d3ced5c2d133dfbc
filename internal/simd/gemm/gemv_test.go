package gemm

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGemvLevelsAreEnough for sums by halves, whose halves are not quite equal.
func TestGemvLevelsAreEnough(t *testing.T) {
	var deepest func(rows int) int
	deepest = func(rows int) int {
		if rows <= gemvRows {
			return 1
		}
		half := gemvHalf(rows)
		return max(deepest(half), 1+deepest(rows-half))
	}
	for rows := 1; rows < 40_000; rows += 1 + rows/500 {
		require.Equal(t, deepest(rows), gemvLevels(rows), "%d rows", rows)
	}
}
