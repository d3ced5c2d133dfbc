package onnx

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/interop/onnx/ir"
)

// The extents of the results of these depend on elements, so that the host computes them.
var selectOperators = family{
	"NonZero":           direct(1, 1, nonZero),
	"Compress":          direct(2, 2, compress),
	"Unique":            direct(1, 1, unique),
	"NonMaxSuppression": direct(2, 5, nonMaxSuppression),
}

// numbersOnly refuses strings.
func (c *call) numbersOnly(k int) {
	if _, ok := elements[c.elem(k)]; !ok || c.value(k).isList {
		refuse("input %d is %v; want a tensor of numbers", k, c.value(k))
	}
}

// nonZero returns the indices of the elements that are not 0, one column (rank) each.
func nonZero(c *call) []*value {
	c.numbersOnly(0)
	return c.onHost(c.in, func(_ context.Context, in []*Tensor) ([]*Tensor, error) {
		var found []int
		for i, v := range in[0].floats() {
			if v != 0 {
				found = append(found, i)
			}
		}
		rank, n := len(in[0].Dims), len(found)
		out := make([]int64, rank*n)
		for a := rank - 1; a >= 0; a-- {
			for i := range found {
				out[a*n+i] = int64(found[i] % in[0].Dims[a])
				found[i] /= in[0].Dims[a]
			}
		}
		return []*Tensor{intsTensor(out, rank, n)}, nil
	})
}

// compress takes the parts along an axis, or the elements, where the condition is true.
func compress(c *call) []*value {
	flat := !c.attr("axis")
	a := 0
	if !flat {
		a = axis(c.intAttr("axis", 0), c.shape(0).Rank())
	}
	if c.elem(1) != ir.Bool {
		refuse("the condition is %v; want bool", c.value(1))
	}
	return c.onHost(c.in, func(_ context.Context, in []*Tensor) ([]*Tensor, error) {
		x, cond := in[0], in[1].Data.([]bool)
		if flat {
			x = &Tensor{Type: x.Type, Dims: []int{x.Len()}, Data: x.Data}
		}
		var indices []int
		for i, v := range cond {
			if !v {
				continue
			}
			if i >= x.Dims[a] {
				return nil, fmt.Errorf("the condition is true at %d of an axis of %d", i, x.Dims[a])
			}
			indices = append(indices, i)
		}
		return []*Tensor{x.take(a, indices)}, nil
	})
}

// unique returns the elements, or the parts along an axis, that differ; where each is first; which of
// them each of the input is; and how many there are of each. NaN equals NaN.
func unique(c *call) []*value {
	c.numbersOnly(0)
	flat, sorted := !c.attr("axis"), c.flag("sorted", true)
	a := 0
	if !flat {
		a = axis(c.intAttr("axis", 0), c.shape(0).Rank())
	}
	return c.onHost(c.in, func(_ context.Context, in []*Tensor) ([]*Tensor, error) {
		x := in[0]
		if flat {
			x = &Tensor{Type: x.Type, Dims: []int{x.Len()}, Data: x.Data}
		}
		first, inverse, counts := distinct(x.Dims[a], x.comparer(a), sorted)
		return []*Tensor{x.take(a, first), ofInts(first), ofInts(inverse), ofInts(counts)}, nil
	})
}

func ofInts(v []int) *Tensor {
	return intsTensor(mapped(v, func(i int) int64 { return int64(i) }), len(v))
}

// comparer compares parts along an axis, element by element.
func (t *Tensor) comparer(a int) func(i, j int) int {
	if ints, ok := t.ints(); ok {
		return comparerOf(ints, t.Dims, a, cmp.Compare[int64])
	}
	return comparerOf(t.floats(), t.Dims, a, func(x, y float64) int {
		switch {
		case math.IsNaN(x) && math.IsNaN(y):
			return 0
		case math.IsNaN(x):
			return 1
		case math.IsNaN(y):
			return -1
		}
		return cmp.Compare(x, y)
	})
}

func comparerOf[T any](v []T, dims []int, a int, compare func(x, y T) int) func(i, j int) int {
	size, outer, n := product(dims[a+1:]), product(dims[:a]), dims[a]
	return func(i, j int) int {
		for o := range outer {
			x, y := v[(o*n+i)*size:], v[(o*n+j)*size:]
			for k := range size {
				if d := compare(x[k], y[k]); d != 0 {
					return d
				}
			}
		}
		return 0
	}
}

// distinct finds the first of each group of equals among n, in their order if sorted is set, and else
// in that of their first.
func distinct(n int, compare func(i, j int) int, sorted bool) (first, inverse, counts []int) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, compare)
	inverse = make([]int, n)
	for k, i := range order {
		if k == 0 || compare(order[k-1], i) != 0 {
			first, counts = append(first, i), append(counts, 0)
		}
		inverse[i] = len(first) - 1
		counts[len(counts)-1]++
	}
	if sorted {
		return first, inverse, counts
	}
	groups := make([]int, len(first))
	for g := range groups {
		groups[g] = g
	}
	slices.SortFunc(groups, func(g, h int) int { return first[g] - first[h] })
	place := make([]int, len(first))
	f, m := make([]int, len(first)), make([]int, len(first))
	for k, g := range groups {
		place[g], f[k], m[k] = k, first[g], counts[g]
	}
	for i, g := range inverse {
		inverse[i] = place[g]
	}
	return f, inverse, m
}

// suppression is a NonMaxSuppression of boxes (B,S,4) with scores (B,C,S).
type suppression struct {
	most     int // boxes of a class
	overlap  float32
	score    float32
	useScore bool
	centre   bool // boxes are the centre and the size, not two corners
}

// nonMaxSuppression returns (batch, class, box) of the boxes that no better one of their class overlaps.
func nonMaxSuppression(c *call) []*value {
	boxes, scores := c.shape(0), c.shape(1)
	if c.elem(0) != ir.Float || c.elem(1) != ir.Float || boxes.Rank() != 3 || scores.Rank() != 3 || boxes.Dim(2) != 4 {
		refuse("want boxes (B,S,4) and scores (B,C,S) of type float")
	}
	in := make([]*value, 5)
	copy(in, c.in)
	centre := c.flag("center_point_box", false)
	return c.onHost(in, func(ctx context.Context, in []*Tensor) ([]*Tensor, error) {
		s := suppression{centre: centre}
		most, err := only(in[2], 0)
		if err != nil {
			return nil, err
		}
		s.most = int(max(0, min(most, math.MaxInt32)))
		overlap, err := only(in[3], 0)
		if err != nil {
			return nil, err
		}
		score, err := only(in[4], 0)
		if err != nil {
			return nil, err
		}
		if !(overlap >= 0 && overlap <= 1) {
			return nil, fmt.Errorf("iou_threshold is %v; want a number from 0 to 1", overlap)
		}
		s.overlap, s.score, s.useScore = float32(overlap), float32(score), in[4] != nil
		return s.run(ctx, in[0], in[1])
	})
}

// only returns the only element of t, or def if t is nil.
func only(t *Tensor, def float64) (float64, error) {
	if t == nil {
		return def, nil
	}
	if t.Len() != 1 || t.Type == ir.String {
		return 0, fmt.Errorf("%v is given; want one number", t)
	}
	return t.floats()[0], nil
}

func (s suppression) run(ctx context.Context, boxes, scores *Tensor) ([]*Tensor, error) {
	batch, class, n := scores.Dims[0], scores.Dims[1], scores.Dims[2]
	if boxes.Dims[0] != batch || boxes.Dims[1] != n {
		return nil, fmt.Errorf("boxes are %v and scores %v; want (B,S,4) and (B,C,S)", boxes, scores)
	}
	var found []int64
	for b := range batch {
		corners := s.corners(boxes.Data.([]float32)[b*n*4:][:n*4])
		for c := range class {
			at := b*class + c
			kept, err := s.class(ctx, corners, scores.Data.([]float32)[at*n:][:n])
			if err != nil {
				return nil, err
			}
			for _, i := range kept {
				found = append(found, int64(b), int64(c), int64(i))
			}
		}
	}
	return []*Tensor{intsTensor(found, len(found)/3, 3)}, nil
}

// corner has the lower and the upper bounds of a box along two axes.
type corner struct{ y0, x0, y1, x1 float32 }

func (s suppression) corners(v []float32) []corner {
	list := make([]corner, len(v)/4)
	for i := range list {
		p := v[i*4:][:4]
		if s.centre {
			list[i] = corner{p[1] - p[3]/2, p[0] - p[2]/2, p[1] + p[3]/2, p[0] + p[2]/2}
			continue
		}
		list[i] = corner{min(p[0], p[2]), min(p[1], p[3]), max(p[0], p[2]), max(p[1], p[3])}
	}
	return list
}

// class returns the boxes that are kept of a class, the best first, and of equals the first.
func (s suppression) class(ctx context.Context, boxes []corner, scores []float32) ([]int, error) {
	var order, kept []int
	for i, v := range scores {
		if !s.useScore || v > s.score {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(scores[j], scores[i]) })
	near := newStrips(boxes)
	for _, i := range order {
		if len(kept) >= s.most {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !near.any(boxes[i], func(k int) bool { return boxes[i].overlaps(boxes[k], s.overlap) }) {
			kept = append(kept, i)
			near.add(boxes[i], i)
		}
	}
	return kept, nil
}

// strips are parts of the x axis, none narrower than a box, so that a box is in two of them at most. Detectors
// of many classes move the boxes of each to a place of its own, where few others are near.
type strips struct {
	low, width float32
	boxes      [][]int
}

func newStrips(boxes []corner) *strips {
	low, high, width := float32(math.Inf(1)), float32(math.Inf(-1)), float32(0)
	for _, b := range boxes {
		low, high, width = min(low, b.x0), max(high, b.x1), max(width, b.x1-b.x0)
	}
	const most = 1 << 10
	width = max(width, (high-low)/most)
	if n := (high - low) / width; n > 0 && n <= 2*most { // and is no NaN
		return &strips{low, width, make([][]int, int(n)+2)}
	}
	return &strips{0, float32(math.Inf(1)), make([][]int, 1)}
}

// of returns the range of the strips of a box.
func (s *strips) of(b corner) (first, end int) {
	if len(s.boxes) == 1 {
		return 0, 1
	}
	last := len(s.boxes) - 1
	return min(max(int((b.x0-s.low)/s.width), 0), last), min(max(int((b.x1-s.low)/s.width), 0), last) + 1
}

func (s *strips) add(b corner, i int) {
	for k, end := s.of(b); k < end; k++ {
		s.boxes[k] = append(s.boxes[k], i)
	}
}

// any reports whether f is true for a box that was added and may overlap b.
func (s *strips) any(b corner, f func(i int) bool) bool {
	for k, end := s.of(b); k < end; k++ {
		if slices.ContainsFunc(s.boxes[k], f) {
			return true
		}
	}
	return false
}

// overlaps reports whether the area that two boxes share is more than a part of what they cover.
func (a corner) overlaps(b corner, limit float32) bool {
	w := min(a.x1, b.x1) - max(a.x0, b.x0)
	h := min(a.y1, b.y1) - max(a.y0, b.y0)
	areaA, areaB := (a.x1-a.x0)*(a.y1-a.y0), (b.x1-b.x0)*(b.y1-b.y0)
	if w <= 0 || h <= 0 || areaA <= 0 || areaB <= 0 {
		return false
	}
	shared := w * h
	return shared/(areaA+areaB-shared) > limit
}
