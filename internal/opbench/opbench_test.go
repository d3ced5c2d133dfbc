package opbench_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/internal/opbench"
)

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range opbench.Cases() {
		require.False(t, seen[c.Name()], c.Name())
		seen[c.Name()] = true
	}
}

// smallest are the smallest cases of each row, forward and with gradients.
func smallest() map[string]opbench.Case {
	least, size := map[string]opbench.Case{}, map[string]int{}
	for _, c := range opbench.Cases() {
		key, n := fmt.Sprint(c.Row, c.Grad), 0
		for _, in := range c.In {
			elements := 1
			for _, e := range in.Shape {
				elements *= e
			}
			n += elements
		}
		if had, ok := size[key]; !ok || n < had {
			least[key], size[key] = c, n
		}
	}
	return least
}

func TestTheSmallestCaseOfEachRowRuns(t *testing.T) {
	for _, c := range smallest() {
		r, err := c.Build(cpu.New())
		require.NoError(t, err)
		check, err := r.Check(t.Context())
		require.NoError(t, err)
		require.True(t, check > 0 && !math.IsInf(check, 0), "%s: %v", c.Name(), check)
	}
}

func TestACaseThatCannotBeIsRefused(t *testing.T) {
	c := opbench.Cases()[0]
	c.Op = "Nothing"
	_, err := c.Build(cpu.New())
	require.ErrorContains(t, err, `opbench: depthwise-3x3/1x32x56x56/32x1x3x3/fwd: no function "Nothing"`)
	c = opbench.Cases()[0]
	c.DType = "float7"
	_, err = c.Build(cpu.New())
	require.ErrorContains(t, err, "float7")
}
