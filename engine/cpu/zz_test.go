package cpu

import (
	"fmt"
	"testing"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

func BenchmarkZZ(b *testing.B) {
	e := New()
	for _, c := range []struct{ n, groups, in, out, side, k, s int }{
		{16, 96, 96, 96, 112, 3, 2}, {16, 144, 144, 144, 56, 3, 1}, {16, 384, 384, 384, 14, 3, 1}, {16, 960, 960, 960, 7, 3, 1},
		{16, 1, 32, 16, 112, 1, 1}, {16, 1, 16, 96, 112, 1, 1}, {16, 1, 96, 24, 56, 1, 1}, {16, 1, 24, 144, 56, 1, 1}, {16, 1, 384, 64, 14, 1, 1}, {16, 1, 64, 384, 14, 1, 1}, {16, 1, 3, 32, 224, 3, 2},
		{16, 1, 64, 128, 56, 3, 2}, {16, 1, 64, 128, 56, 1, 2}, {16, 1, 64, 64, 56, 3, 1},{16, 1, 512, 512, 7, 3, 1},
	} {
		op := engine.Conv2D{Stride: [2]int{c.s, c.s}, Dilation: [2]int{1, 1}, Pad: [2][2]int{{c.k / 2, c.k / 2}, {c.k / 2, c.k / 2}}, Groups: c.groups}
		o := (c.side-1)/c.s + 1
		f := func(d ...int) shape.Type { return shape.Type{DType: shape.Float32, Shape: shape.OfInts(d...)} }
		x, w, y := f(c.n, c.in, c.side, c.side), f(c.out, c.in/c.groups, c.k, c.k), f(c.n, c.out, o, o)
		for _, l := range []engine.Layout{engine.Rows, channelsLast} {
			for way, bind := range map[string]func(l engine.Layout) (engine.Bound, error){
				"fwd": func(l engine.Layout) (engine.Bound, error) {
					return e.BindConv2D(op, []engine.Operand{{Type: x, Layout: l}, {Type: w}}, engine.Operand{Type: y, Layout: l})
				},
				"dx": func(l engine.Layout) (engine.Bound, error) {
					return e.BindConv2DInputGrad(op, []engine.Operand{{Type: y, Layout: l}, {Type: w}}, engine.Operand{Type: x, Layout: l})
				},
				"dw": func(l engine.Layout) (engine.Bound, error) {
					return e.BindConv2DFilterGrad(op, []engine.Operand{{Type: x, Layout: l}, {Type: y, Layout: l}}, engine.Operand{Type: w})
				},
			} {
				k, err := bind(l)
				if err != nil {
					b.Fatal(err)
				}
				in, out := map[string][]shape.Type{"fwd": {x, w}, "dx": {y, w}, "dw": {x, y}}[way], map[string]shape.Type{"fwd": y, "dx": x, "dw": w}[way]
				call := &engine.Call{Scratch: engine.BufferOf(engine.Aligned(k.Scratch)), Out: []engine.Buffer{engine.BufferOf(engine.Aligned(out.Bytes())).At(0, shape.Float32, out.Len())}}
				for _, t := range in {
					call.In = append(call.In, engine.BufferOf(engine.Aligned(t.Bytes())).At(0, shape.Float32, t.Len()))
				}
				work := float64(y.Len() * w.Len() / c.out)
				b.Run(fmt.Sprintf("%v/%s/%v:%s", c, way, l, k.Alg), func(b *testing.B) {
					for b.Loop() {
						k.Kernel(call)
					}
					b.ReportMetric(work*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "MAC/ns")
					b.ReportMetric(float64(x.Bytes()+y.Bytes())/1e6, "MB")
				})
			}
		}
	}
}
