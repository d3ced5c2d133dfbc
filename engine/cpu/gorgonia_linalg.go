package cpu

import (
	"fmt"
	"sync"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// loan is borrowed memory.
type loan[T shape.Float] struct {
	s    []T
	pool *sync.Pool
}

// loans32 and loans64 keep memory that has been given back.
var loans32, loans64 sync.Pool

// borrow returns memory for n elements, aligned to 64 bytes, holding anything.
func borrow[T shape.Float](n int) *loan[T] {
	pool := &loans32
	if shape.DTypeOf[T]() == shape.Float64 {
		pool = &loans64
	}
	l, _ := pool.Get().(*loan[T])
	if l == nil {
		l = &loan[T]{pool: pool}
	}
	if cap(l.s) < n {
		d := shape.DTypeOf[T]()
		l.s = engine.Slice[T](engine.BufferAt(engine.Aligned(n*d.Width()), d, n))
	}
	l.s = l.s[:n]
	return l
}

func (l *loan[T]) giveBack() { l.pool.Put(l) }

// lattice is a matrix as it lies in memory: rows of ld elements, or columns if turned.
type lattice[T shape.Float] struct {
	x          []T
	rows, cols int
	ld         int
	turned     bool
}

// latticeOf returns how the elements of a matrix lie, whether it is a view, transposed, or in
// column-major order. As in StdEng, masks do not count.
func latticeOf[T shape.Float](t tensor.Tensor) (m lattice[T], ok bool) {
	d := t.(*tensor.Dense)
	s, strides := d.Shape(), d.Strides()
	if len(s) != 2 || len(strides) != 2 {
		return m, false
	}
	m = lattice[T]{x: memory[T](d), rows: s[0], cols: s[1]}
	down, right := strides[0], strides[1]
	switch {
	case m.rows <= 1 && right == 1:
		m.ld = m.cols
	case m.cols <= 1:
		m.ld = max(down, 1)
	case right == 1:
		m.ld = down
	case m.rows <= 1:
		m.ld, m.turned = max(right, 1), true
	case down == 1:
		m.ld, m.turned = right, true
	default:
		return m, false
	}
	r, c := m.rows, m.cols
	if m.turned {
		r, c = c, r
	}
	return m, r == 0 || c == 0 || m.ld >= c && len(m.x) >= (r-1)*m.ld+c
}

func (m lattice[T]) transposed() lattice[T] {
	m.rows, m.cols, m.turned = m.cols, m.rows, !m.turned
	return m
}

// lineOf returns how the n elements of a vector lie: stride from one to the next.
func lineOf[T shape.Float](t tensor.Tensor) (x []T, n, stride int, ok bool) {
	d := t.(*tensor.Dense)
	s, strides := d.Shape(), d.Strides()
	n, stride = 1, 1
	for i, extent := range s {
		if extent == 1 {
			continue
		}
		if n != 1 {
			return nil, 0, 0, false
		}
		n = extent
		if len(strides) == len(s) {
			stride = strides[i]
		}
	}
	x = memory[T](d)
	return x, n, stride, n > 0 && stride > 0 && len(x) > (n-1)*stride
}

// vectorOf returns the elements of a vector, in a copy if there are gaps between them.
func vectorOf[T shape.Float](t tensor.Tensor) ([]T, bool) {
	x, n, stride, ok := lineOf[T](t)
	if !ok {
		return nil, false
	}
	if stride == 1 {
		return x[:n], true
	}
	packed := make([]T, n)
	for i := range packed {
		packed[i] = x[i*stride]
	}
	return packed, true
}

// column is x as a matrix of one column.
func column[T shape.Float](x []T) lattice[T] {
	return lattice[T]{x: x, rows: 1, cols: len(x), ld: len(x)}.transposed()
}

// multiply sets c to a times b. c may share memory with either.
func multiply[T shape.Float](e Engine, a, b, c lattice[T]) {
	if c.turned {
		a, b, c = b.transposed(), a.transposed(), c.transposed()
	}
	to := c
	if overlap(c.x, a.x) || overlap(c.x, b.x) {
		mem := borrow[T](c.rows * c.cols)
		defer mem.giveBack()
		to = lattice[T]{x: mem.s, rows: c.rows, cols: c.cols, ld: c.cols}
	}
	op := gemm.Op{
		M: c.rows, N: c.cols, K: a.cols,
		TransA: a.turned, TransB: b.turned, LDA: a.ld, LDB: b.ld, LDC: to.ld,
	}
	scratch := borrow[T](gemm.Scratch[T](e.simd.Gemm, op))
	defer scratch.giveBack()
	gemm.Mul(e.simd.Gemm, e.pool, op, a.x, b.x, to.x, nil, scratch.s)
	if &to.x[0] == &c.x[0] {
		return
	}
	for i := range c.rows {
		copy(c.x[i*c.ld:][:c.cols], to.x[i*to.ld:])
	}
}

// fits is an error where a product of two tensors is not for the place it was given.
func fits(ok bool, op string, a, b, into tensor.Tensor) error {
	if ok {
		return nil
	}
	return fmt.Errorf("engine %s cannot put the %s of %v and %v into %v", name, op, a.Shape(), b.Shape(), into.Shape())
}

// MatMul implements [tensor.MatMuler]: it sets prealloc to a times b. Transposed matrices and
// views are used as they lie.
func (e Engine) MatMul(a, b, prealloc tensor.Tensor) (err error) {
	defer told(&err, a, b, prealloc)
	switch {
	case e.simd == nil:
	case isDense(tensor.Float32, a, b, prealloc):
		return matMul[float32](e, a, b, prealloc)
	case isDense(tensor.Float64, a, b, prealloc):
		return matMul[float64](e, a, b, prealloc)
	}
	return e.StdEng.MatMul(a, b, prealloc)
}

func matMul[T shape.Float](e Engine, a, b, prealloc tensor.Tensor) error {
	x, okA := latticeOf[T](a)
	y, okB := latticeOf[T](b)
	to, okC := latticeOf[T](prealloc)
	if !okA || !okB || !okC {
		return e.StdEng.MatMul(a, b, prealloc)
	}
	if err := fits(x.cols == y.rows && to.rows == x.rows && to.cols == y.cols, "product", a, b, prealloc); err != nil {
		return err
	}
	if to.rows > 0 && to.cols > 0 {
		multiply(e, x, y, to)
	}
	return nil
}

// MatVecMul implements [tensor.MatVecMuler]: it sets prealloc to a times the vector b.
func (e Engine) MatVecMul(a, b, prealloc tensor.Tensor) (err error) {
	defer told(&err, a, b, prealloc)
	switch {
	case e.simd == nil:
	case isDense(tensor.Float32, a, b, prealloc):
		return matVecMul[float32](e, a, b, prealloc)
	case isDense(tensor.Float64, a, b, prealloc):
		return matVecMul[float64](e, a, b, prealloc)
	}
	return e.StdEng.MatVecMul(a, b, prealloc)
}

func matVecMul[T shape.Float](e Engine, a, b, prealloc tensor.Tensor) error {
	m, okA := latticeOf[T](a)
	x, okB := vectorOf[T](b)
	y, n, stride, okC := lineOf[T](prealloc)
	if !okA || !okB || !okC || stride != 1 {
		return e.StdEng.MatVecMul(a, b, prealloc)
	}
	if err := fits(len(x) == m.cols && n == m.rows, "product", a, b, prealloc); err != nil {
		return err
	}
	multiply(e, m, column(x), column(y[:n]))
	return nil
}

// Inner implements [tensor.InnerProder].
func (e Engine) Inner(a, b tensor.Tensor) (r any, err error) {
	defer told(&err, a, b)
	switch {
	case e.simd == nil:
	case isDense(tensor.Float32, a, b):
		return innerProduct[float32](e, a, b)
	case isDense(tensor.Float64, a, b):
		return innerProduct[float64](e, a, b)
	}
	return e.StdEng.Inner(a, b)
}

// innerPart is how many elements of an inner product are summed in one go.
const innerPart = 1 << 15

func innerProduct[T shape.Float](e Engine, a, b tensor.Tensor) (any, error) {
	x, okA := vectorOf[T](a)
	y, okB := vectorOf[T](b)
	if !okA || !okB || len(x) != len(y) {
		return e.StdEng.Inner(a, b)
	}
	sums := make([]T, (len(x)+innerPart-1)/innerPart)
	e.pool.For(len(x), innerPart, func(lo, hi int) {
		i := lo / innerPart
		row := lattice[T]{x: x[lo:hi], rows: 1, cols: hi - lo, ld: hi - lo}
		multiply(Engine{simd: e.simd}, row, column(y[lo:hi]), column(sums[i:i+1]))
	})
	total := 0.0
	for _, v := range sums {
		total += float64(v)
	}
	return T(total), nil
}

// Outer implements [tensor.OuterProder]: it sets prealloc to the outer product of two vectors.
func (e Engine) Outer(a, b, prealloc tensor.Tensor) (err error) {
	defer told(&err, a, b, prealloc)
	switch {
	case e.simd == nil:
	case isDense(tensor.Float32, a, b, prealloc):
		return outer[float32](e, a, b, prealloc)
	case isDense(tensor.Float64, a, b, prealloc):
		return outer[float64](e, a, b, prealloc)
	}
	return e.StdEng.Outer(a, b, prealloc)
}

func outer[T shape.Float](e Engine, a, b, prealloc tensor.Tensor) error {
	x, okA := vectorOf[T](a)
	y, okB := vectorOf[T](b)
	to, okC := latticeOf[T](prealloc)
	if !okA || !okB || !okC || overlap(to.x, x) || overlap(to.x, y) {
		return e.StdEng.Outer(a, b, prealloc)
	}
	if err := fits(len(x) == to.rows && len(y) == to.cols, "outer product", a, b, prealloc); err != nil {
		return err
	}
	if to.turned {
		x, y, to = y, x, to.transposed()
	}
	grain := max(1, chunkWork*1000/cheap/len(y))
	e.pool.For(len(x), grain, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			vector(e, vec.MulC, x[i])(to.x[i*to.ld:][:to.cols], y, y)
		}
	})
	return nil
}

// Dot implements [tensor.Dotter]. Unlike StdEng's it does not transpose the matrix meanwhile that a
// vector is multiplied by, unless opts say where the result goes.
func (e Engine) Dot(a, b tensor.Tensor, opts ...tensor.FuncOpt) (r tensor.Tensor, err error) {
	defer told(&err, a, b)
	switch {
	case e.simd == nil:
	case isDense(tensor.Float32, a, b):
		if r, ok := dot[float32](e, a, b, opts); ok {
			return r, nil
		}
	case isDense(tensor.Float64, a, b):
		if r, ok := dot[float64](e, a, b, opts); ok {
			return r, nil
		}
	}
	r, err = e.StdEng.Dot(a, b, opts...)
	return own(e, r, err, given(opts, a, b))
}

// dot computes the products whose first factor is a vector.
func dot[T shape.Float](e Engine, a, b tensor.Tensor, opts []tensor.FuncOpt) (tensor.Tensor, bool) {
	if !a.Shape().IsVector() || len(opts) > 0 {
		return nil, false
	}
	x, ok := vectorOf[T](a)
	if !ok {
		return nil, false
	}
	if b.Shape().IsVector() {
		if b.Shape().TotalSize() != len(x) {
			return nil, false
		}
		r, err := innerProduct[T](e, a, b)
		if err != nil {
			return nil, false
		}
		return tensor.New(tensor.FromScalar(r), tensor.WithEngine(e)), true
	}
	if b.Dims() != 2 {
		return nil, false
	}
	m, ok := latticeOf[T](b)
	if !ok || m.rows != len(x) || m.cols == 0 {
		return nil, false
	}
	y := make([]T, m.cols)
	multiply(e, m.transposed(), column(x), column(y))
	return newDense(e, tensor.Shape{len(y)}, y), true
}
