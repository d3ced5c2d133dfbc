package cases

import (
	"fmt"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func batchNorms() (rows []Case) {
	f := func(x ...*graph.Node) *graph.Node {
		g, t := x[0].Graph(), x[1].Type()
		return ops.BatchNorm(x[0], x[1], x[2], g.State("mean", t, nil), g.State("variance", t, graph.Fill(1)), ops.BatchNormOptions{Eps: 0.01})
	}
	for _, x := range []shape.Shape{shape.Of(4, 2), shape.Of(2, 2, 3), shape.Of(n, 2, 2, 2), shape.Of(n, 1, 2, 1, 2)} {
		c := x.Dim(1)
		rows = append(rows, Case{Op: "BatchNorm", Label: fmt.Sprintf("training, %d axes", x.Rank()), F: f,
			In: []gradcheck.Input{input(nil, x.Dims()...), input(nil, c), input(nil, c)}})
	}
	return append(rows, Case{Op: "BatchNorm", Label: "inference", F: func(x ...*graph.Node) *graph.Node {
		return graph.Inference(f(x...))[0]
	}, In: normal(shape.Of(n, 2, 2), shape.Of(2), shape.Of(2))})
}
