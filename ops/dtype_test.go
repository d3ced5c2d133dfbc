package ops_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// denseOf is a tensor of type t that holds numbers.
func denseOf(t shape.Type, v []float64) *tensor.Dense {
	b := engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, t.Len())
	engine.Load(b, v)
	return engine.DenseOf(t.Shape, b)
}

// numbersIn are the elements of a tensor of any type.
func numbersIn(d *tensor.Dense) []float64 { return engine.Floats(engine.BufferOfDense(d)) }

// computedAnyType runs y, whose leaves it fills, with a batch of 4.
func computedAnyType(t *testing.T, y *graph.Node) []float64 {
	t.Helper()
	require.NoError(t, y.Graph().Err())
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{y}, vm.Checked)
	require.NoError(t, err)
	store := vm.NewStore(1)
	fill := func(x *graph.Node) *tensor.Dense {
		typ := x.Type().At(4)
		v := positive(int(x.Name()[0]), typ.Len())
		if !typ.IsFloat() {
			for i := range v {
				v[i] = float64(i % 3) // ids
			}
		}
		return denseOf(typ, v)
	}
	for _, l := range p.Leaves() {
		require.NoError(t, store.Init(l))
		if l.Name() != "rng" {
			require.NoError(t, store.Set(l.Name(), fill(l)))
		}
	}
	m, err := p.NewMachine(store)
	require.NoError(t, err)
	var in []*tensor.Dense
	for _, x := range p.Inputs() {
		in = append(in, fill(x))
	}
	outs, err := m.Run(t.Context(), in...)
	require.NoError(t, err)
	return numbersIn(outs[0])
}

// A clone in float64 computes the same, up to the rounding of float32: random numbers,
// constants, casts and what else has a type of its own follow.
func TestEveryConstructorInFloat64GivesTheSame(t *testing.T) {
	for i, c := range constructors() {
		t.Run(fmt.Sprint(i, c.name), func(t *testing.T) {
			y := c.build(c.leaves(graph.New()))
			double := graph.WithDType(shape.Float64, y)[0]
			if y.Type().IsFloat() {
				require.Equal(t, y.Type().As(shape.Float64), double.Type())
			}
			require.InDeltaSlice(t, computedAnyType(t, double), computedAnyType(t, y), 1e-5)
		})
	}
}
