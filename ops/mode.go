package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var modeOps = []graph.Op{stopGradientOp{}, byModeOp{}}

// StopGradient returns x; no gradient passes through it.
func StopGradient(x *graph.Node) *graph.Node { return graph.Apply(stopGradientOp{}, x) }

// ByMode returns train, which [graph.Inference] replaces by infer. Both have the same type;
// gradients go to train.
func ByMode(train, infer *graph.Node) *graph.Node { return graph.Apply(byModeOp{}, train, infer) }

type stopGradientOp struct{}

func (stopGradientOp) Name() string { return "StopGradient" }

func (stopGradientOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	return in[0], nil
}

func (stopGradientOp) Grad(_, _ *graph.Node) []*graph.Node { return one(nil) }

func (stopGradientOp) Aliases() {}

// Simplify drops the op: by the time a program is compiled, gradients have been taken.
func (stopGradientOp) Simplify(n *graph.Node) *graph.Node { return n.In(0) }

// PerExample returns a node that no gradient passes.
func (stopGradientOp) PerExample(_ *graph.Node, in []*graph.Node) (*graph.Node, error) {
	return StopGradient(in[0]), nil
}

type byModeOp struct{}

func (byModeOp) Name() string { return "ByMode" }

func (byModeOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 2); err != nil {
		return t, err
	}
	if in[0] != in[1] {
		return t, fmt.Errorf("training gives %v, inference %v; want one type", in[0], in[1])
	}
	return in[0], nil
}

func (byModeOp) Grad(_, dy *graph.Node) []*graph.Node { return []*graph.Node{dy, nil} }

func (byModeOp) Map(_ []shape.Type, out shape.Type) engine.Map {
	return engine.MapOf(engine.Copy, out.DType, engine.In(0))
}

// Inference implements [graph.ModeSwitch].
func (byModeOp) Inference(in []*graph.Node) *graph.Node { return in[1] }

// Simplify takes the training form: in a program for inference, [graph.Inference] has already
// replaced the op.
func (byModeOp) Simplify(n *graph.Node) *graph.Node { return n.In(0) }
