package quant

import (
	"fmt"
	"testing"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// BenchmarkConv measures billions of multiplications a second, counting products and sums as two.
func BenchmarkConv(b *testing.B) {
	shapes := []struct{ c, m, side, kernel int }{{64, 64, 56, 1}, {64, 256, 56, 1}, {64, 64, 56, 3}, {256, 256, 14, 3}, {512, 512, 7, 3}, {1024, 256, 14, 1}, {32, 192, 28, 1}, {192, 32, 28, 1}, {3, 64, 112, 7}, {960, 160, 7, 1}}
	for _, l := range isa.Levels()[1:] {
		for _, s := range shapes {
			b.Run(fmt.Sprintf("%v/%dx%d/%d/%d", l, s.c, s.m, s.side, s.kernel), func(b *testing.B) {
				op := Op{Window: window.Window{C: s.c, H: s.side, W: s.side, KH: s.kernel, KW: s.kernel, OH: s.side, OW: s.side, SH: 1, SW: 1, DH: 1, DW: 1, Top: s.kernel / 2, Left: s.kernel / 2},
					N: 1, Groups: 1, M: s.m, Zero: 3, Factor: 1e-5, Tail: Tail{Hi: 255, Bytes: true}}
				c := NewConv(At(l), op, op.Filters())
				x, y, packed := make([]uint8, op.N*s.side*s.side*s.c), make([]uint8, op.Results()), make([]uint8, c.PackedLen())
				shifts := make([]float32, ShiftLen(s.m))
				mem, scratch := x, make([]uint8, c.ScratchLen())
				if c.FrameLen() > 0 {
					mem = make([]uint8, c.FrameLen())
				}
				b.ResetTimer()
				for range b.N {
					c.Frame(mem, x, 0, c.Frames())
					c.Run(y, mem, packed, shifts, nil, scratch, 0, c.Tasks())
				}
				b.ReportMetric(2*float64(c.Work())*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GOP/s")
			})
		}
	}
}
