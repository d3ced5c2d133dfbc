package lenet_test

import (
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

func Example() {
	g := graph.New()
	logits := lenet.Model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 28, 28)))
	parameters := 0
	for _, p := range g.Params() {
		parameters += p.Type().Len()
	}
	fmt.Println(logits.Type(), parameters, g.Err())
	// Output:
	// float32(N,10) 61706 <nil>
}
