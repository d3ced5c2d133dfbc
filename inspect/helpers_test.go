package inspect_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"

	"gorgonia.org/tensor"
)

func vjp(y, dy, x *graph.Node) *graph.Node { return autodiff.VJP(y, dy, x)[0] }

// compute runs outs on one row for each input.
func compute(t *testing.T, outs []*graph.Node, rows ...[]float64) (all [][]float64) {
	p, err := vm.Compile(ref.Engine{}, outs)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(0))
	require.NoError(t, err)
	var in []*tensor.Dense
	for _, r := range rows {
		in = append(in, parity.Dense(shape.F64(1, shape.Dim(len(r))), r))
	}
	got, err := m.Run(t.Context(), in...)
	require.NoError(t, err)
	for _, d := range got {
		all = append(all, append([]float64(nil), parity.Floats(d)...))
	}
	return all
}
