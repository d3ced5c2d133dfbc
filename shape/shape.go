package shape

import (
	"fmt"
	"strings"
)

// MaxRank bounds the rank, so that a Shape is a comparable value.
const MaxRank = 8

// Shape is the extent of each axis. Two shapes are equal if they are ==. The zero Shape
// is that of a scalar.
type Shape struct {
	rank uint8 // MaxRank+1 marks too many axes
	dim  [MaxRank]Dim
}

// Of returns the shape with the given extents. More than MaxRank of them, or an invalid
// one, make a shape that [Shape.Err] refuses.
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

// Err says what is wrong with s, or returns nil.
func (s Shape) Err() error {
	if s.rank > MaxRank {
		return fmt.Errorf("more than %d axes", MaxRank)
	}
	for i, d := range s.Dims() {
		if !d.Valid() {
			return fmt.Errorf("axis %d: extent %v is neither a number from 0 to %d nor a multiple of N", i, d, int64(maxDim))
		}
	}
	return nil
}

// Rank is the number of axes.
func (s Shape) Rank() int { return int(min(s.rank, MaxRank)) }

// Dim returns the extent of axis i, which may count from the end as in Dim(-1).
// It panics, as indexing does, where there is no such axis.
func (s Shape) Dim(i int) Dim { return s.dim[:s.Rank()][s.axis(i)] }

// Int returns the extent of axis i as a number; it panics where that is symbolic.
// It is for code that runs once N is known.
func (s Shape) Int(i int) int {
	d, ok := s.Dim(i).Int()
	if !ok {
		panic(fmt.Sprintf("shape: axis %d of %v is symbolic", i, s))
	}
	return d
}

// Dims returns a copy of the extents.
func (s Shape) Dims() []Dim { return append([]Dim(nil), s.dim[:s.Rank()]...) }

// Ints returns the extents as numbers; it panics where one is symbolic.
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

// Size is the number of elements: the product of the extents, 1 for a scalar.
// A product of two symbolic extents, or one beyond 2^59, is refused.
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

// Len is the number of elements of a concrete shape; it panics where s is symbolic.
func (s Shape) Len() int {
	n := 1
	for i := range s.Rank() {
		n *= s.Int(i)
	}
	return n
}

// With returns s with the extent of axis i replaced; it panics where there is no such axis.
func (s Shape) With(i int, d Dim) Shape {
	s.dim[:s.Rank()][s.axis(i)] = d
	return s
}

// Drop returns s without axis i; it panics where there is no such axis.
func (s Shape) Drop(i int) Shape {
	i = s.axis(i)
	dims := s.Dims()
	return Of(append(dims[:i], dims[i+1:]...)...)
}

// Insert returns s with an axis of extent d put before axis i.
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

// Axis returns i counted from the front, or an error where s has no such axis.
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

// Broadcast returns the shape that a and b spread to by NumPy's rule: axes are aligned
// at the end, and an axis of extent 1 or a missing one repeats.
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
