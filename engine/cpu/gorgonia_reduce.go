package cpu

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/internal/simd/vec"
)

// real are the elements that are summed and compared here.
type real interface {
	int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// folding is what a reduction does: to the elements of a row, and to n rows of acc's length, stride
// elements after each other in x, of which it sets acc.
type folding[T real] struct {
	row  func(x []T) T
	rows func(acc, x []T, stride, n int)
}

// rowByRow folds rows by what is done to a row of results and the next row.
func rowByRow[T real](next func(acc, x []T)) func(acc, x []T, stride, n int) {
	return func(acc, x []T, stride, n int) {
		copy(acc, x)
		for r := 1; r < n; r++ {
			next(acc, x[r*stride:][:len(acc)])
		}
	}
}

type reduction uint8

const (
	summing reduction = iota
	maximum
	minimum
)

func (r reduction) String() string { return [...]string{"Sum", "Max", "Min"}[r] }

// Sum implements [tensor.Sumer].
func (e Engine) Sum(a tensor.Tensor, along ...int) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok, err := e.reduce(summing, a, along); ok {
		return r, err
	}
	r, err = e.StdEng.Sum(a, along...)
	return own(e, r, err, given(nil, a))
}

// Max implements [tensor.Maxer]: NaN where one of the elements is.
func (e Engine) Max(a tensor.Tensor, along ...int) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok, err := e.reduce(maximum, a, along); ok {
		return r, err
	}
	r, err = e.StdEng.Max(a, along...)
	return own(e, r, err, given(nil, a))
}

// Min implements [tensor.Miner]: NaN where one of the elements is.
func (e Engine) Min(a tensor.Tensor, along ...int) (r tensor.Tensor, err error) {
	defer told(&err, a)
	if r, ok, err := e.reduce(minimum, a, along); ok {
		return r, err
	}
	r, err = e.StdEng.Min(a, along...)
	return own(e, r, err, given(nil, a))
}

// reduce reduces a dense tensor of real numbers, unless it is left to StdEng: with a mask, or
// in column-major order. StdEng's sums over an inner axis are wrong from rank 4 on.
func (e Engine) reduce(op reduction, a tensor.Tensor, along []int) (r tensor.Tensor, ok bool, err error) {
	d, dense := a.(*tensor.Dense)
	if e.simd == nil || !dense || !d.IsNativelyAccessible() || d.IsMasked() {
		return nil, false, nil
	}
	if !isPlain(d) && d.IsMaterializable() && d.DataOrder().IsRowMajor() {
		d = d.Materialize().(*tensor.Dense)
	}
	if !isPlain(d) || d.Dims() == 0 {
		return nil, false, nil
	}
	axes, err := axesOf(op, d.Dims(), along)
	if err != nil {
		return nil, true, err
	}
	switch d.Dtype() {
	case tensor.Float32:
		r = reduce(e, floats32(e, op), d.Shape(), d.Float32s(), axes)
	case tensor.Float64:
		r = reduce(e, floats64(op), d.Shape(), d.Float64s(), axes)
	case tensor.Int:
		r = reduce(e, foldingOf[int](op), d.Shape(), d.Ints(), axes)
	case tensor.Int8:
		r = reduce(e, foldingOf[int8](op), d.Shape(), d.Int8s(), axes)
	case tensor.Int16:
		r = reduce(e, foldingOf[int16](op), d.Shape(), d.Int16s(), axes)
	case tensor.Int32:
		r = reduce(e, foldingOf[int32](op), d.Shape(), d.Int32s(), axes)
	case tensor.Int64:
		r = reduce(e, foldingOf[int64](op), d.Shape(), d.Int64s(), axes)
	case tensor.Uint:
		r = reduce(e, foldingOf[uint](op), d.Shape(), d.Uints(), axes)
	case tensor.Uint8:
		r = reduce(e, foldingOf[uint8](op), d.Shape(), d.Uint8s(), axes)
	case tensor.Uint16:
		r = reduce(e, foldingOf[uint16](op), d.Shape(), d.Uint16s(), axes)
	case tensor.Uint32:
		r = reduce(e, foldingOf[uint32](op), d.Shape(), d.Uint32s(), axes)
	case tensor.Uint64:
		r = reduce(e, foldingOf[uint64](op), d.Shape(), d.Uint64s(), axes)
	default:
		return nil, false, nil
	}
	return r, true, nil
}

// axesOf says which of so many axes are named, all of them if none is. As in StdEng, on which the
// library's norms rely, all are meant too by as many consecutive numbers as there are axes.
func axesOf(op reduction, rank int, along []int) ([]bool, error) {
	axes := make([]bool, rank)
	if len(along) == rank && consecutive(along) {
		along = nil
	}
	for _, i := range along {
		if i < 0 || i >= rank {
			return nil, fmt.Errorf("engine %s: %v along axis %d of a tensor of rank %d", name, op, i, rank)
		}
		if axes[i] {
			return nil, fmt.Errorf("engine %s: %v along axis %d twice", name, op, i)
		}
		axes[i] = true
	}
	if len(along) == 0 {
		for i := range axes {
			axes[i] = true
		}
	}
	return axes, nil
}

func consecutive(s []int) bool {
	for i := range s {
		if s[i] != s[0]+i {
			return false
		}
	}
	return true
}

func floats32(e Engine, op reduction) folding[float32] {
	f := foldingOf[float32](op)
	if op == summing {
		f.row, f.rows = e.simd.Vec.Sum, e.sumRows
		return f
	}
	kernel := vec.Max
	if op == minimum {
		kernel = vec.Min
	}
	f.rows = rowByRow(func(acc, x []float32) { e.simd.Vec.Map(kernel, acc, acc, x, 0) })
	last := f.row
	f.row = func(x []float32) float32 {
		if len(x) < 4*narrow {
			return last(x)
		}
		mem := borrow[float32](len(x) / 2)
		defer mem.giveBack()
		for n := len(x) / 2; n >= narrow; n = len(x) / 2 { // the one half against the other
			half := mem.s[:n]
			odd := x[2*n:]
			e.simd.Vec.Map(kernel, half, x[:n], x[n:2*n], 0)
			if len(odd) > 0 {
				e.simd.Vec.Map(kernel, half[:1], half[:1], odd, 0)
			}
			x = half
		}
		return last(x)
	}
	return f
}

// sumRows adds rows up by eighths and halves, so that little is lost.
func (e Engine) sumRows(acc, x []float32, stride, n int) {
	width, m, rest := len(acc), n/8, n%8
	mem := borrow[float32]((m + rest) * width)
	defer mem.giveBack()
	if stride == width && m > 0 {
		e.simd.Vec.SumRows(mem.s[:m*width], x, m*width)
	} else {
		for i := range m {
			e.simd.Vec.SumRows(nth(mem.s, i, width), x[8*i*stride:], stride)
		}
	}
	for i := range rest {
		copy(nth(mem.s, m+i, width), x[(8*m+i)*stride:])
	}
	copy(acc, foldRows(e.simd, mem.s, width))
}

// narrow is how many numbers are compared one by one.
const narrow = 64

// floats64 sums in four lanes, for the processor to add in all of them at once.
func floats64(op reduction) folding[float64] {
	f := foldingOf[float64](op)
	if op != summing {
		return f
	}
	f.row = func(x []float64) float64 {
		var a, b, c, d float64
		for ; len(x) >= 4; x = x[4:] {
			a, b, c, d = a+x[0], b+x[1], c+x[2], d+x[3]
		}
		for _, v := range x {
			a += v
		}
		return a + b + (c + d)
	}
	return f
}

func foldingOf[T real](op reduction) folding[T] {
	switch op {
	case maximum:
		return folding[T]{row: greatest[T], rows: rowByRow(keepGreater[T])}
	case minimum:
		return folding[T]{row: least[T], rows: rowByRow(keepLess[T])}
	}
	return folding[T]{row: addUp[T], rows: rowByRow(addTo[T])}
}

func addUp[T real](x []T) (sum T) {
	for _, v := range x {
		sum += v
	}
	return sum
}

func addTo[T real](acc, x []T) {
	acc = acc[:len(x)]
	for i, v := range x {
		acc[i] += v
	}
}

// greatest returns the maximum, or NaN if there is one. Mostly four elements at once are not above
// what has been found.
func greatest[T real](x []T) T {
	m := x[0]
	for ; len(x) >= 4 && m == m; x = x[4:] {
		if x[0] <= m && x[1] <= m && x[2] <= m && x[3] <= m {
			continue
		}
		m = greater(greater(m, x[0]), greater(x[1], greater(x[2], x[3])))
	}
	for _, v := range x {
		m = greater(m, v)
	}
	return m
}

// greater returns the greater number, or the one that is NaN.
func greater[T real](a, b T) T {
	if b <= a || a != a {
		return a
	}
	return b
}

// least returns the minimum, or NaN if there is one.
func least[T real](x []T) T {
	m := x[0]
	for ; len(x) >= 4 && m == m; x = x[4:] {
		if x[0] >= m && x[1] >= m && x[2] >= m && x[3] >= m {
			continue
		}
		m = less(less(m, x[0]), less(x[1], less(x[2], x[3])))
	}
	for _, v := range x {
		m = less(m, v)
	}
	return m
}

// less returns the smaller number, or the one that is NaN.
func less[T real](a, b T) T {
	if b >= a || a != a {
		return a
	}
	return b
}

func keepGreater[T real](acc, x []T) {
	acc = acc[:len(x)]
	for i, v := range x {
		acc[i] = greater(acc[i], v)
	}
}

func keepLess[T real](acc, x []T) {
	acc = acc[:len(x)]
	for i, v := range x {
		acc[i] = less(acc[i], v)
	}
}

// reduce folds x, of shape s, along some axes: neighbouring ones at once, the last ones first.
func reduce[T real](e Engine, f folding[T], s tensor.Shape, x []T, axes []bool) tensor.Tensor {
	kept := tensor.Shape{}
	for i, n := range s {
		if !axes[i] {
			kept = append(kept, n)
		}
	}
	after := 1 // elements of the result from one index of the axis to the next
	for i := len(s) - 1; i >= 0; i-- {
		if !axes[i] {
			after *= s[i]
			continue
		}
		n := s[i]
		for ; i > 0 && axes[i-1]; i-- {
			n *= s[i-1]
		}
		c := cube[T]{x, len(x) / n / after, n, after}
		x = c.fold(e, f)
	}
	return newDense(e, kept, x)
}

// cube is a tensor whose middle axis is folded.
type cube[T real] struct {
	x                    []T
	before, along, after int
}

const (
	rowPart    = 1 << 13 // elements of a row that are folded in one go
	rowsPart   = 1 << 14 // elements of rows that are
	fewestRows = 32
	columnPart = 1 << 12 // columns of rows that are
)

// fold cuts the work only by c's extents, and then folds the parts in order.
func (c cube[T]) fold(e Engine, f folding[T]) []T {
	per := rowPart
	if c.after > 1 {
		per = max(fewestRows, rowsPart/c.after)
	}
	p := partsOf(c.along, per)
	out := make([]T, c.before*p.count*c.after)
	if c.after == 1 {
		grain := max(1, 4*rowPart/min(per, c.along))
		e.pool.For(len(out), grain, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				r0, r1 := p.bounds(i % p.count)
				row := c.x[i/p.count*c.along:]
				out[i] = f.row(row[r0:r1])
			}
		})
	} else {
		columns := partsOf(c.after, columnPart)
		grain := max(1, 4*rowPart/(min(per, c.along)*min(columnPart, c.after)))
		e.pool.For(c.before*p.count*columns.count, grain, func(lo, hi int) {
			for task := lo; task < hi; task++ {
				c.rows(f, out, p, columns, task)
			}
		})
	}
	if p.count == 1 {
		return out
	}
	return cube[T]{out, c.before, p.count, c.after}.fold(e, f)
}

// rows folds some columns of some rows.
func (c cube[T]) rows(f folding[T], out []T, p, columns parts, task int) {
	i, c0, c1 := task/columns.count, 0, c.after
	if columns.count > 1 {
		c0, c1 = columns.bounds(task % columns.count)
	}
	r0, r1 := p.bounds(i % p.count)
	acc := out[i*c.after:][c0:c1]
	x := c.x[(i/p.count*c.along+r0)*c.after:]
	f.rows(acc, x[c0:], c.after, r1-r0)
}
