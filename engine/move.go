package engine

import "github.com/plexaura/plexaura/shape"

// PadMode is how a tensor continues beyond its edge.
type PadMode uint8

// The pad modes, with what stands around [a b c]: constant k k|a b c|k k, edge a a|a b c|c c,
// reflect c b|a b c|b a, symmetric b a|a b c|c b.
const (
	PadConstant PadMode = iota
	PadEdge
	PadReflect
	PadSymmetric
)

// String returns the mode's name.
func (m PadMode) String() string {
	return [...]string{"constant", "edge", "reflect", "symmetric"}[m]
}

// Source returns the place that place i, perhaps beyond an axis of extent n, is a copy of; -1 is none.
func (m PadMode) Source(i, n int) int {
	if 0 <= i && i < n {
		return i
	}
	last := n - 1
	switch m {
	case PadEdge:
		return min(max(i, 0), last)
	case PadReflect: // the edge is the mirror
		return last - abs(last-abs(i))
	case PadSymmetric: // the mirror stands beyond the edge
		if i < 0 {
			return -1 - i
		}
		return 2*n - 1 - i
	}
	return -1
}

func abs(i int) int { return max(i, -i) }

// Perm is a permutation of axes: axis i of the result is axis Perm[i] of the input.
type Perm [shape.MaxRank]uint8

// Window is a strided part of a tensor: along axis i the elements Start[i], Start[i]+Step[i],
// ..., as many as the type of the part says. A Step is not 0; it may be negative.
type Window struct{ Start, Step [shape.MaxRank]int }

// Padding says how far a tensor is continued before and after each axis, and how.
type Padding struct {
	Mode          PadMode
	Before, After [shape.MaxRank]int
	Value         uint64 // bits of a float64, for PadConstant
}

// A Mover binds kernels that move elements; all work for every element type.
type Mover interface {
	BindTranspose(p Perm, in []Operand, out Operand) (Bound, error)
	// BindSlice takes x; it gives the part of it in the window.
	BindSlice(w Window, in []Operand, out Operand) (Bound, error)
	// BindEmbed takes the part; it gives zeros with the part in the window: the adjoint of
	// BindSlice. Parts do not overlap.
	BindEmbed(w Window, in []Operand, out Operand) (Bound, error)
	// BindConcat joins its inputs along an axis.
	BindConcat(axis int, in []Operand, out Operand) (Bound, error)
	BindPad(p Padding, in []Operand, out Operand) (Bound, error)
	// BindPadGrad takes dy; it gives dx, each element the sum of the dy that copied it.
	BindPadGrad(p Padding, in []Operand, out Operand) (Bound, error)
	// BindOneHot takes integer ids (...); it gives (...,K), 1 at each id and 0 elsewhere. An id
	// outside 0..K-1 is an error of the run.
	BindOneHot(in []Operand, out Operand) (Bound, error)
}

// Distribution is what random numbers follow.
type Distribution uint8

// The distributions: uniform on [0,1), and normal with mean 0 and variance 1.
const (
	Uniform Distribution = iota
	Normal
)

// A Randomer binds counter-based random numbers (Philox4x32-10). Its input is an Int64(2): the seed
// and the step; element i of the result depends on these, on the stream and on i alone.
type Randomer interface {
	BindRandom(d Distribution, stream uint64, in []Operand, out Operand) (Bound, error)
}
