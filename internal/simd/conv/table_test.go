package conv

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPanelsFitTheirTable(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) { require.LessOrEqual(t, k.vecs, maxVecs) })
}
