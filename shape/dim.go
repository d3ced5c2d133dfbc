package shape

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Dim is one extent: a number, or k times the batch size, written k*[N].
//
// A symbolic Dim is a negative multiple of 2^32, so that untyped constants are Dims and
// arithmetic slips are caught: N+3 and N/2 are not valid Dims. Compute with the methods,
// which refuse what has no meaning.
type Dim int64

// N is the batch size, known only when a program runs.
const N Dim = -1 << 32

// maxDim bounds a numeric extent, so that products of a few are far from overflow.
const maxDim = math.MaxInt32

// ErrSymbolic is wrapped by errors about arithmetic that the batch size N does not allow.
var ErrSymbolic = errors.New("not possible with the symbolic batch size")

// Batch returns k*N.
func Batch(k int) Dim { return Dim(k) * N }

// Valid reports whether d is a number from 0 to 2^31-1, or a positive multiple of N.
func (d Dim) Valid() bool { return 0 <= d && d <= maxDim || d.Symbolic() }

// Symbolic reports whether d is a multiple of N.
func (d Dim) Symbolic() bool { return d <= N && d%N == 0 }

// Factor returns k where d is k*N, and 0 where d is a number.
func (d Dim) Factor() int {
	if !d.Symbolic() {
		return 0
	}
	return int(d / N)
}

// At returns d as a number, for N = n.
func (d Dim) At(n int) Dim {
	if d.Symbolic() {
		return Dim(d.Factor()) * Dim(n)
	}
	return d
}

// Int returns d as a Go number, or false where d is symbolic or invalid.
func (d Dim) Int() (int, bool) { return int(d), d.Valid() && !d.Symbolic() }

// Add returns d+e. N+3 is refused.
func (d Dim) Add(e Dim) (Dim, error) {
	switch {
	case d == 0:
		return e, nil
	case e == 0:
		return d, nil
	case d.Symbolic() != e.Symbolic():
		return 0, fmt.Errorf("%v+%v: %w", d, e, ErrSymbolic)
	}
	return checked(d+e, d, "+", e)
}

// Mul returns d*e, which may be larger than an extent can be: it may be a size. N*N is
// refused.
func (d Dim) Mul(e Dim) (Dim, error) {
	switch {
	case d.Symbolic() && e.Symbolic():
		return 0, fmt.Errorf("%v*%v: %w", d, e, ErrSymbolic)
	case !d.number() && !d.Symbolic() || !e.number() && !e.Symbolic():
		return 0, fmt.Errorf("%v*%v is not a size", d, e)
	case d == 0 || e == 0:
		return 0, nil
	case d.Symbolic() && e > maxDim/Dim(d.Factor()), e.Symbolic() && d > maxDim/Dim(e.Factor()), d.number() && e.number() && d > maxSize/e:
		return 0, fmt.Errorf("%v*%v is too large", d, e)
	}
	return d * e, nil
}

// number reports whether d is a number, be it a size beyond any extent.
func (d Dim) number() bool { return d >= 0 }

// Div returns d/e. It is refused where the division leaves a rest, and N/2 is.
func (d Dim) Div(e Dim) (Dim, error) {
	switch {
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
	case !d.number() && !d.Symbolic():
		return fmt.Sprintf("invalid(%d)", int64(d))
	case k == 1:
		return "N"
	case k > 1:
		return strconv.Itoa(k) + "N"
	}
	return strconv.FormatInt(int64(d), 10)
}

// maxSize bounds a number of elements: its bytes fit an int64.
const maxSize = math.MaxInt64 / 16

func checked(r, d Dim, op string, e Dim) (Dim, error) {
	if !r.Valid() {
		return 0, fmt.Errorf("%v%s%v is not a valid extent", d, op, e)
	}
	return r, nil
}
