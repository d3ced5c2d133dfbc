package simd

import "unsafe"

// Bias says whether a vector is added to a product, and along which axis.
type Bias uint8

const (
	NoBias  Bias = iota
	ColBias      // N values, one a column
	RowBias      // M values, one a row
)

// Act is what is applied to each element of a product.
type Act uint8

const (
	NoAct Act = iota
	ReLU      // max(x, 0); NaN stays
)

// Bits of a tile's flags, as the generator knows them.
const (
	flagAdd = 1 << iota
	flagColBias
	flagRowBias
	flagReLU
)

// finish is the epilogue for part of a row: column j, row i of the bias.
func finish[T Float](c, sum []T, bias *T, j, i, flags int) {
	size := int(unsafe.Sizeof(T(0)))
	for v := range c {
		x := sum[v]
		if flags&flagAdd != 0 {
			x = flush(c[v]) + x
		}
		if flags&flagColBias != 0 {
			x += flush(*add(bias, (j+v)*size))
		}
		if flags&flagRowBias != 0 {
			x += flush(*add(bias, i*size))
		}
		if flags&flagReLU != 0 && x < 0 {
			x = 0
		}
		c[v] = flush(x)
	}
}
