package totals

import (
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Planes are planes of Rows rows of N elements each: planes begin Plane elements after each other, and
// rows Row.
type Planes struct{ Count, Rows, N, Plane, Row int }

// MostRows is the most rows whose sum loses little: eight sums, in turn, of eight rows each, by halves.
const MostRows = 8 * 8

// Columns adds up the rows of each plane of x with each other, and writes the sums, of N elements, to rows of
// dst that follow each other. There are 1 to [MostRows] rows. Denormals are taken for zeros. The order of a sum
// depends only on Rows. dst does not overlap x.
func Columns[T isa.Float](k *Kernels, dst, x []T, p Planes) {
	if p.Count == 0 || p.N == 0 {
		return
	}
	p.check(len(dst), len(x))
	f, size := tableOf[T](k).columns, int(unsafe.Sizeof(x[0]))
	wide := max(isa.CallLen/p.Rows, 1) // columns of a call
	for plane := 0; plane < p.Count; {
		planes := min(max(wide/p.N, 1), p.Count-plane)
		for at := 0; at < p.N; at += wide {
			f(planes, p.Rows, min(wide, p.N-at), &dst[plane*p.N+at], p.N*size, &x[plane*p.Plane+at], p.Plane*size, p.Row*size)
		}
		plane += planes
	}
}

func (p *Planes) check(dst, x int) {
	if p.Rows < 1 || p.Rows > MostRows || p.Plane < 0 || p.Row < 0 || dst < p.Count*p.N || x < (p.Count-1)*p.Plane+(p.Rows-1)*p.Row+p.N {
		panic(fmt.Sprintf("totals: columns of %+v: dst %d, x %d", *p, dst, x))
	}
}

// columnsGo adds up in float64.
func columnsGo[T isa.Float](planes, rows, n int, dst *T, dstPlane int, x *T, xPlane, xRow int) uint32 {
	at := func(v *T, bytes int) []T { return unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(v), bytes)), n) }
	for p := range planes {
		to := at(dst, p*dstPlane)
		for j := range to {
			sum := 0.0
			for r := range rows {
				sum += float64(isa.Flush(at(x, p*xPlane+r*xRow)[j]))
			}
			to[j] = isa.Flush(T(sum))
		}
	}
	return 0
}
