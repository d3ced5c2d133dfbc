package ops_test

import (
	"fmt"
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

// onEveryEngine runs f for each engine and floating-point type; in casts what is fed as float64,
// and out casts back.
func onEveryEngine(t *testing.T, f func(t *testing.T, e engine.Engine, in, out func(*graph.Node) *graph.Node)) {
	for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
		for _, d := range []shape.DType{shape.Float32, shape.Float64} {
			t.Run(fmt.Sprintf("%s %v", e.Name(), d), func(t *testing.T) {
				in := func(x *graph.Node) *graph.Node { return ops.Cast(x, d) }
				f(t, e, in, func(y *graph.Node) *graph.Node { return ops.Cast(y, shape.Float64) })
			})
		}
	}
}

// requirePooled wants pool(x) to be y, and its gradient for dy to be dx.
func requirePooled(t *testing.T, e engine.Engine, s shape.Shape, pool func(x *graph.Node) *graph.Node, x, y, dy, dx []float64) {
	t.Helper()
	g := graph.New()
	in := newFeed(g, "x", s, x)
	out := pool(in.node)
	cotangent := newFeed(g, "dy", out.Type().Shape, dy)
	got := computedOn(t, e, nil, append(autodiff.VJP(out, cotangent.node, in.node), out), in, cotangent)
	require.Equal(t, y, got[1])
	require.Equal(t, dx, got[0])
}

// A window may be wider than the image where padding makes up for it, or where it is the last one
// and not whole: it ends at the end of its row.
func TestPoolingByWindowsWiderThanTheImage(t *testing.T) {
	two, three := [2]int{2, 2}, [2]int{3, 3}
	corner := [2][2]int{{0, 1}, {0, 1}}
	for _, c := range []struct {
		name          string
		x             shape.Shape
		pool          func(x *graph.Node) *graph.Node
		in, y, dy, dx []float64
	}{
		{"2x2 on one column", shape.Of(1, 1, 3, 1), func(x *graph.Node) *graph.Node {
			return ops.MaxPool2D(x, ops.MaxPool2DOp{Kernel: two, Pad: corner})
		}, []float64{1, 2, 3}, []float64{2, 3}, []float64{4, 6}, []float64{0, 4, 6}},
		{"2x2 on one row", shape.Of(1, 1, 1, 3), func(x *graph.Node) *graph.Node {
			return ops.MaxPool2D(x, ops.MaxPool2DOp{Kernel: two, Pad: corner})
		}, []float64{1, 2, 3}, []float64{2, 3}, []float64{4, 6}, []float64{0, 4, 6}},
		{"3x3 on 2x2, not whole", shape.Of(1, 2, 2, 2), func(x *graph.Node) *graph.Node {
			return ops.MaxPool2D(x, ops.MaxPool2DOp{Kernel: three, Stride: two, Ceil: true})
		}, []float64{1, 4, 3, 2, 8, 5, 6, 7}, []float64{4, 8}, []float64{10, 20}, []float64{0, 10, 0, 0, 20, 0, 0, 0}},
		{"3x3 on 3x2, padded on the right", shape.Of(1, 2, 3, 2), func(x *graph.Node) *graph.Node {
			return ops.MaxPool2D(x, ops.MaxPool2DOp{Kernel: three, Pad: [2][2]int{{0, 0}, {0, 1}}})
		}, []float64{1, 2, 6, 4, 5, 3, 7, 8, 9, 10, 11, 12}, []float64{6, 12}, []float64{1, 2}, []float64{0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2}},
		{"overlapping", shape.Of(1, 1, 4, 1), func(x *graph.Node) *graph.Node {
			return ops.MaxPool2D(x, ops.MaxPool2DOp{Kernel: three, Stride: [2]int{1, 1}, Pad: [2][2]int{{1, 1}, {1, 1}}})
		}, []float64{1, 9, 2, 3}, []float64{9, 9, 9, 3}, []float64{1, 2, 3, 4}, []float64{0, 6, 0, 4}},
		{"1-D", shape.Of(1, 2, 2), func(x *graph.Node) *graph.Node {
			return ops.MaxPool1D(x, ops.MaxPool1DOptions{Kernel: 3, Stride: 2, Ceil: true})
		}, []float64{1, 2, 4, 3}, []float64{2, 4}, []float64{5, 6}, []float64{0, 5, 6, 0}},
		{"3-D", shape.Of(1, 1, 1, 2, 2), func(x *graph.Node) *graph.Node {
			return ops.MaxPool3D(x, ops.MaxPool3DOptions{Kernel: [3]int{2, 3, 3}, Stride: [3]int{2, 2, 2}, Pad: [3][2]int{{0, 1}, {0, 1}, {0, 1}}})
		}, []float64{1, 2, 4, 3}, []float64{4}, []float64{5}, []float64{0, 0, 5, 0}},
		{"means", shape.Of(1, 1, 3, 1), func(x *graph.Node) *graph.Node {
			return ops.AvgPool2D(x, ops.AvgPool2DOp{Kernel: two, Pad: corner})
		}, []float64{1, 2, 3}, []float64{1.5, 3}, []float64{4, 6}, []float64{2, 2, 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEveryEngine(t, func(t *testing.T, e engine.Engine, in, out func(*graph.Node) *graph.Node) {
				requirePooled(t, e, c.x, func(x *graph.Node) *graph.Node { return out(c.pool(in(x))) }, c.in, c.y, c.dy, c.dx)
			})
		})
	}
}

// A rectifier's gradient is taken into that of pooling for what was pooled only, not for the
// adjoint, which may be of the same type.
func TestPoolingTakesInTheGradientOfWhatWasPooledOnly(t *testing.T) {
	g := graph.New()
	x := newFeed(g, "x", shape.Of(1, 1, 3, 3), counter(1, 9))
	z := newFeed(g, "z", shape.Of(1, 1, 3, 3), counter(2, 9))
	y := ops.MaxPool2D(x.node, ops.MaxPool2DOp{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: ops.PadHW(1, 1)})
	r := ops.ReLU(z.node)
	dx := autodiff.VJP(y, r, x.node)[0]
	masker := dx.Op().(vm.Masker)
	for at, want := range map[int]bool{-1: false, 0: true, 1: false, 2: false} {
		_, ok := masker.Mask(at)
		require.Equal(t, want, ok, "input %d", at)
	}
	through := autodiff.VJP(r, dx, z.node)
	want := computedBy(t, []vm.Option{vm.Without("mask", "fuse")}, through, x, z)
	require.Equal(t, want, computed(t, through, x, z))
}

// The pooling that a convolution takes in has such windows too, at batches that go by lanes and by
// others.
func TestAbsorbedPoolingByWindowsWiderThanTheImage(t *testing.T) {
	for _, batch := range []int{1, 16, 48} {
		onEveryEngine(t, func(t *testing.T, e engine.Engine, in, out func(*graph.Node) *graph.Node) {
			g := graph.New()
			x := newFeed(g, "x", shape.OfInts(batch, 2, 5, 3), counter(1, batch*30))
			w := newFeed(g, "w", shape.Of(4, 2, 3, 3), counter(2, 72))
			y := ops.Conv2D(in(x.node), in(w.node), ops.Conv2DOp{})
			pooled := out(ops.MaxPool2D(ops.ReLU(y), ops.MaxPool2DOp{Kernel: [2]int{2, 2}, Pad: [2][2]int{{0, 1}, {0, 1}}}))
			conv := computedOn(t, e, nil, []*graph.Node{out(ops.ReLU(y))}, x, w)[0] // (batch,4,3,1)
			var want []float64
			for column := range slices.Chunk(conv, 3) {
				want = append(want, max(column[0], column[1]), column[2])
			}
			require.InDeltaSlice(t, want, computedOn(t, e, nil, []*graph.Node{pooled}, x, w)[0], 1e-6)
		})
	}
}
