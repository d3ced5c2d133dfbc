package nhwc

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// square is a convolution of one image of c channels and side×side pixels.
func square(c, side, m, kernel, stride int) Op {
	out := (side-1)/stride + 1
	return Op{N: 1, Groups: 1, M: m, Bias: true, Act: isa.ReLU, Window: window.Window{
		C: c, H: side, W: side, KH: kernel, KW: kernel, OH: out, OW: out, SH: stride, SW: stride, Top: kernel / 2, Left: kernel / 2}}
}

// BenchmarkConv is on one thread.
func BenchmarkConv(b *testing.B) {
	k := At(isa.Fastest(), gemm.At(isa.Fastest()))
	rng := rand.New(rand.NewPCG(1, 1))
	for _, op := range []Op{
		square(3, 224, 64, 7, 2), square(3, 224, 32, 3, 2), square(64, 56, 256, 1, 1), square(256, 56, 64, 1, 1), square(64, 56, 64, 3, 1),
		square(128, 28, 128, 3, 1), square(512, 28, 128, 1, 1), square(256, 14, 1024, 1, 1), square(256, 14, 256, 3, 1), square(512, 7, 512, 3, 1), square(512, 7, 2048, 1, 1),
		square(2048, 7, 512, 1, 1), square(512, 28, 1024, 1, 2), square(16, 112, 96, 1, 1), square(96, 56, 24, 1, 1), square(24, 56, 144, 1, 1), square(32, 112, 16, 1, 1),
		square(960, 7, 160, 1, 1), square(96, 14, 576, 1, 1),
	} {
		b.Run(fmt.Sprintf("%dx%d/%d-%d/%dx%d:%d", op.H, op.W, op.C, op.M, op.KH, op.KW, op.SH), func(b *testing.B) {
			y, x, w, bias := operands(rng, op)
			c := NewConv(k, op)
			packed, shared, scratch := make([]float32, c.PackedLen()), make([]float32, c.SharedLen()), make([]float32, c.ScratchLen())
			c.Pack(packed, w, 0, c.Packs())
			simdtest.Share(b, 1, 2*float64(c.Work()), vec.At(isa.Fastest()).FMALoop, func(*par.Pool) {
				c.Unfold(shared, x, 0, c.Unfolds())
				c.Run(y, x, packed, bias, shared, scratch, 0, c.Tasks())
			})
		})
	}
}

// BenchmarkStem is on one thread.
func BenchmarkStem(b *testing.B) {
	k := At(isa.Fastest(), gemm.At(isa.Fastest()))
	rng := rand.New(rand.NewPCG(1, 1))
	for _, op := range []Op{square(3, 224, 64, 7, 2), square(3, 112, 64, 7, 2), square(3, 224, 32, 3, 2), square(3, 224, 64, 3, 2), square(3, 224, 64, 3, 1), square(3, 224, 64, 11, 4)} {
		for name, plan := range map[string]func(*Kernels, Op) *Stem{"": NewStem, "to rows/": NewStemToRows} {
			b.Run(fmt.Sprintf("%s%dx%d/%d-%d/%dx%d:%d", name, op.H, op.W, op.C, op.M, op.KH, op.KW, op.SH), func(b *testing.B) {
				y, x, w, bias := operands(rng, op)
				s := plan(k, op)
				packed, scratch := make([]float32, s.PackedLen()), make([]float32, s.ScratchLen())
				s.Pack(packed, w, 0, s.Packs())
				simdtest.Share(b, 1, 2*float64(s.Work()), vec.At(isa.Fastest()).FMALoop, func(*par.Pool) {
					s.Run(y, x, packed, bias, scratch, 0, s.Tasks())
				})
			})
		}
	}
}

// BenchmarkWinograd is on one thread. Its rate is that of the multiplications which [Conv] would do.
func BenchmarkWinograd(b *testing.B) {
	k := At(isa.Fastest(), gemm.At(isa.Fastest()))
	rng := rand.New(rand.NewPCG(1, 1))
	for _, op := range []Op{square(32, 112, 64, 3, 1), square(64, 56, 64, 3, 1), square(128, 28, 128, 3, 1), square(256, 14, 256, 3, 1), square(512, 7, 512, 3, 1), square(512, 28, 512, 3, 1), square(16, 55, 64, 3, 1), square(64, 27, 192, 5, 1), square(48, 35, 64, 5, 1)} {
		b.Run(fmt.Sprintf("%dx%d/%d-%d/%dx%d", op.H, op.W, op.C, op.M, op.KH, op.KW), func(b *testing.B) {
			y, x, filters, bias := operands(rng, op)
			w, _ := NewWinograd(k, op)
			packed, scratch := make([]float32, w.PackedLen()), make([]float32, w.ScratchLen())
			w.Pack(packed, filters, 0, w.Packs())
			simdtest.Share(b, 1, 2*float64(op.pixels()*op.M*op.Rows()), vec.At(isa.Fastest()).FMALoop, func(*par.Pool) {
				w.Run(y, x, packed, bias, scratch, 0, w.Tasks())
			})
		})
	}
}

// BenchmarkGrads is on one thread, of batches of 16.
func BenchmarkGrads(b *testing.B) {
	k := At(isa.Fastest(), gemm.At(isa.Fastest()))
	rng := rand.New(rand.NewPCG(1, 1))
	for _, op := range []Op{
		square(64, 56, 64, 3, 1), square(128, 28, 128, 3, 1), square(256, 14, 256, 3, 1), square(64, 56, 128, 3, 2), square(512, 7, 512, 3, 1), square(64, 56, 256, 1, 1), square(96, 56, 24, 1, 1), square(960, 7, 160, 1, 1), square(3, 224, 64, 7, 2),
	} {
		op.N = 16
		name := fmt.Sprintf("%dx%d/%d-%d/%dx%d:%d", op.H, op.W, op.C, op.M, op.KH, op.KW, op.SH)
		dy, x, w, _ := operands(rng, op)
		work := 2 * float64(op.pixels()*op.M*op.Rows())
		b.Run("input/"+name, func(b *testing.B) {
			g := NewInputGrad(k, op)
			packed, shared, scratch := make([]float32, g.PackedLen()), make([]float32, g.SharedLen()), make([]float32, g.ScratchLen())
			simdtest.Share(b, 1, work, vec.At(isa.Fastest()).FMALoop, func(*par.Pool) {
				g.Pack(packed, w, 0, g.Packs())
				g.Unfold(shared, dy, 0, g.Unfolds())
				g.Run(x, dy, packed, nil, shared, scratch, 0, g.Tasks())
			})
		})
		b.Run("filter/"+name, func(b *testing.B) {
			g := NewFilterGrad(k, op)
			sums, scratch, room := make([]float32, g.SumsLen()), make([]float32, g.ScratchLen()), make([]float32, g.TotalScratch())
			simdtest.Share(b, 1, work, vec.At(isa.Fastest()).FMALoop, func(*par.Pool) {
				g.Run(sums, x, dy, scratch, 0, g.Tasks())
				g.Total(w, sums, room, 0, g.Totals())
			})
		})
		if g, ok := NewWinogradFilterGrad(k, op); ok {
			b.Run("winograd filter/"+name, func(b *testing.B) {
				tiles, sums, total, cells := make([]float32, g.TilesLen()), make([]float32, g.SumsLen()), make([]float32, g.TotalLen()), make([]float32, g.CellsLen())
				simdtest.Share(b, 1, work, vec.At(isa.Fastest()).FMALoop, func(*par.Pool) {
					for i := range g.Groups() {
						g.Transform(tiles, x, dy, cells, i, 0, g.Transforms())
						g.Run(sums, tiles, i, 0, g.Tasks())
					}
					g.Total(total, sums, cells, 0, g.Totals())
					g.Turn(w, total)
				})
			})
		}
		if _, ok := NewWinogradInputGrad(k, op); ok {
			b.Run("winograd/"+name, func(b *testing.B) {
				g, _ := NewWinogradInputGrad(k, op)
				packed, scratch := make([]float32, g.PackedLen()), make([]float32, g.ScratchLen())
				simdtest.Share(b, 1, work, vec.At(isa.Fastest()).FMALoop, func(*par.Pool) {
					g.Pack(packed, w, 0, g.Packs())
					g.Run(x, dy, packed, nil, scratch, 0, g.Tasks())
				})
			})
		}
	}
}

// BenchmarkGrouped is on one thread.
func BenchmarkGrouped(b *testing.B) {
	k := At(isa.Fastest(), gemm.At(isa.Fastest()))
	rng := rand.New(rand.NewPCG(1, 1))
	for _, s := range []struct{ groups, c, side, stride int }{{32, 4, 56, 1}, {32, 8, 56, 2}, {32, 8, 28, 1}, {32, 16, 28, 2}, {32, 16, 14, 1}, {32, 32, 7, 1}, {8, 8, 28, 1}, {25, 16, 7, 1}} {
		op := square(s.c, s.side, s.c, 3, s.stride)
		op.Groups = s.groups
		b.Run(fmt.Sprintf("%dx%d/%d groups of %d:%d", op.H, op.W, op.Groups, op.C, op.SH), func(b *testing.B) {
			y, x, w, bias := operands(rng, op)
			g := NewGrouped(k, op)
			packed, scratch := make([]float32, g.PackedLen()), make([]float32, g.ScratchLen())
			g.Pack(packed, w, 0, g.Packs())
			simdtest.Share(b, 1, 2*float64(g.Work()), vec.At(isa.Fastest()).FMALoop, func(*par.Pool) {
				g.Run(y, x, packed, bias, nil, scratch, 0, g.Tasks())
			})
		})
	}
}
