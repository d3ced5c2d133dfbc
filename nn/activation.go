package nn

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// ReLU is max(x, 0).
type ReLU struct{}

// Apply returns a node of x's type.
func (ReLU) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.ReLU).Apply(s, x) }

// LeakyReLU is x for positive x, and Alpha times x otherwise (Maas et al., 2013). PyTorch's default
// Alpha is 0.01; here an Alpha of 0 is 0.
type LeakyReLU struct{ Alpha float64 }

// Apply returns a node of x's type.
func (l LeakyReLU) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.LeakyReLU(x, l.Alpha) })
}

// ELU is x for positive x, and Alpha*(e^x-1) otherwise (Clevert et al., Fast and Accurate Deep
// Network Learning by Exponential Linear Units, 2016). PyTorch's default Alpha is 1; here an Alpha
// of 0 is 0.
type ELU struct{ Alpha float64 }

// Apply returns a node of x's type.
func (l ELU) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.ELU(x, l.Alpha) })
}

// SELU is [ELU] with constants that preserve mean 0 and variance 1 (Klambauer et al.,
// Self-Normalizing Neural Networks, 2017).
type SELU struct{}

// Apply returns a node of x's type.
func (SELU) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.SELU).Apply(s, x) }

// GELU is x times the normal distribution function of x or, if Tanh is set, an approximation using
// tanh (Hendrycks and Gimpel, Gaussian Error Linear Units, 2016).
type GELU struct{ Tanh bool }

// Apply returns a node of x's type.
func (l GELU) Apply(s Scope, x *graph.Node) *graph.Node {
	if l.Tanh {
		return Func(ops.GELUTanh).Apply(s, x)
	}
	return Func(ops.GELU).Apply(s, x)
}

// SiLU is x*sigmoid(x), also known as swish.
type SiLU struct{}

// Apply returns a node of x's type.
func (SiLU) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.SiLU).Apply(s, x) }

// Mish is x*tanh(log(1+e^x)) (Misra, Mish: A Self Regularized Non-Monotonic Activation Function,
// 2019).
type Mish struct{}

// Apply returns a node of x's type.
func (Mish) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.Mish).Apply(s, x) }

// Softplus is log(1+e^x).
type Softplus struct{}

// Apply returns a node of x's type.
func (Softplus) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.Softplus).Apply(s, x) }

// Softsign is x/(1+|x|).
type Softsign struct{}

// Apply returns a node of x's type.
func (Softsign) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.Softsign).Apply(s, x) }

// HardSigmoid is x/6 + 1/2, clamped to [0,1].
type HardSigmoid struct{}

// Apply returns a node of x's type.
func (HardSigmoid) Apply(s Scope, x *graph.Node) *graph.Node {
	return Func(ops.HardSigmoid).Apply(s, x)
}

// HardSwish is x times [HardSigmoid] of x (Howard et al., Searching for MobileNetV3, 2019).
type HardSwish struct{}

// Apply returns a node of x's type.
func (HardSwish) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.HardSwish).Apply(s, x) }

// PReLU is x for positive x, and x times a trained number otherwise (He et al., Delving Deep into
// Rectifiers, 2015). Its parameter is weight, of shape (1) or, if PerChannel is set, (C).
type PReLU struct {
	Name       string
	PerChannel bool
	Init       graph.Initializer // default: 0.25 everywhere
}

// Label is l.Name.
func (l PReLU) Label() string { return l.Name }

// Apply returns a node of x's type.
func (l PReLU) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		n := 1
		err := trainable(x.Type())
		if l.PerChannel {
			n, err = channels(x.Type(), 1)
		}
		if err != nil {
			return s.g.Reject("PReLU", err, x)
		}
		return ops.PReLU(x, s.Param("weight", x.Type().Of(shape.OfInts(n)), or(l.Init, Constant(.25))))
	})
}

// Clip clamps x to [Lo,Hi]. Func(ops.ReLU6) is ReLU6.
type Clip struct{ Lo, Hi float64 }

// Apply returns a node of x's type.
func (l Clip) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.Clip(x, l.Lo, l.Hi) })
}

// Sigmoid is 1/(1+e^-x).
type Sigmoid struct{}

// Apply returns a node of x's type.
func (Sigmoid) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.Sigmoid).Apply(s, x) }

// Tanh is the hyperbolic tangent.
type Tanh struct{}

// Apply returns a node of x's type.
func (Tanh) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.Tanh).Apply(s, x) }

// Softmax turns logits into probabilities along axis 1, that of the classes or channels. Models for
// training should return logits, as [ops.CrossEntropy] expects.
type Softmax struct{}

// Apply returns a node of x's type.
func (Softmax) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.Softmax(x, 1) })
}

// LogSoftmax is the logarithm of [Softmax], computed without overflow.
type LogSoftmax struct{}

// Apply returns a node of x's type.
func (LogSoftmax) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.LogSoftmax(x, 1) })
}

// Flatten joins all axes except the first: (N,C,H,W) becomes (N,C*H*W).
type Flatten struct{}

// Apply returns a node of rank 2.
func (Flatten) Apply(s Scope, x *graph.Node) *graph.Node { return Func(ops.Flatten).Apply(s, x) }

// LRN normalises each element by its neighbours in Size channels; see [ops.LRN] for the formula.
// The defaults are PyTorch's. The layer in the AlexNet paper is LRN{Alpha: 5e-4, K: 2}.
type LRN struct {
	Size           int     // default 5
	Alpha, Beta, K float64 // defaults 1e-4, 0.75, 1
}

// Apply returns a node of x's type.
func (l LRN) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.LRN(x, ops.LRNOptions(l)) })
}

// LRNWithinChannel normalises each element of images by its neighbours in a window of Size rows and
// columns; see [ops.LRNWithinChannel]. Caffe's default Alpha is 1.
type LRNWithinChannel struct {
	Size           int     // odd; default 5
	Alpha, Beta, K float64 // defaults 1e-4, 0.75, 1
}

// Apply returns a node of x's type.
func (l LRNWithinChannel) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.LRNWithinChannel(x, ops.LRNOptions(l)) })
}

// Dropout sets elements to 0 with probability P during training and scales the others by 1/(1-P).
// In inference it does nothing (Srivastava et al., 2014).
type Dropout struct{ P float64 }

// Apply returns a node of x's type.
func (l Dropout) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(Scope) *graph.Node { return ops.Dropout(x, l.P) })
}
