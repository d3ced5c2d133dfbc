package optim

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// clipValue clamps every element of grads to [-limit, limit].
func clipValue(grads []*graph.Node, limit float64) []*graph.Node {
	out := make([]*graph.Node, len(grads))
	for i, d := range grads {
		out[i] = ops.Clip(d, -limit, limit)
	}
	return out
}

// clipNorm scales grads, taken as one vector, to a length of at most limit (Pascanu et al.,
// On the difficulty of training recurrent neural networks, 2013).
func clipNorm(grads []*graph.Node, limit float64) []*graph.Node {
	var squares *graph.Node
	for _, d := range grads {
		s := cast(ops.Sum(ops.Square(d)), shape.Float64)
		if squares != nil {
			s = ops.Add(squares, s)
		}
		squares = s
	}
	const eps = 1e-6 // as in PyTorch; avoids a division by 0
	scale := ops.Div(ops.Scalar(squares, limit), ops.AddScalar(ops.Sqrt(squares), eps))
	scale = ops.Minimum(scale, ops.OnesLike(scale))

	out := make([]*graph.Node, len(grads))
	for i, d := range grads {
		out[i] = ops.Mul(d, cast(scale, d.Type().DType))
	}
	return out
}
