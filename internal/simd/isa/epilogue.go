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
	ReLU6     // min(max(x, 0), 6); NaN stays. Of products and convolutions with channels last.
)

// Flags are the bits of abi that say a to a kernel.
func (a Act) Flags() int { return [...]int{0, abi.FlagReLU, abi.FlagReLU | abi.FlagReLU6}[a] }

// Finish is the epilogue for part of a row: column j, row i of the bias.
func Finish[T Float](c, sum []T, bias *T, j, i, flags int) {
	size := int(unsafe.Sizeof(T(0)))
	sum = sum[:len(c)]
	if flags&abi.FlagAdd != 0 {
		for v, x := range sum {
			c[v] = Flush(c[v]) + x
		}
	} else {
		copy(c, sum)
	}
	if flags&abi.FlagColBias != 0 && len(c) > 0 {
		for v, x := range unsafe.Slice(Add(bias, j*size), len(c)) {
			c[v] += Flush(x)
		}
	}
	if flags&abi.FlagRowBias != 0 {
		x := Flush(*Add(bias, i*size))
		for v := range c {
			c[v] += x
		}
	}
	if flags&abi.FlagReLU != 0 {
		for v, x := range c {
			if x < 0 {
				c[v] = 0
			}
		}
	}
	if flags&abi.FlagReLU6 != 0 {
		for v, x := range c {
			c[v] = min(x+0, 6) // -0 becomes 0
		}
	}
	for v, x := range c {
		c[v] = Flush(x)
	}
}
