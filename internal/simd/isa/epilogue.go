package isa

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
)

// Bias says whether a vector is added to a product, and along which axis.
type Bias uint8

const (
	NoBias  Bias = iota
	ColBias      // N values, one a column
	RowBias      // M values, one a row
)

// Act is a function applied to each element of a product.
type Act uint8

const (
	NoAct Act = iota
	ReLU      // max(x, 0); NaN stays
)

// Finish is the epilogue for part of a row: column j, row i of the bias.
func Finish[T Float](c, sum []T, bias *T, j, i, flags int) {
	size := int(unsafe.Sizeof(T(0)))
	for v := range c {
		x := sum[v]
		if flags&abi.FlagAdd != 0 {
			x = Flush(c[v]) + x
		}
		if flags&abi.FlagColBias != 0 {
			x += Flush(*Add(bias, (j+v)*size))
		}
		if flags&abi.FlagRowBias != 0 {
			x += Flush(*Add(bias, i*size))
		}
		if flags&abi.FlagReLU != 0 && x < 0 {
			x = 0
		}
		c[v] = Flush(x)
	}
}
