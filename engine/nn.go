package engine

import (
	"math/bits"

	"github.com/plexaura/plexaura/shape"
)

// Epilogue is what a convolution or matrix product does to its result before storing it:
// add a bias, one number a channel (convolution) or column (product), then apply an
// activation. The zero Epilogue does nothing.
type Epilogue struct {
	Bias bool // the last input is the bias
	ReLU bool
}

// Fuser is asked which epilogues an engine's kernels can take in.
type Fuser interface{ Fuses(Epilogue) bool }

// Conv2D are the attributes of a 2-D cross-correlation of an NCHW input with an OIHW
// filter, where I is C/Groups. Strides, dilations and Groups are at least 1, paddings at
// least 0; index 0 is the height, 1 the width.
type Conv2D struct {
	Stride, Dilation [2]int
	Pad              [2][2]int // before and after, of each axis
	Groups           int
	Epilogue         Epilogue
}

// A Conv2Der binds convolutions and their adjoints.
type Conv2Der interface {
	// BindConv2D takes x (N,C,H,W), w (O,C/G,KH,KW), and the bias (O) where the epilogue
	// has one; it gives y (N,O,OH,OW).
	BindConv2D(c Conv2D, in []Operand, out Operand) (Bound, error)
	// BindConv2DInputGrad takes dy and w; it gives dx.
	BindConv2DInputGrad(c Conv2D, in []Operand, out Operand) (Bound, error)
	// BindConv2DFilterGrad takes x and dy; it gives dw.
	BindConv2DFilterGrad(c Conv2D, in []Operand, out Operand) (Bound, error)
}

// Pool2D are the attributes of pooling over the last two axes of an NCHW input. Windows
// start every Stride from -Pad; how many there are is told by the type of the result.
type Pool2D struct {
	Kernel, Stride, Dilation [2]int
	Pad                      [2][2]int
	CountPad                 bool // average over padding too; what ceil mode adds beyond it never counts

	// ReLU says of a MaxPool2DScatter that x is the result of a rectifier, whose gradient is taken as
	// well: dx is ReLUGrad(x, dx).
	ReLU bool
}

// A MaxPooler binds max pooling. Padding never wins. Of equal maxima the first in
// row-major order of the window wins; a NaN wins over numbers, the first NaN over others.
type MaxPooler interface {
	// BindMaxPool2D takes x (N,C,H,W); it gives the maxima (N,C,OH,OW).
	BindMaxPool2D(p Pool2D, in []Operand, out Operand) (Bound, error)
	// BindMaxPool2DScatter takes x and dy (N,C,OH,OW); it gives, in the type of x, each dy
	// added at the place of its window's maximum.
	BindMaxPool2DScatter(p Pool2D, in []Operand, out Operand) (Bound, error)
	// BindMaxPool2DGather takes x and v of its type; it gives (N,C,OH,OW), v at the place of
	// each window's maximum of x.
	BindMaxPool2DGather(p Pool2D, in []Operand, out Operand) (Bound, error)
}

// A ConvPooler has kernels that keep of a convolution's result the maxima of windows alone.
type ConvPooler interface {
	// FusesMaxPool reports whether BindConv2DMaxPool is faster than the two kernels that it stands for. It reads types
	// only, before layouts are chosen.
	FusesMaxPool(c Conv2D, p Pool2D, in []shape.Type, y, out shape.Type) bool
	// BindConv2DMaxPool takes what BindConv2D takes to give y; it gives what BindMaxPool2D gives for y, whose layout is
	// that of the result.
	BindConv2DMaxPool(c Conv2D, p Pool2D, in []Operand, y shape.Type, out Operand) (Bound, error)
}

// An AvgPooler binds average pooling. A window of padding alone gives 0.
type AvgPooler interface {
	// BindAvgPool2D takes x (N,C,H,W); it gives the means (N,C,OH,OW).
	BindAvgPool2D(p Pool2D, in []Operand, out Operand) (Bound, error)
	// BindAvgPool2DGrad takes dy; it gives dx.
	BindAvgPool2DGrad(p Pool2D, in []Operand, out Operand) (Bound, error)
}

// WindowSum says which elements are added up along an axis: from Before places before each to After places
// behind it, as far as there are so many.
type WindowSum struct{ Axis, Before, After int }

// A WindowSummer binds sums over windows along one axis. It takes floating-point x and gives sums
// of its type.
type WindowSummer interface {
	BindWindowSum(w WindowSum, in []Operand, out Operand) (Bound, error)
}

// MatMul are the attributes of a matrix product over the last two axes; the axes before
// them are batches, equal in all inputs, or absent in one operand, which then serves every batch.
type MatMul struct {
	TransA, TransB bool // the operand is stored transposed
	Epilogue       Epilogue
}

// A MatMuler binds matrix products. (gorgonia's interface of this name multiplies whole
// tensors; this one's method has another name, so that an engine can have both.)
type MatMuler interface {
	// BindMatMul takes a (...,M,K), b (...,K,P), or their transposes, and the bias (P) where
	// the epilogue has one; it gives (...,M,P).
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

// Len is the number of axes in the set.
func (a Axes) Len() int { return bits.OnesCount16(uint16(a)) }

// Reduction is how elements are combined.
type Reduction uint8

// The reductions. Of no elements, Sum is 0 and Prod 1, while Max and Min do not exist. Max and
// Min give NaN where there is one.
const (
	Sum Reduction = iota
	Prod
	Maximum
	Minimum
)

// String returns the reduction's name.
func (r Reduction) String() string { return [...]string{"Sum", "Prod", "Max", "Min"}[r] }

// A Reducer binds reductions over a set of axes. The result has the other axes, in order;
// those reduced may also stand in it with extent 1.
type Reducer interface {
	BindReduce(r Reduction, axes Axes, in []Operand, out Operand) (Bound, error)
}

// A Softmaxer binds softmax and log-softmax along one axis.
type Softmaxer interface {
	BindSoftmax(log bool, axis int, in []Operand, out Operand) (Bound, error)
	// BindSoftmaxGrad takes the result y and dy; it gives dx: y*(dy - sum(y*dy)), or for the
	// logarithm dy - exp(y)*sum(dy).
	BindSoftmaxGrad(log bool, axis int, in []Operand, out Operand) (Bound, error)
}
