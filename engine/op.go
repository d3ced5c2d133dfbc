package engine

import "github.com/plexaura/plexaura/shape"

// What ops say about themselves without an engine. Each interface is asked by several packages:
// by the passes of vm, by gradient rules, and by what counts or lowers ops.

// An ElementwiseOp is a map of scalar functions over its broadcast inputs. vm joins such ops into
// one.
type ElementwiseOp interface {
	Map(in []shape.Type, out shape.Type) Map
}

// A UniformOp gives one number everywhere, known as soon as the types are, which are concrete. It
// reads only the types of its inputs.
type UniformOp interface {
	Uniform(in []shape.Type, out shape.Type) float64
}

// A CountedOp knows how many multiply-accumulate operations it takes for concrete types.
type CountedOp interface {
	MACs(in []shape.Type, out shape.Type) int
}
