package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// DepthToSpace moves channels of x (N,C,H,W), of any element type, into squares of block by block pixels:
// the result is (N,C/block²,H*block,W*block). Its channel c at [i,j] of a square is channel
// (i*block+j)*C/block²+c of x. It is ONNX's DepthToSpace in mode DCR; see also [PixelShuffle].
func DepthToSpace(x *graph.Node, block int) *graph.Node {
	return toSpace("DepthToSpace", x, block, func(c, b shape.Dim) []shape.Dim { return []shape.Dim{b, b, c} }, 0, 3, 4, 1, 5, 2)
}

// PixelShuffle is [DepthToSpace] with channels in another order: channel c of the result at [i,j] of a square is
// channel (c*block+i)*block+j of x. It is PyTorch's pixel_shuffle, and ONNX's mode CRD.
func PixelShuffle(x *graph.Node, block int) *graph.Node {
	return toSpace("PixelShuffle", x, block, func(c, b shape.Dim) []shape.Dim { return []shape.Dim{c, b, b} }, 0, 1, 4, 2, 5, 3)
}

// SpaceToDepth is the inverse of [DepthToSpace]: for x (N,C,H,W), whose height and width are multiples of block,
// the result is (N,C*block²,H/block,W/block).
func SpaceToDepth(x *graph.Node, block int) *graph.Node {
	return toDepth("SpaceToDepth", x, block, 0, 3, 5, 1, 2, 4)
}

// PixelUnshuffle is the inverse of [PixelShuffle].
func PixelUnshuffle(x *graph.Node, block int) *graph.Node {
	return toDepth("PixelUnshuffle", x, block, 0, 1, 3, 5, 2, 4)
}

// toSpace splits the channels into axes, of so many channels and of the block, and gives them a new order.
func toSpace(name string, x *graph.Node, block int, split func(c, b shape.Dim) []shape.Dim, order ...int) *graph.Node {
	b := shape.Dim(block)
	bad := refused(name, func() error {
		if err := checkBlock(x.Type(), block); err != nil {
			return err
		}
		if c := x.Type().Int(1); c%(block*block) != 0 {
			return fmt.Errorf("%d channels cannot be split into squares of %d by %d", c, block, block)
		}
		return nil
	}, x)
	if bad != nil {
		return bad
	}
	t := x.Type()
	c := t.Dim(1) / (b * b)
	dims := append([]shape.Dim{t.Dim(0)}, split(c, b)...)
	y := Transpose(Reshape(x, append(dims, t.Dim(2), t.Dim(3))...), order...)
	return Reshape(y, t.Dim(0), c, t.Dim(2)*b, t.Dim(3)*b)
}

func toDepth(name string, x *graph.Node, block int, order ...int) *graph.Node {
	b := shape.Dim(block)
	bad := refused(name, func() error {
		if err := checkBlock(x.Type(), block); err != nil {
			return err
		}
		if h, w := x.Type().Int(2), x.Type().Int(3); h%block != 0 || w%block != 0 {
			return fmt.Errorf("an image of %d by %d cannot be split into squares of %d by %d", h, w, block, block)
		}
		return nil
	}, x)
	if bad != nil {
		return bad
	}
	t := x.Type()
	h, w := t.Dim(2)/b, t.Dim(3)/b
	y := Transpose(Reshape(x, t.Dim(0), t.Dim(1), h, b, w, b), order...)
	return Reshape(y, t.Dim(0), t.Dim(1)*b*b, h, w)
}

// maxBlock keeps the square of a block, and what it multiplies, far from overflow.
const maxBlock = 1 << 12

func checkBlock(x shape.Type, block int) error {
	if err := checkPlanes(x, 4); err != nil {
		return err
	}
	if block < 1 || block > maxBlock {
		return fmt.Errorf("block is %d; want 1 to %d", block, maxBlock)
	}
	return nil
}

// Tril returns the lower triangles of matrices x (...,R,C) of numbers: elements [i,j] with j > i+k are 0.
func Tril(x *graph.Node, k int) *graph.Node {
	return triangle("Tril", x, func(row, col *graph.Node) *graph.Node { return LessEqual(col, shifted(row, k)) })
}

// Triu returns the upper triangles of matrices x (...,R,C) of numbers: elements [i,j] with j < i+k are 0.
func Triu(x *graph.Node, k int) *graph.Node {
	return triangle("Triu", x, func(row, col *graph.Node) *graph.Node { return GreaterEqual(col, shifted(row, k)) })
}

// shifted is row+k, where k beyond all matrices is as good as the largest.
func shifted(row *graph.Node, k int) *graph.Node {
	return AddScalar(row, float64(min(max(k, -1<<40), 1<<40)))
}

func triangle(name string, x *graph.Node, keeps func(row, col *graph.Node) *graph.Node) *graph.Node {
	bad := refused(name, func() error {
		t := x.Type()
		if t.Rank() < 2 || !shape.Of(t.Dim(-2), t.Dim(-1)).Concrete() {
			return fmt.Errorf("want matrices (...,R,C) of known extents, have %v", t)
		}
		return equatable.check(t)
	}, x)
	if bad != nil {
		return bad
	}
	count := func(n shape.Dim) *graph.Node { return Cast(numbers(x.Graph(), n), shape.Int64) }
	row, col := Unsqueeze(count(x.Type().Dim(-2)), 1), count(x.Type().Dim(-1))
	return Where(keeps(row, col), x, Scalar(x, 0))
}
