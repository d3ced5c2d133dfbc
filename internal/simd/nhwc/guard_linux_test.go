package nhwc

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

func TestKernelsStayInsideTheirOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(87, 87))
		for i := range 60 {
			op := randomOp(rng)
			make := func(n int) []float32 { return simdtest.Guarded[float32](t, n, i%2 == 0) }
			c := NewConv(k, op)
			packed, shared, scratch := make(c.PackedLen()), make(c.SharedLen()), make(c.ScratchLen())
			y, x := make(op.pixels()*op.filters()), make(op.N*op.H*op.W*op.channels())
			c.Pack(packed, make(op.filters()*op.Rows()), 0, c.Packs())
			c.Unfold(shared, x, 0, c.Unfolds())
			c.Run(y, x, packed, make(op.filters()), shared, scratch, 0, c.Tasks())

			op = randomStem(rng)
			op.Add = false
			stem := []*Stem{NewStem(k, op), NewStemToRows(k, op)}[i/2%2]
			packed, scratch = make(stem.PackedLen()), make(stem.ScratchLen())
			y, x = make(op.pixels()*op.M), make(op.N*op.H*op.W*op.C)
			stem.Pack(packed, make(op.M*op.Rows()), 0, stem.Packs())
			stem.Run(y, x, packed, make(op.M), scratch, 0, stem.Tasks())

			op = randomGrouped(rng)
			grouped := NewGrouped(k, op)
			packed, scratch = make(grouped.PackedLen()), make(grouped.ScratchLen())
			y, x = make(op.pixels()*op.filters()), make(op.N*op.H*op.W*op.channels())
			grouped.Pack(packed, make(op.filters()*op.Rows()), 0, grouped.Packs())
			grouped.Run(y, x, packed, make(op.filters()), nil, scratch, 0, grouped.Tasks())

			op = randomWinograd(rng)
			f, _ := NewWinograd(k, op)
			y, x, packed = make(op.pixels()*op.M), make(op.N*op.H*op.W*op.C), make(f.PackedLen())
			f.Pack(packed, make(op.M*op.Rows()), 0, f.Packs())
			f.Run(y, x, packed, make(op.M), make(f.ScratchLen()), 0, f.Tasks())

			sweep := randomSweep(rng, f, i%3 > 0)
			packed = make(sweep.PackedLen())
			sweep.Pack(packed, make(op.M*op.Rows()), 0, sweep.Packs())
			swept := []SweptFilters{{Packed: packed}}
			if sweep.inTurn {
				small := sweep.Small(gemm.Storage(rng.IntN(2)))
				form := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(make(isa.Ceil(small.Bytes(), 4))))), small.Bytes())
				swept = append(swept, SweptFilters{Small: small, Form: form}, SweptFilters{Plain: make(op.M * op.Rows())})
			}
			tiles, room := make(sweep.TilesLen()), make(sweep.ScratchLen())
			for group := range sweep.Groups() {
				sweep.Transform(tiles, x, make(sweep.CellsLen()), group, 0, sweep.Transforms())
				sweep.Run(y, tiles, swept[rng.IntN(len(swept))], make(op.M), room, group, 0, sweep.Tasks())
			}

			w, n := randomWindow(rng)
			y, x = make(n*w.Cols()*w.C), make(n*w.H*w.W*w.C)
			d := NewDepthwise(k, w, n, true, isa.ReLU)
			filters := make(d.PackedLen())
			d.Pack(filters, make(d.PackedLen()))
			d.Run(y, x, filters, make(w.C), 0, d.Tasks())
			p := NewPool(k, w, n, func(int, int) int { return 1 })
			p.Max(y, x, 0, p.Tasks())
			p.Mean(y, x, 0, p.Tasks())

			w, n = wholeImage(rng)
			whole, _ := NewWhole(k, w, n, func(int, int) int { return 1 })
			sums := make(whole.SumsLen())
			whole.Sum(sums, make(n*w.H*w.W*w.C), 0, whole.Tasks())
			whole.Mean(make(n*w.C), sums)
		}
	})
}
