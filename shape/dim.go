package shape

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Dim is the extent of one axis: a number, or k times the batch size, written k*[N].
//
// A symbolic Dim is a negative multiple of 2^32, so that untyped constants are Dims and mistakes in
// arithmetic are detected: N+3 and N/2 are not valid Dims. Use the methods for arithmetic; they
// return an error if the result has no meaning.
type Dim int64

// N is the batch size, known only when a program runs.
const N Dim = -1 << 32

// maxDim is the largest numeric extent. Products of a few extents do not overflow.
const maxDim = math.MaxInt32

// ErrSymbolic is wrapped by errors about arithmetic that the batch size N does not allow.
var ErrSymbolic = errors.New("not possible with the symbolic batch size")

// invalid is a Dim that is not valid.
const invalid = N + 1

// Batch returns k*N, for k from 0 to 2^31-1. For another k it returns an invalid Dim.
func Batch(k int) Dim {
	if k < 0 || k > maxDim {
		return invalid
	}
	return Dim(k) * N
}

// Valid reports whether d is a number from 0 to 2^31-1, or k*N for a k from 1 to 2^31-1.
func (d Dim) Valid() bool { return 0 <= d && d <= maxDim || d.Symbolic() && d >= maxDim*N }

// Symbolic reports whether d is a multiple of N.
func (d Dim) Symbolic() bool { return d <= N && d%N == 0 }

// Factor returns k if d is k*N, and 0 if d is a number.
func (d Dim) Factor() int {
	if !d.Symbolic() {
		return 0
	}
	return int(d / N)
}

// At returns d as a number, for N = n. The result is invalid if it is larger than an extent can be.
func (d Dim) At(n int) Dim {
	switch {
	case !d.Symbolic():
		return d
	case n < 0 || n > maxDim:
		return invalid
	}
	return Dim(d.Factor()) * Dim(n)
}

// Int returns d as a Go number, or false if d is symbolic or invalid.
func (d Dim) Int() (int, bool) { return int(d), d.Valid() && !d.Symbolic() }

// Add returns d+e. A sum of a number and a multiple of N, such as N+3, is an error.
func (d Dim) Add(e Dim) (Dim, error) {
	sum := d + e
	switch {
	case d.Valid() && e.Valid() && d != 0 && e != 0 && d.Symbolic() != e.Symbolic():
		return 0, fmt.Errorf("%v+%v: %w", d, e, ErrSymbolic)
	case !d.Valid() || !e.Valid() || !sum.Valid():
		return 0, fmt.Errorf("%v+%v is not a valid extent", d, e)
	}
	return sum, nil
}

// Mul returns d*e, which may be larger than any extent, so that it can be a number of elements. N*N
// is an error.
func (d Dim) Mul(e Dim) (Dim, error) {
	switch {
	case d.Symbolic() && e.Symbolic():
		return 0, fmt.Errorf("%v*%v: %w", d, e, ErrSymbolic)
	case !d.size() || !e.size():
		return 0, fmt.Errorf("%v*%v is not a size", d, e)
	case d == 0 || e == 0:
		return 0, nil
	case d.Symbolic() && e > maxDim/Dim(d.Factor()), e.Symbolic() && d > maxDim/Dim(e.Factor()), d.number() && e.number() && d > maxSize/e:
		return 0, fmt.Errorf("%v*%v is too large", d, e)
	}
	return d * e, nil
}

// number reports whether d is a number, which may be larger than any extent.
func (d Dim) number() bool { return d >= 0 }

// size reports whether d is a number or a multiple of N, which may be larger than any extent.
func (d Dim) size() bool { return d.number() || d.Symbolic() }

// Div returns d/e. A division with a remainder, and N/2, are errors.
func (d Dim) Div(e Dim) (Dim, error) {
	switch {
	case !d.size() || !e.size():
		return 0, fmt.Errorf("%v/%v is not a size", d, e)
	case e == 0:
		return 0, fmt.Errorf("%v/0", d)
	case d == e:
		return 1, nil
	case e.Symbolic() && !d.Symbolic():
		return 0, fmt.Errorf("%v/%v: %w", d, e, ErrSymbolic)
	case d.Symbolic() && !e.Symbolic() && d.Factor()%int(e) != 0:
		return 0, fmt.Errorf("%v/%v: %w", d, e, ErrSymbolic)
	case d%e != 0:
		return 0, fmt.Errorf("%v is not a multiple of %v", d, e)
	}
	return d / e, nil
}

// String returns "28", "N", "4N", or "invalid(-3)".
func (d Dim) String() string {
	switch k := d.Factor(); {
	case !d.size():
		return fmt.Sprintf("invalid(%d)", int64(d))
	case k == 1:
		return "N"
	case k > 1:
		return strconv.Itoa(k) + "N"
	}
	return strconv.FormatInt(int64(d), 10)
}

// maxSize is the largest number of elements. Their size in bytes fits an int64.
const maxSize = math.MaxInt64 / 16
