package totals

import (
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// bothFunc sets y and sums for rows > 0 rows of n > 0 elements. Strides are in bytes.
type bothFunc[T isa.Float] func(rows, n int, y, sums, x *T, xRow int, z *T, zRow int, g, c *T) (csr uint32)

// BothOfRows sets each element of y to the sum of z*(x-c) of a row, and each of sums, which are as many, to that of z; of
// z*g in the place of z if there is a G. They have the bits of Products and Sum, or nearly those of ProductsBy and Dots.
func BothOfRows[T isa.Float](k *Kernels, y, sums []T, r Rows[T]) {
	if len(y) == 0 || r.N == 0 {
		clear(y)
		clear(sums)
		return
	}
	op, f := Products, tableOf[T](k).both
	if len(r.G) > 0 {
		op, f = ProductsBy, tableOf[T](k).bothBy
	}
	if r.check(op, len(y)); len(sums) != len(y) {
		panic(fmt.Sprintf("totals: %d and %d totals of rows", len(y), len(sums)))
	}
	size, each := int(unsafe.Sizeof(y[0])), max(isa.CallLen/r.N, 1)
	for row := 0; row < len(y); row += each {
		f(min(each, len(y)-row), r.N, &y[row], &sums[row], &r.X[row*r.XRow], r.XRow*size, &r.Z[row*r.ZRow], r.ZRow*size, isa.Elem(r.G, 0), &r.C[row])
	}
}

// plainBoth is the plain-Go twin.
func plainBoth[T isa.Float](products, sum totalFunc[T]) bothFunc[T] {
	return func(rows, n int, y, sums, x *T, xRow int, z *T, zRow int, g, c *T) uint32 {
		products(rows, n, y, x, xRow, z, zRow, g, c)
		if g == nil {
			sum(rows, n, sums, z, zRow, z, zRow, nil, c)
			return 0
		}
		// as dots: z of each row, and the g that all share
		return sum(rows, n, sums, z, zRow, g, 0, nil, c)
	}
}
