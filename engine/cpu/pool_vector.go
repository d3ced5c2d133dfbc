package cpu

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/pool"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// inner are the windows within the image of a pooling of float32 that has vector kernels: of 2×2 or
// 3×3 with a stride of 2 along rows, and of any square with a stride of 1. Those at the border are
// looked at one by one.
type inner struct {
	pool.Windows
	*pooling
	x, y   int // places of the first window and of its result in their planes
	border []int
}

// inner returns these windows, or reports false.
func (p *pooling) inner() (*inner, bool) {
	r0, r1 := p.Vertical().Whole()
	c0, c1 := p.Horizontal().Whole()
	size := p.Kernel[0]
	if size != p.Kernel[1] || !pool.Has(size, p.Stride[1]) || p.Dilation != [2]int{1, 1} || r0 == r1 || c0 == c1 {
		return nil, false
	}
	w := &inner{pooling: p, y: r0*p.OW + c0}
	w.x = (r0*p.Stride[0]-p.Pad[0][0])*p.W + c0*p.Stride[1] - p.Pad[1][0]
	w.Windows = pool.Windows{Size: size, Stride: p.Stride[1], Rows: r1 - r0, Cols: c1 - c0, LD: p.W, Step: p.Stride[0] * p.W, Out: p.OW}
	for j := range p.yPlane() {
		if r, c := j/p.OW, j%p.OW; r < r0 || r >= r1 || c < c0 || c >= c1 {
			w.border = append(w.border, j)
		}
	}
	return w, true
}

// seamless reports whether the windows of a plane follow those of the one before like any others.
func (w *inner) seamless() bool { return len(w.border) == 0 && w.Rows*w.Step == w.xPlane() }

// partition reports whether every element is in one window.
func (w *inner) partition() bool {
	return len(w.border) == 0 && w.seamless() && w.Step == w.Size*w.LD && w.Cols*w.Size == w.LD
}

// cost is about the time for a plane, in nanoseconds.
func (w *inner) cost() int {
	return 10 + w.Rows*(3+w.Cols*w.Size/4) + (4+w.Size*w.Size)*len(w.border)
}

// eachPart calls f for the planes lo to hi, or for all at once if they are seamless, with the place
// of the first element and result.
func (w *inner) eachPart(lo, hi int, f func(part pool.Windows, x, y int)) {
	part, n := w.Windows, 1
	if w.seamless() {
		n = hi - lo
		part.Rows *= n
	}
	for ; lo < hi; lo += n {
		f(part, lo*w.xPlane(), lo*w.yPlane())
	}
}

// argmax is the place of the maximum of window j of a plane, -1 if it holds only padding.
func (w *inner) argmax(plane []float32, j int) int32 {
	return argmax(plane, w.Vertical().Taps(j/w.OW), w.Horizontal().Taps(j%w.OW), w.W)
}

// places sets at to the places of the maxima of a plane.
func (w *inner) places(k *simd.Kernels, at []int32, plane []float32) {
	k.Pool.Places(w.Windows, at[w.y:], plane[w.x:], w.x)
	for _, j := range w.border {
		at[j] = w.argmax(plane, j)
	}
}

// maxima is max pooling.
func (w *inner) maxima(e Engine) engine.Bound {
	planes := e.newLoop(w.planes, w.cost(), func(c *engine.Call, _, lo, hi int) {
		w.max(e, engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), lo, hi)
	})
	return engine.Bound{Kernel: planes.kernel(), By: name, Alg: "vector"}
}

// max pools planes lo to hi.
func (w *inner) max(e Engine, y, x []float32, lo, hi int) {
	w.eachPart(lo, hi, func(part pool.Windows, i, j int) {
		e.simd.Pool.Max(part, y[j+w.y:], x[i+w.x:])
		for _, b := range w.border {
			y[j+b] = float32(math.Inf(-1))
			if k := w.argmax(x[i:], b); k >= 0 {
				y[j+b] = x[i+int(k)]
			}
		}
	})
}

// apart reports whether windows do not overlap and are of 2×2.
func (w *inner) apart() bool { return w.Size == 2 && w.Windows.Stride == 2 && w.pooling.Stride[0] >= 2 }

// scatter is the gradient of max pooling whose windows are apart.
func (w *inner) scatter(e Engine) engine.Bound {
	planes := e.newLoop(w.planes, w.cost()+w.xPlane()/8, func(c *engine.Call, _, lo, hi int) {
		x, dy, dx := engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1]), engine.Slice[float32](c.Out[0])
		w.eachPart(lo, hi, func(part pool.Windows, i, j int) {
			size := w.xPlane() * part.Rows / w.Rows
			if !w.partition() {
				clear(dx[i:][:size])
			}
			e.simd.Pool.Scatter(part, dx[i+w.x:], x[i+w.x:], dy[j+w.y:])
			for _, b := range w.border {
				if k := w.argmax(x[i:], b); k >= 0 {
					dx[i+int(k)] = dy[j+b]
				}
			}
			if w.ReLU {
				e.simd.Vec.Map(vec.ReLUGrad, dx[i:][:size], x[i:], dx[i:], 0)
			}
		})
	})
	return engine.Bound{Kernel: planes.kernel(), By: name, Alg: "vector"}
}

// finder finds the places of the maxima of a plane.
type finder[T shape.Float] struct {
	find    func(c *engine.Call, slot int, at []int32, plane []T)
	cost    int                        // about the time for a plane, in nanoseconds
	reserve func(l *layout, slots int) // memory to work in
}

func finderOf[T shape.Float](e Engine, p *pooling) finder[T] {
	if shape.DTypeOf[T]() != shape.Float32 {
		return finder[T]{func(_ *engine.Call, _ int, at []int32, plane []T) {
			clean := numbers(plane)
			for i := range p.OH {
				argmaxRow(p, nth(at, i, p.OW), plane, i, clean)
			}
		}, p.yPlane() * p.windowCost(), func(*layout, int) {}}
	}
	f := finderOfSingles(e, p)
	return finder[T]{func(c *engine.Call, slot int, at []int32, plane []T) { f.find(c, slot, at, any(plane).([]float32)) }, f.cost, f.reserve}
}

func finderOfSingles(e Engine, p *pooling) finder[float32] {
	if w, ok := p.padded(); ok {
		var copies region[float32]
		return finder[float32]{func(c *engine.Call, slot int, at []int32, plane []float32) {
			w.places(e.simd, at, plane, copies.of(c, slot))
		}, w.cost() + 4*p.yPlane(), func(l *layout, slots int) { copies = reserve[float32](l, slots, w.elements()) }}
	}
	if w, ok := p.inner(); ok {
		return finder[float32]{func(_ *engine.Call, _ int, at []int32, plane []float32) {
			w.places(e.simd, at, plane)
		}, w.cost() + 2*p.yPlane(), func(*layout, int) {}}
	}
	w := newColumned(p)
	var keys region[int64]
	return finder[float32]{func(c *engine.Call, slot int, at []int32, plane []float32) {
		w.places(e.simd, at, plane, keys.of(c, slot))
	}, w.cost(), func(l *layout, slots int) { keys = reserve[int64](l, slots, w.keys) }}
}
