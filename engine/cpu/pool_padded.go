package cpu

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/pool"
)

// padded is a pooling whose windows are next to each other, done on copies of the planes with their
// padding, so that windows at the border are like any others.
type padded struct {
	pool.Windows
	*pooling
	height int // of the copy; its lines have Windows.LD elements
}

// padded returns the pooling of float32 as one, or reports false.
func (p *pooling) padded() (*padded, bool) {
	size := p.Kernel[0]
	if size != p.Kernel[1] || p.Stride != [2]int{1, 1} || p.Dilation != [2]int{1, 1} || p.Pad == [2][2]int{} || p.yPlane() == 0 {
		return nil, false
	}
	w := &padded{pooling: p, height: p.OH + size - 1}
	w.Windows = pool.Windows{Size: size, Stride: 1, Rows: p.OH, Cols: p.OW, LD: p.OW + size - 1, Out: p.OW}
	w.Step = w.LD
	return w, pool.Has(size, 1) && w.elements() <= math.MaxInt32
}

// elements are those of a copy.
func (w *padded) elements() int { return w.height * w.LD }

// cost is about the time for a plane, in nanoseconds.
func (w *padded) cost() int { return w.elements()/4 + w.yPlane()*(1+w.Size*w.Size/8) }

// copy copies a plane. Padding is less than any number, as it is in no window that has one.
func (w *padded) copy(to, plane []float32) {
	for i := range to {
		to[i] = float32(math.Inf(-1))
	}
	left := w.Pad[1][0]
	for i := range min(w.H, w.height-w.Pad[0][0]) {
		copy(to[(w.Pad[0][0]+i)*w.LD+left:][:min(w.W, w.LD-left)], plane[i*w.W:])
	}
}

// maxima is max pooling.
func (w *padded) maxima(e Engine) engine.Bound {
	var copies region[float32]
	planes := e.newLoop(w.planes, w.cost(), func(c *engine.Call, slot, lo, hi int) {
		of := copies.of(c, slot)
		for i := lo; i < hi; i++ {
			w.copy(of, nth(engine.Slice[float32](c.In[0]), i, w.xPlane()))
			e.simd.Pool.Max(w.Windows, nth(engine.Slice[float32](c.Out[0]), i, w.yPlane()), of)
		}
	})
	var l layout
	copies = reserve[float32](&l, planes.slots, w.elements())
	return engine.Bound{Kernel: planes.kernel(), Scratch: int(l), By: name, Alg: "vector", Serial: planes.serial()}
}

// places sets at to the places of the maxima of a plane. of is memory for a copy.
func (w *padded) places(k *simd.Kernels, at []int32, plane, of []float32) {
	w.copy(of, plane)
	k.Pool.Places(w.Windows, at, of, 0)
	for j, place := range at {
		line, column := int(place)/w.LD-w.Pad[0][0], int(place)%w.LD-w.Pad[1][0]
		if uint(line) < uint(w.H) && uint(column) < uint(w.W) {
			at[j] = int32(line*w.W + column)
			continue
		}
		// The padding came first, and nothing is more than -Inf.
		at[j] = argmax(plane, w.Vertical().Taps(j/w.OW), w.Horizontal().Taps(j%w.OW), w.W)
	}
}
