package ops

import (
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// All lists one value of every op, for tests that quantify over the catalogue.
var All = slices.Concat(
	elementwiseOps,
	uniformOps,
	modeOps,
	reduceOps,
	softmaxOps,
	lrnOps,
	randomOps,
	matMulOps,
	conv2DOps,
	pool2DOps,
	moveOps,
	indexOps,
)

// one is the gradient of an op with a single input.
func one(dx *graph.Node) []*graph.Node { return []*graph.Node{dx} }

// arity refuses any number of inputs but want.
func arity(in []shape.Type, want int) error {
	if len(in) != want {
		return fmt.Errorf("%d inputs were given; want %d", len(in), want)
	}
	return nil
}
