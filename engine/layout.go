package engine

import (
	"fmt"

	"github.com/plexaura/plexaura/shape"
)

// Layout says where in memory the elements of a tensor lie: Block neighbours along Axis stand side
// by side, and the rest is in row-major order around them. The zero Layout, [Rows], is row-major
// order itself. A tensor (N,C,H,W) lies in memory as
//
//	Rows                        (N,C,H,W)
//	Layout{Axis: 0, Block: 16}  (N/16,C,H,W,16)  images interleaved by 16
//	Layout{Axis: 1, Block: 16}  (N,C/16,H,W,16)  channels in blocks of 16
//	Layout{Axis: 1, Block: All} (N,H,W,C)        channels last
//
// Types never show it: they are logical, (N,C,H,W), whatever the layout.
type Layout struct{ Axis, Block int }

// All is the Block of a layout whose blocks hold the whole axis.
const All = -1

// Rows is row-major order.
var Rows = Layout{}

// Interleaved is the layout of images of which n stand side by side: (N/n,C,H,W,n).
func Interleaved(n int) Layout { return Layout{Axis: 0, Block: n} }

// String returns "rows", "axis 0 by 16" or "axis 1 last".
func (l Layout) String() string {
	switch l.Block {
	case 0:
		return "rows"
	case All:
		return fmt.Sprintf("axis %d last", l.Axis)
	}
	return fmt.Sprintf("axis %d by %d", l.Axis, l.Block)
}

// Fits reports whether a tensor of concrete type t can have layout l: Axis exists, and its extent is
// a multiple of Block.
func (l Layout) Fits(t shape.Type) bool {
	if l == Rows {
		return true
	}
	if l.Axis < 0 || l.Axis >= t.Rank() || t.Rank() == shape.MaxRank || l.Block < All || l.Block == 0 {
		return false
	}
	return l.Block == All || t.Int(l.Axis)%l.Block == 0
}

// Stored is the row-major type of the memory of a tensor of type t, which l must fit: outside of Rows
// it has one axis more, the last, of the elements of a block.
func (l Layout) Stored(t shape.Type) shape.Type {
	if l == Rows {
		return t
	}
	n := t.Int(l.Axis)
	block := l.Block
	if block == All {
		block = max(n, 1)
	}
	return t.Of(t.Shape.With(l.Axis, shape.Dim(n/block)).Insert(t.Rank(), shape.Dim(block)))
}

// View is the type of a row-major tensor of type t as one that broadcasts against the memory of
// tensors of that rank in layout l: where it does not extend along the layout's axis it has a last
// axis of extent 1, and elsewhere the type that Stored gives. It reports false where the order of the
// elements would be another.
func (l Layout) View(t shape.Type, rank int) (shape.Type, bool) {
	here := Layout{l.Axis - (rank - t.Rank()), l.Block} // axes are counted from the last one
	switch {
	case l == Rows || t.Rank() == 0:
		return t, true
	case here.Axis < 0 || t.Int(here.Axis) == 1:
		return t.Of(t.Shape.Insert(t.Rank(), 1)), true
	case !here.Fits(t):
		return t, false
	}
	return here.Stored(t), here.inner(t) == 1
}

// inner is how many elements lie behind the layout's axis, for each of its places.
func (l Layout) inner(t shape.Type) int {
	n := 1
	for i := l.Axis + 1; i < t.Rank(); i++ {
		n *= t.Int(i)
	}
	return n
}

// Swap says how to convert a tensor of type t, which l must fit, from Rows to l: seen as (blocks,
// block, inner), the last two axes change places, as those of (blocks, inner, block) do on the way
// back. For Rows there is nothing to exchange.
func (l Layout) Swap(t shape.Type) (blocks, block, inner int) {
	if l == Rows || !l.Fits(t) {
		return t.Len(), 1, 1
	}
	block, inner = l.Stored(t).Int(t.Rank()), l.inner(t)
	return t.Len() / max(block*inner, 1), block, inner
}

// Operand is an input or output as a kernel is bound to it: its type, which is the logical one, and
// its layout.
type Operand struct {
	shape.Type
	Layout Layout
}

// InRows returns operands of the given types in row-major order.
func InRows(types ...shape.Type) []Operand {
	os := make([]Operand, len(types))
	for i, t := range types {
		os[i].Type = t
	}
	return os
}

// InRow returns the operand of type t in row-major order.
func InRow(t shape.Type) Operand { return Operand{Type: t} }

// Types returns the types of operands.
func Types(os []Operand) []shape.Type {
	ts := make([]shape.Type, len(os))
	for i, o := range os {
		ts[i] = o.Type
	}
	return ts
}

// Stored is the row-major type of o's memory.
func (o Operand) Stored() shape.Type { return o.Layout.Stored(o.Type) }

// String is that of the type, with the layout where it is not row-major: "float32(32,6,14,14) axis 0
// by 16".
func (o Operand) String() string {
	if o.Layout == Rows {
		return o.Type.String()
	}
	return o.Type.String() + " " + o.Layout.String()
}

// MapTypes returns the types of the memory of a map's inputs and outputs: those that a map in rows
// would have that does the same.
func MapTypes(in, out []Operand) (ins, outs []shape.Type, err error) {
	l, rank := Rows, 0
	for _, o := range out {
		if l = o.Layout; !l.Fits(o.Type) {
			return nil, nil, fmt.Errorf("a map cannot give %v", o)
		}
		rank = o.Rank()
		outs = append(outs, o.Stored())
	}
	for _, o := range in {
		t, ok := o.Stored(), o.Layout == l
		if !ok && o.Layout == Rows {
			t, ok = l.View(o.Type, rank)
		}
		if !ok {
			return nil, nil, fmt.Errorf("a map to %v cannot read %v", l, o)
		}
		ins = append(ins, t)
	}
	return ins, outs, nil
}

// Arrangement is a choice of layouts with which a kernel can be bound.
type Arrangement struct {
	In  []Layout
	Out Layout

	// Gain is the time that the kernel saves against the one for rows, in bytes that are converted in
	// as much time; less than 0 where it is slower. At 0 it saves conversions where its neighbours have
	// that layout.
	Gain int
}

// Always is the Gain of a kernel that is faster by more than it ever takes to convert its operands.
const Always = 1 << 50

// Other is the layout of the operands that are not in rows.
func (a Arrangement) Other() Layout {
	for _, l := range a.In {
		if l != Rows {
			return l
		}
	}
	return a.Out
}

// Images is the arrangement in which the first n of all inputs are in layout l, and the others in
// rows.
func Images(l Layout, n, all int) []Layout {
	in := make([]Layout, all)
	for i := range n {
		in[i] = l
	}
	return in
}

// A Layouter engine has kernels for other layouts than Rows. A kernel is bound for Rows first; the
// Bound lists its other Arrangements, and those only are ever asked for. BindMap takes any
// of the layouts that it lists, in which all inputs of the result's shape then are, and row-major
// inputs that the layout can View.
type Layouter interface {
	// Layouts lists the layouts, other than Rows, that tensors of concrete type t may have.
	Layouts(t shape.Type) []Layout
}
