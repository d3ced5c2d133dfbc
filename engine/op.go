package engine

import "github.com/plexaura/plexaura/shape"

// Interfaces that ops implement and that do not involve an engine. Several packages use each of
// them: the passes of vm, gradient rules, and code that counts or lowers ops.

// An ElementwiseOp is a map of scalar functions over its broadcast inputs. vm joins such ops into
// one.
type ElementwiseOp interface {
	Map(in []shape.Type, out shape.Type) Map
}

// A UniformOp returns one number for all elements, which is known once the types are concrete. It
// uses only the types of its inputs.
type UniformOp interface {
	Uniform(in []shape.Type, out shape.Type) float64
}

// A CountedOp knows its number of multiply-accumulate operations for concrete types.
type CountedOp interface {
	MACs(in []shape.Type, out shape.Type) int
}
