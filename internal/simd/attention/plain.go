package attention

import (
	"math"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

var plain = table{plainKernels[float32](), plainKernels[float64]()}

func plainKernels[T isa.Float]() kernels[T] {
	return kernels[T]{softmaxGo[T], scoreGradsGo[T], scaleRowsGo[T]}
}

// rowAt is row i of n elements, of rows that are stride bytes apart.
func rowAt[T isa.Float](x *T, i, stride, n int) []T {
	return unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(x), i*stride)), n)
}

func softmaxGo[T isa.Float](rows, n, grow int, x *T, stride int, sums *T) uint32 {
	for i := range rows {
		row, most, sum := rowAt(x, i, stride, n+i*grow), math.Inf(-1), 0.0
		for _, v := range row {
			most = math.Max(most, float64(v))
		}
		for j, v := range row {
			row[j] = isa.Flush(T(math.Exp(float64(v) - most)))
			sum += float64(row[j])
		}
		rowAt(sums, 0, 0, rows)[i] = T(sum)
	}
	return 0
}

func scoreGradsGo[T isa.Float](rows, n, grow int, p, d *T, stride int, by *T, scale T) uint32 {
	for i := range rows {
		ps, ds, sum := rowAt(p, i, stride, n+i*grow), rowAt(d, i, stride, n+i*grow), 0.0
		for j := range ps {
			ps[j] = isa.Flush(ps[j] * rowAt(by, 0, 0, rows)[i])
			sum += float64(ps[j]) * float64(ds[j])
		}
		for j := range ds {
			ds[j] = isa.Flush(scale * ps[j] * (ds[j] - T(sum)))
		}
	}
	return 0
}

func scaleRowsGo[T isa.Float](rows, n int, dst, x *T, stride int, by *T, step int) uint32 {
	for i := range rows {
		c, to := isa.Flush(rowAt(by, i, step, 1)[0]), rowAt(dst, i, stride, n)
		for j, v := range rowAt(x, i, stride, n) {
			to[j] = isa.Flush(isa.Flush(v) * c)
		}
	}
	return 0
}
