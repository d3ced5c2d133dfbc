package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// LayerNorm normalises each example of x to mean 0 and variance 1 over its last axes, then scales
// it by gamma and shifts it by beta. gamma and beta have the same shape, that of the last axes of
// x: (D) or (H,W) or more. eps is added to the (biased) variance; 0 means 1e-5.
//
// Ba et al., "Layer Normalization", 2016.
func LayerNorm(x, gamma, beta *graph.Node, eps float64) *graph.Node {
	eps = orEps(eps)
	bad := refused("LayerNorm", func() error {
		t, g := x.Type(), gamma.Type()
		if err := checkNorm(t, eps); err != nil {
			return err
		}
		if g.Rank() == 0 || g.Rank() > t.Rank() || g.Shape != shape.Of(t.Dims()[t.Rank()-g.Rank():]...) || g.DType != t.DType {
			return fmt.Errorf("gamma is %v; it must be shaped like the last axes of %v, which are normalised", g, t)
		}
		return betaLike(g, beta.Type())
	}, x, gamma, beta)
	if bad != nil {
		return bad
	}
	op := normOp{Eps: graph.Float(eps)}
	for i := range gamma.Type().Rank() {
		op.Axes |= engine.AxesOf(x.Type().Rank() - 1 - i)
	}
	return graph.Apply(op, x, gamma, beta)
}

// GroupNorm normalises the channels (axis 1) of x (N,C,...) in the given number of groups: each
// group of each example to mean 0 and variance 1, over its channels and the axes after them. Then
// it scales by gamma and shifts by beta, both (C). eps is added to the (biased) variance; 0 means
// 1e-5.
//
// Wu and He, "Group Normalization", 2018.
func GroupNorm(x *graph.Node, groups int, gamma, beta *graph.Node, eps float64) *graph.Node {
	return groupNorm("GroupNorm", x, gamma, beta, eps, func(int) int { return groups })
}

// InstanceNorm is [GroupNorm] with a group for each channel. It has no running statistics:
// training and inference are the same.
//
// Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016.
func InstanceNorm(x, gamma, beta *graph.Node, eps float64) *graph.Node {
	return groupNorm("InstanceNorm", x, gamma, beta, eps, func(channels int) int { return channels })
}

func groupNorm(name string, x, gamma, beta *graph.Node, eps float64, groupsOf func(channels int) int) *graph.Node {
	eps = orEps(eps)
	groups := 0
	bad := refused(name, func() error {
		t := x.Type()
		if err := checkNorm(t, eps); err != nil {
			return err
		}
		if t.Rank() < 2 || !shape.Of(t.Dims()[1:]...).Concrete() {
			return fmt.Errorf("want an input (N,C,...) in which only the batch axis depends on N, have %v", t)
		}
		channels := t.Int(1)
		groups = groupsOf(channels)
		if channels > 0 && (groups < 1 || channels%groups != 0) {
			return fmt.Errorf("%d channels cannot be split into %d groups", channels, groups)
		}
		if want := t.Of(shape.Of(t.Dim(1))); gamma.Type() != want {
			return fmt.Errorf("gamma is %v; for input %v it must be %v", gamma.Type(), t, want)
		}
		return betaLike(gamma.Type(), beta.Type())
	}, x, gamma, beta)
	if bad != nil {
		return bad
	}
	t := x.Type()
	each := shape.Dim(t.Int(1) / max(groups, 1)) // channels
	inner := shape.Of(t.Dims()[2:]...).Len()
	along := []shape.Dim{shape.Dim(groups), each, 1}
	y := graph.Apply(normOp{Axes: engine.AxesOf(2, 3), Eps: graph.Float(eps)},
		Reshape(x, t.Dim(0), shape.Dim(groups), each, shape.Dim(inner)), Reshape(gamma, along...), Reshape(beta, along...))
	return Reshape(y, t.Dims()...)
}

func orEps(eps float64) float64 {
	if eps == 0 {
		return 1e-5
	}
	return eps
}

func checkNorm(x shape.Type, eps float64) error {
	if !(eps > 0) {
		return fmt.Errorf("eps is %v; want a positive number", eps)
	}
	return wantFloat(x)
}

func betaLike(gamma, beta shape.Type) error {
	if beta != gamma {
		return fmt.Errorf("beta is %v; it must be %v, as gamma is", beta, gamma)
	}
	return nil
}
