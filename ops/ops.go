package ops

import (
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// All lists one value of every op, for tests of the whole catalogue.
var All = slices.Concat(
	elementwiseOps,
	uniformOps,
	modeOps,
	reduceOps,
	softmaxOps,
	normOps,
	recurrentOps,
	attentionOps,
	lrnOps,
	randomOps,
	matMulOps,
	conv2DOps,
	pool2DOps,
	moveOps,
	indexOps,
	resizeOps,
)

// one returns the gradient of an op with a single input.
func one(dx *graph.Node) []*graph.Node { return []*graph.Node{dx} }

// arity rejects any number of inputs other than want.
func arity(in []shape.Type, want int) error {
	if len(in) != want {
		return fmt.Errorf("%d inputs were given; want %d", len(in), want)
	}
	return nil
}
