package vm_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// TestARectifiersGradientIsTakenIntoPoolingOnlyWhereItMayBe: not where another reads the gradient
// that has not passed it, as Grad-CAM does, and not where the rectifier's result is not what was
// pooled.
func TestARectifiersGradientIsTakenIntoPoolingOnlyWhereItMayBe(t *testing.T) {
	pool := func(x *graph.Node) *graph.Node {
		return ops.MaxPool2D(x, ops.MaxPool2DOp{Kernel: [2]int{2, 2}})
	}
	loss := func(y *graph.Node) *graph.Node { return ops.Sum(ops.Mul(y, ops.AddScalar(y, 3))) }
	for _, c := range []struct {
		name string
		outs func(x *graph.Node) []*graph.Node
	}{
		{"the gradient before it is an output", func(x *graph.Node) []*graph.Node {
			y := ops.ReLU(x)
			return autodiff.Grad(loss(pool(y)), x, y)
		}},
		{"the gradient before it is averaged", func(x *graph.Node) []*graph.Node {
			y := ops.ReLU(x)
			d := autodiff.Grad(loss(pool(y)), x, y)
			weights := ops.MeanKeep(d[1], 2, 3)
			return []*graph.Node{d[0], ops.ReLU(ops.Sum(ops.Mul(weights, y), 1))}
		}},
		{"what is pooled is shifted", func(x *graph.Node) []*graph.Node {
			return autodiff.Grad(loss(pool(ops.AddScalar(ops.ReLU(x), -.5))), x)
		}},
		{"what is pooled is turned", func(x *graph.Node) []*graph.Node {
			return autodiff.Grad(loss(pool(ops.Sub(ops.Scalar(x, .25), ops.ReLU(x)))), x)
		}},
		{"alone", func(x *graph.Node) []*graph.Node { return autodiff.Grad(loss(pool(ops.ReLU(x))), x) }},
	} {
		for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
			for _, batch := range []int{1, 16} { // which the engine cpu interleaves
				g := graph.New()
				outs := c.outs(g.Input("x", shape.F32(shape.N, 3, 6, 4)))
				require.NoError(t, g.Err())
				want := imagesThrough(t, e, outs, batch, vm.Without("mask", "fuse", "layout"))
				require.Equal(t, want, imagesThrough(t, e, outs, batch), "%s, engine %s", c.name, e.Name())
				require.Equal(t, want, imagesThrough(t, ref.Engine{}, outs, batch), "%s, engine %s", c.name, e.Name())
			}
		}
	}
}

// imagesThrough runs outs for a batch of images of eighths, so that sums are exact.
func imagesThrough(t *testing.T, e engine.Engine, outs []*graph.Node, batch int, opts ...vm.Option) (all [][]float32) {
	t.Helper()
	x := make([]float32, batch*3*6*4)
	for i := range x {
		x[i] = float32(math.Mod(float64(i*37%101), 33)-16) / 8
	}
	p, err := vm.Compile(e, outs, append(opts, vm.Checked)...)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	got, err := m.Run(t.Context(), tensor.New(tensor.WithShape(batch, 3, 6, 4), tensor.WithBacking(x)))
	require.NoError(t, err)
	for _, d := range got {
		all = append(all, floats(d))
	}
	return all
}
