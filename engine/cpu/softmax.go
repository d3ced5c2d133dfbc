package cpu

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/totals"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// slabs are the parts of a tensor that a softmax treats apart: each is n rows of width elements,
// which are as many softmaxes side by side; of the last axis, width is 1.
type slabs struct{ count, n, width int }

func slabsOf(axis int, s shape.Shape) slabs {
	l := slabs{1, s.Int(axis), 1}
	for i := range s.Rank() {
		switch {
		case i < axis:
			l.count *= s.Int(i)
		case i > axis:
			l.width *= s.Int(i)
		}
	}
	return l
}

// inRows reports whether a call of a kernel is to take many rows.
func (l slabs) inRows() bool {
	return l.width == 1 && l.n >= leastRow && l.n <= totals.Longest && l.count > 1
}

func (l slabs) size() int { return l.n * l.width }

// treeLen is how many elements it takes to fold rows by halves.
func (l slabs) treeLen() int { return (min(l.n, treeRows) + 1) / 2 * l.width }

// BindSoftmax implements [engine.Softmaxer].
func (e Engine) BindSoftmax(log bool, axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindSoftmax(log, axis, in, out)
	if err != nil || out.Len() == 0 {
		return b, err
	}
	switch l := slabsOf(axis, out.Shape); out.DType {
	case shape.Float32:
		return softmaxOf[float32](e, b, l, log), nil
	case shape.Float64:
		return softmaxOf[float64](e, b, l, log), nil
	}
	return b, nil
}

// BindSoftmaxGrad implements [engine.Softmaxer].
func (e Engine) BindSoftmaxGrad(log bool, axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindSoftmaxGrad(log, axis, in, out)
	if err != nil || out.Len() == 0 {
		return b, err
	}
	switch l := slabsOf(axis, out.Shape); out.DType {
	case shape.Float32:
		return softmaxGradOf[float32](e, b, l, log), nil
	case shape.Float64:
		return softmaxGradOf[float64](e, b, l, log), nil
	}
	return b, nil
}

func softmaxOf[T isa.Float](e Engine, b engine.Bound, l slabs, log bool) engine.Bound {
	if l.inRows() {
		return overRowsOf(e, b, l, func(s *softmaxRows[T], x, _, y []T, rows int) { s.forward(y, x, rows, log) })
	}
	return overSlabs(e, b, l, func(s softmax[T], x, _, y []T) { s.forward(y, x, log) })
}

func softmaxGradOf[T isa.Float](e Engine, b engine.Bound, l slabs, log bool) engine.Bound {
	if l.inRows() {
		return overRowsOf(e, b, l, func(s *softmaxRows[T], y, dy, dx []T, rows int) { s.backward(dx, y, dy, rows, log) })
	}
	return overSlabs(e, b, l, func(s softmax[T], y, dy, dx []T) { s.backward(dx, y, dy, log) })
}

// softmax holds what one slab needs: memory of its size, and for some rows.
type softmax[T isa.Float] struct {
	slabs
	vectors[T]
	simd       *simd.Kernels
	slab, a, b []T
	tree       []T // half as many rows as are folded by halves
}

// vectors are the functions of vectors of T.
type vectors[T isa.Float] struct {
	apply func(op vec.Op, dst, x, y []T, c T)
	sum   func(x []T) T
}

func vectorsOf[T isa.Float](k *simd.Kernels) vectors[T] {
	var of any = vectors[float32]{k.Vec.Map, k.Vec.Sum}
	if of, ok := of.(vectors[T]); ok {
		return of
	}
	of = vectors[float64]{k.Vec.Map64, k.Vec.Sum64}
	return of.(vectors[T])
}

// overSlabs returns b with a kernel that calls f for each slab of the inputs and the output;
// with one input, both are the same.
func overSlabs[T isa.Float](e Engine, b engine.Bound, l slabs, f func(s softmax[T], x, dy, out []T)) engine.Bound {
	if l.width == 1 && l.n <= shortRow && l.count >= sideBySide {
		return sideBySideSlabs(e, b, l, f)
	}
	of := vectorsOf[T](e.simd)
	var slab, first, second, tree region[T]
	work := e.newLoop(l.count, 50+l.size()*2, func(c *engine.Call, slot, lo, hi int) {
		s := softmax[T]{l, of, e.simd, slab.of(c, slot), first.of(c, slot), second.of(c, slot), tree.of(c, slot)}
		x, dy, out := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[len(c.In)-1]), engine.Slice[T](c.Out[0])
		for i := lo; i < hi; i++ {
			f(s, nth(x, i, l.size()), nth(dy, i, l.size()), nth(out, i, l.size()))
		}
	})
	var m layout
	slab = reserve[T](&m, work.slots, l.size())
	first = reserve[T](&m, work.slots, l.width)
	second = reserve[T](&m, work.slots, l.width)
	tree = reserve[T](&m, work.slots, l.treeLen())
	b.Kernel, b.Scratch, b.By, b.Serial = work.kernel(), int(m), name, work.serial()
	return b
}

// Short rows cost more in calls than in work; so many of them are transposed, to be treated side by
// side.
const shortRow, sideBySide = 64, 32

// leastRow is how long rows are at least of which a call of a kernel takes many.
const leastRow = 24

// treeRows is how many rows are folded by halves at a time.
const treeRows = 16

// sideBySideSlabs is overSlabs for short rows.
func sideBySideSlabs[T isa.Float](e Engine, b engine.Bound, l slabs, f func(s softmax[T], x, dy, out []T)) engine.Bound {
	of := vectorsOf[T](e.simd)
	var first, second, slab, x, dy, tree region[T]
	groups := (l.count + sideBySide - 1) / sideBySide
	work := e.newLoop(groups, 500+sideBySide*l.n*3, func(c *engine.Call, slot, lo, hi int) {
		a, b, in := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[len(c.In)-1]), len(c.In)
		for i := lo; i < hi; i++ {
			from, rows := i*sideBySide*l.n, min(sideBySide, l.count-i*sideBySide)
			s := softmax[T]{slabs{1, l.n, rows}, of, e.simd, slab.of(c, slot)[:rows*l.n], first.of(c, slot)[:rows], second.of(c, slot)[:rows], tree.of(c, slot)}
			xs, dys := x.of(c, slot)[:rows*l.n], dy.of(c, slot)[:rows*l.n]
			gemm.Transpose(e.simd.Gemm, xs, 0, a[from:], 0, rows, l.n)
			if in > 1 {
				gemm.Transpose(e.simd.Gemm, dys, 0, b[from:], 0, rows, l.n)
			}
			f(s, xs, dys, xs)
			gemm.Transpose(e.simd.Gemm, engine.Slice[T](c.Out[0])[from:], 0, xs, 0, l.n, rows)
		}
	})
	var m layout
	for _, r := range []*region[T]{&first, &second} {
		*r = reserve[T](&m, work.slots, sideBySide)
	}
	tree = reserve[T](&m, work.slots, slabs{1, l.n, sideBySide}.treeLen())
	for _, r := range []*region[T]{&slab, &x, &dy} {
		*r = reserve[T](&m, work.slots, sideBySide*l.n)
	}
	b.Kernel, b.Scratch, b.By = work.kernel(), int(m), name
	return b
}

// forward sets y, which may be x.
func (s softmax[T]) forward(y, x []T, log bool) {
	largest, sum := s.a, s.b
	s.fold(vec.Max, largest, x)
	s.spread(vec.Sub, y, x, largest)
	s.apply(vec.Exp, s.slab, y, nil, 0)
	s.fold(vec.Add, sum, s.slab)
	if !log {
		s.spread(vec.Div, y, s.slab, sum)
		return
	}
	s.logs(y, sum)
	s.spread(vec.Sub, y, y, sum)
}

// nearOne is the sum of exponentials, of which the largest is 1, below which the others are added
// up without it: it would swallow what the logarithm of a probability near 1 is.
const nearOne = 1.5

// logs sets sum, that of slab, the exponentials of y, to its logarithm.
func (s softmax[T]) logs(y, sum []T) {
	others, near := s.a, false
	for _, v := range sum {
		near = near || v < nearOne
	}
	if near {
		s.sumOthers(others, y)
	}
	for i, v := range sum {
		if v < nearOne {
			sum[i] = T(math.Log1p(float64(others[i])))
		} else {
			sum[i] = T(math.Log(float64(v)))
		}
	}
}

// sumOthers sets others to the sums of slab, the exponentials of y, without the largest, of which y
// is 0.
func (s softmax[T]) sumOthers(others, y []T) {
	if s.width > 1 {
		s.apply(vec.Neg, y, y, nil, 0)
		s.apply(vec.ReLUGrad, s.slab, y, s.slab, 0)
		s.apply(vec.Neg, y, y, nil, 0)
		s.fold(vec.Add, others, s.slab)
		return
	}
	lo, hi := peak(s.slab, 1, s.sum)
	for i, v := range y[lo:hi] {
		if v == 0 {
			s.slab[lo+i] = 0
		}
	}
	others[0] = s.sum(s.slab)
}

// peak returns the place of a few elements of x of which f is at least limit.
func peak[T isa.Float](x []T, limit T, f func([]T) T) (lo, hi int) {
	hi = len(x)
	for _, size := range []int{256, 32} {
		for at := lo; at < hi; at += size {
			if end := min(at+size, hi); f(x[at:end]) >= limit {
				lo, hi = at, end
			}
		}
	}
	return lo, hi
}

// backward sets dx, which may be y or dy.
func (s softmax[T]) backward(dx, y, dy []T, log bool) {
	sum := s.a
	if log {
		s.fold(vec.Add, sum, dy)
		s.apply(vec.Exp, s.slab, y, nil, 0)
		lo, hi := s.sure()
		s.spread(vec.Mul, s.slab, s.slab, sum)
		at := lo + above(y[lo:hi], logSureOne)
		if at == hi {
			s.apply(vec.Sub, dx, dy, s.slab, 0)
			return
		}
		s.apply(vec.Sub, s.slab, dy, s.slab, 0)
		for ; at < hi; at += 1 + above(y[at+1:hi], logSureOne) {
			s.slab[at] = T(missing(float64(y[at]), float64(dy[at]), float64(sum[at%s.width])))
		}
		copy(dx, s.slab)
		return
	}
	s.apply(vec.Mul, s.slab, y, dy, 0)
	s.fold(vec.Add, sum, s.slab)
	s.spread(vec.Sub, s.slab, dy, sum)
	s.apply(vec.Mul, dx, s.slab, y, 0)
}

// sureOne is the probability above which dy - exp(y)*sum has lost digits where dy is most of the
// sum, and logSureOne is its logarithm.
const sureOne, logSureOne = .95, -.05129329438755058

// sure returns a stretch of slab, the probabilities, beyond which none is above sureOne.
func (s softmax[T]) sure() (lo, hi int) {
	if s.width > 1 {
		return 0, len(s.slab)
	}
	slab, ok := any(s.slab).([]float32)
	if !ok {
		return 0, len(s.slab)
	}
	squares := func(x []float32) float32 { return s.simd.Vec.Dot(x, x) }
	if squares(slab) < sureOne*sureOne {
		return 0, 0
	}
	return peak(slab, sureOne*sureOne, squares)
}

// above returns the place of the first element above limit, or the length of x.
func above[T isa.Float](x []T, limit T) int {
	for i, v := range x {
		if v > limit {
			return i
		}
	}
	return len(x)
}

// missing is dy - exp(y)*sum, by what the probability exp(y), above sureOne, lacks to 1.
func missing(y, dy, sum float64) float64 {
	return dy - sum - math.Expm1(y)*sum
}

// fold combines the rows of x into one.
func (s softmax[T]) fold(op vec.Op, row, x []T) {
	switch {
	case s.width > 1 && op == vec.Add:
		s.sumRows(row, x)
	case s.width > 1:
		copy(row, x)
		for k := 1; k < s.n; k++ {
			s.apply(op, row, row, nth(x, k, s.width), 0)
		}
	case op == vec.Add:
		row[0] = s.sum(x)
	default:
		row[0] = s.largest(x)
	}
}

// sumRows adds up the rows of x, some by halves and these sums in order, so that little is lost.
func (s softmax[T]) sumRows(row, x []T) {
	for k := 0; k < s.n; k += treeRows {
		n := min(treeRows, s.n-k)
		half, rows := n/2, x[k*s.width:][:n*s.width]
		tree := s.tree[:(n-half)*s.width]
		copy(tree[half*s.width:], rows[half*s.width:(n-half)*s.width]) // of an odd number, the middle one
		s.apply(vec.Add, tree[:half*s.width], rows, rows[(n-half)*s.width:], 0)
		part := s.foldTree(tree)
		if k == 0 {
			copy(row, part)
		} else {
			s.apply(vec.Add, row, row, part, 0)
		}
	}
}

// foldTree returns the sum of the rows of tree, which it writes over.
func (s softmax[T]) foldTree(tree []T) []T {
	if x, ok := any(tree).([]float32); ok {
		return any(foldRows(s.simd, x, s.width)).([]T)
	}
	for rows := len(tree) / s.width; rows > 1; rows = (rows + 1) / 2 {
		half := rows / 2 * s.width
		s.apply(vec.Add, tree[:half], tree, tree[rows*s.width-half:], 0)
	}
	return tree[:s.width]
}

// largest halves x until little is left. It uses the memory for a slab.
func (s softmax[T]) largest(x []T) T {
	odd := x[0]
	for len(x) > 8 {
		if len(x)%2 == 1 {
			odd = max(odd, x[len(x)-1])
		}
		half := len(x) / 2
		s.apply(vec.Max, s.slab[:half], x, x[half:], 0)
		x = s.slab[:half]
	}
	for _, v := range x {
		odd = max(odd, v)
	}
	return odd
}

// spread computes op of the rows of x, each with the same row.
func (s softmax[T]) spread(op vec.Op, dst, x, row []T) {
	if s.width > 1 {
		for k := range s.n {
			s.apply(op, nth(dst, k, s.width), nth(x, k, s.width), row, 0)
		}
		return
	}
	c := row[0]
	switch op {
	case vec.Sub:
		op, c = vec.AddC, -c
	case vec.Mul:
		op = vec.MulC
	default:
		op = vec.DivC
	}
	s.apply(op, dst, x, nil, c)
}
