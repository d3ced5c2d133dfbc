package engine

import (
	"math/bits"

	"github.com/plexaura/plexaura/shape"
)

// Epilogue is applied to the result of a convolution or matrix product before it is stored: a bias,
// one number per channel (convolution) or column (product), then an activation. The zero Epilogue
// does nothing.
type Epilogue struct {
	Bias bool // the last input is the bias
	ReLU bool
}

// Fuser reports which epilogues an engine's kernels support.
type Fuser interface{ Fuses(Epilogue) bool }

// Conv2D are the attributes of a 2-D cross-correlation of an NCHW input with an OIHW filter, where
// I is C/Groups. Strides, dilations and Groups are at least 1, paddings at least 0. Index 0 is for
// the height and 1 for the width.
type Conv2D struct {
	Stride, Dilation [2]int
	Pad              [2][2]int // before and after each axis
	Groups           int
	Epilogue         Epilogue
}

// A Conv2Der binds convolutions and their adjoints.
type Conv2Der interface {
	// BindConv2D has the inputs x (N,C,H,W), w (O,C/G,KH,KW) and, if the epilogue has a bias, the
	// bias (O). Its result is y (N,O,OH,OW).
	BindConv2D(c Conv2D, in []Operand, out Operand) (Bound, error)
	// BindConv2DInputGrad has the inputs dy and w. Its result is dx.
	BindConv2DInputGrad(c Conv2D, in []Operand, out Operand) (Bound, error)
	// BindConv2DFilterGrad has the inputs x and dy. Its result is dw.
	BindConv2DFilterGrad(c Conv2D, in []Operand, out Operand) (Bound, error)
}

// Pool2D are the attributes of pooling over the last two axes of an NCHW input. Windows start every
// Stride from -Pad; their number follows from the type of the result.
type Pool2D struct {
	Kernel, Stride, Dilation [2]int
	Pad                      [2][2]int
	CountPad                 bool // average includes the padding, but not what ceil mode adds

	// Adaptive windows divide the image instead, whose extent is at least 1, and the fields above are
	// zero: of out windows along an axis of extent in, window o is from o*in/out, rounded down, to
	// (o+1)*in/out, rounded up. They differ in length by one at most, and may overlap.
	Adaptive bool

	// ReLU, for a MaxPool2DScatter, means that x is the result of a rectifier, whose gradient is
	// computed as well: dx is ReLUGrad(x, dx).
	ReLU bool
}

// A MaxPooler binds max pooling. Padding is never the maximum. Of equal maxima, the first in
// row-major order of the window is taken. NaN is greater than all numbers; of several NaNs the
// first is taken.
type MaxPooler interface {
	// BindMaxPool2D has the input x (N,C,H,W). Its result is the maxima (N,C,OH,OW).
	BindMaxPool2D(p Pool2D, in []Operand, out Operand) (Bound, error)
	// BindMaxPool2DScatter has the inputs x and dy (N,C,OH,OW). Its result has the type of x: each
	// element of dy is added at the position of its window's maximum.
	BindMaxPool2DScatter(p Pool2D, in []Operand, out Operand) (Bound, error)
	// BindMaxPool2DGather has the inputs x and v of the same type. Its result (N,C,OH,OW) is the
	// elements of v at the positions of each window's maximum of x.
	BindMaxPool2DGather(p Pool2D, in []Operand, out Operand) (Bound, error)
}

// A ConvPooler has kernels that compute a convolution followed by max pooling, and store only the
// maxima.
type ConvPooler interface {
	// FusesMaxPool reports whether BindConv2DMaxPool is faster than the two kernels that it
	// replaces. It uses only types, before layouts are chosen.
	FusesMaxPool(c Conv2D, p Pool2D, in []shape.Type, y, out shape.Type) bool
	// BindConv2DMaxPool has the inputs of BindConv2D, whose result would be y. Its result is that
	// of BindMaxPool2D for y, with the layout that y would have.
	BindConv2DMaxPool(c Conv2D, p Pool2D, in []Operand, y shape.Type, out Operand) (Bound, error)
}

// An AvgPooler binds average pooling. A window that lies entirely in the padding gives 0.
type AvgPooler interface {
	// BindAvgPool2D has the input x (N,C,H,W). Its result is the means (N,C,OH,OW).
	BindAvgPool2D(p Pool2D, in []Operand, out Operand) (Bound, error)
	// BindAvgPool2DGrad has the input dy. Its result is dx.
	BindAvgPool2DGrad(p Pool2D, in []Operand, out Operand) (Bound, error)
}

// WindowSum describes windows along an axis: from Before elements before each element to After
// elements after it, as far as they exist.
type WindowSum struct{ Axis, Before, After int }

// A WindowSummer binds sums over windows along one axis. The input is floating point and the result
// has its type.
type WindowSummer interface {
	BindWindowSum(w WindowSum, in []Operand, out Operand) (Bound, error)
}

// MatMul are the attributes of a matrix product over the last two axes. The leading axes are
// batches. They are equal in all inputs, or absent in one operand, which is then used for every
// batch.
type MatMul struct {
	TransA, TransB bool // the operand is stored transposed
	Epilogue       Epilogue
}

// A MatMuler binds matrix products. (Gorgonia's interface of this name multiplies whole tensors.
// The method here has another name, so that an engine can implement both.)
type MatMuler interface {
	// BindMatMul has the inputs a (...,M,K) and b (...,K,P), or their transposes, and the bias (P)
	// if the epilogue has one. Its result is (...,M,P).
	BindMatMul(m MatMul, in []Operand, out Operand) (Bound, error)
}

// Axes is a set of axes.
type Axes uint16

// AxesOf returns the set of the given axes, counted from 0.
func AxesOf(axes ...int) (a Axes) {
	for _, i := range axes {
		a |= 1 << i
	}
	return a
}

// Has reports whether axis i is in the set.
func (a Axes) Has(i int) bool { return a>>i&1 == 1 }

// Len returns the number of axes in the set.
func (a Axes) Len() int { return bits.OnesCount16(uint16(a)) }

// Ones returns s with the axes of extent 1.
func (a Axes) Ones(s shape.Shape) shape.Shape {
	for i := range s.Rank() {
		if a.Has(i) {
			s = s.With(i, 1)
		}
	}
	return s
}

// Reduction is the way in which elements are combined.
type Reduction uint8

// The reductions. For no elements, Sum is 0 and Prod 1, while Max and Min are undefined. Max and
// Min are NaN if an element is NaN.
const (
	Sum Reduction = iota
	Prod
	Maximum
	Minimum
)

// String returns the name of the reduction.
func (r Reduction) String() string { return [...]string{"Sum", "Prod", "Max", "Min"}[r] }

// A Reducer binds reductions over a set of axes. The result has the other axes, in order; it may
// also have the reduced axes, with extent 1.
type Reducer interface {
	BindReduce(r Reduction, axes Axes, in []Operand, out Operand) (Bound, error)
}

// A Softmaxer binds softmax and log-softmax along one axis.
type Softmaxer interface {
	BindSoftmax(log bool, axis int, in []Operand, out Operand) (Bound, error)
	// BindSoftmaxGrad has the inputs y, the result, and dy. Its result is dx: y*(dy - sum(y*dy))
	// or, for the logarithm, dy - exp(y)*sum(dy).
	BindSoftmaxGrad(log bool, axis int, in []Operand, out Operand) (Bound, error)
}

// Norm is a normalisation of groups of elements to mean 0 and variance 1. A group is the elements
// that differ only in their places along some axes.
type Norm struct {
	Axes  Axes    // of a group
	Eps   float64 // added to the biased variance
	Given bool    // the last input has the moments of x, as BindMoments returns them

	Summed bool // BindNormInputGrad has an input after gamma: the result of BindNormSums over Along
}

// Along returns the axes of a group of x along which gamma, which broadcasts to x, is the same.
func (n Norm) Along(x, gamma shape.Shape) Axes {
	missing, same := x.Rank()-gamma.Rank(), Axes(0)
	for i := range x.Rank() {
		if i < missing || gamma.Dim(i-missing) == 1 {
			same |= AxesOf(i)
		}
	}
	return same & n.Axes
}

// A Normaliser binds normalisations of x, and their gradients. y is xhat*gamma + beta, where xhat is
// (x-mean)/sqrt(variance+Eps). gamma and beta have the same type, which broadcasts to that of x.
type Normaliser interface {
	// BindMoments has the input x. Its result (2,...) is the means of the groups, and then their biased
	// variances, without the axes of a group.
	BindMoments(axes Axes, in []Operand, out Operand) (Bound, error)
	// BindNorm has the inputs x, gamma and beta. Its result is y.
	BindNorm(n Norm, in []Operand, out Operand) (Bound, error)
	// BindNormInputGrad has the inputs x, dy and gamma. Its result is dx, with h = dy*gamma:
	// (h - mean(h) - xhat*mean(h*xhat))/sqrt(variance+Eps).
	BindNormInputGrad(n Norm, in []Operand, out Operand) (Bound, error)
	// BindNormSums has the inputs x and dy. Its result (2,...), with the axes of x, of which those of over have
	// become 1, is sums over them: those of dy, the gradient of beta, and then those of dy*xhat, that of gamma.
	BindNormSums(n Norm, over Axes, in []Operand, out Operand) (Bound, error)
}

// Attention are the attributes of scaled dot-product attention.
type Attention struct {
	Scale   float64 // of the products of queries and keys
	Causal  bool    // query i may attend to keys 0 to i+shift only; shift is 0, or with Counted Keys-L
	Masked  bool    // an input is a mask, a Bool that broadcasts to (...,L,S): the keys that a query may attend to
	Counted bool    // the last input, an Int32(), is Keys, how many of the keys are there; outside 0..S the nearest
}

// An Attender binds attention of queries q (...,L,E) to keys k (...,S,E) with values v (...,S,V).
// Keys that a query may not attend to, and their values, do not affect its result or its gradients,
// even if they are not finite. A query without a key gives zeros.
type Attender interface {
	// BindAttention has the inputs q, k and v, and those that the attributes name. Its result
	// (...,L,V) is softmax(Scale*q·kᵀ)·v.
	BindAttention(a Attention, in []Operand, out Operand) (Bound, error)
	// BindAttentionGrad has the inputs q, k, v and dy (...,L,V), and those that the attributes name.
	// Its result (...,L*E+S*E+S*V) is the gradients of q, k and v of a head, one after the other.
	BindAttentionGrad(a Attention, in []Operand, out Operand) (Bound, error)
}
