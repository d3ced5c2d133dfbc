package ops_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// constructor is a function of the package with inputs that it takes.
type constructor struct {
	name  string
	in    []shape.Type
	build func(x []*graph.Node) *graph.Node

	optional int // an input that may be nil, where it is not 0
}

func of1(f func(x *graph.Node) *graph.Node) func(x []*graph.Node) *graph.Node {
	return func(x []*graph.Node) *graph.Node { return f(x[0]) }
}

func of2(f func(a, b *graph.Node) *graph.Node) func(x []*graph.Node) *graph.Node {
	return func(x []*graph.Node) *graph.Node { return f(x[0], x[1]) }
}

func of3(f func(a, b, c *graph.Node) *graph.Node) func(x []*graph.Node) *graph.Node {
	return func(x []*graph.Node) *graph.Node { return f(x[0], x[1], x[2]) }
}

func ofAxes(f func(x *graph.Node, axes ...int) *graph.Node, axes ...int) func(x []*graph.Node) *graph.Node {
	return func(x []*graph.Node) *graph.Node { return f(x[0], axes...) }
}

// constructors are all those of the package.
func constructors() (all []constructor) {
	row := func(name string, build func(x []*graph.Node) *graph.Node, in ...shape.Type) {
		all = append(all, constructor{name: name, in: in, build: build})
	}
	const n = shape.N
	x, mask, ids := shape.F32(n, 3), shape.Mask(n, 3), shape.I32(n)
	line, image, c := shape.F32(n, 4, 8), shape.F32(n, 4, 8, 8), shape.F32(4)

	for name, f := range map[string]func(x *graph.Node) *graph.Node{
		"Neg": ops.Neg, "Abs": ops.Abs, "Sign": ops.Sign, "Exp": ops.Exp, "Log": ops.Log, "Log1p": ops.Log1p, "Expm1": ops.Expm1,
		"Sqrt": ops.Sqrt, "Sin": ops.Sin, "Cos": ops.Cos, "Tanh": ops.Tanh, "Sigmoid": ops.Sigmoid, "Erf": ops.Erf, "Floor": ops.Floor,
		"Ceil": ops.Ceil, "Round": ops.Round, "Tan": ops.Tan, "Asin": ops.Asin, "Acos": ops.Acos, "Atan": ops.Atan, "Sinh": ops.Sinh, "Cosh": ops.Cosh,
		"Asinh": ops.Asinh, "Acosh": ops.Acosh, "Atanh": ops.Atanh, "IsNaN": ops.IsNaN, "IsInf": ops.IsInf,
		"ReLU": ops.ReLU, "ReLU6": ops.ReLU6, "Softplus": ops.Softplus, "Square": ops.Square, "Reciprocal": ops.Reciprocal,
		"ZerosLike": ops.ZerosLike, "OnesLike": ops.OnesLike, "StopGradient": ops.StopGradient, "Flatten": ops.Flatten,
		"SELU": ops.SELU, "GELU": ops.GELU, "GELUTanh": ops.GELUTanh, "SiLU": ops.SiLU, "Mish": ops.Mish, "Softsign": ops.Softsign,
		"HardSigmoid": ops.HardSigmoid, "HardSwish": ops.HardSwish,
	} {
		row(name, of1(f), x)
	}
	row("Not", of1(ops.Not), mask)
	for name, f := range map[string]func(a, b *graph.Node) *graph.Node{
		"Add": ops.Add, "Sub": ops.Sub, "Mul": ops.Mul, "Div": ops.Div, "Fmod": ops.Fmod, "Mod": ops.Mod, "Pow": ops.Pow, "Maximum": ops.Maximum, "Minimum": ops.Minimum,
		"Equal": ops.Equal, "NotEqual": ops.NotEqual, "Less": ops.Less, "LessEqual": ops.LessEqual, "Greater": ops.Greater,
		"GreaterEqual": ops.GreaterEqual, "ByMode": ops.ByMode, "MSE": ops.MSE, "BinaryCrossEntropy": ops.BinaryCrossEntropy,
		"KLDivergence": ops.KLDivergence, "Hinge": ops.Hinge,
	} {
		row(name, of2(f), x, x)
	}
	row("And", of2(ops.And), mask, mask)
	row("Or", of2(ops.Or), mask, mask)
	row("Xor", of2(ops.Xor), mask, mask)
	for name, f := range map[string]func(a, b *graph.Node) *graph.Node{
		"BitAnd": ops.BitAnd, "BitOr": ops.BitOr, "BitXor": ops.BitXor, "ShiftLeft": ops.ShiftLeft, "ShiftRight": ops.ShiftRight,
	} {
		row(name, of2(f), ids, ids)
	}
	row("BitNot", of1(ops.BitNot), ids)
	for name, f := range map[string]func(x *graph.Node, axes ...int) *graph.Node{
		"Sum": ops.Sum, "SumKeep": ops.SumKeep, "Prod": ops.Prod, "Max": ops.Max, "MaxKeep": ops.MaxKeep, "Min": ops.Min, "MinKeep": ops.MinKeep,
		"Mean": ops.Mean, "MeanKeep": ops.MeanKeep, "Variance": ops.Variance, "Count": ops.Count,
	} {
		row(name, ofAxes(f, 1), x)
	}
	row("Squeeze", ofAxes(ops.Squeeze, 1), shape.F32(n, 1))
	row("Unsqueeze", ofAxes(ops.Unsqueeze, 1), x)
	row("Transpose", ofAxes(ops.Transpose, 1, 0), x)

	row("LeakyReLU", of1(func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, .1) }), x)
	row("Clip", of1(func(x *graph.Node) *graph.Node { return ops.Clip(x, 0, 1) }), x)
	row("Cast", of1(func(x *graph.Node) *graph.Node { return ops.Cast(x, shape.Int32) }), x)
	row("AddScalar", of1(func(x *graph.Node) *graph.Node { return ops.AddScalar(x, 1) }), x)
	row("MulScalar", of1(func(x *graph.Node) *graph.Node { return ops.MulScalar(x, 1) }), x)
	row("Scalar", of1(func(x *graph.Node) *graph.Node { return ops.Scalar(x, 1) }), x)
	row("FullLike", of1(func(x *graph.Node) *graph.Node { return ops.FullLike(x, 1) }), x)
	row("Full", of1(func(x *graph.Node) *graph.Node { return ops.Full(x, shape.Of(2), 1) }), x)
	row("BroadcastTo", of1(func(x *graph.Node) *graph.Node { return ops.BroadcastTo(x, shape.Of(2, n, 3)) }), x)
	row("SumTo", of1(func(x *graph.Node) *graph.Node { return ops.SumTo(x, shape.Of(3)) }), x)
	row("Reshape", of1(func(x *graph.Node) *graph.Node { return ops.Reshape(x, n, 1, 3) }), x)
	row("Slice", of1(func(x *graph.Node) *graph.Node { return ops.Slice(x, ops.Whole(), ops.Range{Stop: 2}) }), x)
	row("Pad", of1(func(x *graph.Node) *graph.Node { return ops.Pad(x, ops.PadOp{After: [shape.MaxRank]int{1: 1}}) }), x)
	row("Softmax", of1(func(x *graph.Node) *graph.Node { return ops.Softmax(x, 1) }), x)
	row("LogSoftmax", of1(func(x *graph.Node) *graph.Node { return ops.LogSoftmax(x, 1) }), x)
	row("LRN", of1(func(x *graph.Node) *graph.Node { return ops.LRN(x, ops.LRNOptions{}) }), x)
	row("Dropout", of1(func(x *graph.Node) *graph.Node { return ops.Dropout(x, .5) }), x)
	row("Random", of1(func(x *graph.Node) *graph.Node { return ops.Random(x, shape.Of(2), engine.Normal) }), x)
	row("Concat", of2(func(a, b *graph.Node) *graph.Node { return ops.Concat(1, a, b) }), x, x)
	row("OneHot", of2(func(a, b *graph.Node) *graph.Node { return ops.OneHot(a, 3, b) }), ids, x)
	row("Where", func(x []*graph.Node) *graph.Node { return ops.Where(x[0], x[1], x[2]) }, mask, x, x)
	row("CrossEntropy", of2(func(a, b *graph.Node) *graph.Node { return ops.CrossEntropy(a, b) }), x, ids)
	row("CrossEntropy", of2(func(a, b *graph.Node) *graph.Node {
		return ops.CrossEntropy(a, b, ops.CrossEntropyOptions{LabelSmoothing: .1, PerExample: true})
	}), x, x)
	row("CrossEntropy", of2(func(a, b *graph.Node) *graph.Node {
		return ops.CrossEntropy(a, b, ops.CrossEntropyOptions{Weights: []float64{1, 2, 3}, Ignore: []int{255, 1}})
	}), x, ids)
	row("FocalLoss", of2(func(a, b *graph.Node) *graph.Node { return ops.FocalLoss(a, b) }), x, x)
	row("FocalLoss", of2(func(a, b *graph.Node) *graph.Node { return ops.FocalLoss(a, b) }), x, ids)
	row("DiceLoss", of2(func(a, b *graph.Node) *graph.Node { return ops.DiceLoss(a, b) }), image, image)
	row("WeightedBinaryCrossEntropy", of2(func(a, b *graph.Node) *graph.Node { return ops.WeightedBinaryCrossEntropy(a, b, 1, 2, 3) }), x, x)
	row("NLL", of2(ops.NLL), x, ids)
	row("Huber", of2(func(a, b *graph.Node) *graph.Node { return ops.Huber(a, b, .5) }), x, x)
	row("ELU", of1(func(x *graph.Node) *graph.Node { return ops.ELU(x, .7) }), x)
	row("PReLU", of2(ops.PReLU), image, c)
	row("LayerNorm", of3(func(x, g, b *graph.Node) *graph.Node { return ops.LayerNorm(x, g, b, 0) }), line, shape.F32(4, 8), shape.F32(4, 8))
	row("GroupNorm", of3(func(x, g, b *graph.Node) *graph.Node { return ops.GroupNorm(x, 2, g, b, 0) }), image, c, c)
	row("InstanceNorm", of3(func(x, g, b *graph.Node) *graph.Node { return ops.InstanceNorm(x, g, b, 0) }), image, c, c)
	row("Gather", of2(func(x, ids *graph.Node) *graph.Node { return ops.Gather(x, 1, ids) }), line, shape.I32(2))
	row("UpdateSlice", of3(func(x, part, start *graph.Node) *graph.Node {
		if start != nil { // rows have inputs with axes
			start = ops.Reshape(start)
		}
		return ops.UpdateSlice(x, part, -1, start)
	}), x, shape.F32(n, 2), shape.I32(1))
	row("GatherAlong", of2(func(x, ids *graph.Node) *graph.Node { return ops.GatherAlong(x, -1, ids) }), x, shape.I32(n, 2))
	row("Embedding", of2(ops.Embedding), shape.F32(3, 2), ids)
	row("TopK", of1(func(x *graph.Node) *graph.Node { y, _ := ops.TopK(x, 2, 1); return y }), x)
	row("ArgMax", of1(func(x *graph.Node) *graph.Node { return ops.ArgMax(x, 1) }), x)
	row("CumSum", of1(func(x *graph.Node) *graph.Node { return ops.CumSum(x, 1) }), x)
	row("ArgMin", of1(func(x *graph.Node) *graph.Node { return ops.ArgMin(x, 1) }), x)
	row("BottomK", of1(func(x *graph.Node) *graph.Node { y, _ := ops.BottomK(x, 2, 1); return y }), x)
	row("CumProd", of1(func(x *graph.Node) *graph.Node { return ops.CumProd(x, 1, ops.Scan{Exclusive: true}) }), x)
	row("LinearScan", of2(func(a, b *graph.Node) *graph.Node { return ops.LinearScan(a, b, 1) }), x, x)
	row("GatherND", of2(func(x, ids *graph.Node) *graph.Node { return ops.GatherND(x, ids, 1) }), line, shape.I32(n, 5, 2))
	row("ScatterND", of3(func(x, ids, v *graph.Node) *graph.Node { return ops.ScatterND(x, ids, v, ops.ScatterReplace) }), line, shape.I32(5, 2), shape.F32(5, 8))
	row("ScatterAlong", of3(func(x, ids, v *graph.Node) *graph.Node { return ops.ScatterAlong(x, -1, ids, v, ops.ScatterAdd) }), x, shape.I32(n, 2), shape.F32(n, 2))
	row("ReverseSequence", of2(func(x, l *graph.Node) *graph.Node { return ops.ReverseSequence(x, l, 0, 1) }), line, ids)
	row("DepthToSpace", of1(func(x *graph.Node) *graph.Node { return ops.DepthToSpace(x, 2) }), image)
	row("PixelShuffle", of1(func(x *graph.Node) *graph.Node { return ops.PixelShuffle(x, 2) }), image)
	row("SpaceToDepth", of1(func(x *graph.Node) *graph.Node { return ops.SpaceToDepth(x, 2) }), image)
	row("PixelUnshuffle", of1(func(x *graph.Node) *graph.Node { return ops.PixelUnshuffle(x, 2) }), image)
	row("Tril", of1(func(x *graph.Node) *graph.Node { return ops.Tril(x, 0) }), line)
	row("Triu", of1(func(x *graph.Node) *graph.Node { return ops.Triu(x, -1) }), line)
	for name, f := range map[string]func(x *graph.Node, axes ...int) *graph.Node{"L1Norm": ops.L1Norm, "L2Norm": ops.L2Norm, "LogSumExp": ops.LogSumExp} {
		row(name, ofAxes(f, 1), x)
	}
	row("MatMul", of2(func(a, b *graph.Node) *graph.Node { return ops.MatMul(a, b) }), x, shape.F32(3, 2))
	row("AddBias", of2(ops.AddBias), image, c)
	row("Conv2D", of2(func(x, w *graph.Node) *graph.Node { return ops.Conv2D(x, w, ops.Conv2DOp{Groups: 2}) }), image, shape.F32(6, 2, 3, 3))
	row("Conv1D", of2(func(x, w *graph.Node) *graph.Node { return ops.Conv1D(x, w, ops.Conv1DOptions{Groups: 2}) }), line, shape.F32(6, 2, 3))
	row("ConvTranspose2D", of2(func(x, w *graph.Node) *graph.Node {
		return ops.ConvTranspose2D(x, w, ops.Conv2DOp{Stride: [2]int{2, 2}, Groups: 2}, [2]int{1, 0})
	}), image, shape.F32(4, 3, 3, 3))
	row("MaxPool2D", of1(func(x *graph.Node) *graph.Node { return ops.MaxPool2D(x, ops.MaxPool2DOp{Kernel: [2]int{2, 2}}) }), image)
	row("AvgPool2D", of1(func(x *graph.Node) *graph.Node { return ops.AvgPool2D(x, ops.AvgPool2DOp{Kernel: [2]int{2, 2}}) }), image)
	row("MaxPool1D", of1(func(x *graph.Node) *graph.Node { return ops.MaxPool1D(x, ops.MaxPool1DOptions{Kernel: 2}) }), line)
	row("AvgPool1D", of1(func(x *graph.Node) *graph.Node { return ops.AvgPool1D(x, ops.AvgPool1DOptions{Kernel: 2}) }), line)
	row("GlobalAvgPool2D", of1(ops.GlobalAvgPool2D), image)
	row("GlobalMaxPool2D", of1(ops.GlobalMaxPool2D), image)
	volume := shape.F32(n, 4, 3, 4, 4)
	row("Conv3D", of2(func(x, w *graph.Node) *graph.Node { return ops.Conv3D(x, w, ops.Conv3DOptions{Groups: 2}) }), volume, shape.F32(6, 2, 2, 3, 3))
	row("ConvTranspose3D", of2(func(x, w *graph.Node) *graph.Node {
		return ops.ConvTranspose3D(x, w, ops.Conv3DOptions{Stride: [3]int{2, 1, 2}, Groups: 2}, [3]int{1, 0, 1})
	}), volume, shape.F32(4, 3, 2, 3, 3))
	row("ConvTranspose1D", of2(func(x, w *graph.Node) *graph.Node {
		return ops.ConvTranspose1D(x, w, ops.Conv1DOptions{Stride: 2, Groups: 2}, 1)
	}), line, shape.F32(4, 3, 3))
	row("MaxPool3D", of1(func(x *graph.Node) *graph.Node {
		return ops.MaxPool3D(x, ops.MaxPool3DOptions{Kernel: [3]int{2, 2, 1}})
	}), volume)
	row("AvgPool3D", of1(func(x *graph.Node) *graph.Node {
		return ops.AvgPool3D(x, ops.AvgPool3DOptions{Kernel: [3]int{2, 2, 1}})
	}), volume)
	row("GlobalMaxPool1D", of1(ops.GlobalMaxPool1D), line)
	row("GlobalAvgPool1D", of1(ops.GlobalAvgPool1D), line)
	row("GlobalMaxPool3D", of1(ops.GlobalMaxPool3D), volume)
	row("GlobalAvgPool3D", of1(ops.GlobalAvgPool3D), volume)
	row("AdaptiveMaxPool1D", of1(func(x *graph.Node) *graph.Node { return ops.AdaptiveMaxPool1D(x, 2) }), line)
	row("AdaptiveAvgPool1D", of1(func(x *graph.Node) *graph.Node { return ops.AdaptiveAvgPool1D(x, 2) }), line)
	row("LpPool1D", of1(func(x *graph.Node) *graph.Node { return ops.LpPool1D(x, 3, ops.MaxPool1DOptions{Kernel: 2}) }), line)
	row("AdaptiveMaxPool2D", of1(func(x *graph.Node) *graph.Node { return ops.AdaptiveMaxPool2D(x, [2]int{3, 2}) }), image)
	row("AdaptiveAvgPool2D", of1(func(x *graph.Node) *graph.Node { return ops.AdaptiveAvgPool2D(x, [2]int{3, 2}) }), image)
	row("LpPool2D", of1(func(x *graph.Node) *graph.Node { return ops.LpPool2D(x, 3, ops.MaxPool2DOp{Kernel: [2]int{2, 2}}) }), image)
	row("AdaptiveMaxPool3D", of1(func(x *graph.Node) *graph.Node { return ops.AdaptiveMaxPool3D(x, [3]int{3, 2, 1}) }), volume)
	row("AdaptiveAvgPool3D", of1(func(x *graph.Node) *graph.Node { return ops.AdaptiveAvgPool3D(x, [3]int{3, 2, 1}) }), volume)
	row("LpPool3D", of1(func(x *graph.Node) *graph.Node {
		return ops.LpPool3D(x, 3, ops.MaxPool3DOptions{Kernel: [3]int{2, 2, 1}})
	}), volume)
	row("ResizeNearest", of1(func(x *graph.Node) *graph.Node { return ops.ResizeNearest(x, [2]int{5, 9}) }), image)
	row("Resize", of1(func(x *graph.Node) *graph.Node {
		return ops.Resize(x, []int{-1, 1}, []int{5, 9}, ops.ResizeOptions{Mode: ops.ResizeCubic, Antialias: true})
	}), image)
	row("GridSample", of2(func(x, grid *graph.Node) *graph.Node { return ops.GridSample(x, grid, ops.GridSampleOptions{}) }), image, shape.F32(n, 3, 5, 2))
	row("RoIAlign", of3(func(x, boxes, images *graph.Node) *graph.Node {
		return ops.RoIAlign(x, boxes, images, ops.RoIAlignOptions{Size: [2]int{3, 2}, Samples: 2})
	}), image, shape.F32(5, 4), shape.I32(5))
	row("ResizeBilinear", of1(func(x *graph.Node) *graph.Node { return ops.ResizeBilinear(x, [2]int{5, 9}) }), image)
	row("LRNWithinChannel", of1(func(x *graph.Node) *graph.Node { return ops.LRNWithinChannel(x, ops.LRNOptions{Size: 3}) }), image)
	row("LSTMCell", func(x []*graph.Node) *graph.Node {
		h, c := ops.LSTMCell(x[0], x[1], x[2], ops.Recurrence{WeightIH: x[3], WeightHH: x[4], BiasIH: x[5], BiasHH: x[6]})
		return ops.Add(h, c)
	}, x, shape.F32(n, 2), shape.F32(n, 2), shape.F32(8, 3), shape.F32(8, 2), shape.F32(8), shape.F32(8))
	row("LSTM", func(x []*graph.Node) *graph.Node {
		all, _, _ := ops.LSTM(x[0], x[1], x[2], ops.Recurrence{WeightIH: x[3], WeightHH: x[4], BiasIH: x[5], BiasHH: x[6]})
		return all
	}, shape.F32(n, 4, 3), shape.F32(n, 2), shape.F32(n, 2), shape.F32(8, 3), shape.F32(8, 2), shape.F32(8), shape.F32(8))
	row("GRUCell", func(x []*graph.Node) *graph.Node {
		return ops.GRUCell(x[0], x[1], ops.Recurrence{WeightIH: x[2], WeightHH: x[3], BiasIH: x[4], BiasHH: x[5]})
	}, x, shape.F32(n, 2), shape.F32(6, 3), shape.F32(6, 2), shape.F32(6), shape.F32(6))
	row("GRU", func(x []*graph.Node) *graph.Node {
		all, _ := ops.GRU(x[0], x[1], ops.Recurrence{WeightIH: x[2], WeightHH: x[3], BiasIH: x[4], BiasHH: x[5]})
		return all
	}, shape.F32(n, 4, 3), shape.F32(n, 2), shape.F32(6, 3), shape.F32(6, 2), shape.F32(6), shape.F32(6))
	row("RNN", func(x []*graph.Node) *graph.Node {
		all, _ := ops.RNN(x[0], x[1], ops.Recurrence{WeightIH: x[2], WeightHH: x[3], BiasIH: x[4], BiasHH: x[5]})
		return all
	}, shape.F32(n, 4, 3), shape.F32(n, 2), shape.F32(2, 3), shape.F32(2, 2), shape.F32(2), shape.F32(2))
	row("LSTM", func(x []*graph.Node) *graph.Node {
		r := ops.Recurrence{WeightIH: x[3], WeightHH: x[4], BiasIH: x[5], BiasHH: x[6]}
		all, _, _ := ops.LSTM(x[0], x[1], x[2], r, ops.RecurrentOptions{Reverse: true, Lengths: x[7], Clip: 1})
		return all
	}, shape.F32(n, 4, 3), shape.F32(n, 2), shape.F32(n, 2), shape.F32(8, 3), shape.F32(8, 2), shape.F32(8), shape.F32(8), ids)
	all[len(all)-1].optional = 7
	row("Einsum", of2(func(a, b *graph.Node) *graph.Node { return ops.Einsum("nii,ik->nk", a, b) }), shape.F32(n, 4, 4), shape.F32(4, 2))
	row("Attention", func(x []*graph.Node) *graph.Node {
		return ops.Attention(x[0], x[1], x[2], ops.AttentionOptions{Mask: x[3], Causal: true})
	}, shape.F32(n, 2, 4, 3), shape.F32(n, 2, 5, 3), shape.F32(n, 2, 5, 2), shape.Mask(4, 5))
	all[len(all)-1].optional = 3
	row("BatchNorm", func(x []*graph.Node) *graph.Node {
		return ops.BatchNorm(x[0], x[1], x[2], x[3], x[4], ops.BatchNormOptions{})
	}, image, c, c, c, c)
	return all
}

// leaves adds the inputs of c to g: those that have no batch as States, so that they can be
// running statistics too.
func (c constructor) leaves(g *graph.Graph) []*graph.Node {
	xs := make([]*graph.Node, len(c.in))
	for i, t := range c.in {
		xs[i] = leaf(g, i, t)
	}
	return xs
}

func leaf(g *graph.Graph, i int, t shape.Type) *graph.Node {
	name := string(rune('a' + i))
	if t.Shape.Concrete() {
		return g.State(name, t, nil)
	}
	return g.Input(name, t)
}

func TestEveryConstructorIsInTheTableOfMistakes(t *testing.T) {
	have := map[string]bool{"RNG": true} // takes no node
	for _, c := range constructors() {
		have[c.name] = true
		g := graph.New()
		require.True(t, c.build(c.leaves(g)).Valid(), c.name)
		require.NoError(t, g.Err(), c.name)
	}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Results == nil {
				continue
			}
			if p, ok := f.Type.Results.List[0].Type.(*ast.StarExpr); ok && p.X.(*ast.SelectorExpr).Sel.Name == "Node" {
				require.True(t, have[f.Name.Name], "%s has no row in the table of mistakes", f.Name.Name)
			}
		}
	}
}

// mistake returns the one error that a graph of gs has, which is about an invalid y.
func mistake(t *testing.T, y *graph.Node, gs ...*graph.Graph) *graph.Error {
	t.Helper()
	require.NotNil(t, y)
	require.False(t, y.Valid())
	if !slices.Contains(gs, y.Graph()) {
		gs = append(gs, y.Graph())
	}
	var list graph.ErrorList
	for _, g := range gs {
		list = append(list, errorsOf(g)...)
	}
	require.Len(t, list, 1, "%v", list)
	require.Equal(t, "mistakes_test.go", filepath.Base(list[0].Pos.File), "%v", list[0])
	return list[0]
}

func TestANilInputIsOneError(t *testing.T) {
	for _, c := range constructors() {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.in {
				g := graph.New()
				xs := c.leaves(g)
				xs[i] = nil
				if c.optional > 0 && i == c.optional {
					require.True(t, c.build(xs).Valid())
					continue
				}
				require.ErrorContains(t, mistake(t, c.build(xs), g), fmt.Sprintf("input %d is nil", i))
			}
			require.ErrorContains(t, mistake(t, c.build(make([]*graph.Node, len(c.in)))), "input 0 is nil")
		})
	}
}

func TestAnInvalidInputAddsNoError(t *testing.T) {
	for _, c := range constructors() {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.in {
				g := graph.New()
				xs := c.leaves(g)
				xs[i] = ops.StopGradient(ops.Add(xs[i], nil))
				require.ErrorContains(t, mistake(t, c.build(xs), g), "Add: input 1 is nil")
			}
		})
	}
}

func TestAnInputOfAnotherGraphIsOneError(t *testing.T) {
	for _, c := range constructors() {
		t.Run(c.name, func(t *testing.T) {
			for i := 0; i < len(c.in) && len(c.in) > 1; i++ {
				g, h := graph.New(), graph.New()
				xs := c.leaves(g)
				xs[i] = c.leaves(h)[i]
				require.ErrorContains(t, mistake(t, c.build(xs), g, h), "belongs to another graph")
			}
		})
	}
}

// Any other type is either taken or refused by one error, which says what is there or what
// would be right.
func TestAnInputOfTheWrongTypeIsOneError(t *testing.T) {
	for _, c := range constructors() {
		t.Run(c.name, func(t *testing.T) {
			for i, typ := range c.in {
				for _, wrong := range []shape.Type{
					typ.As(shape.Float64), typ.As(shape.Int64), typ.As(shape.Uint8), typ.As(shape.Bool),
					typ.Of(shape.Of()), typ.Of(typ.Drop(-1)), typ.Of(typ.Insert(0, 2)), typ.Of(typ.Insert(typ.Rank(), 5)),
					typ.Of(typ.With(-1, 7)), typ.Of(typ.With(0, 7)), typ.Of(typ.With(min(1, typ.Rank()-1), 9)),
					typ.Of(typ.With(-1, 0)), typ.Of(typ.With(0, 0)), typ.Of(shape.Of(shape.N)), typ.Of(shape.Of(shape.N, shape.N, shape.N, shape.N)),
					typ.Of(shape.Of(1, 1, 1, 1, 1, 1, 1, 1)),
				} {
					g := graph.New()
					xs := make([]*graph.Node, len(c.in))
					for k, t := range c.in {
						if k == i {
							t = wrong
						}
						xs[k] = leaf(g, k, t)
					}
					if y := c.build(xs); !y.Valid() {
						require.Regexp(t, `want|must be|no axis|spread|broadcast|differ|cannot|only|has .* elements|does not fit|axes|input is|is outside|not possible`, mistake(t, y, g).Err.Error())
						continue
					}
					require.NoError(t, g.Err(), wrong)
				}
			}
		})
	}
}

// Errors are those of the function that was called, not of what it is made of.
func TestMistakesAreNamedAfterTheFunction(t *testing.T) {
	g := graph.New()
	x, line, ids := g.Input("x", shape.F32(shape.N, 3)), g.Input("line", shape.F32(shape.N, 4, 8)), g.Input("ids", shape.I32(3))
	table, one := g.Input("table", shape.F32(3, 3)), g.Input("one", shape.I32())
	image := g.Input("image", shape.F32(shape.N, 4, 8, 8))
	wide, volume := g.Input("wide", shape.F32(2, 1, 3)), g.Input("volume", shape.F32(shape.N, 4, 5, 4, 4))
	rnn := ops.Recurrence{
		WeightIH: g.Input("rnn ih", shape.F32(3, 8)), WeightHH: g.Input("rnn hh", shape.F32(3, 3)),
		BiasIH: g.Input("rnn bih", shape.F32(3)), BiasHH: g.Input("rnn bhh", shape.F32(3)),
	}
	for want, f := range map[string]func() *graph.Node{
		"Mean: no axis 2 among 2 axes":                             func() *graph.Node { return ops.Mean(x, 2) },
		"MeanKeep: axis 1 is given twice":                          func() *graph.Node { return ops.MeanKeep(x, 1, -1) },
		"Variance: input 0 is int32(3); want float32 or float64":   func() *graph.Node { return ops.Variance(ids) },
		"Conv1D: as images of one row: input has 4 channels":       func() *graph.Node { return ops.Conv1D(line, wide, ops.Conv1DOptions{Groups: 2}) },
		"Conv1D: want an input (N,C,L) and a filter":               func() *graph.Node { return ops.Conv1D(x, x, ops.Conv1DOptions{}) },
		"MaxPool1D: want an input (N,C,L), have (N,3)":             func() *graph.Node { return ops.MaxPool1D(x, ops.MaxPool1DOptions{Kernel: 2}) },
		"MaxPool1D: as images of one row: kernel [1 0]":            func() *graph.Node { return ops.MaxPool1D(line, ops.MaxPool1DOptions{}) },
		"AvgPool1D: as images of one row: kernel [1 9]":            func() *graph.Node { return ops.AvgPool1D(line, ops.AvgPool1DOptions{Kernel: 9}) },
		"ConvTranspose2D: want an input (N,C,H,W) and a filter (C": func() *graph.Node { return ops.ConvTranspose2D(x, x, ops.Conv2DOp{}, [2]int{}) },
		"SiLU: input 0 is int32(3); want float32 or float64":       func() *graph.Node { return ops.SiLU(ids) },
		"ELU: an attribute is NaN; want a finite number":           func() *graph.Node { return ops.ELU(x, nan) },
		"PReLU: alpha is float32(2,1,3); for input float32(N,3)":   func() *graph.Node { return ops.PReLU(x, wide) },
		"Huber: delta is 0; want a finite positive number":         func() *graph.Node { return ops.Huber(x, x, 0) },
		"KLDivergence: inputs are float32(N,3) and float32(2,1,3)": func() *graph.Node { return ops.KLDivergence(x, wide) },
		"CrossEntropy: 2 Weights for 3 classes; want one for each": func() *graph.Node {
			return ops.CrossEntropy(x, x, ops.CrossEntropyOptions{Weights: []float64{1, 2}})
		},
		"CrossEntropy: Weights of class 1 is -1; want a finite number from 0": func() *graph.Node {
			return ops.CrossEntropy(x, x, ops.CrossEntropyOptions{Weights: []float64{1, -1, 1}})
		},
		"CrossEntropy: all Weights are 0; want some class to count": func() *graph.Node {
			return ops.CrossEntropy(x, x, ops.CrossEntropyOptions{Weights: make([]float64, 3)})
		},
		"CrossEntropy: the target is a distribution float32(N,3); only class numbers can be ignored": func() *graph.Node {
			return ops.CrossEntropy(x, x, ops.CrossEntropyOptions{Ignore: []int{1}})
		},
		"WeightedBinaryCrossEntropy: 2 weights of positives for 3 classes":          func() *graph.Node { return ops.WeightedBinaryCrossEntropy(x, x, 1, 2) },
		"WeightedBinaryCrossEntropy: weights of positives of class 0 is NaN":        func() *graph.Node { return ops.WeightedBinaryCrossEntropy(x, x, nan) },
		"FocalLoss: alpha is 2; want a number from 0 to 1":                          func() *graph.Node { return ops.FocalLoss(x, x, ops.FocalOptions{Alpha: 2}) },
		"FocalLoss: gamma is -1; want a finite positive number":                     func() *graph.Node { return ops.FocalLoss(x, x, ops.FocalOptions{Gamma: -1}) },
		"FocalLoss: the target is float32(2,1,3); want class numbers":               func() *graph.Node { return ops.FocalLoss(x, wide) },
		"DiceLoss: the probabilities are float32(N,3); want (N,C,...), with pixels": func() *graph.Node { return ops.DiceLoss(x, x) },
		"DiceLoss: smooth is NaN; want a finite positive number":                    func() *graph.Node { return ops.DiceLoss(wide, wide, ops.DiceOptions{Smooth: nan}) },
		"LayerNorm: gamma is float32(2,1,3); it must be shaped like the":            func() *graph.Node { return ops.LayerNorm(x, wide, wide, 0) },
		"LayerNorm: beta is float32(2,1,3); it must be float32(3), as gamma is": func() *graph.Node {
			return ops.LayerNorm(x, g.Const(shape.F32(3), []float64{1, 1, 1}), wide, 1)
		},
		"LayerNorm: eps is -1; want a positive number":             func() *graph.Node { return ops.LayerNorm(x, wide, wide, -1) },
		"GroupNorm: 4 channels cannot be split into 3 groups":      func() *graph.Node { return ops.GroupNorm(line, 3, wide, wide, 0) },
		"InstanceNorm: gamma is float32(2,1,3); for input":         func() *graph.Node { return ops.InstanceNorm(line, wide, wide, 0) },
		"Embedding: want a table (V,D) of a row for each id":       func() *graph.Node { return ops.Embedding(line, ids) },
		"Embedding: ids are float32(N,3); want integers":           func() *graph.Node { return ops.Embedding(x, x) },
		"GatherAlong: ids are int32(3), the input is float32(N,3)": func() *graph.Node { return ops.GatherAlong(x, 1, ids) },
		"Gather: no axis 2 in float32(N,3)":                        func() *graph.Node { return ops.Gather(x, 2, ids) },
		"TopK: 4 of the 3 elements of axis 1 of float32(N,3)":      func() *graph.Node { y, _ := ops.TopK(x, 4, 1); return y },
		"TopK: 2 of the batch axis of float32(N,3)":                func() *graph.Node { y, _ := ops.TopK(x, 2, 0); return y },
		"GatherND: ids are int32(3,1), for 1 axes of float32(N,3)": func() *graph.Node { return ops.GatherND(x, ops.Unsqueeze(ids, 1), 2) },
		"GatherND: ids int32(1,3) have places along the batch": func() *graph.Node {
			return ops.GatherND(ops.Transpose(line, 1, 0, 2), ops.Unsqueeze(ids, 0), 0)
		},
		"ScatterND: values are float32(N,3); for float32(N,3) and ids": func() *graph.Node {
			return ops.ScatterND(x, ops.Unsqueeze(ids, 1), x, ops.ScatterAdd)
		},
		"ScatterND: no way 9 of combining values":      func() *graph.Node { return ops.ScatterND(table, ops.Unsqueeze(ids, 1), table, 9) },
		"ScatterAlong: values are float32(N,4,8); for": func() *graph.Node { return ops.ScatterAlong(table, 0, ops.Cast(table, shape.Int32), line, 0) },
		"ScatterAlongCombine(9): no way 9 of combining values": func() *graph.Node {
			return ops.ScatterAlong(table, 0, ops.Cast(table, shape.Int32), table, 9)
		},
		"ReverseSequence: lengths are int32(3); for axis 0":   func() *graph.Node { return ops.ReverseSequence(line, ids, 0, 1) },
		"ReverseSequence: no sequences along axis 1 for each": func() *graph.Node { return ops.ReverseSequence(line, ids, 1, 1) },
		"ReverseSequence: sequences are along axis 0":         func() *graph.Node { return ops.ReverseSequence(line, ids, 1, 0) },
		"DepthToSpace: 4 channels cannot be split into":       func() *graph.Node { return ops.DepthToSpace(image, 3) },
		"SpaceToDepth: an image of 8 by 8 cannot be split":    func() *graph.Node { return ops.SpaceToDepth(image, 3) },
		"PixelShuffle: block is 0; want 1 to 4096":            func() *graph.Node { return ops.PixelShuffle(image, 0) },
		"Tril: want matrices (...,R,C) of known extents":      func() *graph.Node { return ops.Tril(x, 0) },
		"CumProd: axis 0 of float32(N,3); want an extent":     func() *graph.Node { return ops.CumProd(x, 0) },
		"L2Norm: input 0 is int32(3); want float32 or":        func() *graph.Node { return ops.L2Norm(ids) },
		"ArgMin: no axis 2 in float32(N,3)":                   func() *graph.Node { return ops.ArgMin(x, 2) },
		"BottomK: 4 of the 3 elements of axis 1":              func() *graph.Node { y, _ := ops.BottomK(x, 4, 1); return y },
		"ArgMax: no axis 2 in float32(N,3)":                   func() *graph.Node { return ops.ArgMax(x, 2) },
		"Conv3D: want an input (N,C,D,H,W) and a filter (O,":  func() *graph.Node { return ops.Conv3D(x, x, ops.Conv3DOptions{}) },
		"Conv3D: of the planes: input has 4 channels, the filter": func() *graph.Node {
			return ops.Conv3D(volume, g.Const(shape.F32(2, 3, 1, 1, 1), make([]float64, 6)), ops.Conv3DOptions{})
		},
		"Conv3D: depth: a window of extent 6 does not fit in 5": func() *graph.Node {
			return ops.Conv3D(volume, g.Const(shape.F32(2, 4, 6, 1, 1), make([]float64, 48)), ops.Conv3DOptions{})
		},
		"ConvTranspose3D: depth: extra is 1, want 0 to below": func() *graph.Node {
			return ops.ConvTranspose3D(volume, g.Const(shape.F32(4, 2, 1, 1, 1), make([]float64, 8)), ops.Conv3DOptions{}, [3]int{1})
		},
		"ConvTranspose1D: want an input (N,C,L) and a filter (C,":  func() *graph.Node { return ops.ConvTranspose1D(x, x, ops.Conv1DOptions{}, 0) },
		"MaxPool3D: of the planes: kernel [0 2] over input":        func() *graph.Node { return ops.MaxPool3D(volume, ops.MaxPool3DOptions{Kernel: [3]int{2, 0, 2}}) },
		"AvgPool3D: of the depth, as the height of images: kernel": func() *graph.Node { return ops.AvgPool3D(volume, ops.AvgPool3DOptions{Kernel: [3]int{9, 1, 1}}) },
		"GlobalAvgPool1D: want an input (N,C,L), have (N,3)":       func() *graph.Node { return ops.GlobalAvgPool1D(x) },
		"MaxPool2D: size is [2 0]; want 1 to":                      func() *graph.Node { return ops.MaxPool2D(image, ops.MaxPool2DOp{Size: [2]int{2, 0}}) },
		"MaxPool2D: adaptive pooling to size [2 3] has no other":   func() *graph.Node { return ops.MaxPool2D(image, ops.MaxPool2DOp{Size: [2]int{2, 3}, Ceil: true}) },
		"AvgPool2D: adaptive pooling has no padding that":          func() *graph.Node { return ops.AvgPool2D(image, ops.AvgPool2DOp{Size: [2]int{2, 3}, CountPad: true}) },
		"AdaptiveMaxPool1D: size is [0]; want at least 1":          func() *graph.Node { return ops.AdaptiveMaxPool1D(line, 0) },
		"LpPool1D: p is 0.5; want a finite number of at least 1":   func() *graph.Node { return ops.LpPool1D(line, .5, ops.MaxPool1DOptions{Kernel: 2}) },
		"LpPool1D: axis 2 of float32(N,4,8): a window of extent":   func() *graph.Node { return ops.LpPool1D(line, 2, ops.MaxPool1DOptions{Kernel: 9}) },
		"ResizeNearest: want an input (N,C,H,W), have (N,3)":       func() *graph.Node { return ops.ResizeNearest(x, [2]int{1, 1}) },
		"ResizeBilinear: input 0 is int32(3); want float32 or":     func() *graph.Node { return ops.ResizeBilinear(ids, [2]int{1, 1}) },
		"Resize: input 0 is int32(3); want float32 or": func() *graph.Node {
			return ops.Resize(ids, []int{0}, []int{2}, ops.ResizeOptions{Mode: ops.ResizeLinear})
		},
		"Resize: axis 0 of float32(N,3); want an extent":  func() *graph.Node { return ops.Resize(x, []int{0}, []int{2}, ops.ResizeOptions{}) },
		"Resize: size 0 for axis 1 of float32(N,3); want": func() *graph.Node { return ops.Resize(x, []int{1}, []int{0}, ops.ResizeOptions{}) },
		"Resize: 1 sizes and 0 scales were given for 2":   func() *graph.Node { return ops.Resize(image, []int{1, 2}, []int{2}, ops.ResizeOptions{}) },
		"Resize: 0 crops were given for 1 axes": func() *graph.Node {
			return ops.Resize(x, []int{1}, []int{2}, ops.ResizeOptions{Coordinates: ops.CropAndResize})
		},
		"Resize: axis 1 of float32(N,3): scale is NaN; want": func() *graph.Node {
			return ops.Resize(x, []int{1}, []int{2}, ops.ResizeOptions{Scales: []float64{nan}})
		},
		"Resize: axis 1 of float32(N,3): size 10000000 takes": func() *graph.Node {
			return ops.Resize(x, []int{1}, []int{1e7}, ops.ResizeOptions{Mode: ops.ResizeCubic})
		},
		"GridSample: want images (N,C,H,W) or volumes": func() *graph.Node { return ops.GridSample(x, x, ops.GridSampleOptions{}) },
		"GridSample: SampleCubic is for images": func() *graph.Node {
			return ops.GridSample(volume, volume, ops.GridSampleOptions{Sampling: ops.SampleCubic})
		},
		"GridSample: the grid is float32(N,4,8,8); for": func() *graph.Node { return ops.GridSample(image, image, ops.GridSampleOptions{}) },
		"GridSample: sampling 7, border 0; want":        func() *graph.Node { return ops.GridSample(image, image, ops.GridSampleOptions{Sampling: 7}) },
		"RoIAlign: size is [3 2], with 0 samples in a bin": func() *graph.Node {
			return ops.RoIAlign(image, x, ids, ops.RoIAlignOptions{Size: [2]int{3, 2}})
		},
		"RoIAlign: boxes are float32(N,3) and indices of": func() *graph.Node {
			return ops.RoIAlign(image, x, ids, ops.RoIAlignOptions{Size: [2]int{3, 2}, Samples: 1})
		},
		"Resize: mode 9, coordinates 0, rounding 0; want":          func() *graph.Node { return ops.Resize(x, []int{1}, []int{2}, ops.ResizeOptions{Mode: 9}) },
		"LRNWithinChannel: Size is 4; want an odd number":          func() *graph.Node { return ops.LRNWithinChannel(volume, ops.LRNOptions{Size: 4}) },
		"LRNWithinChannel: want an input (N,C,H,W), have":          func() *graph.Node { return ops.LRNWithinChannel(volume, ops.LRNOptions{}) },
		"Einsum: \"ij,j\" is for 2 operands, have 1; want one":     func() *graph.Node { return ops.Einsum("ij,j", x) },
		"Einsum: \"...i\" has an ellipsis; want a letter for":      func() *graph.Node { return ops.Einsum("...i", x) },
		"Einsum: \"i1\" has '1' in it; want letters, commas":       func() *graph.Node { return ops.Einsum("i1", x) },
		"Einsum: operand 0 is float32(N,3); want an axis for":      func() *graph.Node { return ops.Einsum("ijk", x) },
		"Einsum: extents of index 'j' differ: 3, and N in":         func() *graph.Node { return ops.Einsum("ij,jk", x, x) },
		"Einsum: operand 0, float32(N,N), has index 'n' twice":     func() *graph.Node { return ops.Einsum("nn", ops.MatMul(x, x, ops.MatMulOp{TransB: true})) },
		"Einsum: the result of \"ij->ijk\" has index 'k'; want":    func() *graph.Node { return ops.Einsum("ij->ijk", x) },
		"Einsum: the result of \"ij->ii\" has index 'i'; want":     func() *graph.Node { return ops.Einsum("ij->ii", x) },
		"Einsum: input 0 is int32(3); want float32 or float64":     func() *graph.Node { return ops.Einsum("i", ids) },
		"Einsum: there are no operands; want at least one":         func() *graph.Node { return ops.Einsum("i") },
		"Attention: queries are float32(N,3), keys float32(2,1,3)": func() *graph.Node { return ops.Attention(x, wide, x, ops.AttentionOptions{}) },
		"Attention: the mask is float32(N,3); want a bool that": func() *graph.Node {
			return ops.Attention(x, x, x, ops.AttentionOptions{Mask: x})
		},
		"Attention: queries are float32(N,3), keys float32(N,3); causal": func() *graph.Node {
			return ops.Attention(x, x, x, ops.AttentionOptions{Causal: true})
		},
		"Attention: Keys is int32(3); want an integer without axes": func() *graph.Node {
			return ops.Attention(table, table, table, ops.AttentionOptions{Keys: ids})
		},
		"Attention: keys are float32(N,3); Keys needs a number of them": func() *graph.Node {
			return ops.Attention(x, x, x, ops.AttentionOptions{Keys: one})
		},
		"UpdateSlice: start is int32(3); want an integer without axes":  func() *graph.Node { return ops.UpdateSlice(x, x, 1, ids) },
		"UpdateSlice: the part is float32(N,3), for float32(3,3); they": func() *graph.Node { return ops.UpdateSlice(table, x, 1, one) },
		"UpdateSlice: the part is float32(N,3), for float32(N,3); want": func() *graph.Node { return ops.UpdateSlice(x, x, 0, one) },
		"UpdateSlice: no axis 2 in float32(N,3)":                        func() *graph.Node { return ops.UpdateSlice(x, x, 2, one) },
		"Attention: Scale is NaN; want a finite number": func() *graph.Node {
			return ops.Attention(x, x, x, ops.AttentionOptions{Scale: nan})
		},
		"LSTM: want a sequence (N,T,I) of T steps, at least 1": func() *graph.Node {
			y, _, _ := ops.LSTM(x, x, x, ops.Recurrence{WeightIH: x, WeightHH: x, BiasIH: x, BiasHH: x})
			return y
		},
		"LSTMCell: WeightIH is float32(N,3); for an input float32(N,3) and a state float32(N,3) it must be float32(12,3)": func() *graph.Node {
			y, _ := ops.LSTMCell(x, x, x, ops.Recurrence{WeightIH: x, WeightHH: x, BiasIH: x, BiasHH: x})
			return y
		},
		"GRUCell: the state is float32(N,4,8); for an input": func() *graph.Node {
			return ops.GRUCell(x, line, ops.Recurrence{WeightIH: x, WeightHH: x, BiasIH: x, BiasHH: x})
		},
		"RNN: lengths are int32(3); for sequences float32(N,4,8)": func() *graph.Node {
			y, _ := ops.RNN(line, x, rnn, ops.RecurrentOptions{Lengths: ids})
			return y
		},
		"RNN: 2 activations were given; want at most 1": func() *graph.Node {
			y, _ := ops.RNN(line, x, rnn, ops.RecurrentOptions{Activations: []func(*graph.Node) *graph.Node{nil, nil}})
			return y
		},
		"RNN: Clip is -1; want a finite number, at least 0": func() *graph.Node {
			y, _ := ops.RNN(line, x, rnn, ops.RecurrentOptions{Clip: -1})
			return y
		},
		"RNN: there are peepholes, which only an LSTM has": func() *graph.Node {
			y, _ := ops.RNN(line, x, rnn, ops.RecurrentOptions{Peepholes: x})
			return y
		},
		"RNN: ResetBefore is set, which only a GRU has": func() *graph.Node {
			y, _ := ops.RNN(line, x, rnn, ops.RecurrentOptions{ResetBefore: true})
			return y
		},
		"Clip: input 0 is bool(N,3); want a number": func() *graph.Node { return ops.Clip(ops.Equal(x, x), -1, 2) },
	} {
		before := errorCount(g)
		y := f()
		require.False(t, y.Valid(), want)
		require.ErrorContains(t, y.Graph().Err(), want)
		if y.Graph() != g { // it has no input to tell the graph
			before = 0
		}
		require.Equal(t, before+1, errorCount(y.Graph()), want)
	}
}

func TestARunningStatisticThatCannotFollow(t *testing.T) {
	g := graph.New()
	x, c := g.Input("x", shape.F32(shape.N, 3)), g.Param("c", shape.F32(3), nil)
	m, v := g.State("m", shape.F32(3), nil), g.State("v", shape.F32(3), nil)
	g.Update(m, c)
	require.False(t, ops.BatchNorm(x, c, c, m, v, ops.BatchNormOptions{}).Valid())
	require.Equal(t, 1, errorCount(g))
	require.ErrorContains(t, g.Err(), "the running mean m has another update already, made at mistakes_test.go:")

	require.False(t, ops.BatchNorm(x, c, c, ops.ZerosLike(c), ops.OnesLike(c), ops.BatchNormOptions{}).Valid())
	require.Equal(t, 2, errorCount(g))
	require.ErrorContains(t, g.Err(), "the running mean is Computed; want a State")
	require.Len(t, g.Updates(), 1)
}

// A Const of Bool takes any number but 0 as true.
func TestFiveIsTrueWhereItSpreads(t *testing.T) {
	g := graph.New()
	x := newFeed(g, "x", shape.Of(2), []float64{1, 2})
	mask := ops.BroadcastTo(g.Const(shape.Mask(1), []float64{5}), shape.Of(2))
	y := ops.Where(mask, x.node, ops.ZerosLike(x.node))
	unfolded := []vm.Option{vm.Without("fold")}
	require.Equal(t, []float64{1, 2}, computedBy(t, unfolded, []*graph.Node{y}, x)[0])
}

// What each function must refuse besides: bool in place of numbers, where it is not in takesBool;
// an axis too few and one too many in its first input, where it is in fixedRank; and channels that
// its other inputs are not for, where it is in fixedChannels.
var (
	takesBool = []string{
		"StopGradient", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Reshape", "Slice", "Pad", "BroadcastTo", "Concat", "Where", "ByMode", "Cast",
		"Equal", "NotEqual", "And", "Or", "Not", "Gather", "GatherAlong", "UpdateSlice", "Embedding", "ResizeNearest", "GatherND", "ScatterND", "ReverseSequence", "DepthToSpace", "PixelShuffle", "SpaceToDepth",
		"PixelUnshuffle", "Tril", "Triu", "Scalar", "FullLike", "Full", "ZerosLike", "OnesLike",
	}
	fixedRank = []string{
		"Conv1D", "Conv2D", "Conv3D", "ConvTranspose1D", "ConvTranspose2D", "ConvTranspose3D",
		"MaxPool1D", "MaxPool2D", "MaxPool3D", "AvgPool1D", "AvgPool2D", "AvgPool3D", "LpPool1D", "LpPool2D", "LpPool3D",
		"GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalMaxPool3D", "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalAvgPool3D",
		"AdaptiveMaxPool1D", "AdaptiveMaxPool2D", "AdaptiveMaxPool3D", "AdaptiveAvgPool1D", "AdaptiveAvgPool2D", "AdaptiveAvgPool3D",
		"LRNWithinChannel", "RNN", "RoIAlign", "ResizeNearest", "ResizeBilinear", "DepthToSpace", "PixelShuffle", "SpaceToDepth", "PixelUnshuffle", "Embedding", "LSTMCell", "LSTM", "GRUCell", "GRU", "Einsum", "Attention",
	}
	fixedChannels = []string{
		"Conv1D", "Conv2D", "Conv3D", "ConvTranspose1D", "ConvTranspose2D", "ConvTranspose3D",
		"BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "AddBias", "PReLU", "MatMul", "LSTMCell", "GRUCell", "Einsum",
	}
)

func TestWrongRanksChannelsAndTypesAreRefused(t *testing.T) {
	met := map[string]bool{}
	for _, c := range constructors() {
		met[c.name] = true
		refuses := func(what string, wrong shape.Type) {
			g := graph.New()
			xs := c.leaves(g)
			xs[0] = leaf(g, len(xs), wrong)
			y := c.build(xs)
			require.False(t, y.Valid(), "%s takes %s %v", c.name, what, wrong)
			require.Regexp(t, `want|must be|differ|cannot|for input|does not fit|extents|only`, mistake(t, y, g).Err.Error(), c.name)
		}
		if x := c.in[0]; x.IsFloat() && !slices.Contains(takesBool, c.name) {
			refuses("bool", x.As(shape.Bool))
		}
		if x := c.in[0]; slices.Contains(fixedRank, c.name) {
			refuses("fewer axes", x.Of(x.Drop(-1)))
			refuses("more axes", x.Of(x.Insert(x.Rank(), 2)))
		}
		if x := c.in[0]; slices.Contains(fixedChannels, c.name) {
			refuses("other channels", x.Of(x.With(1, 9)))
		}
	}
	for _, name := range slices.Concat(takesBool, fixedRank, fixedChannels) {
		require.True(t, met[name], name)
	}
}

func TestGroupsThatDoNotDivideTheChannelsAreRefused(t *testing.T) {
	const n = shape.N
	line, image, volume := shape.F32(n, 4, 8), shape.F32(n, 4, 8, 8), shape.F32(n, 4, 3, 4, 4)
	for name, c := range map[string]constructor{
		"Conv1D":          {in: []shape.Type{line, shape.F32(6, 2, 3)}, build: of2(func(x, w *graph.Node) *graph.Node { return ops.Conv1D(x, w, ops.Conv1DOptions{Groups: 3}) })},
		"Conv2D":          {in: []shape.Type{image, shape.F32(6, 2, 3, 3)}, build: of2(func(x, w *graph.Node) *graph.Node { return ops.Conv2D(x, w, ops.Conv2DOp{Groups: 3}) })},
		"Conv3D":          {in: []shape.Type{volume, shape.F32(6, 2, 1, 1, 1)}, build: of2(func(x, w *graph.Node) *graph.Node { return ops.Conv3D(x, w, ops.Conv3DOptions{Groups: 3}) })},
		"ConvTranspose1D": {in: []shape.Type{line, shape.F32(4, 2, 3)}, build: of2(func(x, w *graph.Node) *graph.Node { return ops.ConvTranspose1D(x, w, ops.Conv1DOptions{Groups: 3}, 0) })},
		"ConvTranspose2D": {in: []shape.Type{image, shape.F32(4, 2, 3, 3)}, build: of2(func(x, w *graph.Node) *graph.Node {
			return ops.ConvTranspose2D(x, w, ops.Conv2DOp{Groups: 3}, [2]int{})
		})},
		"ConvTranspose3D": {in: []shape.Type{volume, shape.F32(4, 2, 1, 1, 1)}, build: of2(func(x, w *graph.Node) *graph.Node {
			return ops.ConvTranspose3D(x, w, ops.Conv3DOptions{Groups: 3}, [3]int{})
		})},
		"GroupNorm": {in: []shape.Type{image, shape.F32(4), shape.F32(4)}, build: of3(func(x, g, b *graph.Node) *graph.Node { return ops.GroupNorm(x, 3, g, b, 0) })},
	} {
		g := graph.New()
		err := mistake(t, c.build(c.leaves(g)), g)
		require.Equal(t, name, err.Op)
		require.Regexp(t, `with 3 groups wants 6; its axis 1 is the input's channels divided|cannot be split evenly into 3 groups|cannot be split into 3 groups`, err.Err.Error(), name)
	}
}
