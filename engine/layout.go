package engine

import (
	"fmt"

	"github.com/plexaura/plexaura/shape"
)

// Layout describes the order of a tensor's elements in memory: Block neighbours along Axis are
// contiguous, and the rest is in row-major order around them. The zero Layout, [Rows], is row-major
// order itself. A tensor (N,C,H,W) is in memory as
//
//	Rows                        (N,C,H,W)
//	Layout{Axis: 0, Block: 16}  (N/16,C,H,W,16)  images interleaved by 16
//	Layout{Axis: 1, Block: 16}  (N,C/16,H,W,16)  channels in blocks of 16
//	Layout{Axis: 1, Block: All} (N,H,W,C)        channels last
//
// Types are independent of the layout: they are always the logical ones, (N,C,H,W).
type Layout struct{ Axis, Block int }

// All as a Block means the whole axis.
const All = -1

// Rows is row-major order.
var Rows = Layout{}

// Interleaved returns the layout in which n images are interleaved: (N/n,C,H,W,n).
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

// Fits reports whether a tensor of concrete type t can have layout l: Axis exists, and its extent
// is a multiple of Block.
func (l Layout) Fits(t shape.Type) bool {
	if l == Rows {
		return true
	}
	if l.Axis < 0 || l.Axis >= t.Rank() || t.Rank() == shape.MaxRank || l.Block < All || l.Block == 0 {
		return false
	}
	return l.Block == All || t.Int(l.Axis)%l.Block == 0
}

// Stored returns the row-major type of the memory of a tensor of type t, which l must fit. Except
// for Rows it has one more axis, the last, for the elements of a block.
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

// View returns the type with which a row-major tensor of type t broadcasts against the memory of
// tensors of the given rank in layout l. If t does not extend along the layout's axis, that is t
// with a last axis of extent 1; otherwise it is the type that Stored returns. View reports false if
// that would change the order of the elements.
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

// inner returns the number of elements after the layout's axis, for each index along it.
func (l Layout) inner(t shape.Type) int {
	n := 1
	for i := l.Axis + 1; i < t.Rank(); i++ {
		n *= t.Int(i)
	}
	return n
}

// Swap describes the conversion of a tensor of type t, which l must fit, from Rows to l: as a
// tensor (blocks, block, inner) its last two axes are swapped. The opposite conversion swaps those
// of (blocks, inner, block). For Rows there is nothing to swap.
func (l Layout) Swap(t shape.Type) (blocks, block, inner int) {
	if l == Rows || !l.Fits(t) {
		return t.Len(), 1, 1
	}
	block, inner = l.Stored(t).Int(t.Rank()), l.inner(t)
	return t.Len() / max(block*inner, 1), block, inner
}

// Operand is an input or output that a kernel is bound to: its type, which is the logical one, and
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

// Stored returns the row-major type of o's memory.
func (o Operand) Stored() shape.Type { return o.Layout.Stored(o.Type) }

// String returns the type, followed by the layout if it is not row-major: "float32(32,6,14,14) axis
// 0 by 16".
func (o Operand) String() string {
	if o.Layout == Rows {
		return o.Type.String()
	}
	return o.Type.String() + " " + o.Layout.String()
}

// MapTypes returns the types of the memory of a map's inputs and outputs: those of a map in rows
// that does the same.
func MapTypes(in, out []Operand) (ins, outs []shape.Type, err error) {
	l, rank := Rows, 0
	for _, o := range out {
		if l = o.Layout; !l.Fits(o.Type) {
			return nil, nil, fmt.Errorf("a map cannot return %v", o)
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

	// Wins means that the kernel is faster than the one for rows, by more than the time to convert
	// its operands. Otherwise it is as fast, and saves conversions if its neighbours have that
	// layout.
	Wins bool
}

// Other returns the layout of the operands that are not in rows.
func (a Arrangement) Other() Layout {
	for _, l := range a.In {
		if l != Rows {
			return l
		}
	}
	return a.Out
}

// Images returns the layouts of all inputs of which the first n are in layout l, and the others in
// rows.
func Images(l Layout, n, all int) []Layout {
	in := make([]Layout, all)
	for i := range n {
		in[i] = l
	}
	return in
}

// A Layouter engine has kernels for layouts other than Rows. A kernel is first bound for Rows; the
// Bound lists its other Arrangements, and only those are used. BindMap accepts any of the listed
// layouts: all inputs with the shape of the result then have it, and other inputs are row-major and
// have a View in it.
type Layouter interface {
	// Layouts lists the layouts, other than Rows, that tensors of concrete type t may have.
	Layouts(t shape.Type) []Layout
}
