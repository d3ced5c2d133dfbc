package parity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// function builds a call of package ops from its inputs and its attributes as JSON.
type function func(x []*graph.Node, attrs []byte) (*graph.Node, error)

// Uncompared lists the functions of package ops without a case, with the reasons.
var Uncompared = map[string]string{
	"RNG":     "the state of random numbers, which PyTorch keeps outside of graphs",
	"Random":  "random numbers are of another generator than PyTorch's",
	"Dropout": "random numbers are of another generator than PyTorch's",
	"ByMode":  "PyTorch has no graph that is switched; BatchNorm has cases of both modes",
}

// functions has an entry for every other function of package ops.
var functions = map[string]function{
	// elementwise
	"Neg":          unary(ops.Neg),
	"Abs":          unary(ops.Abs),
	"Sign":         unary(ops.Sign),
	"Exp":          unary(ops.Exp),
	"Log":          unary(ops.Log),
	"Log1p":        unary(ops.Log1p),
	"Expm1":        unary(ops.Expm1),
	"Sqrt":         unary(ops.Sqrt),
	"Sin":          unary(ops.Sin),
	"Cos":          unary(ops.Cos),
	"Tanh":         unary(ops.Tanh),
	"Sigmoid":      unary(ops.Sigmoid),
	"Erf":          unary(ops.Erf),
	"Floor":        unary(ops.Floor),
	"Ceil":         unary(ops.Ceil),
	"Round":        unary(ops.Round),
	"Tan":          unary(ops.Tan),
	"Asin":         unary(ops.Asin),
	"Acos":         unary(ops.Acos),
	"Atan":         unary(ops.Atan),
	"Sinh":         unary(ops.Sinh),
	"Cosh":         unary(ops.Cosh),
	"Asinh":        unary(ops.Asinh),
	"Acosh":        unary(ops.Acosh),
	"Atanh":        unary(ops.Atanh),
	"IsNaN":        unary(ops.IsNaN),
	"IsInf":        unary(ops.IsInf),
	"BitNot":       unary(ops.BitNot),
	"ReLU":         unary(ops.ReLU),
	"ReLU6":        unary(ops.ReLU6),
	"Softplus":     unary(ops.Softplus),
	"Square":       unary(ops.Square),
	"Reciprocal":   unary(ops.Reciprocal),
	"SELU":         unary(ops.SELU),
	"GELU":         unary(ops.GELU),
	"GELUTanh":     unary(ops.GELUTanh),
	"SiLU":         unary(ops.SiLU),
	"Mish":         unary(ops.Mish),
	"Softsign":     unary(ops.Softsign),
	"HardSigmoid":  unary(ops.HardSigmoid),
	"HardSwish":    unary(ops.HardSwish),
	"StopGradient": unary(ops.StopGradient),
	"ZerosLike":    unary(ops.ZerosLike),
	"OnesLike":     unary(ops.OnesLike),
	"Not":          unary(ops.Not),
	"LeakyReLU":    with(func(x []*graph.Node, a struct{ Alpha float64 }) *graph.Node { return ops.LeakyReLU(x[0], a.Alpha) }),
	"ELU":          with(func(x []*graph.Node, a struct{ Alpha float64 }) *graph.Node { return ops.ELU(x[0], a.Alpha) }),
	"Clip":         with(func(x []*graph.Node, a struct{ Lo, Hi float64 }) *graph.Node { return ops.Clip(x[0], a.Lo, a.Hi) }),
	"AddScalar":    ofNumber(ops.AddScalar),
	"MulScalar":    ofNumber(ops.MulScalar),
	"FullLike":     ofNumber(ops.FullLike),
	"Scalar":       ofNumber(ops.Scalar),
	"Cast":         with(cast),
	"Add":          binary(ops.Add),
	"Sub":          binary(ops.Sub),
	"Mul":          binary(ops.Mul),
	"Div":          binary(ops.Div),
	"Fmod":         binary(ops.Fmod),
	"Mod":          binary(ops.Mod),
	"Pow":          binary(ops.Pow),
	"Xor":          binary(ops.Xor),
	"BitAnd":       binary(ops.BitAnd),
	"BitOr":        binary(ops.BitOr),
	"BitXor":       binary(ops.BitXor),
	"ShiftLeft":    binary(ops.ShiftLeft),
	"ShiftRight":   binary(ops.ShiftRight),
	"Maximum":      binary(ops.Maximum),
	"Minimum":      binary(ops.Minimum),
	"Equal":        binary(ops.Equal),
	"NotEqual":     binary(ops.NotEqual),
	"Less":         binary(ops.Less),
	"LessEqual":    binary(ops.LessEqual),
	"Greater":      binary(ops.Greater),
	"GreaterEqual": binary(ops.GreaterEqual),
	"And":          binary(ops.And),
	"Or":           binary(ops.Or),
	"PReLU":        binary(ops.PReLU),
	"AddBias":      binary(ops.AddBias),
	"Where":        with(func(x []*graph.Node, _ struct{}) *graph.Node { return ops.Where(x[0], x[1], x[2]) }),

	// reductions
	"Sum":         overAxes(ops.Sum),
	"SumKeep":     overAxes(ops.SumKeep),
	"Prod":        overAxes(ops.Prod),
	"Max":         overAxes(ops.Max),
	"MaxKeep":     overAxes(ops.MaxKeep),
	"Min":         overAxes(ops.Min),
	"MinKeep":     overAxes(ops.MinKeep),
	"Mean":        overAxes(ops.Mean),
	"MeanKeep":    overAxes(ops.MeanKeep),
	"Variance":    overAxes(ops.Variance),
	"Count":       overAxes(ops.Count),
	"Squeeze":     overAxes(ops.Squeeze),
	"Unsqueeze":   overAxes(ops.Unsqueeze),
	"BroadcastTo": toShape(ops.BroadcastTo),
	"SumTo":       toShape(ops.SumTo),
	"Reshape":     toShape(func(x *graph.Node, s shape.Shape) *graph.Node { return ops.Reshape(x, s.Dims()...) }),
	"Softmax":     along(ops.Softmax),
	"LogSoftmax":  along(ops.LogSoftmax),
	"CumSum":      scan(ops.CumSum),
	"CumProd":     scan(ops.CumProd),
	"ArgMax":      along(ops.ArgMax),
	"ArgMin":      along(ops.ArgMin),
	"L1Norm":      overAxes(ops.L1Norm),
	"L2Norm":      overAxes(ops.L2Norm),
	"LogSumExp":   overAxes(ops.LogSumExp),
	"LinearScan":  with(func(x []*graph.Node, a struct{ Axis int }) *graph.Node { return ops.LinearScan(x[0], x[1], a.Axis) }),

	// losses
	"CrossEntropy": with(func(x []*graph.Node, o ops.CrossEntropyOptions) *graph.Node { return ops.CrossEntropy(x[0], x[1], o) }),

	"BinaryCrossEntropy": binary(ops.BinaryCrossEntropy),
	"NLL":                binary(ops.NLL),
	"KLDivergence":       binary(ops.KLDivergence),
	"Hinge":              binary(ops.Hinge),
	"FocalLoss":          with(func(x []*graph.Node, o ops.FocalOptions) *graph.Node { return ops.FocalLoss(x[0], x[1], o) }),
	"DiceLoss":           with(func(x []*graph.Node, o ops.DiceOptions) *graph.Node { return ops.DiceLoss(x[0], x[1], o) }),
	"WeightedBinaryCrossEntropy": with(func(x []*graph.Node, a struct{ Positive []float64 }) *graph.Node {
		return ops.WeightedBinaryCrossEntropy(x[0], x[1], a.Positive...)
	}),
	"MSE":   binary(ops.MSE),
	"Huber": with(func(x []*graph.Node, a struct{ Delta float64 }) *graph.Node { return ops.Huber(x[0], x[1], a.Delta) }),

	// normalisation
	"LRN":              with(func(x []*graph.Node, o ops.LRNOptions) *graph.Node { return ops.LRN(x[0], o) }),
	"LRNWithinChannel": with(func(x []*graph.Node, o ops.LRNOptions) *graph.Node { return ops.LRNWithinChannel(x[0], o) }),
	"LayerNorm": with(func(x []*graph.Node, a struct{ Eps float64 }) *graph.Node {
		return ops.LayerNorm(x[0], x[1], x[2], a.Eps)
	}),
	"InstanceNorm": with(func(x []*graph.Node, a struct{ Eps float64 }) *graph.Node {
		return ops.InstanceNorm(x[0], x[1], x[2], a.Eps)
	}),
	"GroupNorm": with(func(x []*graph.Node, a struct {
		Groups int
		Eps    float64
	}) *graph.Node {
		return ops.GroupNorm(x[0], a.Groups, x[1], x[2], a.Eps)
	}),
	"BatchNorm": with(batchNorm),

	// products and functions made of them
	"Einsum": with(func(x []*graph.Node, a struct{ Subscripts string }) *graph.Node {
		return ops.Einsum(a.Subscripts, x...)
	}),
	"Attention": with(attention),
	"LSTMCell":  with(lstmCell),
	"LSTM":      with(lstm),
	"GRUCell":   with(func(x []*graph.Node, _ struct{}) *graph.Node { return ops.GRUCell(x[0], x[1], recurrence(x[2:])) }),
	"GRU":       with(gru),
	"RNN":       with(rnn),
	"MatMul":    with(func(x []*graph.Node, op ops.MatMulOp) *graph.Node { return ops.MatMul(x[0], x[1], op) }),

	// convolutions
	"Conv1D": with(func(x []*graph.Node, op ops.Conv1DOptions) *graph.Node { return ops.Conv1D(x[0], x[1], op) }),
	"Conv2D": with(func(x []*graph.Node, op ops.Conv2DOp) *graph.Node { return ops.Conv2D(x[0], x[1], op) }),
	"Conv3D": with(func(x []*graph.Node, op ops.Conv3DOptions) *graph.Node { return ops.Conv3D(x[0], x[1], op) }),

	"ConvTranspose1D": transposed(ops.ConvTranspose1D),
	"ConvTranspose2D": transposed(ops.ConvTranspose2D),
	"ConvTranspose3D": transposed(ops.ConvTranspose3D),

	// pooling
	"MaxPool1D":         with(func(x []*graph.Node, op ops.MaxPool1DOptions) *graph.Node { return ops.MaxPool1D(x[0], op) }),
	"MaxPool2D":         with(func(x []*graph.Node, op ops.MaxPool2DOp) *graph.Node { return ops.MaxPool2D(x[0], op) }),
	"MaxPool3D":         with(func(x []*graph.Node, op ops.MaxPool3DOptions) *graph.Node { return ops.MaxPool3D(x[0], op) }),
	"AvgPool1D":         with(func(x []*graph.Node, op ops.AvgPool1DOptions) *graph.Node { return ops.AvgPool1D(x[0], op) }),
	"AvgPool2D":         with(func(x []*graph.Node, op ops.AvgPool2DOp) *graph.Node { return ops.AvgPool2D(x[0], op) }),
	"AvgPool3D":         with(func(x []*graph.Node, op ops.AvgPool3DOptions) *graph.Node { return ops.AvgPool3D(x[0], op) }),
	"GlobalMaxPool1D":   unary(ops.GlobalMaxPool1D),
	"GlobalMaxPool2D":   unary(ops.GlobalMaxPool2D),
	"GlobalMaxPool3D":   unary(ops.GlobalMaxPool3D),
	"GlobalAvgPool1D":   unary(ops.GlobalAvgPool1D),
	"GlobalAvgPool2D":   unary(ops.GlobalAvgPool2D),
	"GlobalAvgPool3D":   unary(ops.GlobalAvgPool3D),
	"AdaptiveMaxPool1D": toSize(ops.AdaptiveMaxPool1D),
	"AdaptiveMaxPool2D": toSize(ops.AdaptiveMaxPool2D),
	"AdaptiveMaxPool3D": toSize(ops.AdaptiveMaxPool3D),
	"AdaptiveAvgPool1D": toSize(ops.AdaptiveAvgPool1D),
	"AdaptiveAvgPool2D": toSize(ops.AdaptiveAvgPool2D),
	"AdaptiveAvgPool3D": toSize(ops.AdaptiveAvgPool3D),
	"LpPool1D":          lpPool(ops.LpPool1D),
	"LpPool2D":          lpPool(ops.LpPool2D),
	"LpPool3D":          lpPool(ops.LpPool3D),
	"ResizeNearest":     toSize(ops.ResizeNearest),
	"ResizeBilinear":    toSize(ops.ResizeBilinear),
	"GridSample":        with(func(x []*graph.Node, o ops.GridSampleOptions) *graph.Node { return ops.GridSample(x[0], x[1], o) }),
	"RoIAlign":          with(func(x []*graph.Node, o ops.RoIAlignOptions) *graph.Node { return ops.RoIAlign(x[0], x[1], x[2], o) }),
	"Resize": with(func(x []*graph.Node, a struct {
		Axes, Sizes []int
		Options     ops.ResizeOptions
	}) *graph.Node {
		return ops.Resize(x[0], a.Axes, a.Sizes, a.Options)
	}),

	// moving and choosing elements
	"Transpose": with(func(x []*graph.Node, a struct{ Perm []int }) *graph.Node { return ops.Transpose(x[0], a.Perm...) }),
	"Concat":    with(func(x []*graph.Node, a struct{ Axis int }) *graph.Node { return ops.Concat(a.Axis, x...) }),
	"Slice":     with(slice),
	"Pad":       with(pad),
	"Flatten":   unary(ops.Flatten),
	"Full":      with(full),
	"OneHot":    with(func(x []*graph.Node, a struct{ Classes int }) *graph.Node { return ops.OneHot(x[0], a.Classes, x[1]) }),
	"Gather":    with(func(x []*graph.Node, a struct{ Axis int }) *graph.Node { return ops.Gather(x[0], a.Axis, x[1]) }),
	"UpdateSlice": with(func(x []*graph.Node, a struct{ Axis, Start int }) *graph.Node {
		return ops.UpdateSlice(x[0], x[1], a.Axis, x[0].Graph().Const(shape.I32(), []float64{float64(a.Start)}))
	}),
	"GatherAlong": with(func(x []*graph.Node, a struct{ Axis int }) *graph.Node { return ops.GatherAlong(x[0], a.Axis, x[1]) }),
	"Embedding":   binary(ops.Embedding),
	"TopK":        with(topK),
	"BottomK":     with(bottomK),
	"GatherND":    with(func(x []*graph.Node, a struct{ Batch int }) *graph.Node { return ops.GatherND(x[0], x[1], a.Batch) }),
	"ScatterND": with(func(x []*graph.Node, a struct{ Combine engine.Combine }) *graph.Node {
		return ops.ScatterND(x[0], x[1], x[2], a.Combine)
	}),
	"ScatterAlong": with(func(x []*graph.Node, a struct {
		Axis    int
		Combine engine.Combine
	}) *graph.Node {
		return ops.ScatterAlong(x[0], a.Axis, x[1], x[2], a.Combine)
	}),
	"ReverseSequence": with(func(x []*graph.Node, a struct{ Batch, Axis int }) *graph.Node {
		return ops.ReverseSequence(x[0], x[1], a.Batch, a.Axis)
	}),
	"DepthToSpace":   ofInt(ops.DepthToSpace),
	"PixelShuffle":   ofInt(ops.PixelShuffle),
	"SpaceToDepth":   ofInt(ops.SpaceToDepth),
	"PixelUnshuffle": ofInt(ops.PixelUnshuffle),
	"Tril":           ofInt(ops.Tril),
	"Triu":           ofInt(ops.Triu),
}

// Functions returns the names that [Apply] accepts, in order.
func Functions() []string { return slices.Sorted(maps.Keys(functions)) }

// Apply calls the named function of package ops. Its attributes are the JSON of their Go structs.
func Apply(name string, x []*graph.Node, attrs []byte) (*graph.Node, error) {
	f, ok := functions[name]
	if !ok {
		return nil, fmt.Errorf("no function %q", name)
	}
	return f(x, attrs)
}

// with makes a function from one that takes its attributes as a struct. An attribute that the
// struct does not have is an error.
func with[A any](build func(x []*graph.Node, a A) *graph.Node) function {
	return func(x []*graph.Node, attrs []byte) (*graph.Node, error) {
		var a A
		d := json.NewDecoder(bytes.NewReader(attrs))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			return nil, fmt.Errorf("attributes: %w", err)
		}
		return build(x, a), nil
	}
}

func unary(f func(x *graph.Node) *graph.Node) function {
	return with(func(x []*graph.Node, _ struct{}) *graph.Node { return f(x[0]) })
}

func binary(f func(a, b *graph.Node) *graph.Node) function {
	return with(func(x []*graph.Node, _ struct{}) *graph.Node { return f(x[0], x[1]) })
}

func ofNumber(f func(x *graph.Node, v float64) *graph.Node) function {
	return with(func(x []*graph.Node, a struct{ V float64 }) *graph.Node { return f(x[0], a.V) })
}

func overAxes(f func(x *graph.Node, axes ...int) *graph.Node) function {
	return with(func(x []*graph.Node, a struct{ Axes []int }) *graph.Node { return f(x[0], a.Axes...) })
}

func along(f func(x *graph.Node, axis int) *graph.Node) function {
	return with(func(x []*graph.Node, a struct{ Axis int }) *graph.Node { return f(x[0], a.Axis) })
}

func scan(f func(x *graph.Node, axis int, scan ...ops.Scan) *graph.Node) function {
	return with(func(x []*graph.Node, a struct {
		Axis               int
		Reverse, Exclusive bool
	}) *graph.Node {
		return f(x[0], a.Axis, ops.Scan{Reverse: a.Reverse, Exclusive: a.Exclusive})
	})
}

func ofInt(f func(x *graph.Node, k int) *graph.Node) function {
	return with(func(x []*graph.Node, a struct{ K int }) *graph.Node { return f(x[0], a.K) })
}

func toShape(f func(x *graph.Node, s shape.Shape) *graph.Node) function {
	return with(func(x []*graph.Node, a struct{ Shape []int }) *graph.Node { return f(x[0], shape.OfInts(a.Shape...)) })
}

func toSize[S any](f func(x *graph.Node, size S) *graph.Node) function {
	return with(func(x []*graph.Node, a struct{ Size S }) *graph.Node { return f(x[0], a.Size) })
}

func transposed[O, E any](f func(x, w *graph.Node, op O, extra E) *graph.Node) function {
	return with(func(x []*graph.Node, a struct {
		Op    O
		Extra E
	}) *graph.Node {
		return f(x[0], x[1], a.Op, a.Extra)
	})
}

func lpPool[O any](f func(x *graph.Node, p float64, op O) *graph.Node) function {
	return with(func(x []*graph.Node, a struct {
		P  float64
		Op O
	}) *graph.Node {
		return f(x[0], a.P, a.Op)
	})
}

// cast goes by way of other types, where there are any.
func cast(x []*graph.Node, a struct {
	Via []string
	To  string
}) *graph.Node {
	y := x[0]
	for _, to := range append(a.Via, a.To) {
		d, _ := shape.ParseDType(to) // Cast rejects an unknown name
		y = ops.Cast(y, d)
	}
	return y
}

func full(x []*graph.Node, a struct {
	Shape []int
	V     float64
}) *graph.Node {
	return ops.Full(x[0], shape.OfInts(a.Shape...), a.V)
}

// slice takes ranges of start, stop and step, where a stop of null is the end.
func slice(x []*graph.Node, a struct{ Ranges [][3]*int }) *graph.Node {
	ranges := make([]ops.Range, len(a.Ranges))
	for i, r := range a.Ranges {
		ranges[i] = ops.Range{Start: *r[0], Stop: ops.End, Step: *r[2]}
		if r[1] != nil {
			ranges[i].Stop = *r[1]
		}
	}
	return ops.Slice(x[0], ranges...)
}

func pad(x []*graph.Node, a struct {
	Mode          string
	Before, After []int
	Value         float64
}) *graph.Node {
	modes := map[string]engine.PadMode{
		"constant": ops.PadConstant, "edge": ops.PadEdge, "reflect": ops.PadReflect, "symmetric": ops.PadSymmetric,
	}
	op := ops.PadOp{Mode: modes[a.Mode], Value: graph.Float(a.Value)}
	copy(op.Before[:], a.Before)
	copy(op.After[:], a.After)
	return ops.Pad(x[0], op)
}

type topKAttrs struct {
	K, Axis int
	Part    string
}

func topK(x []*graph.Node, a topKAttrs) *graph.Node {
	values, places := ops.TopK(x[0], a.K, a.Axis)
	return a.of(values, places)
}

func bottomK(x []*graph.Node, a topKAttrs) *graph.Node {
	values, places := ops.BottomK(x[0], a.K, a.Axis)
	return a.of(values, places)
}

func (a topKAttrs) of(values, places *graph.Node) *graph.Node {
	if a.Part == "places" {
		return places
	}
	return values
}

// batchNorm returns the result in training or inference, or one of the running statistics after a
// step.
func batchNorm(x []*graph.Node, a struct {
	Part          string
	Eps, Momentum float64
}) *graph.Node {
	y := ops.BatchNorm(x[0], x[1], x[2], x[3], x[4], ops.BatchNormOptions{Eps: a.Eps, Momentum: a.Momentum})
	if a.Part == "inference" {
		return graph.Inference(y)[0]
	}
	next := map[string]*graph.Node{"mean": x[3], "variance": x[4]}
	for _, u := range y.Graph().Updates() {
		if u.Leaf == next[a.Part] {
			return u.Value
		}
	}
	return y
}

// attention takes an optional mask as its fourth input.
func attention(x []*graph.Node, a struct {
	Scale  float64
	Causal bool
	Keys   int // 0: all
}) *graph.Node {
	o := ops.AttentionOptions{Scale: a.Scale, Causal: a.Causal}
	if a.Keys > 0 {
		o.Keys = x[0].Graph().Const(shape.I32(), []float64{float64(a.Keys)})
	}
	if len(x) > 3 {
		o.Mask = x[3]
	}
	return ops.Attention(x[0], x[1], x[2], o)
}

// part selects one of several outputs.
type part struct{ Part string }

func lstmCell(x []*graph.Node, a part) *graph.Node {
	h, c := ops.LSTMCell(x[0], x[1], x[2], recurrence(x[3:]))
	return map[string]*graph.Node{"hidden": h, "cell": c}[a.Part]
}

// layerAttrs are those of a recurrent layer. Its last inputs are peepholes and lengths, where there are any.
type layerAttrs struct {
	Part                        string
	Reverse, Lengths, Peepholes bool
	ResetBefore, ReLU           bool
	Clip                        float64
}

// options takes its inputs off the end of x.
func (a layerAttrs) options(x []*graph.Node) ([]*graph.Node, ops.RecurrentOptions) {
	o := ops.RecurrentOptions{Reverse: a.Reverse, Clip: a.Clip, ResetBefore: a.ResetBefore}
	last := func() (n *graph.Node) {
		n, x = x[len(x)-1], x[:len(x)-1]
		return n
	}
	if a.Lengths {
		o.Lengths = last()
	}
	if a.Peepholes {
		o.Peepholes = last()
	}
	if a.ReLU {
		o.Activations = []func(*graph.Node) *graph.Node{ops.ReLU}
	}
	return x, o
}

func lstm(x []*graph.Node, a layerAttrs) *graph.Node {
	x, o := a.options(x)
	all, h, c := ops.LSTM(x[0], x[1], x[2], recurrence(x[3:]), o)
	return map[string]*graph.Node{"all": all, "hidden": h, "cell": c}[a.Part]
}

func gru(x []*graph.Node, a layerAttrs) *graph.Node {
	x, o := a.options(x)
	all, h := ops.GRU(x[0], x[1], recurrence(x[2:]), o)
	return map[string]*graph.Node{"all": all, "hidden": h}[a.Part]
}

func rnn(x []*graph.Node, a layerAttrs) *graph.Node {
	x, o := a.options(x)
	all, h := ops.RNN(x[0], x[1], recurrence(x[2:]), o)
	return map[string]*graph.Node{"all": all, "hidden": h}[a.Part]
}

func recurrence(x []*graph.Node) ops.Recurrence {
	return ops.Recurrence{WeightIH: x[0], WeightHH: x[1], BiasIH: x[2], BiasHH: x[3]}
}
