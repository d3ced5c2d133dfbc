package vm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// laneEngine is ref that takes batches in lanes, by turning them into row-major ones and back.
type laneEngine struct {
	ref.Engine
	lanes int
}

func (laneEngine) Name() string { return "lanes" }
func (e laneEngine) Lanes() int { return e.lanes }
func (laneEngine) PrefersLanes(_ engine.Conv2D, x, _, _ shape.Type) bool {
	return x.IsFloat()
}

func (e laneEngine) BindConv2D(c engine.Conv2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return e.convert(in, out, 1, func(in []shape.Type, out shape.Type) (engine.Bound, error) { return e.Engine.BindConv2D(c, in, out) })
}

func (e laneEngine) BindConv2DInputGrad(c engine.Conv2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return e.convert(in, out, 1, func(in []shape.Type, out shape.Type) (engine.Bound, error) {
		return e.Engine.BindConv2DInputGrad(c, in, out)
	})
}

func (e laneEngine) BindConv2DFilterGrad(c engine.Conv2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return e.convert(in, out, 2, func(in []shape.Type, out shape.Type) (engine.Bound, error) {
		return e.Engine.BindConv2DFilterGrad(c, in, out)
	})
}

func (e laneEngine) BindMaxPool2D(p engine.Pool2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return e.convert(in, out, 1, func(in []shape.Type, out shape.Type) (engine.Bound, error) { return e.Engine.BindMaxPool2D(p, in, out) })
}

func (e laneEngine) BindConv2DMaxPool(c engine.Conv2D, p engine.Pool2D, in []shape.Type, y, out shape.Type) (engine.Bound, error) {
	return e.convert(in, out, 1, func(in []shape.Type, out shape.Type) (engine.Bound, error) {
		return e.Engine.BindConv2DMaxPool(c, p, in, e.plain(y), out)
	})
}

func (e laneEngine) BindMaxPool2DScatter(p engine.Pool2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return e.convert(in, out, 2, func(in []shape.Type, out shape.Type) (engine.Bound, error) {
		return e.Engine.BindMaxPool2DScatter(p, in, out)
	})
}

func (e laneEngine) BindAvgPool2D(p engine.Pool2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return e.convert(in, out, 1, func(in []shape.Type, out shape.Type) (engine.Bound, error) { return e.Engine.BindAvgPool2D(p, in, out) })
}

func (e laneEngine) BindAvgPool2DGrad(p engine.Pool2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return e.convert(in, out, 1, func(in []shape.Type, out shape.Type) (engine.Bound, error) {
		return e.Engine.BindAvgPool2DGrad(p, in, out)
	})
}

// convert binds for row-major types what is given for the first images inputs, and the result, in lanes.
func (e laneEngine) convert(in []shape.Type, out shape.Type, images int, bind func([]shape.Type, shape.Type) (engine.Bound, error)) (engine.Bound, error) {
	if in[0].Rank() == 4 {
		return bind(in, out)
	}
	plain := append([]shape.Type(nil), in...)
	for i := range images {
		plain[i] = e.plain(in[i])
	}
	y := e.plain(out)
	b, err := bind(plain, y)
	run := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		call := engine.Call{In: slices.Clone(c.In), Out: []engine.Buffer{memory(y)}, Scratch: c.Scratch}
		for i := range images {
			call.In[i] = memory(plain[i])
			e.move(in[i], call.In[i].Bytes(), c.In[i].Bytes(), true)
		}
		if err := run(&call); err != nil {
			return err
		}
		if out.Rank() == 4 {
			copy(c.Out[0].Bytes(), call.Out[0].Bytes())
		} else {
			e.move(out, c.Out[0].Bytes(), call.Out[0].Bytes(), false)
		}
		return nil
	}
	return b, err
}

func memory(t shape.Type) engine.Buffer {
	return engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, t.Len())
}

func (e laneEngine) plain(t shape.Type) shape.Type {
	if t.Rank() != 5 {
		return t
	}
	return t.Of(t.Shape.With(0, shape.Dim(t.Int(0)*e.lanes)).Drop(4))
}

// move copies a tensor between its form in lanes, of type t, and row-major order.
func (e laneEngine) move(t shape.Type, dst, src []byte, toRows bool) {
	width, image := t.Width(), t.Len()/(t.Int(0)*e.lanes)
	for block := range t.Int(0) {
		for at := range image {
			for lane := range e.lanes {
				lanes, rows := ((block*image+at)*e.lanes+lane)*width, ((block*e.lanes+lane)*image+at)*width
				if toRows {
					copy(dst[rows:][:width], src[lanes:])
				} else {
					copy(dst[lanes:][:width], src[rows:])
				}
			}
		}
	}
}

// lanedModel has what is in lanes, what lies between, and what cannot be in lanes; it is trained.
func lanedModel() []*graph.Node {
	g := graph.New()
	x := g.Input("x", shape.F64(shape.N, 2, 8, 8))
	w1, w2 := g.Param("w1", shape.F64(3, 2, 3, 3), spread(1)), g.Param("w2", shape.F64(4, 3, 3, 3), spread(2))
	b1, b2 := g.Param("b1", shape.F64(3), spread(3)), g.Param("b2", shape.F64(4, 1, 1), spread(4))
	h := ops.MaxPool2D(ops.ReLU(ops.AddBias(ops.Conv2D(x, w1, ops.Conv2DOp{Pad: ops.SamePad(3)}), b1)), ops.MaxPool2DOp{Kernel: [2]int{2, 2}})
	perImage := ops.MeanKeep(h, 1, 2, 3)
	y := ops.Add(ops.Tanh(ops.Conv2D(ops.Sub(h, perImage), w2, ops.Conv2DOp{})), b2)
	logits := ops.Flatten(ops.AvgPool2D(y, ops.AvgPool2DOp{Kernel: [2]int{2, 2}}))
	loss := ops.Mean(ops.Square(logits))
	params := g.Params()
	for i, dw := range autodiff.Grad(loss, params...) {
		g.Update(params[i], ops.Sub(params[i], ops.MulScalar(dw, .1)))
	}
	return []*graph.Node{loss, h, logits}
}

// In lanes a model computes the same, and its convolutions, and what lies between them, do work in lanes.
func TestBatchesInLanesComputeTheSame(t *testing.T) {
	const n = 4
	run := func(e engine.Engine, opts ...vm.Option) (all []float64, laned map[string]int) {
		p, err := vm.Compile(e, lanedModel(), append(opts, vm.Train, vm.Checked)...)
		require.NoError(t, err)
		s := vm.NewStore(1)
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		for range 3 {
			out, err := m.Run(ctx, feedOf(shape.F64(n, 2, 8, 8), 1))
			require.NoError(t, err)
			for _, d := range out {
				all = append(all, numbers(d)...)
			}
		}
		for _, name := range s.Names() {
			v, err := s.Value(name)
			require.NoError(t, err)
			all = append(all, numbers(v)...)
		}
		list, err := p.Describe(n)
		require.NoError(t, err)
		laned = map[string]int{}
		for _, in := range list {
			if in.Out[0].Type.Rank() == 5 {
				laned[in.Name]++
			}
		}
		return all, laned
	}
	e := laneEngine{lanes: 2}
	want, none := run(e, vm.Without("layout"))
	require.Empty(t, none)
	got, laned := run(e)
	near(t, want, got, "in lanes")
	require.Equal(t, 1, laned["Conv2D+Bias+ReLU"])
	require.Equal(t, 1, laned["Conv2D"])
	require.Equal(t, 1, laned["Conv2DInputGrad"])
	require.Equal(t, 1, laned["MaxPool2DScatter+ReLUGrad"])
	got, laned = run(laneEngine{lanes: 3}) // which 4 is no multiple of
	require.Empty(t, laned)
	require.Equal(t, want, got)
}

// What Trace shows is in row-major order.
func TestTraceShowsBatchesInLanesAsRows(t *testing.T) {
	trace := func(e engine.Engine) map[string][]float64 {
		p, err := vm.Compile(e, lanedModel())
		require.NoError(t, err)
		m, err := p.NewMachine(vm.NewStore(1))
		require.NoError(t, err)
		seen := map[string][]float64{}
		_, err = m.Trace(ctx, func(in vm.Instruction, out []*tensor.Dense) {
			if strings.HasPrefix(in.Name, "Conv2D") {
				seen[in.Name] = numbers(out[0])
				require.Equal(t, 4, out[0].Dims())
			}
		}, feedOf(shape.F64(4, 2, 8, 8), 1))
		require.NoError(t, err)
		return seen
	}
	want := trace(ref.Engine{})
	require.Len(t, want, 2)
	require.Equal(t, want, trace(laneEngine{lanes: 2}))
}

// A convolution that has taken in its pooling goes into lanes as one without does.
func TestConvolutionsThatPoolGoIntoLanes(t *testing.T) {
	run := func(e engine.Engine, opts ...vm.Option) ([]float64, vm.Instruction) {
		g := graph.New()
		x, w, b := g.Input("x", shape.F64(shape.N, 2, 6, 6)), g.Param("w", shape.F64(3, 2, 3, 3), spread(1)), g.Param("b", shape.F64(3), spread(2))
		y := ops.MaxPool2D(ops.ReLU(ops.AddBias(ops.Conv2D(x, w, ops.Conv2DOp{}), b)), ops.MaxPool2DOp{Kernel: [2]int{2, 2}})
		p, err := vm.Compile(e, []*graph.Node{y}, append(opts, vm.Checked)...)
		require.NoError(t, err)
		m, err := p.NewMachine(vm.NewStore(1))
		require.NoError(t, err)
		out, err := m.Run(ctx, feedOf(shape.F64(4, 2, 6, 6), 1))
		require.NoError(t, err)
		list, err := p.Describe(4)
		require.NoError(t, err)
		i := slices.IndexFunc(list, func(in vm.Instruction) bool { return strings.HasPrefix(in.Name, "Conv2D") })
		return numbers(out[0]), list[i]
	}
	want, apart := run(ref.Engine{}, vm.Without("absorb"))
	require.Equal(t, "Conv2D", apart.Name)
	for _, e := range []engine.Engine{ref.Engine{}, laneEngine{lanes: 2}} {
		got, in := run(e)
		require.Equal(t, want, got)
		require.NotZero(t, slices.Max(got))
		require.Equal(t, "Conv2D+Bias+ReLU+MaxPool2D", in.Name)
		_, lanes := e.(engine.Laner)
		require.Equal(t, lanes, in.Out[0].Type.Rank() == 5)
	}
}
