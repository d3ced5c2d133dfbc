package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
)

// Conv1DOp are the attributes of [Conv1D].
type Conv1DOp struct {
	Stride, Dilation int    // 0 means 1
	Pad              [2]int // zeros before and after
	Groups           int    // 0 means 1
}

// Conv1D returns the cross-correlation of x (N,C,L) with filters w (O,C/Groups,K): y (N,O,OL). It
// is a [Conv2D] of images of one row.
func Conv1D(x, w *graph.Node, op Conv1DOp) *graph.Node {
	return toLine(Conv2D(toImage("Conv1D", x), toImage("Conv1D", w), Conv2DOp{
		Stride:   [2]int{1, op.Stride},
		Dilation: [2]int{1, op.Dilation},
		Pad:      [2][2]int{1: op.Pad},
		Groups:   op.Groups,
	}))
}

// toImage views (N,C,L) as (N,C,1,L).
func toImage(name string, x *graph.Node) *graph.Node {
	if !valid(x) {
		return x
	}
	if t := x.Type(); t.Rank() != 3 {
		return x.Graph().Reject(name, fmt.Errorf("want 3 axes, have %v", t.Shape), x)
	}
	return Reshape(x, x.Type().Shape.Insert(2, 1).Dims()...)
}

// toLine views (N,C,1,L) as (N,C,L).
func toLine(y *graph.Node) *graph.Node {
	if !valid(y) {
		return y
	}
	return Reshape(y, y.Type().Shape.Drop(2).Dims()...)
}
