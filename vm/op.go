package vm

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// The passes ask ops through the interfaces below, [engine.ElementwiseOp], [engine.UniformOp] and
// [engine.CountedOp]. Each is optional but one: an op that is left in a program must be Bindable,
// elementwise, uniform or an Aliaser.

// A Bindable op knows which capability of an engine computes it. Types are concrete. It hands the
// operands on as they are: their layouts are between the engine and the pass layout.
type Bindable interface {
	Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error)
}

// An Aliaser op gives the elements of its first input in the same order, under another
// shape: it needs no kernel, the result is that input's memory. Further inputs are not read; they
// are computed before what reads the result.
type Aliaser interface{ Aliases() }

// A Simplifier op can rewrite itself. Simplify returns a node that is equal to n, built
// from n's inputs in n's graph, or nil where there is nothing to simplify. Rules must make
// the graph smaller or cheaper, so that they end.
type Simplifier interface {
	Simplify(n *graph.Node) *graph.Node
}

// An Absorber op can take in the op that alone consumes its result. Its inputs have types in,
// and its result is input at of next, whose inputs have types nextIn. Absorb returns the op
// that does both in one kernel of e; its inputs are the absorber's, then next's others. It leaves in and
// nextIn as they are.
type Absorber interface {
	Absorb(e engine.Engine, in []shape.Type, next graph.Op, at int, nextIn []shape.Type) (graph.Op, bool)
}

// A Masker op can take in [engine.ReLUGrad] of its own input at and its result.
type Masker interface {
	Mask(at int) (op graph.Op, ok bool)
}
