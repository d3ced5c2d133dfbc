package nn

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// The layers below normalise each example separately, so that training and inference are the same.
// Their parameters are weight, initially ones, and bias, zeros.

// LayerNorm normalises x over its last Axes axes, then scales and shifts it (Ba et al., Layer
// Normalization, 2016). Its weight and bias have the shape of those axes.
type LayerNorm struct {
	Name string
	Axes int     // default 1
	Eps  float64 // added to the variance; default 1e-5
}

// Label is l.Name.
func (l LayerNorm) Label() string { return l.Name }

// Apply returns a node of x's type.
func (l LayerNorm) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		last, err := l.last(x.Type())
		if err != nil {
			return s.g.Reject("LayerNorm", err, x)
		}
		weight, bias := affine(s, x.Type().Of(last))
		return ops.LayerNorm(x, weight, bias, l.Eps)
	})
}

// last returns the axes that are normalised.
func (l LayerNorm) last(t shape.Type) (shape.Shape, error) {
	axes := max(l.Axes, 1)
	if err := trainable(t); err != nil {
		return shape.Shape{}, err
	}
	if l.Axes < 0 || t.Rank() <= axes {
		return shape.Shape{}, fmt.Errorf("want a batch and %d axes behind it to normalise, have %v", axes, t)
	}
	last := shape.Of(t.Dims()[t.Rank()-axes:]...)
	if !last.Concrete() {
		return last, errors.New("the axes to normalise must not depend on the batch size")
	}
	return last, nil
}

// GroupNorm normalises the channels (axis 1) of x (N,C,...) in groups, then scales and shifts each
// (Wu and He, Group Normalization, 2018). Its weight and bias are (C).
type GroupNorm struct {
	Name   string
	Groups int     // C must be a multiple of it
	Eps    float64 // added to the variance; default 1e-5
}

// Label is l.Name.
func (l GroupNorm) Label() string { return l.Name }

// Apply returns a node of x's type.
func (l GroupNorm) Apply(s Scope, x *graph.Node) *graph.Node {
	return perChannel("GroupNorm", l.Name, s, x, func(weight, bias *graph.Node) *graph.Node {
		return ops.GroupNorm(x, l.Groups, weight, bias, l.Eps)
	})
}

// InstanceNorm is [GroupNorm] with a group for each channel (Ulyanov et al., Instance
// Normalization, 2016). Unlike PyTorch's it always has its parameters, as with PyTorch's
// affine=True.
type InstanceNorm struct {
	Name string
	Eps  float64 // added to the variance; default 1e-5
}

// Label is l.Name.
func (l InstanceNorm) Label() string { return l.Name }

// Apply returns a node of x's type.
func (l InstanceNorm) Apply(s Scope, x *graph.Node) *graph.Node {
	return perChannel("InstanceNorm", l.Name, s, x, func(weight, bias *graph.Node) *graph.Node {
		return ops.InstanceNorm(x, weight, bias, l.Eps)
	})
}

// perChannel applies an op with a weight and a bias for each channel.
func perChannel(op, name string, s Scope, x *graph.Node, f func(weight, bias *graph.Node) *graph.Node) *graph.Node {
	return s.Within(name, x, func(s Scope) *graph.Node {
		t := x.Type()
		n, err := channels(t, 1)
		if err != nil {
			return s.g.Reject(op, err, x)
		}
		return f(affine(s, t.Of(shape.OfInts(n))))
	})
}

// affine makes a weight of ones and a bias of zeros.
func affine(s Scope, t shape.Type) (weight, bias *graph.Node) {
	return s.Param("weight", t, Constant(1)), s.Param("bias", t, Constant(0))
}
