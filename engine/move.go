package engine

import (
	"slices"

	"github.com/plexaura/plexaura/shape"
)

// PadMode is the way in which a tensor is extended beyond its edge.
type PadMode uint8

// The pad modes, with their effect on [a b c]: constant k k|a b c|k k, edge a a|a b c|c c, reflect
// c b|a b c|b a, symmetric b a|a b c|c b.
const (
	PadConstant PadMode = iota
	PadEdge
	PadReflect
	PadSymmetric
)

// String returns the name of the mode.
func (m PadMode) String() string {
	return [...]string{"constant", "edge", "reflect", "symmetric"}[m]
}

// Source returns the index of the element that index i, which may be outside an axis of extent n,
// is a copy of, or -1 if there is none.
func (m PadMode) Source(i, n int) int {
	if 0 <= i && i < n {
		return i
	}
	last := n - 1
	switch m {
	case PadEdge:
		return min(max(i, 0), last)
	case PadReflect: // mirrored at the centre of the edge element
		return last - abs(last-abs(i))
	case PadSymmetric: // mirrored after the edge element
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

// Keeps reports whether every element of in is at the same place of out, its transposition by p: the axes that have
// more than one element follow each other in memory in the same order. Axes in blocks are not compared.
func (p Perm) Keeps(in, out Operand) bool {
	from, ok := in.order()
	to, ok2 := out.order()
	for i, axis := range to {
		to[i] = int(p[axis])
	}
	one := func(axis int) bool { return in.Int(axis) == 1 }
	return ok && ok2 && slices.Equal(slices.DeleteFunc(from, one), slices.DeleteFunc(to, one))
}

// order returns the axes of o in the order in which memory has them, or false where some are cut into blocks.
func (o Operand) order() (axes []int, ok bool) {
	for i := range o.Rank() {
		axes = append(axes, i)
	}
	switch o.Layout.Block {
	case Rows.Block:
		return axes, true
	case All:
		last := o.Layout.Axis
		return append(slices.Delete(axes, last, last+1), last), true
	}
	return nil, false
}

// Window is a strided part of a tensor: along axis i the elements Start[i], Start[i]+Step[i] and so
// on, as many as the type of the part says. A Step is not 0; it may be negative.
type Window struct{ Start, Step [shape.MaxRank]int }

// Padding describes how far and in which way a tensor is extended before and after each axis.
type Padding struct {
	Mode          PadMode
	Before, After [shape.MaxRank]int
	Value         uint64 // bits of a float64, for PadConstant
}

// A Mover binds kernels that move elements. All work for every element type.
type Mover interface {
	BindTranspose(p Perm, in []Operand, out Operand) (Bound, error)
	// BindSlice has the input x. Its result is the part of x in the window.
	BindSlice(w Window, in []Operand, out Operand) (Bound, error)
	// BindEmbed has the part as input. Its result is zeros with the part in the window: the adjoint
	// of BindSlice. Parts do not overlap.
	BindEmbed(w Window, in []Operand, out Operand) (Bound, error)
	// BindConcat joins its inputs along an axis. The kernel says where they lie; see [Parts].
	BindConcat(axis int, in []Operand, out Operand) (Bound, error)
	BindPad(p Padding, in []Operand, out Operand) (Bound, error)
	// BindPadGrad has the input dy. Its result is dx, in which each element is the sum of the
	// elements of dy that were copied from it.
	BindPadGrad(p Padding, in []Operand, out Operand) (Bound, error)
	// BindOneHot has integer ids (...) as input. Its result is (...,K), 1 at each id and 0
	// elsewhere. An id outside 0..K-1 is an error of the run.
	BindOneHot(in []Operand, out Operand) (Bound, error)
}

// Distribution is a distribution of random numbers.
type Distribution uint8

// The distributions: uniform on [0,1), and normal with mean 0 and variance 1.
const (
	Uniform Distribution = iota
	Normal
)

// A Randomer binds counter-based random numbers (Philox4x32-10). The input is an Int64(2): the seed
// and the step. Element i of the result depends only on these, on the stream and on i.
type Randomer interface {
	BindRandom(d Distribution, stream uint64, in []Operand, out Operand) (Bound, error)
}

// Parts returns where tensors of the given types lie in their concatenation along an axis, nil if
// they have no such axis.
func Parts(axis int, in []shape.Type) []Part {
	if len(in) == 0 || axis < 0 || axis >= in[0].Rank() {
		return nil
	}
	inner, all := 1, 0
	for i := axis + 1; i < in[0].Rank(); i++ {
		inner *= in[0].Int(i)
	}
	for _, t := range in {
		all += t.Int(axis) * inner
	}
	parts, at := make([]Part, len(in)), 0
	for i, t := range in {
		n := t.Int(axis) * inner
		parts[i] = Part{At: at, Len: n, Pitch: all}
		at += n
	}
	return parts
}
