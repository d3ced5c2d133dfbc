package gemm

import (
	"math"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// goSmalls are the plain-Go twins of the kernels for small B: one panel of four columns.
var goSmalls = smalls{
	BFloat16: {goSmall(4, 4, brain)},
	Int8:     {goSmall(4, 4, signed)},
}

// goSmall are the kernels for up to so many rows and panels of cols columns, whose elements element
// reads.
func goSmall(rows, cols int, element func(b *byte, i int) float32) smallPanel {
	s := smallPanel{vecs: cols / 4, rows: []smallFunc{nil}, widen: func(k int, b *byte, scale, dst *float32) uint32 {
		for i, d := 0, unsafe.Slice(dst, k*cols); i < len(d); i++ {
			if d[i] = element(b, i); scale != nil {
				d[i] *= *isa.Add(scale, 4*(i%cols))
			}
			d[i] = isa.Flush32(d[i])
		}
		return 0
	}}
	for n := 1; n <= rows; n++ {
		s.rows = append(s.rows, func(k int, a *float32, as int, b *byte, sums *float32, more int) uint32 {
			out := unsafe.Slice(sums, n*cols)
			if more == 0 {
				clear(out)
			}
			for i := range n {
				x := unsafe.Slice(isa.Add(a, i*as), k)
				for j := range cols {
					sum := float32(0)
					for t := range k {
						sum = isa.Flush32(sum + isa.Flush32(x[t])*isa.Flush32(element(b, t*cols+j)))
					}
					out[i*cols+j] = isa.Flush32(out[i*cols+j] + sum)
				}
			}
			return 0
		})
	}
	return s
}

// brain is element i of memory in bfloat16.
func brain(b *byte, i int) float32 {
	return math.Float32frombits(uint32(*(*uint16)(unsafe.Add(unsafe.Pointer(b), 2*i))) << 16)
}

// signed is element i of memory in int8.
func signed(b *byte, i int) float32 {
	return float32(*(*int8)(unsafe.Add(unsafe.Pointer(b), i)))
}
