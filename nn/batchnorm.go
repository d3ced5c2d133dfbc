package nn

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// BatchNorm normalises each channel (axis 1) of x (N,C,...) to mean 0 and variance 1 over the
// batch, then scales and shifts it. In inference it normalises by running statistics (Ioffe and
// Szegedy, Batch Normalization, 2015). Its parameters are weight (C), initially ones, and bias (C),
// zeros. Its states are running_mean (C), initially zeros, and running_var (C), ones. If the layer
// is applied twice in one graph, in a [Scope.Shared], each use updates the states in turn.
type BatchNorm struct {
	Name     string
	Eps      float64 // added to the variance; default 1e-5
	Momentum float64 // weight of the new batch in the running statistics; default 0.1
}

// Label is l.Name.
func (l BatchNorm) Label() string { return l.Name }

// Apply returns a node of x's type, and adds the updates of the running statistics.
func (l BatchNorm) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		t := x.Type()
		n, err := channels(t, 1)
		if err != nil {
			return s.g.Reject("BatchNorm", err, x)
		}
		c := t.Of(shape.OfInts(n))
		weight, bias := s.Param("weight", c, Constant(1)), s.Param("bias", c, Constant(0))
		mean, variance := s.State("running_mean", c, Constant(0)), s.State("running_var", c, Constant(1))
		var y *graph.Node
		s.Keeping(func() {
			y = ops.BatchNorm(x, weight, bias, mean, variance, ops.BatchNormOptions{Eps: l.Eps, Momentum: l.Momentum})
		}, weight, bias)
		return y
	})
}
