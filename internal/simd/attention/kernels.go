package attention

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/vec"
)

// kernels work on rows > 0 rows of n > 0 elements, of which each is grow elements longer than the
// one before. Strides are in bytes.
type kernels[T isa.Float] struct {
	softmax    func(rows, n, grow int, x *T, stride int, sums *T) (csr uint32)
	scoreGrads func(rows, n, grow int, p, d *T, stride int, by *T, scale T) (csr uint32)
	scaleRows  func(rows, n int, dst, x *T, stride int, by *T, step int) (csr uint32)
}

type table struct {
	f32 kernels[float32]
	f64 kernels[float64]
}

// Kernels are the kernels of one level.
type Kernels struct {
	table
	gemm   *gemm.Kernels
	choose func(dst []float32, cond []bool, x, y []float32)
}

// At returns the kernels for a level, which multiply by those of g and select by those of v, or nil
// where there are none.
func At(l isa.Level, g *gemm.Kernels, v *vec.Kernels) *Kernels {
	t, ok := tables[l]
	if !ok || g == nil || v == nil {
		return nil
	}
	return &Kernels{t, g, v.Choose}
}

// chooser returns the kernel that sets dst to x or y by cond, nil where there is none for T.
func chooser[T isa.Float](k *Kernels) func(dst []T, cond []bool, x, y []T) {
	f, _ := any(k.choose).(func(dst []T, cond []bool, x, y []T))
	return f
}

func kernelsOf[T isa.Float](k *Kernels) *kernels[T] {
	if t, ok := any(&k.f32).(*kernels[T]); ok {
		return t
	}
	return any(&k.f64).(*kernels[T])
}

// exponentials replaces rows of scores by their exponentials, less the maximum of a row, and sets
// sums.
func (k *kernels[T]) exponentials(x []T, pitch int, s span, sums []T) {
	for each := s.each(); s.rows > 0; s, x, sums = s.from(each), x[min(each, s.rows)*pitch:], sums[min(each, s.rows):] {
		rows := min(each, s.rows)
		_, _ = x[(rows-1)*pitch+s.n+(rows-1)*s.grow-1], sums[rows-1]
		k.softmax(rows, s.n, s.grow, &x[0], pitch*int(unsafe.Sizeof(x[0])), &sums[0])
	}
}

// gradients normalises rows of exponentials p and turns the gradients of what they became, d, into
// those of the scores.
func (k *kernels[T]) gradients(p, d []T, pitch int, s span, by []T, scale T) {
	for each := s.each(); s.rows > 0; {
		rows := min(each, s.rows)
		last := (rows-1)*pitch + s.n + (rows-1)*s.grow - 1
		_, _, _ = p[last], d[last], by[rows-1]
		k.scoreGrads(rows, s.n, s.grow, &p[0], &d[0], pitch*int(unsafe.Sizeof(p[0])), &by[0], scale)
		s = s.from(rows)
		if s.rows > 0 {
			p, d, by = p[rows*pitch:], d[rows*pitch:], by[rows:]
		}
	}
}

// scale sets rows of n elements that follow each other in dst to those of x times a number each, or
// all times the only one.
func (k *kernels[T]) scale(dst, x []T, n int, by []T) {
	size := int(unsafe.Sizeof(T(0)))
	rows, step := len(dst)/max(n, 1), size
	if len(by) == 1 {
		step = 0
	}
	x = x[:len(dst)]
	for i := 0; i < rows; {
		count := min(rows-i, max(isa.CallLen/n, 1))
		k.scaleRows(count, n, &dst[i*n], &x[i*n], n*size, &by[i*step/size], step)
		i += count
	}
}

// span is rows of scores that have keys: the first has n, each further one grow more.
type span struct{ rows, n, grow int }

// each is how many rows a call takes.
func (s span) each() int { return max(isa.CallLen/(s.n+s.grow*s.rows), 1) }

// from is what is left after some rows.
func (s span) from(rows int) span {
	rows = min(rows, s.rows)
	return span{s.rows - rows, s.n + rows*s.grow, s.grow}
}
