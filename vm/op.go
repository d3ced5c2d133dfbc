package vm

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// The passes query ops through the interfaces below, [engine.ElementwiseOp], [engine.UniformOp] and
// [engine.CountedOp]. All are optional, except that each op in a compiled program must be Bindable,
// elementwise, uniform or an Aliaser.

// A Bindable op selects the method of an engine that computes it. Types are concrete. Bind must
// pass the operands on unchanged: their layouts concern only the engine and the pass layout.
type Bindable interface {
	Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error)
}

// An Aliaser op returns the elements of its first input in the same order, with another shape. It
// needs no kernel: the result shares the memory of that input. Further inputs are not read, but are
// computed before anything that reads the result.
type Aliaser interface{ Aliases() }

// A Simplifier op can rewrite itself. Simplify returns a node that equals n, built from n's inputs
// in n's graph, or nil if there is nothing to simplify. Rules must make the graph smaller or
// cheaper, so that rewriting ends.
type Simplifier interface {
	Simplify(n *graph.Node) *graph.Node
}

// A Scaler op is linear in a parameter. Scale returns a node equal to n, a node of the op, times
// factor, with factor multiplied into one of n's inputs instead; nil if factor, which broadcasts to
// n, is not of a shape for that.
type Scaler interface {
	Scale(n, factor *graph.Node) *graph.Node
}

// An Absorber op can absorb the op next if that is the only consumer of its result. The inputs of
// the Absorber have types in; its result is input at of next, whose inputs have types nextIn.
// Absorb returns the op that does both in one kernel of e. The inputs of that op are those of the
// Absorber, followed by the other inputs of next. Absorb must not change in and nextIn.
type Absorber interface {
	Absorb(e engine.Engine, in []shape.Type, next graph.Op, at int, nextIn []shape.Type) (graph.Op, bool)
}

// A Joiner op puts its inputs side by side, so that an elementwise function of its result is the same
// function of each input, joined.
type Joiner interface{ Joins() }

// A Weighted op has an input whose values, if they do not change between runs, are weights that
// [WithWeights] rounds. Weights says which, for inputs of concrete types; false if none is. The op
// must use In as [engine.Round] sees it, as its input of that type in rows.
type Weighted interface {
	Weights(in []shape.Type) (engine.Weights, bool)
}

// A Quantisable op is also [Weighted], and can be computed in 8-bit integers. Quantised returns the op
// that does that, for inputs of concrete types, or false if there is none, as where q adds something
// to what the op itself has rectified. The inputs of that op are those of the Quantisable, the first
// of them in uint8, and behind them an addend if q adds one. Its result is uint8 if q.Out has a
// scale, and else float32.
type Quantisable interface {
	Quantised(q engine.Quantised, in []shape.Type) (graph.Op, bool)
}

// A Picker op returns elements of its only input, in an order that a map of all elements that keeps
// their order does not change. PicksBytes returns the op that does the same in uint8, or false.
type Picker interface {
	PicksBytes(in []shape.Type) (graph.Op, bool)
}

// A Masker op can absorb an [engine.ReLUGrad] of its own input at and its result.
type Masker interface {
	Mask(at int) (op graph.Op, ok bool)
}
