package inspect

import (
	"image"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// span is an interval of positions along an axis, including both ends.
type span struct{ lo, hi int }

func (s span) union(t span) span { return span{min(s.lo, t.lo), max(s.hi, t.hi)} }

// area is a span of rows and a span of columns.
type area [2]span

// within returns the intersection of a and b, if it is not empty.
func (a area) within(b area) (area, bool) {
	for i := range a {
		a[i] = span{max(a[i].lo, b[i].lo), min(a[i].hi, b[i].hi)}
	}
	return a, a[0].lo <= a[0].hi && a[1].lo <= a[1].hi
}

// Field returns the receptive field of position (y,x) of activation maps a (N,C,h,w), a node of
// this network: the part of the input, images (N,C,H,W), that the value depends on, clipped to the
// image. It follows convolutions, pooling, padding and elementwise ops. If there is any other op on
// the way, the field is the whole image.
func (n *Network) Field(a *graph.Node, y, x int) (image.Rectangle, error) {
	if !n.has(a) {
		return image.Rectangle{}, errNotOfNet
	}
	if n.input.Type().Rank() != 4 || a.Type().Rank() < 3 {
		return image.Rectangle{}, errNoMaps
	}
	at := map[*graph.Node]area{a: {{y, y}, {x, x}}}
	nodes := graph.Reachable(a)
	for i := len(nodes) - 1; i >= 0; i-- {
		of, ok := at[nodes[i]]
		if !ok {
			continue
		}
		for k, in := range nodes[i].Ins() {
			if !n.on[in] {
				continue
			}
			from, ok := readBy(nodes[i], k, of).within(whole(in.Type()))
			if !ok { // it is in the padding
				continue
			}
			if known, ok := at[in]; ok {
				from = area{from[0].union(known[0]), from[1].union(known[1])}
			}
			at[in] = from
		}
	}
	f, ok := at[n.input]
	if !ok {
		return image.Rectangle{}, nil
	}
	return image.Rect(f[1].lo, f[0].lo, f[1].hi+1, f[0].hi+1), nil
}

// whole returns the area of a whole map; a map (N,C,L) has one row.
func whole(t shape.Type) (a area) {
	for i := range a {
		a[i] = span{0, extent(t, i) - 1}
	}
	return a
}

// extent returns the number of rows (i = 0) or columns (i = 1) of a map.
func extent(t shape.Type, i int) int {
	if t.Rank() < 4-i {
		return 1
	}
	return t.Int(t.Rank() - 2 + i)
}

// readBy returns the area of input k that a node reads to compute an area of its result.
func readBy(n *graph.Node, k int, of area) area {
	t, in := n.Type(), n.In(k).Type()
	if t.Rank() < 3 || in.Rank() < 3 {
		return whole(in)
	}
	switch op := n.Op().(type) {
	case ops.Conv2DOp:
		if w := n.In(1).Type(); k == 0 {
			return under(of, [2]int{w.Int(2), w.Int(3)}, op.Stride, op.Dilation, op.Pad)
		}
		return whole(in)
	case ops.MaxPool2DOp:
		if op.Size != [2]int{} {
			return divided(of, in, op.Size)
		}
		return under(of, op.Kernel, op.Stride, op.Dilation, op.Pad)
	case ops.AvgPool2DOp:
		if op.Size != [2]int{} {
			return divided(of, in, op.Size)
		}
		return under(of, op.Kernel, op.Stride, [2]int{1, 1}, op.Pad)
	case ops.PadOp:
		if t.Rank() == 4 {
			return under(of, [2]int{1, 1}, [2]int{1, 1}, [2]int{1, 1}, [2][2]int{{op.Before[2]}, {op.Before[3]}})
		}
		return whole(in)
	}
	if keepsPlaces(n, in) {
		return of
	}
	return whole(in)
}

// under returns the area covered by the windows at the positions of an area.
func under(of area, kernel, stride, dilation [2]int, pad [2][2]int) (in area) {
	for i := range in {
		in[i].lo = of[i].lo*stride[i] - pad[i][0]
		in[i].hi = of[i].hi*stride[i] - pad[i][0] + (kernel[i]-1)*dilation[i]
	}
	return in
}

// divided is under for adaptive pooling to so many windows.
func divided(of area, x shape.Type, size [2]int) (in area) {
	for i, n := range size {
		in[i].lo = of[i].lo * extent(x, i) / n
		in[i].hi = ((of[i].hi+1)*extent(x, i)+n-1)/n - 1
	}
	return in
}

// keepsPlaces reports whether the result of n at a position depends only on that position of an
// input.
func keepsPlaces(n *graph.Node, in shape.Type) bool {
	if extent(n.Type(), 0) != extent(in, 0) || extent(n.Type(), 1) != extent(in, 1) {
		return false
	}
	_, aliases := n.Op().(interface{ Aliases() })
	join, joins := n.Op().(ops.ConcatOp)
	return ops.Elementwise(n.Op()) || aliases && n.Type().Dim(1) == in.Dim(1) || joins && join.Axis == 1 ||
		n.Op().Name() == "WindowSum" // part of a local response normalisation, over channels
}
