package ref

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.Indexer = Engine{}

// picks describes the parts of x, seen as (outer, n, inner), that ids copy to y, (outer, m, inner).
// An id copies unit elements: one if there is an id per element, otherwise inner.
type picks struct {
	outer, n, m, inner, unit int
	along                    bool
}

func picksOf(g engine.Gather, x, y shape.Shape) picks {
	l := linesAlong(g.Axis, x)
	p := picks{outer: l.outer, n: l.n, inner: l.stride, unit: l.stride, along: g.Along}
	if g.Along {
		p.unit = 1
	}
	if slice := p.outer * p.inner; slice > 0 {
		p.m = y.Len() / slice
	}
	return p
}

// walk calls move with the offsets in x and y of each part.
func walk[I id](p picks, ids []I, move func(x, y int)) error {
	for o := range p.outer {
		for i := range p.m {
			for s := 0; s < p.inner; s += p.unit {
				y := (o*p.m+i)*p.inner + s
				k := i
				if p.along {
					k = y
				}
				at := ids[k]
				if at < 0 || int64(at) >= int64(p.n) {
					return fmt.Errorf("id %d, element %d, is not one of the axis, 0..%d", at, k, p.n-1)
				}
				move((o*p.n+int(at))*p.inner+s, y)
			}
		}
	}
	return nil
}

// BindGather implements [engine.Indexer].
func (Engine) BindGather(g engine.Gather, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	p := picksOf(g, in[0].Shape, out.Shape)
	switch in[1].DType {
	case shape.Int32:
		return bindGather[int32](p, out.DType)
	case shape.Int64:
		return bindGather[int64](p, out.DType)
	case shape.Uint8:
		return bindGather[uint8](p, out.DType)
	}
	return unsupported("Gather", in)
}

func bindGather[I id](p picks, d shape.DType) (engine.Bound, error) {
	b, err := bindMove(d, gathers[I, uint8](p), gathers[I, shape.Half](p), gathers[I, int32](p), gathers[I, int64](p))
	b.Fails = true
	return b, err
}

func gathers[I id, W word](p picks) engine.Kernel {
	return func(c *engine.Call) error {
		x, dst := elems[W](c.In[0]), elems[W](c.Out[0])
		return walk(p, engine.Slice[I](c.In[1]), func(from, to int) {
			copy(dst[to:to+p.unit], x[from:from+p.unit])
		})
	}
}

// BindScatterAdd implements [engine.Indexer]. It adds in the element type.
func (Engine) BindScatterAdd(g engine.Gather, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	p := picksOf(g, out.Shape, in[0].Shape)
	switch {
	case in[1].DType == shape.Int32:
		return bindScatterAdd[int32](p, in, out)
	case in[1].DType == shape.Int64:
		return bindScatterAdd[int64](p, in, out)
	case in[1].DType == shape.Uint8:
		return bindScatterAdd[uint8](p, in, out)
	}
	return unsupported("ScatterAdd", in)
}

func bindScatterAdd[I id](p picks, in []engine.Operand, out engine.Operand) (b engine.Bound, err error) {
	switch out.DType {
	case shape.Float32:
		b = bound(scatterAdds[I, float32](p))
	case shape.Float64:
		b = bound(scatterAdds[I, float64](p))
	default:
		return unsupported("ScatterAdd", in)
	}
	b.Fails = true
	return b, nil
}

func scatterAdds[I id, T shape.Float](p picks) engine.Kernel {
	return func(c *engine.Call) error {
		dy, dx := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0])
		clear(dx)
		return walk(p, engine.Slice[I](c.In[1]), func(to, from int) {
			for k, v := range dy[from : from+p.unit] {
				dx[to+k] += v
			}
		})
	}
}

// BindScatter implements [engine.Indexer].
func (Engine) BindScatter(s engine.Scatter, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) != 3 || in[0] != out || in[2].DType != out.DType {
		return unsupported("Scatter", in)
	}
	p := picksOf(s.Gather, out.Shape, in[2].Shape)
	switch in[1].DType {
	case shape.Int32:
		return bindScatter[int32](p, s.Combine, in)
	case shape.Int64:
		return bindScatter[int64](p, s.Combine, in)
	case shape.Uint8:
		return bindScatter[uint8](p, s.Combine, in)
	}
	return unsupported("Scatter", in)
}

func bindScatter[I id](p picks, c engine.Combine, in []engine.Operand) (b engine.Bound, err error) {
	if c == engine.Replace {
		b, err = bindMove(in[0].DType, replaces[I, uint8](p), replaces[I, shape.Half](p), replaces[I, int32](p), replaces[I, int64](p))
	} else {
		switch in[0].DType {
		case shape.Float32:
			b = bound(combines[I, float32](p, c))
		case shape.Float64:
			b = bound(combines[I, float64](p, c))
		case shape.Int32:
			b = bound(combines[I, int32](p, c))
		case shape.Int64:
			b = bound(combines[I, int64](p, c))
		case shape.Uint8:
			b = bound(combines[I, uint8](p, c))
		default:
			return unsupported("Scatter", in)
		}
	}
	b.Fails, b.InPlace = true, []engine.Overwrite{{Out: 0, In: 0}}
	return b, err
}

func replaces[I id, W word](p picks) engine.Kernel {
	return func(c *engine.Call) error {
		y, values := elems[W](c.Out[0]), elems[W](c.In[2])
		copy(y, elems[W](c.In[0])) // nothing where the memory is the same
		return walk(p, engine.Slice[I](c.In[1]), func(to, from int) {
			copy(y[to:to+p.unit], values[from:from+p.unit])
		})
	}
}

func combines[I id, T numeric](p picks, c engine.Combine) engine.Kernel {
	f := map[engine.Combine]func(a, b T) T{
		engine.CombineAdd: func(a, b T) T { return a + b },
		engine.CombineMul: func(a, b T) T { return a * b },
		engine.CombineMax: func(a, b T) T { return max(a, b) },
		engine.CombineMin: func(a, b T) T { return min(a, b) },
	}[c]
	return func(c *engine.Call) error {
		y, values := engine.Slice[T](c.Out[0]), engine.Slice[T](c.In[2])
		copy(y, engine.Slice[T](c.In[0]))
		return walk(p, engine.Slice[I](c.In[1]), func(to, from int) {
			for k, v := range values[from : from+p.unit] {
				y[to+k] = f(y[to+k], v)
			}
		})
	}
}

// BindTopK implements [engine.Indexer].
func (Engine) BindTopK(t engine.TopK, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	l, k := linesAlong(t.Axis, in[0].Shape), out.Int(t.Axis)
	switch in[0].DType {
	case shape.Float32:
		return bound(topK[float32](l, k, t.Least)), nil
	case shape.Float64:
		return bound(topK[float64](l, k, t.Least)), nil
	case shape.Int32:
		return bound(topK[int32](l, k, t.Least)), nil
	case shape.Int64:
		return bound(topK[int64](l, k, t.Least)), nil
	case shape.Uint8:
		return bound(topK[uint8](l, k, t.Least)), nil
	}
	return unsupported("TopK", in)
}

// topK keeps the k best so far in a heap whose root is the worst of them, which ends sorted.
func topK[T numeric](l lines, k int, least bool) engine.Kernel {
	better := greater[T]
	if least {
		better = func(a, b T) bool { return greater(b, a) }
	}
	return func(c *engine.Call) error {
		x, best := engine.Slice[T](c.In[0]), engine.Slice[int64](c.Out[0])
		for line := range min(l.outer*l.stride, len(best)) { // none for k = 0
			o, s := line/l.stride, line%l.stride
			h := heap[T]{x: x[o*l.n*l.stride+s:], best: best[o*k*l.stride+s:], stride: l.stride, better: better}
			h.sort(l.n, k)
		}
		return nil
	}
}

// heap is a binary heap of places along a line of x, stride apart in best as in x. Equal elements are in the order
// of their places.
type heap[T numeric] struct {
	x      []T
	best   []int64
	stride int
	better func(a, b T) bool
}

// sort puts the places of the k best of n elements into best, the best one first.
func (h *heap[T]) sort(n, k int) {
	for i := range min(n, k) {
		h.best[i*h.stride] = int64(i)
	}
	for i := k/2 - 1; i >= 0; i-- {
		h.down(i, k)
	}
	for i := k; k > 0 && i < n; i++ {
		if h.beats(int64(i), h.best[0]) {
			h.best[0] = int64(i)
			h.down(0, k)
		}
	}
	for last := k - 1; last > 0; last-- {
		end := last * h.stride
		h.best[0], h.best[end] = h.best[end], h.best[0]
		h.down(0, last)
	}
}

// beats reports whether the element at place i comes before that at j.
func (h *heap[T]) beats(i, j int64) bool {
	a, b := h.x[int(i)*h.stride], h.x[int(j)*h.stride]
	return h.better(a, b) || i < j && !h.better(b, a)
}

// down moves entry i of n down to where no entry below it is worse.
func (h *heap[T]) down(i, n int) {
	for {
		worst := i
		for child := 2*i + 1; child <= 2*i+2 && child < n; child++ {
			if h.beats(h.best[worst*h.stride], h.best[child*h.stride]) {
				worst = child
			}
		}
		if worst == i {
			return
		}
		a, b := i*h.stride, worst*h.stride
		h.best[a], h.best[b] = h.best[b], h.best[a]
		i = worst
	}
}

// greater reports whether a > b, where NaN is greater than all numbers.
func greater[T numeric](a, b T) bool { return a > b || a != a && b == b }

// BindUpdateSlice implements [engine.Indexer].
func (Engine) BindUpdateSlice(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) != 3 || in[0] != out || in[1].DType != out.DType || in[2].DType != shape.Int32 || in[2].Len() != 1 ||
		in[1].With(axis, out.Dim(axis)) != out.Shape || in[1].Int(axis) > out.Int(axis) {
		return unsupported("UpdateSlice", in)
	}
	x, width := linesAlong(axis, out.Shape), out.Width()
	unit := x.stride * width
	whole, part := x.n*unit, in[1].Int(axis)*unit
	return bound(func(c *engine.Call) error {
		y, rows := c.Out[0].Bytes(), c.In[1].Bytes()
		copy(y, c.In[0].Bytes()) // nothing where the memory is the same
		start := min(max(int(engine.Slice[int32](c.In[2])[0]), 0), x.n-part/max(unit, 1))
		for i := range x.outer {
			copy(y[i*whole+start*unit:][:part], rows[i*part:])
		}
		return nil
	}, engine.Overwrite{Out: 0, In: 0}), nil
}
