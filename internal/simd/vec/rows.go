package vec

import (
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Rows of ten to a hundred elements cost more in calls than in work: here a call takes many.

// rowsFunc sets rows > 0 adjoining rows of n > 0 elements. The stride is in bytes.
type rowsFunc[T isa.Float] func(rows, n int, dst, x, c *T, stride int) (csr uint32)

// ByRows reports whether op, of x and y, has a kernel for rows.
func ByRows(op Op) bool { return op == Add || op == Sub || op == Mul || op == Div }

// MapRows sets rows of n elements: dst[i*n+j] is op of x[i*n+j] and c[i*stride], with the bits of [Kernels.Map].
// dst is whole rows, and may be x itself. ByRows says which functions have such a kernel.
func (k *Kernels) MapRows(op Op, dst, x []float32, n int, c []float32, stride int) {
	mapRows(k.byRows[op], op, dst, x, n, c, stride)
}

// MapRows64 is [Kernels.MapRows] for float64, with the bits of [Kernels.Map64].
func (k *Kernels) MapRows64(op Op, dst, x []float64, n int, c []float64, stride int) {
	mapRows(k.byRows64[op], op, dst, x, n, c, stride)
}

func mapRows[T isa.Float](f rowsFunc[T], op Op, dst, x []T, n int, c []T, stride int) {
	rows := len(dst) / n
	if f == nil {
		panic(fmt.Sprintf("vec: %v has no kernel for rows", op))
	}
	if rows == 0 {
		return
	}
	x, c = x[:rows*n], c[:(rows-1)*stride+1]
	size, most := int(unsafe.Sizeof(x[0])), max(isa.CallLen/n, 1)
	for row := 0; row < rows; row += most {
		f(min(most, rows-row), n, &dst[row*n], &x[row*n], &c[row*stride], stride*size)
	}
}

// Repeat fills rows of n elements: dst[i*n+j] is x[i*stride]. dst is whole rows, and does not
// overlap x.
func (k *Kernels) Repeat(dst []float32, n int, x []float32, stride int) {
	repeatRows(k.repeat, dst, n, x, stride)
}

// Repeat64 is [Kernels.Repeat] for float64.
func (k *Kernels) Repeat64(dst []float64, n int, x []float64, stride int) {
	repeatRows(k.repeat64, dst, n, x, stride)
}

func repeatRows[T isa.Float](f func(rows, n int, dst, x *T, stride int), dst []T, n int, x []T, stride int) {
	rows := len(dst) / n
	if rows == 0 {
		return
	}
	x = x[:(rows-1)*stride+1]
	size, most := int(unsafe.Sizeof(x[0])), max(isa.CallLen/n, 1)
	for row := 0; row < rows; row += most {
		f(min(most, rows-row), n, &dst[row*n], &x[row*stride], stride*size)
	}
}

// mixFunc sets rows > 0 adjoining rows of n > 0 elements: row i to the sum of w[l] times row ids[l] of x, for l from
// starts[i] to starts[i+1].
type mixFunc[T isa.Float] func(rows, n int, dst, x *T, starts, ids *int32, w *T) (csr uint32)

// MixRows sets rows of n elements: row i of dst to the sum of w[l] times row ids[l] of x, for l from starts[i] up to but
// not including starts[i+1]. dst is whole rows, and does not overlap x. starts has one element more than dst rows.
func (k *Kernels) MixRows(dst, x []float32, n int, starts, ids []int32, w []float32) {
	mix(k.mixRows, dst, x, n, starts, ids, w)
}

// MixRows64 is [Kernels.MixRows] for float64.
func (k *Kernels) MixRows64(dst, x []float64, n int, starts, ids []int32, w []float64) {
	mix(k.mixRows64, dst, x, n, starts, ids, w)
}

func mix[T isa.Float](f mixFunc[T], dst, x []T, n int, starts, ids []int32, w []T) {
	rows, of := len(dst)/n, len(x)/n
	if rows == 0 {
		return
	}
	starts = starts[:rows+1]
	taps := ids[starts[0]:starts[rows]]
	for _, id := range taps {
		if uint(id) >= uint(of) {
			panic(fmt.Sprintf("vec: row %d of %d", id, of))
		}
	}
	if len(taps) == 0 {
		clear(dst[:rows*n])
		return
	}
	most := max(isa.CallLen/(n*isa.Ceil(len(taps), rows)), 1)
	for row := 0; row < rows; row += most {
		f(min(most, rows-row), n, &dst[row*n], &x[0], &starts[row], &ids[0], &w[:len(ids)][0])
	}
}

// Places are where Planes planes of Rows rows of N elements lie: in dst and in src, planes and rows begin so many
// elements after each other.
type Places struct {
	Planes, Rows, N  int
	DstPlane, DstRow int
	SrcPlane, SrcRow int // 0 where the same ones are copied again
}

// CopyPlanes copies bit by bit. dst does not overlap src.
func (k *Kernels) CopyPlanes(dst, src []float32, p Places) {
	if p.Planes == 0 || p.Rows == 0 || p.N == 0 {
		return
	}
	p.check(len(dst), len(src))
	const size = 4
	n := min(p.N, isa.CallLen)
	rows := min(max(isa.CallLen/n, 1), p.Rows)
	planes := max(isa.CallLen/(n*rows), 1)
	for plane := 0; plane < p.Planes; plane += planes {
		for row := 0; row < p.Rows; row += rows {
			to, from := plane*p.DstPlane+row*p.DstRow, plane*p.SrcPlane+row*p.SrcRow
			for at := 0; at < p.N; at += n {
				k.copyPlanes(min(planes, p.Planes-plane), min(rows, p.Rows-row), min(n, p.N-at),
					&dst[to+at], p.DstPlane*size, p.DstRow*size, &src[from+at], p.SrcPlane*size, p.SrcRow*size)
			}
		}
	}
}

func (p *Places) check(dst, src int) {
	reach := func(plane, row int) int { return (p.Planes-1)*plane + (p.Rows-1)*row + p.N }
	if min(p.DstPlane, p.DstRow, p.SrcPlane, p.SrcRow) < 0 || dst < reach(p.DstPlane, p.DstRow) || src < reach(p.SrcPlane, p.SrcRow) {
		panic(fmt.Sprintf("vec: copy of %+v: dst %d, src %d", *p, dst, src))
	}
}

// The plain-Go twins.

// plainRows computes element by element, f being the function of x and y.
func plainRows[T isa.Float](f func(n int, dst, x, y *T, c T) uint32) rowsFunc[T] {
	return func(rows, n int, dst, x, c *T, stride int) uint32 {
		for i, to, from := 0, unsafe.Slice(dst, rows*n), unsafe.Slice(x, rows*n); i < rows; i++ {
			for j := i * n; j < (i+1)*n; j++ {
				f(1, &to[j], &from[j], isa.Add(c, i*stride), 0)
			}
		}
		return 0
	}
}

func repeatGo[T isa.Float](rows, n int, dst, x *T, stride int) {
	for i, to := 0, unsafe.Slice(dst, rows*n); i < rows; i++ {
		v := *isa.Add(x, i*stride)
		for j := range n {
			to[i*n+j] = v
		}
	}
}

func mixRowsGo[T isa.Float](rows, n int, dst, x *T, starts, ids *int32, w *T) uint32 {
	to, bounds := unsafe.Slice(dst, rows*n), unsafe.Slice(starts, rows+1)
	size := int(unsafe.Sizeof(*x))
	for i := range rows {
		for j := range n {
			var sum T
			for l := int(bounds[i]); l < int(bounds[i+1]); l++ {
				id := int(*(*int32)(unsafe.Add(unsafe.Pointer(ids), 4*l)))
				sum += flushed(*isa.Add(w, l*size)) * flushed(*isa.Add(x, (id*n+j)*size))
			}
			to[i*n+j] = flushed(sum)
		}
	}
	return 0
}

// flushed is x, or the zero of its sign for denormals of float32: kernels of float64 keep them.
func flushed[T isa.Float](x T) T {
	if unsafe.Sizeof(x) == 8 {
		return x
	}
	return isa.Flush(x)
}

func copyPlanesGo(planes, rows, n int, dst *float32, dstPlane, dstRow int, src *float32, srcPlane, srcRow int) {
	for p := range planes {
		for r := range rows {
			copy(unsafe.Slice(isa.Add(dst, p*dstPlane+r*dstRow), n), unsafe.Slice(isa.Add(src, p*srcPlane+r*srcRow), n))
		}
	}
}
