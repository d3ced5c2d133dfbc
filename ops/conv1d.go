package ops

import (
	"fmt"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Conv1DOptions are the attributes of [Conv1D].
type Conv1DOptions struct {
	Stride, Dilation int    // 0 means 1
	Pad              [2]int // zero padding before and after
	Groups           int    // 0 means 1
}

// Conv1D returns the cross-correlation of x (N,C,L) with filters w (O,C/Groups,K), both Float32 or
// Float64: y (N,O,OL), where OL is (L + before + after - Dilation*(K-1) - 1)/Stride + 1, rounded
// down. It is a [Conv2D] of images with one row.
func Conv1D(x, w *graph.Node, op Conv1DOptions) *graph.Node {
	return onLines("Conv1D", "an input (N,C,L) and a filter (O,C/groups,K)", op.image(), x, w)
}

// image returns the attributes for images with one row.
func (op Conv1DOptions) image() Conv2DOp {
	return Conv2DOp{
		Stride:   [2]int{1, op.Stride},
		Dilation: [2]int{1, op.Dilation},
		Pad:      [2][2]int{1: op.Pad},
		Groups:   op.Groups,
	}.withDefaults()
}

// onLines applies an op for images to tensors of 3 axes, (N,C,L), as images with one row. If they
// have another number of axes it rejects them on behalf of the function name, with want as the
// description of its inputs.
func onLines(name, want string, op graph.Op, xs ...*graph.Node) *graph.Node {
	images, have := make([]shape.Type, len(xs)), make([]string, len(xs))
	var y shape.Type
	bad := refused(name, func() (err error) {
		fits := true
		for i, x := range xs {
			t := x.Type()
			have[i] = t.Shape.String()
			if fits = fits && t.Rank() == 3; fits {
				images[i] = t.Of(t.Insert(2, 1))
			}
		}
		if !fits {
			return fmt.Errorf("want %s, have %s", want, strings.Join(have, " and "))
		}
		if y, err = op.Infer(images); err != nil {
			return fmt.Errorf("as images of one row: %w", err)
		}
		return nil
	}, xs...)
	if bad != nil {
		return bad
	}
	rows := make([]*graph.Node, len(xs))
	for i, t := range images {
		rows[i] = Reshape(xs[i], t.Dims()...)
	}
	return Reshape(graph.Apply(op, rows...), y.Drop(2).Dims()...)
}
