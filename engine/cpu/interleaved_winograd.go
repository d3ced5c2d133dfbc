package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/interleaved"
	"github.com/plexaura/plexaura/shape"
)

// Convolutions of interleaved images with rows of 5 taps and stride 1 go by Winograd's algorithm
// along rows where they gain by it. Its errors are up to 4e-6 of the largest result. A batch or
// filters with numbers that are not finite, or beyond 1e16, is computed by the exact kernel
// instead, since they would spread.

// bindInterleavedWinograd returns the kernel that does r's tasks with the filters that plan packs,
// unless somebody has.
func (e Engine) bindInterleavedWinograd(plan *interleaved.Winograd, r interleavedRunner, ep engine.Epilogue, exact engine.Bound) engine.Bound {
	var l, forPacking layout
	own := reserve[byte](&l, 1, packedRowBytes(plan))
	pack, packAlone := packRows(&l, plan), packRows(&forPacking, plan)
	packed := func(c *engine.Call) []float32 {
		if c.Packed.Valid() {
			return packedRows(plan, c.Packed.Bytes())
		}
		return packedRows(plan, own.of(c, 0))
	}
	tasks := e.newInterleavedLoop(&l, r, ep, func(c *engine.Call) []float32 { return packed(c)[lineBytes/4:] })
	kernel := func(c *engine.Call) error {
		if !c.Packed.Valid() {
			pack(c, packed(c), engine.Slice[float32](c.In[1]))
		}
		if packed(c)[0] == 1 && tasks.holds(c) {
			return nil
		}
		ours := c.Packed
		c.Packed = engine.Buffer{} // which is not what the exact kernel packs
		err := exact.Kernel(c)
		c.Packed = ours
		return err
	}
	all := max(int(l), exact.Scratch)
	return engine.Bound{
		Kernel: kernel, Scratch: all, By: name, Alg: interleavedWinogradAlg,
		Packing: engine.Packing{In: 1, Bytes: packedRowBytes(plan), Scratch: int(forPacking), Rest: all, Kernel: func(c *engine.Call) error {
			packAlone(c, packedRows(plan, c.Out[0].Bytes()), engine.Slice[float32](c.In[0]))
			return nil
		}},
	}
}

// Packed filters are a number that is 0 where some filter is not finite, in a cache line of its
// own, and the transformed filters.

func packedRowBytes(plan *interleaved.Winograd) int { return lineBytes + 4*plan.PackedLen() }

func packedRows(plan *interleaved.Winograd, packed []byte) []float32 {
	return engine.Slice[float32](engine.BufferAt(packed, shape.Float32, packedRowBytes(plan)/4))
}

// packRows returns what packs filters w, in scratch memory of l.
func packRows(l *layout, plan *interleaved.Winograd) func(c *engine.Call, packed, w []float32) {
	scratch := reserve[float32](l, 1, plan.PackScratch())
	return func(c *engine.Call, packed, w []float32) {
		if packed[0] = 0; plan.Pack(packed[lineBytes/4:], w, scratch.of(c, 0)) {
			packed[0] = 1
		}
	}
}

// bindInterleavedWinogradGrad returns the kernel of plan.
func (e Engine) bindInterleavedWinogradGrad(plan *interleaved.WinogradFilterGrad, exact engine.Bound) engine.Bound {
	var l layout
	sums, room := reserve[float32](&l, 1, plan.SumsLen()), reserve[float32](&l, 1, plan.TotalScratch())
	tasks := e.newFiniteLoop(&l, plan.Tasks(), vectorCost(plan.Work())/max(plan.Tasks(), 1), plan.Scratch(), func(c *engine.Call, scratch []float32, lo, hi int) bool {
		return plan.Run(sums.of(c, 0), engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), scratch, lo, hi)
	})
	kernel := func(c *engine.Call) error {
		if !tasks.holds(c) {
			return exact.Kernel(c)
		}
		plan.Total(engine.Slice[float32](c.Out[0]), sums.of(c, 0), room.of(c, 0))
		return nil
	}
	return engine.Bound{Kernel: kernel, Scratch: max(int(l), exact.Scratch), By: name, Alg: interleavedWinogradAlg}
}

// finiteLoop is a loop whose body reports whether all numbers that it met were finite.
type finiteLoop struct {
	*loop
	failed region[int32] // of each slot, not 0 where its body met something else
}

// newFiniteLoop is newLoop for a body that needs so many elements of scratch memory.
func (e Engine) newFiniteLoop(l *layout, n, cost, room int, body func(c *engine.Call, scratch []float32, lo, hi int) bool) *finiteLoop {
	f := &finiteLoop{}
	var scratch region[float32]
	f.loop = e.newLoop(n, cost, func(c *engine.Call, slot, lo, hi int) {
		if !body(c, scratch.of(c, slot), lo, hi) {
			f.failed.of(c, slot)[0] = 1
		}
	})
	scratch, f.failed = reserve[float32](l, f.slots, room), reserve[int32](l, f.slots, 1)
	return f
}

// holds runs the loop and reports whether all was finite.
func (f *finiteLoop) holds(c *engine.Call) bool {
	for slot := range f.slots {
		f.failed.of(c, slot)[0] = 0
	}
	f.run(c)
	for slot := range f.slots {
		if f.failed.of(c, slot)[0] != 0 {
			return false
		}
	}
	return true
}
