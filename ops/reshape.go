package ops

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Infer stands for the one extent that [Reshape] computes from the others.
const Infer shape.Dim = -1

// Reshape returns the elements of x, in the same row-major order, with another shape. One extent
// may be [Infer]. The batch size N stays symbolic: (N,16,5,5) can be reshaped to (N,400) or
// (Infer,400), but not to a fixed number of rows.
func Reshape(x *graph.Node, dims ...shape.Dim) *graph.Node {
	return graph.Apply(ReshapeOp{shape.Of(dims...)}, x)
}

// Flatten reshapes x to two axes: axis 0, and one that joins all others.
func Flatten(x *graph.Node) *graph.Node {
	return reshaped("Flatten", x, func(s shape.Shape) (shape.Shape, error) {
		if s.Rank() == 0 {
			return s, errors.New("a scalar has no axis 0 to keep")
		}
		rest, err := shape.Of(s.Dims()[1:]...).Size()
		return shape.Of(s.Dim(0), rest), err
	})
}

// Squeeze drops the given axes, which must have extent 1; without axes, all axes of extent 1.
func Squeeze(x *graph.Node, axes ...int) *graph.Node {
	return reshaped("Squeeze", x, func(s shape.Shape) (shape.Shape, error) {
		drop, err := axisSet(s.Rank(), axes)
		if err != nil {
			return s, err
		}
		var keep []shape.Dim
		for i, d := range s.Dims() {
			switch {
			case drop[i] && d != 1:
				return s, fmt.Errorf("axis %d of %v has extent %v; only 1 can be dropped", i, s, d)
			case !drop[i] && (d != 1 || len(axes) > 0):
				keep = append(keep, d)
			}
		}
		return shape.Of(keep...), nil
	})
}

// Unsqueeze inserts axes of extent 1, which become the given axes of the result.
func Unsqueeze(x *graph.Node, axes ...int) *graph.Node {
	return reshaped("Unsqueeze", x, func(s shape.Shape) (shape.Shape, error) {
		rank := s.Rank() + len(axes)
		isNew, err := axisSet(rank, axes)
		if err != nil {
			return s, err
		}
		var dims []shape.Dim
		for i := range rank {
			d := shape.Dim(1)
			if !isNew[i] {
				d = s.Dim(len(dims) - count(isNew[:i]))
			}
			dims = append(dims, d)
		}
		return shape.Of(dims...), nil
	})
}

// reshaped reshapes x to the shape that to returns, or rejects x on behalf of the function name.
func reshaped(name string, x *graph.Node, to func(shape.Shape) (shape.Shape, error)) *graph.Node {
	if x == nil || !x.Valid() {
		return graph.Apply(ReshapeOp{}, x)
	}
	s, err := to(x.Type().Shape)
	if err != nil {
		return x.Graph().Reject(name, err, x)
	}
	return graph.Apply(ReshapeOp{s}, x)
}

// axisSet marks the given axes; negative ones count from the end.
func axisSet(rank int, axes []int) ([]bool, error) {
	set := make([]bool, rank)
	for _, a := range axes {
		i := a
		if i < 0 {
			i += rank
		}
		switch {
		case i < 0 || i >= rank:
			return nil, fmt.Errorf("no axis %d among %d axes", a, rank)
		case set[i]:
			return nil, fmt.Errorf("axis %d is given twice", i)
		}
		set[i] = true
	}
	return set, nil
}

func count(set []bool) (n int) {
	for _, b := range set {
		if b {
			n++
		}
	}
	return n
}

// ReshapeOp is the op of [Reshape]. It moves nothing: the result shares the memory of the input.
type ReshapeOp struct{ Shape shape.Shape }

// Name implements [graph.Op].
func (ReshapeOp) Name() string { return "Reshape" }

// Infer implements [graph.Op].
func (op ReshapeOp) Infer(in []shape.Type) (shape.Type, error) {
	if err := arity(in, 1); err != nil {
		return shape.Type{}, err
	}
	s, err := op.resolve(in[0].Shape)
	return in[0].Of(s), err
}

// resolve returns the requested shape for the given input shape, with Infer replaced.
func (op ReshapeOp) resolve(in shape.Shape) (shape.Shape, error) {
	out := op.Shape
	unknown := slices.Index(out.Dims(), Infer)
	if unknown >= 0 {
		out = out.With(unknown, 1)
	}
	if slices.Contains(out.Dims(), Infer) {
		return out, errors.New("more than one extent is Infer; only one can be worked out from the others")
	}
	if err := out.Err(); err != nil {
		return out, err
	}
	have, err := volumeOf(in)
	if err != nil {
		return out, err
	}
	want, err := volumeOf(out)
	if err != nil {
		return out, err
	}
	if unknown < 0 {
		if have != want {
			return out, fmt.Errorf("%v has %v elements, %v has %v", in, have, out, want)
		}
		return out, nil
	}
	d, ok := have.over(want)
	if !ok {
		return out, fmt.Errorf("%v has %v elements, not a multiple of %v, the product of the given extents", in, have, want)
	}
	return out.With(unknown, d), nil
}

// volume is a number of elements: k times a power of the batch size. Unlike a Dim it can represent
// that of (N,N), which may be reshaped to (N,1,N).
type volume struct {
	k     shape.Dim
	power int
}

func volumeOf(s shape.Shape) (v volume, err error) {
	v.k = 1
	for _, d := range s.Dims() {
		if d == 0 {
			return volume{}, nil
		}
		if d.Symbolic() {
			v.power++
			d = shape.Dim(d.Factor())
		}
		if v.k, err = v.k.Mul(d); err != nil {
			return volume{}, err
		}
	}
	return v, nil
}

// over returns the quotient of v and w, if it is an extent.
func (v volume) over(w volume) (shape.Dim, bool) {
	if w.k == 0 || v.k%w.k != 0 {
		return 0, false
	}
	switch v.power - w.power {
	case 0:
		return v.k / w.k, true
	case 1:
		return shape.Batch(int(v.k / w.k)), true
	}
	return 0, v.k == 0
}

// String returns "400", "400N" or "400N^2".
func (v volume) String() string {
	switch v.power {
	case 0:
		return v.k.String()
	case 1:
		return shape.Batch(int(v.k)).String()
	}
	return fmt.Sprintf("%v^%d", shape.Batch(int(v.k)), v.power)
}

// Grad reshapes back.
func (ReshapeOp) Grad(n, dy *graph.Node) []*graph.Node {
	return one(Reshape(dy, n.In(0).Type().Dims()...))
}

// Aliases declares that the result shares the memory of the input.
func (ReshapeOp) Aliases() {}

// Simplify drops a reshape to the same shape, and merges two consecutive reshapes.
func (ReshapeOp) Simplify(n *graph.Node) *graph.Node {
	x := n.In(0)
	if x.Type() == n.Type() {
		return x
	}
	if _, ok := x.Op().(ReshapeOp); ok {
		return Reshape(x.In(0), n.Type().Dims()...)
	}
	return nil
}

// PerExample reshapes each row.
func (ReshapeOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !own(n, in, 0) {
		return n, nil // the elements of a row are contiguous in both shapes
	}
	return Reshape(in[0], inFront(in[0].Type().Dim(0), n.Type().Shape)...), nil
}
