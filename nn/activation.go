package nn

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// ReLU is max(x, 0).
type ReLU struct{}

// Apply returns a node of x's type.
func (ReLU) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.ReLU).Apply(s, x) }

// LeakyReLU is x where x is positive, and Alpha times x elsewhere (Maas et al., 2013).
// PyTorch's default Alpha is 0.01; here 0 is 0.
type LeakyReLU struct{ Alpha float64 }

// Apply returns a node of x's type.
func (l LeakyReLU) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.LeakyReLU(x, l.Alpha) })
}

// Sigmoid is 1/(1+e^-x).
type Sigmoid struct{}

// Apply returns a node of x's type.
func (Sigmoid) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.Sigmoid).Apply(s, x) }

// Tanh is the hyperbolic tangent.
type Tanh struct{}

// Apply returns a node of x's type.
func (Tanh) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.Tanh).Apply(s, x) }

// Softmax turns scores into probabilities along axis 1, that of the classes or channels.
// Models for training end in scores; [ops.CrossEntropy] takes these.
type Softmax struct{}

// Apply returns a node of x's type.
func (Softmax) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.Softmax(x, 1) })
}

// LogSoftmax is the logarithm of [Softmax], without its overflow.
type LogSoftmax struct{}

// Apply returns a node of x's type.
func (LogSoftmax) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.LogSoftmax(x, 1) })
}

// Flatten joins all axes but the first: (N,C,H,W) becomes (N,C*H*W).
type Flatten struct{}

// Apply returns a node of rank 2.
func (Flatten) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.Flatten).Apply(s, x) }

// LRN normalises each element by its neighbours in Size channels; see [ops.LRN] for the formula
// and the defaults, PyTorch's. The layer of AlexNet's paper is LRN{Alpha: 5e-4, K: 2}.
type LRN struct {
	Size           int     // default 5
	Alpha, Beta, K float64 // defaults 1e-4, 0.75, 1
}

// Apply returns a node of x's type.
func (l LRN) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.LRN(x, ops.LRNOptions(l)) })
}

// Dropout sets elements to 0 with probability P while training, and scales the others by
// 1/(1-P); in inference it does nothing (Srivastava et al., 2014).
type Dropout struct{ P float64 }

// Apply returns a node of x's type.
func (l Dropout) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.Dropout(x, l.P) })
}
