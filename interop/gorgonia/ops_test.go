package gorgonia_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// opCase is an op, or several, with the types of its arguments.
type opCase struct {
	name  string
	build func(x ...*graph.Node) *graph.Node
	fill  graph.Initializer // of the arguments
	types []shape.Type
}

func shapes(s ...shape.Shape) (types []shape.Type) {
	for _, s := range s {
		types = append(types, shape.F64(s.Dims()...))
	}
	return types
}

func unary(f func(x *graph.Node) *graph.Node) func(x ...*graph.Node) *graph.Node {
	return func(x ...*graph.Node) *graph.Node { return f(x[0]) }
}

func binary(f func(a, b *graph.Node) *graph.Node) func(x ...*graph.Node) *graph.Node {
	return func(x ...*graph.Node) *graph.Node { return f(x[0], x[1]) }
}

var (
	of     = shape.Of
	scalar = shape.Of()
)

func elementwiseCases() (cs []opCase) {
	for _, f := range []struct {
		name string
		f    func(x *graph.Node) *graph.Node
		fill graph.Initializer
	}{
		{"Neg", ops.Neg, normal{}}, {"Abs", ops.Abs, normal{}}, {"Sign", ops.Sign, normal{}}, {"Exp", ops.Exp, normal{}}, {"Log", ops.Log, positive{}},
		{"Log1p", ops.Log1p, positive{}}, {"Expm1", ops.Expm1, normal{}}, {"Sqrt", ops.Sqrt, positive{}}, {"Sin", ops.Sin, normal{}}, {"Cos", ops.Cos, normal{}},
		{"Tanh", ops.Tanh, normal{}}, {"Sigmoid", ops.Sigmoid, normal{}}, {"Floor", ops.Floor, normal{}}, {"ReLU", ops.ReLU, normal{}}, {"Softplus", ops.Softplus, normal{}},
		{"Square", ops.Square, normal{}}, {"Reciprocal", ops.Reciprocal, positive{}}, {"Softmax", func(x *graph.Node) *graph.Node { return ops.Softmax(ops.Reshape(x, -1), 0) }, normal{}},
		{"LeakyReLU", func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, .1) }, normal{}},
		{"Clip", func(x *graph.Node) *graph.Node { return ops.Clip(x, -.5, .5) }, normal{}},
		{"ReLU6", func(x *graph.Node) *graph.Node { return ops.ReLU6(ops.MulScalar(x, 5)) }, normal{}},
		{"AddScalar", func(x *graph.Node) *graph.Node { return ops.AddScalar(x, 3) }, normal{}},
		{"MulScalar", func(x *graph.Node) *graph.Node { return ops.MulScalar(x, 3) }, normal{}},
		{"1 less", func(x *graph.Node) *graph.Node { return ops.Sub(ops.Scalar(x, 1), x) }, normal{}},
		{"StopGradient", func(x *graph.Node) *graph.Node { return ops.Mul(ops.StopGradient(x), x) }, normal{}},
		{"ByMode", func(x *graph.Node) *graph.Node { return ops.ByMode(x, ops.Neg(x)) }, normal{}},
		{"log of 1 plus", func(x *graph.Node) *graph.Node { // gorgonia rewrites this and deletes the sum
			sum := ops.AddScalar(x, 1)
			return ops.Mul(ops.Log(sum), sum)
		}, positive{}},
		{"log of softmax", func(x *graph.Node) *graph.Node { // this too
			p := ops.Softmax(ops.Reshape(x, -1), 0)
			return ops.Mul(ops.Log(p), p)
		}, normal{}},
		{"Neg of Neg", func(x *graph.Node) *graph.Node { return ops.Neg(ops.Neg(x)) }, normal{}},
		{"zeros", func(x *graph.Node) *graph.Node {
			zero := ops.Mul(x, ops.ZerosLike(x))
			return ops.Add(ops.Add(ops.ReLU(zero), ops.Abs(zero)), ops.Add(ops.LeakyReLU(zero, .1), ops.Add(ops.Sign(zero), ops.Maximum(zero, ops.ZerosLike(x)))))
		}, positive{}},
	} {
		for _, s := range []shape.Shape{scalar, of(1), of(5), of(1, 1), of(4, 1), of(2, 3, 4), of(2, 1, 3, 2), of(2, 1, 2, 1, 2)} {
			cs = append(cs, opCase{fmt.Sprint(f.name, s), unary(f.f), f.fill, shapes(s)})
		}
	}
	pairs := [][2]shape.Shape{
		{scalar, scalar}, {of(3), scalar}, {scalar, of(2, 3)}, {of(2, 3), of(2, 3)}, {of(2, 3), of(3)}, {of(3), of(2, 3)}, {of(4, 1), of(1, 5)},
		{of(1), of(3)}, {of(1, 1, 1), of(3)}, {of(2, 3, 4, 5), of(3, 1, 1)}, {of(1, 3, 1, 1), of(2, 3, 4, 5)}, {of(2, 3, 4, 5), of(5)},
		{of(2, 3, 4, 5), of(4, 1)}, {of(2, 3, 4, 5), of(2, 3, 1, 5)}, {of(2, 3, 4, 5), of(2, 1, 1, 5)}, {of(2, 1, 4), of(3, 1)}, {of(2, 3, 1), of(1, 4)},
		{of(2, 3, 4, 2, 2), of(3, 4, 1, 1)}, {of(2, 3, 4, 2, 2), of(2, 1, 1, 1, 1)}, {of(1, 1), of(1)}, {of(2, 1), of(2, 1)}, {of(2, 1, 3), of(2, 1, 3)},
		{of(1, 2, 1, 2), of(3, 2, 3, 2)}, {of(2, 1, 3, 1, 2), of(1, 4, 1, 5, 2)}, {of(3, 1, 2, 1), of(2, 1, 4)}, // crosswise
	}
	for _, f := range []struct {
		name string
		f    func(a, b *graph.Node) *graph.Node
		fill graph.Initializer
	}{
		{"Add", ops.Add, normal{}}, {"Sub", ops.Sub, normal{}}, {"Mul", ops.Mul, normal{}}, {"Div", ops.Div, positive{}}, {"Pow", ops.Pow, positive{}},
		{"Maximum", ops.Maximum, normal{}}, {"Minimum", ops.Minimum, normal{}}, {"Where", func(a, b *graph.Node) *graph.Node { return ops.Where(ops.Less(a, b), a, ops.Exp(b)) }, normal{}},
		{"where of conditions", func(a, b *graph.Node) *graph.Node {
			c := ops.And(ops.Or(ops.Less(a, b), ops.GreaterEqual(a, ops.Scalar(a, 1))), ops.Not(ops.NotEqual(a, a)))
			return ops.Where(c, a, b)
		}, normal{}},
	} {
		for _, p := range pairs {
			cs = append(cs, opCase{fmt.Sprint(f.name, p[0], p[1]), binary(f.f), f.fill, shapes(p[0], p[1])})
		}
	}
	return cs
}

func structureCases() (cs []opCase) {
	add := func(name string, f func(x ...*graph.Node) *graph.Node, s ...shape.Shape) {
		cs = append(cs, opCase{fmt.Sprint(name, s), f, normal{}, shapes(s...)})
	}
	for _, s := range []shape.Shape{of(3), of(1), of(3, 4), of(1, 4), of(4, 1), of(2, 3, 4), of(2, 1, 4), of(2, 3, 4, 5), of(1, 3, 1, 2), of(2, 3, 2, 2, 3), of(2, 3, 2, 3, 2, 2)} {
		for set := 1; set < 1<<s.Rank(); set++ {
			var axes []int
			for i := range s.Rank() {
				if set>>i&1 == 1 {
					axes = append(axes, i)
				}
			}
			if s.Rank() > 4 && set%3 != 0 {
				continue
			}
			add(fmt.Sprint("Sum over ", axes), unary(func(x *graph.Node) *graph.Node { return ops.Sum(x, axes...) }), s)
			add(fmt.Sprint("Mean keeping ", axes), unary(func(x *graph.Node) *graph.Node { return ops.MeanKeep(x, axes...) }), s)
			add(fmt.Sprint("Max over ", axes), unary(func(x *graph.Node) *graph.Node { return ops.Max(x, axes...) }), s)
			add(fmt.Sprint("Min keeping ", axes), unary(func(x *graph.Node) *graph.Node { return ops.MinKeep(x, axes...) }), s)
		}
		for axis := range s.Rank() {
			add(fmt.Sprint("LogSoftmax along ", axis), unary(func(x *graph.Node) *graph.Node { return ops.LogSoftmax(x, axis) }), s)
			add(fmt.Sprint("Softmax and LogSoftmax along ", axis), unary(func(x *graph.Node) *graph.Node {
				return ops.Mul(ops.Softmax(x, axis), ops.LogSoftmax(x, axis))
			}), s)
		}
	}
	add("sum of nothing", unary(func(x *graph.Node) *graph.Node { return ops.Sum(x) }), scalar)

	for _, op := range []ops.MatMulOp{{}, {TransA: true}, {TransB: true}, {TransA: true, TransB: true}} {
		for _, s := range [][3]shape.Dim{{2, 3, 4}, {1, 3, 4}, {2, 1, 4}, {2, 3, 1}, {1, 3, 1}, {1, 1, 1}, {1, 1, 4}, {2, 1, 1}} {
			swap := func(trans bool, batch []shape.Dim, a, b shape.Dim) shape.Shape {
				if trans {
					a, b = b, a
				}
				return of(append(batch[:len(batch):len(batch)], a, b)...)
			}
			product := binary(func(a, b *graph.Node) *graph.Node { return ops.MatMul(a, b, op) })
			for _, batch := range [][2][]shape.Dim{{nil, nil}, {{3}, {3}}, {{1}, {1}}, {{3}, nil}, {nil, {3}}, {{2, 3}, {2, 3}}} {
				add("MatMul", product, swap(op.TransA, batch[0], s[0], s[1]), swap(op.TransB, batch[1], s[1], s[2]))
			}
		}
	}

	conv := func(name string, op ops.Conv2DOp, x, w shape.Shape) {
		add("Conv2D"+name, binary(func(x, w *graph.Node) *graph.Node { return ops.Conv2D(x, w, op) }), x, w)
	}
	conv("", ops.Conv2DOp{}, of(2, 3, 7, 6), of(4, 3, 3, 3))
	conv(" padded", ops.Conv2DOp{Pad: ops.PadHW(1, 0), Stride: [2]int{2, 1}}, of(2, 3, 7, 6), of(4, 3, 3, 2))
	conv(" dilated", ops.Conv2DOp{Pad: ops.PadHW(2, 2), Dilation: [2]int{2, 2}}, of(2, 2, 7, 7), of(3, 2, 3, 3))
	conv(" 1x1", ops.Conv2DOp{}, of(1, 3, 4, 4), of(5, 3, 1, 1))
	conv(" of the whole image", ops.Conv2DOp{}, of(2, 3, 3, 3), of(1, 3, 3, 3))
	conv(" of one pixel", ops.Conv2DOp{}, of(1, 1, 1, 1), of(1, 1, 1, 1))
	conv(" of one row", ops.Conv2DOp{Stride: [2]int{1, 2}}, of(2, 1, 1, 7), of(2, 1, 1, 3))
	conv(" in groups", ops.Conv2DOp{Groups: 2, Pad: ops.PadHW(1, 1)}, of(2, 4, 5, 5), of(6, 2, 3, 3))
	conv(" of each channel", ops.Conv2DOp{Groups: 4}, of(2, 4, 5, 5), of(4, 1, 3, 3))
	conv(" of many channels", ops.Conv2DOp{Groups: 258}, of(1, 258, 2, 2), of(258, 1, 2, 1))
	conv(" padded on one side", ops.Conv2DOp{Pad: [2][2]int{{0, 1}, {2, 1}}, Stride: [2]int{2, 1}}, of(2, 2, 6, 5), of(3, 2, 3, 3))
	add("Conv2D twice, by dilation", binary(func(x, w *graph.Node) *graph.Node { // gorgonia would take them for one
		op := ops.Conv2DOp{Pad: ops.PadHW(1, 1), Stride: [2]int{4, 4}}
		wide := op
		wide.Dilation = [2]int{2, 2}
		return ops.Sub(ops.Conv2D(ops.Tanh(x), w, op), ops.Conv2D(ops.Tanh(x), w, wide))
	}), of(1, 2, 7, 7), of(3, 2, 2, 2))
	for _, c := range []struct {
		op    ops.Conv2DOp
		extra [2]int
		w     shape.Shape
	}{
		{ops.Conv2DOp{}, [2]int{}, of(4, 3, 3, 2)},
		{ops.Conv2DOp{Stride: [2]int{2, 3}, Pad: ops.PadHW(1, 1)}, [2]int{1, 2}, of(4, 3, 3, 3)},
		{ops.Conv2DOp{Stride: [2]int{2, 1}, Pad: ops.PadHW(2, 2)}, [2]int{}, of(4, 3, 1, 2)}, // more padding than the filter reaches
		{ops.Conv2DOp{Dilation: [2]int{2, 1}, Groups: 2}, [2]int{}, of(4, 3, 2, 3)},
	} {
		add(fmt.Sprint("ConvTranspose2D ", c.op), binary(func(x, w *graph.Node) *graph.Node {
			return ops.ConvTranspose2D(x, w, c.op, c.extra)
		}), of(2, 4, 5, 6), c.w)
	}
	add("Conv1D", binary(func(x, w *graph.Node) *graph.Node {
		return ops.Conv1D(x, w, ops.Conv1DOptions{Stride: 2, Pad: [2]int{1, 1}})
	}), of(2, 3, 9), of(4, 3, 3))
	add("Conv2D by a computed filter", binary(func(x, w *graph.Node) *graph.Node {
		f := ops.Tanh(w)
		return ops.Add(ops.Conv2D(x, f, ops.Conv2DOp{}), ops.Sum(ops.Exp(f)))
	}), of(1, 2, 4, 4), of(3, 2, 2, 2))
	add("Conv2D twice by one filter", binary(func(x, w *graph.Node) *graph.Node {
		return ops.Add(ops.Conv2D(x, w, ops.Conv2DOp{}), ops.Conv2D(ops.Exp(x), w, ops.Conv2DOp{Dilation: [2]int{1, 1}}))
	}), of(1, 2, 4, 4), of(3, 2, 2, 2))

	pool := func(name string, op ops.MaxPool2DOp, s shape.Shape) {
		add("MaxPool2D"+name, unary(func(x *graph.Node) *graph.Node { return ops.MaxPool2D(x, op) }), s)
		for _, count := range []bool{true, false} {
			avg := ops.AvgPool2DOp{Kernel: op.Kernel, Stride: op.Stride, Dilation: op.Dilation, Pad: op.Pad, Ceil: op.Ceil, CountPad: count}
			add(fmt.Sprint("AvgPool2D", name, " ", count), unary(func(x *graph.Node) *graph.Node { return ops.AvgPool2D(x, avg) }), s)
		}
	}
	pool("", ops.MaxPool2DOp{Kernel: [2]int{2, 2}}, of(2, 3, 6, 6))
	pool(" of width 4", ops.MaxPool2DOp{Kernel: [2]int{2, 2}}, of(1, 1, 4, 4))
	pool(" with a rest", ops.MaxPool2DOp{Kernel: [2]int{2, 2}}, of(2, 3, 7, 5))
	pool(" overlapping", ops.MaxPool2DOp{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}}, of(2, 2, 13, 13))
	pool(" padded", ops.MaxPool2DOp{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: ops.PadHW(1, 1)}, of(2, 2, 7, 7))
	pool(" of two strides", ops.MaxPool2DOp{Kernel: [2]int{3, 2}, Stride: [2]int{1, 2}}, of(2, 2, 7, 6))
	pool(" with Ceil that adds nothing", ops.MaxPool2DOp{Kernel: [2]int{2, 2}, Ceil: true}, of(1, 1, 4, 6))
	pool(" with Ceil", ops.MaxPool2DOp{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Ceil: true}, of(1, 2, 6, 8))
	pool(" padded on one side", ops.MaxPool2DOp{Kernel: [2]int{2, 3}, Pad: [2][2]int{{1, 0}, {0, 2}}}, of(1, 2, 5, 4))
	pool(" dilated", ops.MaxPool2DOp{Kernel: [2]int{2, 2}, Stride: [2]int{1, 2}, Dilation: [2]int{2, 3}, Pad: ops.PadHW(1, 1)}, of(1, 2, 5, 6))
	add("AvgPool2D twice, by dilation", unary(func(x *graph.Node) *graph.Node {
		op := ops.AvgPool2DOp{Kernel: [2]int{2, 2}, Stride: [2]int{4, 4}}
		wide := op
		wide.Dilation = [2]int{2, 2}
		return ops.Sub(ops.AvgPool2D(x, op), ops.AvgPool2D(x, wide))
	}), of(1, 2, 4, 4))
	add("AdaptiveMaxPool2D", unary(func(x *graph.Node) *graph.Node { return ops.AdaptiveMaxPool2D(x, [2]int{3, 2}) }), of(2, 2, 7, 5))
	add("AdaptiveAvgPool2D", unary(func(x *graph.Node) *graph.Node { return ops.AdaptiveAvgPool2D(x, [2]int{3, 2}) }), of(2, 2, 7, 5))
	add("GlobalAvgPool2D", unary(ops.GlobalAvgPool2D), of(2, 3, 4, 5))
	add("GlobalMaxPool2D", unary(ops.GlobalMaxPool2D), of(2, 3, 4, 5))
	add("MaxPool2D of ties", unary(func(x *graph.Node) *graph.Node {
		return ops.MaxPool2D(ops.Sign(ops.Reshape(ops.Concat(0, x, x), 1, 1, 4, 4)), ops.MaxPool2DOp{Kernel: [2]int{2, 2}})
	}), of(8))

	add("Reshape", unary(func(x *graph.Node) *graph.Node { return ops.Reshape(x, 6, 4) }), of(2, 3, 4))
	add("Reshape of a number", unary(func(x *graph.Node) *graph.Node { return ops.Reshape(x, 1, 1) }), scalar)
	add("Reshape to a number", unary(func(x *graph.Node) *graph.Node { return ops.Reshape(x) }), of(1, 1, 1))
	add("Reshape beside its input", unary(func(x *graph.Node) *graph.Node { // gorgonia's own shares memory
		y := ops.Tanh(x)
		return ops.Add(ops.Exp(ops.Reshape(y, 3, 2)), ops.Reshape(ops.Square(y), 3, 2))
	}), of(2, 3))
	for _, c := range []struct {
		s    shape.Shape
		perm []int
	}{
		{of(3), []int{0}}, {of(2, 3), []int{1, 0}}, {of(1, 3), []int{1, 0}}, {of(3, 1), []int{1, 0}}, {of(2, 3, 4), []int{2, 0, 1}}, {of(2, 1, 4), []int{2, 1, 0}},
		{of(2, 3, 4), []int{0, 2, 1}}, {of(2, 3, 4, 5), []int{0, 2, 3, 1}}, {of(2, 3, 4, 5), []int{3, 2, 1, 0}}, {of(2, 3, 1, 2, 2), []int{4, 0, 3, 2, 1}}, {of(2, 3), []int{0, 1}},
	} {
		add(fmt.Sprint("Transpose by ", c.perm), unary(func(x *graph.Node) *graph.Node { return ops.Transpose(x, c.perm...) }), c.s)
	}
	for axis := range 3 {
		join := func(x ...*graph.Node) *graph.Node { return ops.Concat(axis, x...) }
		s := of(2, 3, 4)
		add(fmt.Sprint("Concat along ", axis), join, s, s.With(axis, 1), s.With(axis, 5))
		add(fmt.Sprint("Concat of one along ", axis), join, s)
		add(fmt.Sprint("Slice of ", axis), unary(func(x *graph.Node) *graph.Node {
			ranges := []ops.Range{ops.Whole(), ops.Whole(), ops.Whole()}
			ranges[axis] = ops.Range{Start: 1, Stop: 2}
			one := ops.Slice(x, ranges...)
			ranges[axis] = ops.Range{Start: 0, Stop: 2}
			return ops.Mul(one, ops.Slice(x, ranges...))
		}), s)
	}
	add("Slice of several axes", unary(func(x *graph.Node) *graph.Node {
		return ops.Slice(x, ops.Range{Start: 1, Stop: 2}, ops.Range{Start: 1, Stop: 3}, ops.Range{Start: 2, Stop: 3})
	}), of(2, 3, 4))
	add("Slice of a vector", unary(func(x *graph.Node) *graph.Node { return ops.Slice(x, ops.Range{Start: 2, Stop: 3}) }), of(5))
	add("Concat of long ones", func(x ...*graph.Node) *graph.Node { return ops.Concat(0, x...) }, of(200), of(200), of(3))
	add("Concat of parts that are equal modulo 256", func(x ...*graph.Node) *graph.Node { return ops.Concat(1, ops.Exp(x[0]), x[0], x[1]) }, of(2, 256), of(2, 3))
	add("Slice of steps", unary(func(x *graph.Node) *graph.Node {
		return ops.Slice(x, ops.Range{Stop: 7, Step: 3}, ops.Range{Start: 4, Stop: 0, Step: -2})
	}), of(7, 5))
	add("Slice beyond 256", unary(func(x *graph.Node) *graph.Node {
		return ops.Mul(ops.Slice(x, ops.Range{Start: 0, Stop: 256}), ops.Slice(x, ops.Range{Start: 256, Stop: 512}))
	}), of(600))
	for _, s := range []shape.Shape{of(3), of(2, 3), of(1, 2, 3, 3)} {
		last := s.Rank() - 1
		op := ops.PadOp{Value: graph.Float(-.1)}
		op.Before[last], op.After[last], op.After[0] = 2, 1, 3
		add("Pad", unary(func(x *graph.Node) *graph.Node { return ops.Pad(x, op) }), s)
		op.After[0] = op.After[last]
		for _, op.Mode = range []engine.PadMode{ops.PadEdge, ops.PadReflect, ops.PadSymmetric} {
			if s.Int(0) > 1 {
				add(fmt.Sprint("Pad by ", op.Mode), unary(func(x *graph.Node) *graph.Node { return ops.Pad(x, op) }), s)
			}
		}
	}
	add("BroadcastTo", unary(func(x *graph.Node) *graph.Node { return ops.BroadcastTo(x, of(2, 3, 4)) }), of(3, 1))
	add("BroadcastTo of a number", unary(func(x *graph.Node) *graph.Node { return ops.BroadcastTo(x, of(2, 3)) }), scalar)
	add("BroadcastTo of five axes", unary(func(x *graph.Node) *graph.Node { return ops.BroadcastTo(x, of(2, 2, 3, 2, 2)) }), of(3, 1, 1))
	add("Variance", unary(func(x *graph.Node) *graph.Node { return ops.Variance(x, 0, 2, 3) }), of(3, 2, 4, 4))
	add("MSE", binary(ops.MSE), of(3, 2), of(3, 2))
	add("CrossEntropy", binary(func(x, q *graph.Node) *graph.Node {
		return ops.CrossEntropy(x, ops.Softmax(q, 1), ops.CrossEntropyOptions{LabelSmoothing: .1})
	}), of(3, 4), of(3, 4))
	add("BinaryCrossEntropy", binary(func(x, q *graph.Node) *graph.Node { return ops.BinaryCrossEntropy(x, ops.Sigmoid(q)) }), of(3, 4), of(3, 4))
	add("BatchNorm", func(x ...*graph.Node) *graph.Node {
		return ops.BatchNorm(x[0], x[1], x[2], x[3], x[4], ops.BatchNormOptions{})
	}, of(3, 2, 4, 4), of(2), of(2), of(2), of(2))
	return cs
}

// Of equal maxima the first of a window has the gradient in pooling; a reduction shares it equally,
// where gorgonia's own gives each of them the whole; two operands have half of it each. The numbers
// are worked out by hand.
func TestGradientsOfTies(t *testing.T) {
	for _, c := range []struct {
		name            string
		x, ours, theirs []float64
		f               func(x *graph.Node) *graph.Node
	}{
		{"max pooling", []float64{1, 1, 2, 0, 1, 1, 2, 2}, []float64{1, 0, 2, 0, 0, 0, 0, 0}, []float64{1, 0, 2, 0, 0, 0, 0, 0}, func(x *graph.Node) *graph.Node {
			return ops.MaxPool2D(ops.Reshape(x, 1, 1, 2, 4), ops.MaxPool2DOp{Kernel: [2]int{2, 2}})
		}},
		{"max over all", []float64{3, 1, 3, 3}, []float64{1. / 3, 0, 1. / 3, 1. / 3}, []float64{1, 0, 1, 1}, func(x *graph.Node) *graph.Node { return ops.Max(x) }},
		{"max of rows", []float64{3, 3, 1, 2}, []float64{.5, .5, 0, 2}, []float64{1, 1, 0, 2}, func(x *graph.Node) *graph.Node { return ops.Max(ops.Reshape(x, 2, 2), 1) }},
		{"maximum of two", []float64{3, 1, 3, 2}, []float64{.5, 0, .5, 2}, []float64{.5, 0, .5, 2}, func(x *graph.Node) *graph.Node {
			return ops.Maximum(ops.Slice(x, ops.Range{Stop: 2}), ops.Slice(x, ops.Range{Start: 2, Stop: 4}))
		}},
		{"minimum of two", []float64{3, 1, 3, 2}, []float64{.5, 2, .5, 0}, []float64{.5, 2, .5, 0}, func(x *graph.Node) *graph.Node {
			return ops.Minimum(ops.Slice(x, ops.Range{Stop: 2}), ops.Slice(x, ops.Range{Start: 2, Stop: 4}))
		}},
		{"min of columns", []float64{3, 1, 3, 2}, []float64{.5, 2, .5, 0}, []float64{1, 2, 1, 0}, func(x *graph.Node) *graph.Node { return ops.Min(ops.Reshape(x, 2, 2), 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := graph.New()
			x := g.Param("x", shape.F64(shape.Dim(len(c.x))), nil)
			y := c.f(x)
			weights := make([]float64, y.Type().Len())
			for i := range weights {
				weights[i] = float64(i + 1)
			}
			loss := ops.Sum(ops.Mul(y, g.Const(y.Type(), weights)))
			store := leaves(t, g)
			require.NoError(t, store.Set("x", tensor.New(tensor.WithShape(len(c.x)), tensor.WithBacking(c.x))))
			outs, wrt := []*graph.Node{loss}, []*graph.Node{x}
			require.InDeltaSlice(t, c.ours, ours(t, store, outs, wrt)[1].Float64s(), 1e-12, "ours")
			require.InDeltaSlice(t, c.theirs, theirs(t, store, outs, 1, wrt)[1].Float64s(), 1e-12, "gorgonia's")
		})
	}
}

func TestOpsAndTheirGradientsAgreeWithOurs(t *testing.T) {
	for _, c := range append(elementwiseCases(), structureCases()...) {
		t.Run(c.name, func(t *testing.T) {
			g := graph.New()
			params := make([]*graph.Node, len(c.types))
			for i, typ := range c.types {
				params[i] = g.Param(fmt.Sprint("p", i), typ, c.fill)
			}
			y := c.build(params...)
			require.NoError(t, g.Err())
			require.True(t, y.Valid())
			w := make([]float64, y.Type().Len())
			r := rand.New(rand.NewPCG(5, 6))
			for i := range w {
				w[i] = r.NormFloat64()
			}
			loss := ops.Sum(ops.Mul(y, g.Const(y.Type(), w)))
			store := leaves(t, g)
			outs := []*graph.Node{loss, y}
			requireClose(t, ours(t, store, outs, params), theirs(t, store, outs, 1, params), 1e-10, c.name)
		})
	}
}

// Random graphs share values among ops that gorgonia computes in place.
func TestRandomGraphsAgreeWithOurs(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		g := graph.New()
		params := []*graph.Node{g.Param("a", shape.F64(2, 3, 2, 2), normal{}), g.Param("b", shape.F64(3, 1, 1), normal{}), g.Param("c", shape.F64(2, 1, 2, 1), normal{})}
		values := params
		pick := func() *graph.Node { return values[r.IntN(len(values))] }
		full := func(x *graph.Node) *graph.Node {
			return ops.BroadcastTo(ops.Reshape(x, x.Type().Dims()...), of(2, 3, 2, 2))
		}
		for range 25 {
			x := pick()
			switch r.IntN(11) {
			case 0:
				x = ops.Tanh(ops.Mul(x, pick()))
			case 1:
				x = ops.Sub(x, pick())
			case 2:
				x = ops.Sin(x)
			case 3:
				x = ops.ReLU(ops.Add(x, pick()))
			case 4:
				x = ops.Softmax(full(x), 1)
			case 5:
				x = ops.SumKeep(full(x), 0, 2, 3)
			case 6:
				x = ops.Reshape(ops.Transpose(ops.Reshape(full(x), 6, 4)), 2, 3, 2, 2)
			case 7:
				x = ops.MaxKeep(ops.Add(full(x), ops.Exp(params[0])), 3) // without ties
			case 8:
				y := ops.Reshape(full(x), 6, 4)
				x = ops.Reshape(ops.MatMul(ops.MatMul(y, y, ops.MatMulOp{TransA: true}), y, ops.MatMulOp{TransB: true}), 2, 2, 6)
				x = ops.Tanh(ops.Reshape(x, 2, 3, 2, 2))
			case 9:
				x = ops.Where(ops.Less(x, ops.Scalar(x, 0)), ops.MulScalar(x, .1), x)
			case 10:
				x = ops.Concat(1, ops.MaxPool2D(full(x), ops.MaxPool2DOp{Kernel: [2]int{1, 1}}))
			}
			values = append(values[:len(values):len(values)], x)
		}
		loss := ops.Mean(ops.Tanh(values[len(values)-1]))
		for _, v := range values[len(values)-6 : len(values)-1] {
			loss = ops.Add(loss, ops.Mean(ops.Tanh(v)))
		}
		store := leaves(t, g)
		outs := append([]*graph.Node{loss}, values[3:]...)
		requireClose(t, ours(t, store, outs, params), theirs(t, store, outs, 1, params), 1e-10, fmt.Sprint("seed ", seed))
	}
}
