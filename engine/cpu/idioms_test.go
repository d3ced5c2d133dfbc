package cpu

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
	"gorgonia.org/tensor"
)

// recorder keeps the maps that are bound.
type recorder struct {
	Engine
	maps *[]*program
}

func (r recorder) BindMap(m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	*r.maps = append(*r.maps, r.compileMap(m, engine.Types(in), engine.Types(out)))
	return r.Engine.BindMap(m, in, out)
}

// TestActivationsOfOpsAreIdioms: if the functions are written in another way, or the passes of vm
// change their steps, this says that they have lost their kernels.
func TestActivationsOfOpsAreIdioms(t *testing.T) {
	for _, c := range []struct {
		name          string
		f             func(*graph.Node) *graph.Node
		forward, grad vec.Op
	}{
		{"GELU", ops.GELU, vec.GELU, vec.GELUGrad},
		{"GELUTanh", ops.GELUTanh, vec.GELUTanh, vec.GELUTanhGrad},
		{"SiLU", ops.SiLU, vec.SiLU, vec.SiLUGrad},
		{"HardSwish", ops.HardSwish, vec.HardSwish, vec.HardSwishGrad},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, grad := range []bool{false, true} {
				var maps []*program
				got := activate(t, recorder{New(), &maps}, c.f, grad)
				want := activate(t, ref.Engine{}, c.f, grad)
				var have []vec.Op
				for _, p := range maps {
					for _, f := range p.idioms {
						have = append(have, f.op)
					}
				}
				require.Contains(t, have, c.forward)
				if grad {
					require.Contains(t, have, c.grad)
				}
				for o := range want {
					a, b := got[o].Float32s(), want[o].Float32s()
					for i := range b {
						if a[i] == b[i] || a[i] != a[i] && b[i] != b[i] {
							continue
						}
						require.InDelta(t, b[i], a[i], 2e-6*max(1, math.Abs(float64(b[i]))), "output %d, element %d", o, i)
					}
				}
			}
		})
	}
}

// activate runs f, and its gradient, at points that include the kinks and what is not finite.
func activate(t *testing.T, e engine.Engine, f func(*graph.Node) *graph.Node, grad bool) []*tensor.Dense {
	n := 3000
	x, dy := make([]float32, n), make([]float32, n)
	special := []float64{-3, 3, 0, 1000, -1000, 1e30, -1e30, math.Inf(1), math.Inf(-1), math.NaN(), math.Copysign(0, -1)}
	for i := range x {
		x[i], dy[i] = float32(i-n/2)/200, float32(i%7)-3
		if i < len(special) {
			x[i] = float32(special[i])
		}
	}
	g := graph.New()
	in := g.Input("x", shape.Type{DType: shape.Float32, Shape: shape.OfInts(n)})
	outs, values := []*graph.Node{f(in)}, []*tensor.Dense{tensor.New(tensor.WithShape(n), tensor.WithBacking(x))}
	if grad {
		outs = append(outs, autodiff.VJP(outs[0], g.Input("dy", in.Type()), in)...)
		values = append(values, tensor.New(tensor.WithShape(n), tensor.WithBacking(dy)))
	}
	p, err := vm.Compile(e, outs)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	results, err := m.Run(context.Background(), values...)
	require.NoError(t, err)
	return results
}
