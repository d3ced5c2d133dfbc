package nn

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// Views applies Layer, a model of images (N,C,H,W), to several views of each, with the same weights,
// and returns the mean of its results: augmentation at test time, for an Evaluation or a Predictor of
// a model that was trained without it. Its parameters and their names are those of Layer. The time is
// that of Layer for each of the views: the image and, with Flip, its mirror image; with Shift four
// more of each.
type Views struct {
	Layer Layer
	// Flip mirrors images left to right.
	Flip bool
	// Shift, if not 0, is the number of pixels by which images are shifted up, down, left and right. The
	// pixels at the edge are repeated.
	Shift int
	// Probabilities averages the probabilities of the classes, axis 1 of the results, instead of the
	// logits. The result is the logarithm of the mean, which a loss takes as logits.
	Probabilities bool
}

// Label returns that of Layer.
func (l Views) Label() string { return label(l.Layer) }

// Apply returns the mean of Layer's results.
func (l Views) Apply(s Scope, x *graph.Node) *graph.Node {
	if l.Layer == nil {
		return s.Within("", x, func(s Scope) *graph.Node { return s.g.Reject("Views", errors.New("the layer is nil"), x) })
	}
	views, err := l.views(x)
	if err != nil {
		return s.Within("", x, func(s Scope) *graph.Node { return s.g.Reject("Views", err, x) })
	}
	var sum *graph.Node
	for i, view := range views {
		if i == 1 {
			s = s.Shared()
		}
		y := l.Layer.Apply(s, view)
		if l.Probabilities && y.Valid() {
			y = ops.Softmax(y, min(1, y.Type().Rank()-1))
		}
		if sum == nil {
			sum = y
		} else {
			sum = ops.Add(sum, y)
		}
	}
	mean := ops.MulScalar(sum, 1/float64(len(views)))
	if l.Probabilities {
		return ops.Log(mean)
	}
	return mean
}

// views returns the views of x.
func (l Views) views(x *graph.Node) ([]*graph.Node, error) {
	if !x.Valid() {
		return []*graph.Node{x}, nil
	}
	t := x.Type()
	if t.Rank() != 4 {
		return nil, fmt.Errorf("the input is %v; want images (N,C,H,W)", t)
	}
	h, hok := t.Dim(2).Int()
	w, wok := t.Dim(3).Int()
	if l.Shift < 0 || l.Shift > 0 && (!hok || !wok || l.Shift >= min(h, w)) {
		return nil, fmt.Errorf("shifts of %d pixels of images %v; want at least 0, and less than the sides", l.Shift, t)
	}
	views := []*graph.Node{x}
	if l.Shift > 0 {
		var p ops.PadOp
		p.Mode = ops.PadEdge
		p.Before[2], p.Before[3], p.After[2], p.After[3] = l.Shift, l.Shift, l.Shift, l.Shift
		wide := ops.Pad(x, p)
		for _, at := range [][2]int{{0, 1}, {2, 1}, {1, 0}, {1, 2}} {
			y0, x0 := at[0]*l.Shift, at[1]*l.Shift
			views = append(views, ops.Slice(wide, ops.Whole(), ops.Whole(), ops.Range{Start: y0, Stop: y0 + h, Step: 1}, ops.Range{Start: x0, Stop: x0 + w, Step: 1}))
		}
	}
	if l.Flip {
		for _, v := range views[:len(views):len(views)] {
			views = append(views, ops.Slice(v, ops.Whole(), ops.Whole(), ops.Whole(), ops.Range{Start: -1, Stop: ops.End, Step: -1}))
		}
	}
	return views, nil
}
