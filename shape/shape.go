package shape

import (
	"fmt"
	"strings"
)

// MaxRank is the largest rank. It is fixed so that a Shape is comparable.
const MaxRank = 8

// Shape is the extents of all axes. Two shapes are equal if they are ==. The zero Shape is that of
// a scalar.
type Shape struct {
	rank uint8 // MaxRank+1 means too many axes
	dim  [MaxRank]Dim
}

// Of returns the shape with the given extents. If there are more than MaxRank or one is invalid,
// [Shape.Err] returns an error.
func Of(dims ...Dim) (s Shape) {
	s.rank = uint8(min(len(dims), MaxRank+1))
	copy(s.dim[:], dims)
	return s
}

// OfInts returns the shape with the given numeric extents.
func OfInts(dims ...int) (s Shape) {
	s.rank = uint8(min(len(dims), MaxRank+1))
	for i := range min(len(dims), MaxRank) {
		s.dim[i] = Dim(dims[i])
	}
	return s
}

// Err returns an error that says what is wrong with s, or nil.
func (s Shape) Err() error {
	if s.rank > MaxRank {
		return fmt.Errorf("more than %d axes", MaxRank)
	}
	for i := range s.Rank() {
		if d := s.dim[i]; !d.Valid() {
			return fmt.Errorf("axis %d: extent %v is neither a number from 0 to %d nor a multiple of N", i, d, int64(maxDim))
		}
	}
	return nil
}

// Rank returns the number of axes.
func (s Shape) Rank() int { return int(min(s.rank, MaxRank)) }

// Dim returns the extent of axis i, which may count from the end as in Dim(-1). It panics if there
// is no such axis, like indexing.
func (s Shape) Dim(i int) Dim { return s.dim[:s.Rank()][s.axis(i)] }

// Int returns the extent of axis i as a number. It panics if the extent is symbolic; it is for code
// that runs once N is known.
func (s Shape) Int(i int) int {
	d, ok := s.Dim(i).Int()
	if !ok {
		panic(fmt.Sprintf("shape: axis %d of %v is symbolic", i, s))
	}
	return d
}

// Dims returns a copy of the extents.
func (s Shape) Dims() []Dim { return append([]Dim(nil), s.dim[:s.Rank()]...) }

// Ints returns the extents as numbers. It panics if one is symbolic.
func (s Shape) Ints() []int {
	ints := make([]int, s.Rank())
	for i := range ints {
		ints[i] = s.Int(i)
	}
	return ints
}

// Concrete reports whether no extent is symbolic.
func (s Shape) Concrete() bool {
	for i := range s.Rank() {
		if s.dim[i].Symbolic() {
			return false
		}
	}
	return true
}

// At returns s with N = n.
func (s Shape) At(n int) Shape {
	for i := range s.Rank() {
		s.dim[i] = s.dim[i].At(n)
	}
	return s
}

// Size returns the number of elements: the product of the extents, 1 for a scalar. A product of two
// symbolic extents, or one above 2^59, is an error.
func (s Shape) Size() (Dim, error) {
	size := Dim(1)
	for i := range s.Rank() {
		if s.dim[i] == 0 {
			return 0, nil
		}
	}
	for i := range s.Rank() {
		var err error
		if size, err = size.Mul(s.dim[i]); err != nil {
			return 0, fmt.Errorf("size of %v: %w", s, err)
		}
	}
	return size, nil
}

// Len returns the number of elements of a concrete shape. It panics if s is symbolic.
func (s Shape) Len() int {
	n := 1
	for i := range s.Rank() {
		n *= s.Int(i)
	}
	return n
}

// With returns s with the extent of axis i replaced. It panics if there is no such axis.
func (s Shape) With(i int, d Dim) Shape {
	s.dim[:s.Rank()][s.axis(i)] = d
	return s
}

// Drop returns s without axis i. It panics if there is no such axis.
func (s Shape) Drop(i int) Shape {
	i = s.axis(i)
	dims := s.Dims()
	return Of(append(dims[:i], dims[i+1:]...)...)
}

// Insert returns s with an axis of extent d inserted before axis i.
func (s Shape) Insert(i int, d Dim) Shape {
	dims := s.Dims()
	return Of(append(dims[:i:i], append([]Dim{d}, dims[i:]...)...)...)
}

// Strides returns the row-major strides of a concrete shape, in elements.
func (s Shape) Strides() []int {
	st := make([]int, s.Rank())
	n := 1
	for i := len(st) - 1; i >= 0; i-- {
		st[i] = n
		n *= s.Int(i)
	}
	return st
}

// Axis returns i counted from the front, or an error if s has no such axis.
func (s Shape) Axis(i int) (int, error) {
	if i < -s.Rank() || i >= s.Rank() {
		return 0, fmt.Errorf("no axis %d in %v", i, s)
	}
	return s.axis(i), nil
}

func (s Shape) axis(i int) int {
	if i < 0 {
		i += s.Rank()
	}
	return i
}

// String returns "(N,1,28,28)", and "()" for a scalar.
func (s Shape) String() string {
	parts := make([]string, s.Rank())
	for i := range parts {
		parts[i] = s.dim[i].String()
	}
	if s.rank > MaxRank {
		parts = append(parts, "...")
	}
	return "(" + strings.Join(parts, ",") + ")"
}

// Broadcast returns the shape that a and b broadcast to by NumPy's rule: axes are aligned at the
// end, and axes of extent 1 and missing axes are repeated.
func Broadcast(a, b Shape) (Shape, error) {
	out := a
	if b.Rank() > a.Rank() {
		out = b
	}
	for i := 1; i <= out.Rank(); i++ {
		da, db := Dim(1), Dim(1)
		if i <= a.Rank() {
			da = a.Dim(-i)
		}
		if i <= b.Rank() {
			db = b.Dim(-i)
		}
		switch {
		case da == db || db == 1:
			out = out.With(-i, da)
		case da == 1:
			out = out.With(-i, db)
		default:
			return Shape{}, fmt.Errorf("shapes %v and %v do not broadcast: %v against %v", a, b, da, db)
		}
	}
	return out, nil
}
