package ops_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// recurrentLayer is a layer with its inputs.
type recurrentLayer struct {
	feeds   []feed
	x, h, c *graph.Node
	p       ops.Recurrence
}

func newRecurrentLayer(r *rand.Rand, gates, batch, steps, in, units int) (l recurrentLayer) {
	g := graph.New()
	next := func(dims ...int) *graph.Node {
		s := shape.OfInts(dims...)
		v := make([]float64, s.Len())
		for i := range v {
			v[i] = r.NormFloat64() / 2
		}
		l.feeds = append(l.feeds, newFeed(g, fmt.Sprint("x", len(l.feeds)), s, v))
		return l.feeds[len(l.feeds)-1].node
	}
	l.x, l.h, l.c = next(batch, steps, in), next(batch, units), next(batch, units)
	l.p = ops.Recurrence{WeightIH: next(gates*units, in), WeightHH: next(gates*units, units), BiasIH: next(gates * units), BiasHH: next(gates * units)}
	return l
}

// loop is the layer as a loop over cells, written once more with other ops.
func (l recurrentLayer) loop(lstm bool) []*graph.Node {
	h, c, units := l.h, l.c, l.h.Type().Int(1)
	linear := func(x, w, b *graph.Node) func(i int) *graph.Node {
		y := ops.Add(ops.MatMul(x, ops.Transpose(w)), b)
		return func(i int) *graph.Node {
			return ops.Slice(y, ops.Whole(), ops.Range{Start: i * units, Stop: (i + 1) * units})
		}
	}
	var all []*graph.Node
	for t := range l.x.Type().Int(1) {
		x := ops.Squeeze(ops.Slice(l.x, ops.Whole(), ops.Range{Start: t, Stop: t + 1}), 1)
		a, b := linear(x, l.p.WeightIH, l.p.BiasIH), linear(h, l.p.WeightHH, l.p.BiasHH)
		gate := func(i int) *graph.Node { return ops.Sigmoid(ops.Add(a(i), b(i))) }
		if lstm {
			c = ops.Add(ops.Mul(gate(1), c), ops.Mul(gate(0), ops.Tanh(ops.Add(a(2), b(2)))))
			h = ops.Mul(gate(3), ops.Tanh(c))
		} else {
			r, z := gate(0), gate(1)
			n := ops.Tanh(ops.Add(a(2), ops.Mul(r, b(2))))
			h = ops.Add(ops.Mul(ops.Sub(ops.OnesLike(z), z), n), ops.Mul(z, h))
		}
		all = append(all, ops.Unsqueeze(h, 1))
	}
	return []*graph.Node{ops.Concat(1, all...), h, c}
}

func (l recurrentLayer) layer(lstm bool) []*graph.Node {
	if lstm {
		all, h, c := ops.LSTM(l.x, l.h, l.c, l.p)
		return []*graph.Node{all, h, c}
	}
	all, h := ops.GRU(l.x, l.h, l.p)
	return []*graph.Node{all, h, l.c}
}

// Results, gradients and gradients of gradients are those of a loop, whichever of the results are
// used.
func TestRecurrentLayersAreLoopsOverCells(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 1))
	for i := range 40 {
		lstm := i%2 == 0
		gates := 3
		if lstm {
			gates = 4
		}
		l := newRecurrentLayer(r, gates, r.IntN(4), 1+r.IntN(4), 1+r.IntN(3), 1+r.IntN(9))
		used := 1 + r.IntN(7)
		outs := func(ys []*graph.Node) (all []*graph.Node) {
			loss := ops.Full(l.x, shape.Of(), 0)
			for k, y := range ys {
				if used>>k&1 == 1 {
					all = append(all, y)
					loss = ops.Add(loss, ops.Sum(ops.Sin(ops.MulScalar(y, float64(2+k)))))
				}
			}
			var wrt []*graph.Node
			for _, f := range l.feeds {
				wrt = append(wrt, f.node)
			}
			first := autodiff.Grad(loss, wrt...)
			second := ops.Scalar(loss, 0)
			for _, d := range first {
				second = ops.Add(second, ops.Sum(ops.Sin(d)))
			}
			return slices.Concat(all, first, autodiff.Grad(second, wrt...))
		}
		want := computed(t, outs(l.loop(lstm)), l.feeds...)
		for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
			have := computedOn(t, e, nil, outs(l.layer(lstm)), l.feeds...)
			for k := range want {
				require.InDeltaSlice(t, want[k], have[k], 1e-9, "engine %s, LSTM %t, results %b, output %d", e.Name(), lstm, used, k)
			}
		}
	}
}

// A program that uses one part of the planes keeps no other, and has the bits of one that does.
func TestPlanesThatNobodyUsesAreNotKept(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 2))
	for _, lstm := range []bool{true, false} {
		name, gates := "GRU+Slice", 3
		if lstm {
			name, gates = "LSTM+Slice", 4
		}
		l := newRecurrentLayer(r, gates, 3, 4, 2, 5)
		ys := l.layer(lstm)
		dx := autodiff.Grad(ops.Sum(ops.Square(ys[0])), l.x)[0]
		reversed := ops.Slice(ys[0], ops.Range{Start: -1, Stop: ops.End, Step: -1})
		for what, c := range map[string]struct {
			y     *graph.Node
			kept  string
			keeps bool
		}{
			"all":      {ys[0], name, true},
			"last":     {ys[1], name, true},
			"reversed": {reversed, name, true},
			"gradient": {dx, "LSTMGrad", lstm},
		} {
			p, err := vm.Compile(cpu.New(), []*graph.Node{c.y})
			require.NoError(t, err)
			program, err := p.Describe(3)
			require.NoError(t, err)
			slices, met := 0, false
			for _, in := range program {
				if in.Name == "Slice" {
					slices++
				}
				met = met || in.Name == c.kept
			}
			require.Equal(t, c.keeps, met, "%s of %s", what, name)
			if what != "gradient" && what != "reversed" {
				require.Zero(t, slices, what)
			}
			want := computedOn(t, cpu.New(), []vm.Option{vm.Without("absorb")}, []*graph.Node{c.y}, l.feeds...)
			require.Equal(t, want, computedOn(t, cpu.New(), nil, []*graph.Node{c.y}, l.feeds...), "%s of %s", what, name)
		}
	}
}

// The products of a layer are counted, whatever computes them.
func TestRecurrentLayersCountTheirProducts(t *testing.T) {
	l := newRecurrentLayer(rand.New(rand.NewPCG(51, 3)), 4, 3, 5, 2, 7)
	n := l.layer(true)[1].In(0).In(0)
	op, ok := ops.Counted(n.Op())
	require.True(t, ok)
	var in []shape.Type
	for _, x := range n.Ins() {
		in = append(in, x.Type())
	}
	require.Equal(t, 3*5*(4*7)*7, op.MACs(in, n.Type()))
}
