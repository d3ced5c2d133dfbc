package isa

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCachesAreOfPlausibleSizes(t *testing.T) {
	c := CacheSizes()
	require.Less(t, c.L1, c.L2)
	require.LessOrEqual(t, 8<<10, c.L1)
}
