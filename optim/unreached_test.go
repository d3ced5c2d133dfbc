package optim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
)

// Parameters that the loss does not reach for one reason are one error.
func TestUnreachedParametersAreOneError(t *testing.T) {
	for n, want := range map[int]string{
		1:  "the loss does not reach p0, built at unreached_test.go:26; freeze",
		2:  "the loss does not reach p0, built at unreached_test.go:26, and 1 more parameter: p1; freeze",
		60: "the loss does not reach p0, built at unreached_test.go:26, and 59 more parameters: p1, p2, p3, p4, p5, ...; freeze",
	} {
		g := graph.New()
		for i := range n {
			g.Param(fmt.Sprint("p", i), shape.F32(2), nil)
		}
		loss := ops.Sum(g.Param("w", shape.F32(2), nil))
		optim.SGD{LR: .1}.Apply(g, autodiff.Grad(loss, g.Params()...))
		var list graph.ErrorList
		require.ErrorAs(t, g.Err(), &list)
		require.Len(t, list, 1)
		require.ErrorContains(t, list, want)
		require.LessOrEqual(t, strings.Count(list.Error(), "\n"), 1)
	}
}
