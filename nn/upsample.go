package nn

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// Upsample makes images (N,C,H,W) Scale times as high and wide. Each pixel becomes a square or, if
// Bilinear is set, pixels are interpolated; see [ops.ResizeNearest] and [ops.ResizeBilinear].
type Upsample struct {
	Scale    int
	Bilinear bool
}

// Apply returns a node (N,C,Scale*H,Scale*W).
func (l Upsample) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(s Scope) *graph.Node {
		size, err := l.size(x)
		if err != nil {
			return s.g.Reject("Upsample", err, x)
		}
		if l.Bilinear {
			return ops.ResizeBilinear(x, size)
		}
		return ops.ResizeNearest(x, size)
	})
}

// size returns the height and width of the result.
func (l Upsample) size(x *graph.Node) (size [2]int, err error) {
	t := x.Type()
	if t.Rank() != 4 {
		return size, fmt.Errorf("want images (N,C,H,W), have %v", t)
	}
	for i := range size {
		n, ok := t.Dim(2 + i).Int()
		if !ok || l.Scale < 1 || n > math.MaxInt32/l.Scale {
			return size, fmt.Errorf("%v cannot be made %d times as high and wide; want a Scale of at least 1, and a height and width that do not depend on N", t, l.Scale)
		}
		size[i] = l.Scale * n
	}
	return size, nil
}
