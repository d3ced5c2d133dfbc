package onnx

import (
	"errors"
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/shape"
)

// A recorder is an engine that computes nothing: what an op asks it for is what the exporter writes.
// Inputs are those of the node, in their order.
type recorder struct {
	tensor.Engine
	x *exporter
}

// Name implements [engine.Engine].
func (recorder) Name() string { return "onnx" }

// asGiven is what a recorder answers with once the node has its value.
var asGiven = engine.Bound{Kernel: func(*engine.Call) error { return errors.New("onnx: an exporter has no kernels") }}

func (r recorder) give(name string) (engine.Bound, error) {
	r.x.give(name)
	return asGiven, nil
}

// in returns the names of the inputs.
func (r recorder) ins() []string {
	names := make([]string, r.x.node.NIn())
	for i := range names {
		names[i] = r.x.in(i)
	}
	return names
}

// BindConv2D implements [engine.Conv2Der].
func (r recorder) BindConv2D(c engine.Conv2D, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	return r.give(r.x.op("Conv", convAttrs(c, in[1]), r.ins()...))
}

// BindConv2DInputGrad implements [engine.Conv2Der]: a transposed convolution.
func (r recorder) BindConv2DInputGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	var extra [2]int
	for i := range extra {
		least := (in[0].Int(2+i)-1)*c.Stride[i] - c.Pad[i][0] - c.Pad[i][1] + c.Dilation[i]*(in[1].Int(2+i)-1) + 1
		extra[i] = out.Int(2+i) - least
	}
	return r.give(r.x.op("ConvTranspose", append(convAttrs(c, in[1]), attrInts("output_padding", extra[:]...)), r.ins()...))
}

// BindConv2DFilterGrad implements [engine.Conv2Der].
func (recorder) BindConv2DFilterGrad(engine.Conv2D, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, errGradient
}

var errGradient = errors.New("it belongs to a gradient")

func convAttrs(c engine.Conv2D, w engine.Operand) []ir.Attribute {
	return attrs(attrInts("kernel_shape", w.Int(2), w.Int(3)), attrInts("strides", c.Stride[:]...), attrInts("dilations", c.Dilation[:]...),
		attrPads(c.Pad), attrInt("group", int64(c.Groups)))
}

// attrPads are paddings as ONNX has them: all in front, then all behind.
func attrPads(p [2][2]int) ir.Attribute { return attrInts("pads", p[0][0], p[1][0], p[0][1], p[1][1]) }

// BindMaxPool2D implements [engine.MaxPooler].
func (r recorder) BindMaxPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if p.Adaptive {
		return r.adaptive("MaxPool", in[0], out)
	}
	y := r.x.in(0)
	ceil, ok := ceilMode(p, in[0], out)
	if !ok { // padding is never the largest
		var pads [8]int
		for i := range 2 {
			last := (out.Int(2+i)-1)*p.Stride[i] + p.Dilation[i]*(p.Kernel[i]-1) + 1
			pads[2+i], pads[6+i] = p.Pad[i][0], last-in[0].Int(2+i)-p.Pad[i][0]
		}
		y = r.x.op("Pad", nil, y, r.x.ints(pads[:]...), r.x.scalar(in[0].DType, math.Inf(-1)))
		p.Pad = [2][2]int{}
	}
	return r.give(r.x.op("MaxPool", append(poolAttrs(p, ceil), attrInts("dilations", p.Dilation[:]...)), y))
}

// poolAttrs are the attributes that all pooling has.
func poolAttrs(p engine.Pool2D, ceil bool) []ir.Attribute {
	return attrs(attrInts("kernel_shape", p.Kernel[:]...), attrInts("strides", p.Stride[:]...), attrPads(p.Pad), attrInt("ceil_mode", number(ceil)))
}

// ceilMode returns the mode in which an operator has as many windows as out, if it has one for both axes. In
// ceil mode there is a window where an image ends before its last tap.
func ceilMode(p engine.Pool2D, in, out engine.Operand) (ceil, ok bool) {
	var floors, ceils [2]bool
	for i := range 2 {
		room := in.Int(2+i) + p.Pad[i][0] + p.Pad[i][1] - p.Dilation[i]*(p.Kernel[i]-1) - 1
		floors[i] = out.Int(2+i) == room/p.Stride[i]+1
		ceils[i] = out.Int(2+i) == (room+p.Stride[i]-1)/p.Stride[i]+1
	}
	floor := floors[0] && floors[1]
	return !floor, floor || ceils[0] && ceils[1]
}

// BindMaxPool2DScatter implements [engine.MaxPooler].
func (recorder) BindMaxPool2DScatter(engine.Pool2D, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, errGradient
}

// BindMaxPool2DGather implements [engine.MaxPooler].
func (recorder) BindMaxPool2DGather(engine.Pool2D, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, errGradient
}

// BindAvgPool2D implements [engine.AvgPooler].
func (r recorder) BindAvgPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if p.Adaptive {
		return r.adaptive("AveragePool", in[0], out)
	}
	ceil, ok := ceilMode(p, in[0], out)
	if !ok || p.Dilation != [2]int{1, 1} { // which AveragePool has only from version 19 on
		return r.give(r.x.meanByConv(p, in[0], out))
	}
	return r.give(r.x.op("AveragePool", append(poolAttrs(p, ceil), attrInt("count_include_pad", number(p.CountPad))), r.ins()...))
}

// meanByConv is a sum by a convolution, divided by the number of terms.
func (x *exporter) meanByConv(p engine.Pool2D, in, out engine.Operand) string {
	counts := [2][]float64{}
	pad := p.Pad
	for i := range 2 {
		extent := in.Int(2 + i)
		for o := range out.Int(2 + i) {
			n := 0.
			for k := range p.Kernel[i] {
				at := o*p.Stride[i] + k*p.Dilation[i] - p.Pad[i][0]
				if at >= 0 && at < extent || p.CountPad && at < extent+p.Pad[i][1] {
					n++
				}
			}
			counts[i] = append(counts[i], n)
		}
		last := (out.Int(2+i)-1)*p.Stride[i] + p.Dilation[i]*(p.Kernel[i]-1) + 1
		pad[i][1] = max(pad[i][1], last-extent-pad[i][0])
	}
	var terms []float64
	for _, h := range counts[0] {
		for _, w := range counts[1] {
			terms = append(terms, max(h*w, 1)) // a mean of nothing is 0
		}
	}
	channels := in.Int(1)
	ones := make([]float64, channels*p.Kernel[0]*p.Kernel[1])
	for i := range ones {
		ones[i] = 1
	}
	w := x.constants(shape.Type{DType: in.DType, Shape: shape.OfInts(channels, 1, p.Kernel[0], p.Kernel[1])}, ones...)
	c := engine.Conv2D{Stride: p.Stride, Dilation: p.Dilation, Pad: pad, Groups: channels}
	sum := x.op("Conv", convAttrs(c, engine.InRow(shape.Type{Shape: shape.OfInts(channels, 1, p.Kernel[0], p.Kernel[1])})), x.in(0), w)
	return x.op("Div", nil, sum, x.constants(shape.Type{DType: in.DType, Shape: shape.OfInts(out.Int(2), out.Int(3))}, terms...))
}

// BindAvgPool2DGrad implements [engine.AvgPooler].
func (recorder) BindAvgPool2DGrad(engine.Pool2D, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, errGradient
}

// adaptive exports pooling by windows that divide the image: of the whole, of equal windows, or along
// one axis after the other.
func (r recorder) adaptive(op string, in, out engine.Operand) (engine.Bound, error) {
	h, w, oh, ow := in.Int(2), in.Int(3), out.Int(2), out.Int(3)
	switch {
	case oh == 1 && ow == 1:
		return r.give(r.x.op("Global"+op, nil, r.ins()...))
	case h%oh == 0 && w%ow == 0:
		size := attrInts("kernel_shape", h/oh, w/ow)
		step := size
		step.Name = "strides"
		return r.give(r.x.op(op, attrs(size, step), r.ins()...))
	}
	reduce := map[string]string{"MaxPool": "ReduceMax", "AveragePool": "ReduceMean"}[op]
	y := r.x.in(0)
	for i, n := range []int{oh, ow} {
		axis, extent := 2+i, in.Int(2+i)
		parts := make([]string, n)
		for o := range n {
			from, to := o*extent/n, ((o+1)*extent+n-1)/n
			part := r.x.op("Slice", nil, y, r.x.ints(from), r.x.ints(to), r.x.ints(axis))
			parts[o] = r.x.op(reduce, nil, part, r.x.ints(axis))
		}
		y = r.x.op("Concat", attrs(attrInt("axis", int64(axis))), parts...)
	}
	return r.give(y)
}

// BindWindowSum implements [engine.WindowSummer]: the mean over windows of channels, times their size.
func (r recorder) BindWindowSum(w engine.WindowSum, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	t := r.x.node.Type()
	if w.Axis != 1 {
		return engine.Bound{}, fmt.Errorf("windows along axis %d", w.Axis)
	}
	inner := 1
	for i := 2; i < t.Rank(); i++ {
		inner *= in[0].Int(i)
	}
	rows := r.x.reshape(r.x.in(0), shape.Of(t.Dim(0), 1, t.Dim(1), shape.Dim(inner)))
	size := w.Before + w.After + 1
	mean := r.x.op("AveragePool", attrs(attrInts("kernel_shape", size, 1), attrInts("pads", w.Before, 0, w.After, 0), attrInt("count_include_pad", 1)), rows)
	return r.give(r.x.reshape(r.x.op("Mul", nil, mean, r.x.scalar(t.DType, float64(size))), t.Shape))
}

// BindMatMul implements [engine.MatMuler].
func (r recorder) BindMatMul(m engine.MatMul, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	names := r.ins()
	if (m.TransA || m.TransB) && in[0].Rank() == 2 && in[1].Rank() == 2 {
		return r.give(r.x.op("Gemm", attrs(attrInt("transA", number(m.TransA)), attrInt("transB", number(m.TransB))), names...))
	}
	for i, transposed := range []bool{m.TransA, m.TransB} {
		if transposed {
			names[i] = r.x.transposeLast(names[i], in[i].Rank())
		}
	}
	return r.give(r.x.op("MatMul", nil, names...))
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// transposeLast exchanges the last two axes.
func (x *exporter) transposeLast(v string, rank int) string {
	perm := make([]int, rank)
	for i := range perm {
		perm[i] = i
	}
	perm[rank-2], perm[rank-1] = rank-1, rank-2
	return x.op("Transpose", attrs(attrInts("perm", perm...)), v)
}

// BindReduce implements [engine.Reducer].
func (r recorder) BindReduce(op engine.Reduction, axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if axes == 0 {
		return r.give(r.x.op("Identity", nil, r.ins()...))
	}
	keep := number(in[0].Rank() == out.Rank())
	return r.give(r.x.op("Reduce"+op.String(), attrs(attrInt("keepdims", keep)), r.x.in(0), r.x.ints(axesList(axes, in[0].Rank())...)))
}

func axesList(axes engine.Axes, rank int) (list []int) {
	for i := range rank {
		if axes.Has(i) {
			list = append(list, i)
		}
	}
	return list
}

// BindSoftmax implements [engine.Softmaxer].
func (r recorder) BindSoftmax(log bool, axis int, _ []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	op := "Softmax"
	if log {
		op = "LogSoftmax"
	}
	return r.give(r.x.op(op, attrs(attrInt("axis", int64(axis))), r.ins()...))
}

// BindSoftmaxGrad implements [engine.Softmaxer].
func (recorder) BindSoftmaxGrad(bool, int, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, errGradient
}

// moments returns the means of v and the biased variances, with the axes, and v less its mean.
func (x *exporter) moments(v string, axes engine.Axes, rank int) (mean, variance, centred string) {
	list := x.ints(axesList(axes, rank)...)
	mean = x.op("ReduceMean", nil, v, list)
	centred = x.op("Sub", nil, v, mean)
	return mean, x.op("ReduceMean", nil, x.op("Mul", nil, centred, centred), list), centred
}

// BindMoments implements [engine.Normaliser].
func (r recorder) BindMoments(axes engine.Axes, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	mean, variance, _ := r.x.moments(r.x.in(0), axes, in[0].Rank())
	s := r.x.node.Type().Shape
	row := shape.Of(append([]shape.Dim{1}, s.Dims()[1:]...)...)
	return r.give(r.x.op("Concat", attrs(attrInt("axis", 0)), r.x.reshape(mean, row), r.x.reshape(variance, row)))
}

// BindNorm implements [engine.Normaliser]: LayerNormalization if the axes are the last ones.
func (r recorder) BindNorm(n engine.Norm, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	x, rank := r.x, in[0].Rank()
	if n.Given {
		return engine.Bound{}, errors.New("it is the batch normalisation of training")
	}
	last := rank - n.Axes.Len()
	if n.Axes>>last == 1<<n.Axes.Len()-1 {
		return r.give(x.op("LayerNormalization", attrs(attrInt("axis", int64(last)), attrFloat("epsilon", n.Eps)), r.ins()...))
	}
	_, variance, centred := x.moments(x.in(0), n.Axes, rank)
	root := x.op("Sqrt", nil, x.op("Add", nil, variance, x.scalar(in[0].DType, n.Eps)))
	scaled := x.op("Mul", nil, x.op("Div", nil, centred, root), x.in(1))
	return r.give(x.op("Add", nil, scaled, x.in(2)))
}

// BindNormInputGrad implements [engine.Normaliser].
func (recorder) BindNormInputGrad(engine.Norm, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, errGradient
}

// BindNormSums implements [engine.Normaliser].
func (recorder) BindNormSums(engine.Norm, engine.Axes, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, errGradient
}

// BindAttention implements [engine.Attender] by products and a softmax. A query that may attend to no key
// gives zeros: its scores are all the least, and its row is selected away.
func (r recorder) BindAttention(a engine.Attention, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if a.Counted {
		return engine.Bound{}, errors.New("its number of keys is one of the run, as for a cache of keys and values")
	}
	x, d := r.x, in[0].DType
	q := x.op("Mul", nil, x.in(0), x.scalar(d, a.Scale))
	scores := x.op("MatMul", nil, q, x.transposeLast(x.in(1), in[1].Rank()))
	allowed := ""
	if a.Masked {
		allowed = x.in(3)
	}
	if a.Causal {
		l, s := in[0].Int(-2), in[1].Int(-2)
		lower := make([]float64, l*s)
		for i := range lower {
			if i%s <= i/s {
				lower[i] = 1
			}
		}
		causal := x.constants(shape.Type{DType: shape.Bool, Shape: shape.OfInts(l, s)}, lower...)
		if allowed == "" {
			allowed = causal
		} else {
			allowed = x.op("And", nil, allowed, causal)
		}
	}
	if allowed == "" {
		return r.give(x.op("MatMul", nil, x.op("Softmax", attrs(attrInt("axis", -1)), scores), x.in(2)))
	}
	least := -math.MaxFloat32
	weights := x.op("Softmax", attrs(attrInt("axis", -1)), x.op("Where", nil, allowed, scores, x.scalar(d, least)))
	weights = x.op("Where", nil, allowed, weights, x.scalar(d, 0))
	return r.give(x.op("MatMul", nil, weights, x.in(2)))
}

// BindAttentionGrad implements [engine.Attender].
func (recorder) BindAttentionGrad(engine.Attention, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, errGradient
}

// BindTranspose implements [engine.Mover].
func (r recorder) BindTranspose(p engine.Perm, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	return r.give(r.x.op("Transpose", attrs(attrInts("perm", p[:in[0].Rank()]...)), r.ins()...))
}

// BindSlice implements [engine.Mover].
func (r recorder) BindSlice(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if c := r.x.cells[r.x.node.In(0)]; c != nil {
		return r.give(c.part(r.x, w, out))
	}
	var starts, ends, axes, steps []int
	for i := range in[0].Rank() {
		if w.Start[i] == 0 && w.Step[i] == 1 && in[0].Int(i) == out.Int(i) {
			continue
		}
		starts, ends, axes, steps = append(starts, w.Start[i]), append(ends, endOf(w, i, out)), append(axes, i), append(steps, w.Step[i])
	}
	if axes == nil {
		return r.give(r.x.op("Identity", nil, r.ins()...))
	}
	return r.give(r.x.op("Slice", nil, r.x.in(0), r.x.ints(starts...), r.x.ints(ends...), r.x.ints(axes...), r.x.ints(steps...)))
}

// endOf returns where a Slice ends that takes the window along axis i.
func endOf(w engine.Window, i int, out engine.Operand) int {
	if end := w.Start[i] + out.Int(i)*w.Step[i]; end >= 0 {
		return end
	}
	return math.MinInt32 // before the first element; -1 would be the last one
}

// BindEmbed implements [engine.Mover]: zeros go between the elements along an axis with a step, and then
// around all.
func (r recorder) BindEmbed(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	x, t := r.x, r.x.node.In(0).Type()
	y, rank := x.in(0), t.Rank()
	before, after := make([]int, rank), make([]int, rank)
	zero := x.scalar(t.DType, 0)
	for i := range rank {
		n, step, start := in[0].Int(i), w.Step[i], w.Start[i]
		if step < 0 {
			y = x.op("Slice", nil, y, x.ints(-1), x.ints(math.MinInt32), x.ints(i), x.ints(-1))
			start, step = start+(n-1)*step, -step
		}
		if step > 1 {
			apart := t.Shape.Insert(i+1, 1)
			pads := make([]int, 2*(rank+1))
			pads[rank+1+i+1] = step - 1
			t.Shape = t.Shape.With(i, shape.Dim(n*step))
			y = x.reshape(x.op("Pad", nil, x.reshape(y, apart), x.ints(pads...), zero), t.Shape)
		}
		before[i], after[i] = start, out.Int(i)-start-n*step
	}
	return r.give(x.op("Pad", nil, y, x.ints(append(before, after...)...), zero))
}

// BindConcat implements [engine.Mover].
func (r recorder) BindConcat(axis int, _ []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	return r.give(r.x.op("Concat", attrs(attrInt("axis", int64(axis))), r.ins()...))
}

// BindPad implements [engine.Mover].
func (r recorder) BindPad(p engine.Padding, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	rank := in[0].Rank()
	pads := r.x.ints(append(append([]int(nil), p.Before[:rank]...), p.After[:rank]...)...)
	switch p.Mode {
	case engine.PadSymmetric: // Pad has no such mode
		y := r.x.in(0)
		for i := range rank {
			if p.Before[i]+p.After[i] == 0 {
				continue
			}
			var ids []int
			for at := -p.Before[i]; at < in[0].Int(i)+p.After[i]; at++ {
				ids = append(ids, p.Mode.Source(at, in[0].Int(i)))
			}
			y = r.x.op("Gather", attrs(attrInt("axis", int64(i))), y, r.x.ints(ids...))
		}
		return r.give(y)
	case engine.PadConstant:
		return r.give(r.x.op("Pad", nil, r.x.in(0), pads, r.x.scalar(in[0].DType, math.Float64frombits(p.Value))))
	}
	return r.give(r.x.op("Pad", attrs(attrString("mode", p.Mode.String())), r.x.in(0), pads))
}

// BindPadGrad implements [engine.Mover].
func (recorder) BindPadGrad(engine.Padding, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, errGradient
}

// BindOneHot implements [engine.Mover] by a comparison with all ids: runtimes have OneHot for few element
// types.
func (r recorder) BindOneHot(_ []engine.Operand, out engine.Operand) (engine.Bound, error) {
	ids := make([]int, out.Int(-1))
	for i := range ids {
		ids[i] = i
	}
	x := r.x
	same := x.op("Equal", nil, x.op("Unsqueeze", nil, x.cast(x.in(0), shape.Int64), x.ints(-1)), x.ints(ids...))
	return r.give(x.cast(same, out.DType))
}

func (x *exporter) cast(v string, d shape.DType) string {
	return x.op("Cast", attrs(attrInt("to", int64(elemOf(d)))), v)
}

// BindGather implements [engine.Indexer].
func (r recorder) BindGather(g engine.Gather, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	op, ids := "Gather", r.x.in(1)
	if g.Along {
		op = "GatherElements"
	}
	if in[1].DType != shape.Int32 && in[1].DType != shape.Int64 {
		ids = r.x.cast(ids, shape.Int64)
	}
	return r.give(r.x.op(op, attrs(attrInt("axis", int64(g.Axis))), r.x.in(0), ids))
}

// BindScatterAdd implements [engine.Indexer].
func (recorder) BindScatterAdd(engine.Gather, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, errGradient
}

// BindTopK implements [engine.Indexer].
func (r recorder) BindTopK(t engine.TopK, _ []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return r.give(r.x.ops("TopK", attrs(attrInt("axis", int64(t.Axis)), attrInt("largest", number(!t.Least))), 2, r.x.in(0), r.x.ints(out.Int(t.Axis)))[1])
}

// scatterReductions are the names of ways to combine values.
var scatterReductions = map[engine.Combine]string{engine.Replace: "none", engine.CombineAdd: "add", engine.CombineMul: "mul", engine.CombineMax: "max", engine.CombineMin: "min"}

// BindScatter implements [engine.Indexer].
func (r recorder) BindScatter(s engine.Scatter, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	x := r.x
	ids, reduction := x.in(1), attrString("reduction", scatterReductions[s.Combine])
	if in[1].DType != shape.Int64 {
		ids = x.cast(ids, shape.Int64)
	}
	switch {
	case s.Along:
		return r.give(x.op("ScatterElements", attrs(attrInt("axis", int64(s.Axis)), reduction), x.in(0), ids, x.in(2)))
	case s.Axis == 0:
		return r.give(x.op("ScatterND", attrs(reduction), x.in(0), x.op("Unsqueeze", nil, ids, x.ints(-1)), x.in(2)))
	}
	return engine.Bound{}, fmt.Errorf("values that replace slices along axis %d", s.Axis)
}

// BindUpdateSlice implements [engine.Indexer].
func (recorder) BindUpdateSlice(int, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, errors.New("it writes into a state, as a cache of keys and values does")
}

// BindCumSum implements [engine.Scanner].
func (r recorder) BindCumSum(s engine.CumSum, _ []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	a := attrs(attrInt("reverse", number(s.Reverse)), attrInt("exclusive", number(s.Exclusive)))
	return r.give(r.x.op("CumSum", a, r.x.in(0), r.x.scalar(shape.Int64, float64(s.Axis))))
}

// BindLinearScan implements [engine.Scanner] by a Scan over all elements but the first, which is that of the second input.
func (r recorder) BindLinearScan(axis int, reverse bool, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	x, t, n := r.x, r.x.node.Type(), in[0].Int(axis)
	if n == 1 {
		return r.give(x.op("Identity", nil, x.in(1)))
	}
	cut := func(v string, from, to int) string {
		return x.op("Slice", nil, v, x.ints(from), x.ints(to), x.ints(axis))
	}
	begin, from, to := 0, 1, n
	if reverse {
		begin, from, to = n-1, 0, n-1
	}
	first := cut(x.in(1), begin, begin+1)
	part := t.Of(t.Drop(axis))
	a, b, h := x.name("a"), x.name("b"), x.name("h")
	sum, state := x.name("sum"), x.name("state")
	body := &ir.Graph{
		Name: "step",
		Nodes: []*ir.Node{
			{Name: sum + "/Mul", Op: "Mul", Inputs: []string{a, h}, Outputs: []string{sum + "/product"}},
			{Name: sum, Op: "Add", Inputs: []string{sum + "/product", b}, Outputs: []string{sum}},
			{Name: state, Op: "Identity", Inputs: []string{sum}, Outputs: []string{state}},
		},
		Inputs:  []ir.ValueInfo{valueInfo(h, part), valueInfo(a, part), valueInfo(b, part)},
		Outputs: []ir.ValueInfo{valueInfo(state, part), valueInfo(sum, part)},
	}
	attributes := attrs(ir.Attribute{Name: "body", Type: ir.AttributeGraph, Graph: body}, attrInt("num_scan_inputs", 2),
		attrInts("scan_input_axes", axis, axis), attrInts("scan_output_axes", axis),
		attrInts("scan_input_directions", int(number(reverse)), int(number(reverse))), attrInts("scan_output_directions", int(number(reverse))))
	rest := x.ops("Scan", attributes, 2, x.op("Squeeze", nil, first, x.ints(axis)), cut(x.in(0), from, to), cut(x.in(1), from, to))[1]
	parts := []string{first, rest}
	if reverse {
		parts = []string{rest, first}
	}
	return r.give(x.op("Concat", attrs(attrInt("axis", int64(axis))), parts...))
}

// BindResample implements [engine.Resampler] by a product with the matrix of weights.
func (r recorder) BindResample(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	x, n := r.x, r.x.node
	starts, ids, weights := n.In(1).Values(), n.In(2).Values(), n.In(3).Values()
	if starts == nil || len(ids) != len(weights) {
		return engine.Bound{}, errors.New("its weights are not constants")
	}
	rows, columns, rank := in[0].Int(axis), out.Int(axis), in[0].Rank()
	matrix := make([]float64, rows*columns)
	for m := range columns {
		for l := int(starts[m]); l < int(starts[m+1]); l++ {
			matrix[int(ids[l])*columns+m] += weights[l]
		}
	}
	w := x.constants(shape.Type{DType: in[0].DType, Shape: shape.OfInts(rows, columns)}, matrix...)
	if axis == rank-1 {
		return r.give(x.op("MatMul", nil, x.in(0), w))
	}
	perm := make([]int, rank)
	for i := range perm {
		perm[i] = i
	}
	perm[axis], perm[rank-1] = rank-1, axis
	swap := attrs(attrInts("perm", perm...))
	return r.give(x.op("Transpose", swap, x.op("MatMul", nil, x.op("Transpose", swap, x.in(0)), w)))
}

// BindMap implements [engine.Mapper].
func (r recorder) BindMap(m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	if len(out) != 1 {
		return engine.Bound{}, fmt.Errorf("%d results", len(out))
	}
	return asGiven, r.x.elementwise(m, engine.Types(in), out[0].Type)
}

// cells are the results of a recurrent layer: hidden states of all steps (T,1,N,H), and the last cell
// states (1,N,H).
type cells struct {
	all, lastCell string
	steps, units  int
}

// gateOrder is where the gates of an operator are among ours.
var gateOrder = map[engine.Cell][]int{engine.LSTM: {0, 3, 1, 2}, engine.GRU: {1, 0, 2}}

// BindRecurrence implements [engine.Recurrer]. The gates of the inputs are a product that the operator
// has too, with the weights in another order.
func (r recorder) BindRecurrence(c engine.Recurrence, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	x, n := r.x, r.x.node
	gates := n.In(0)
	sum := match(gates, "Add", 2)
	if sum == nil || sum[0].NIn() != 2 || sum[0].Op().Name() != "MatMul" || sum[0].In(1).Type().Rank() != 2 || sum[1].Type().Rank() != 1 ||
		sum[0].In(1).Type().Dim(0) != gates.Type().Dim(2) {
		return engine.Bound{}, errors.New("the gates of its inputs are not a product by WeightIH and BiasIH")
	}
	seq, wih, bih := sum[0].In(0), sum[0].In(1), sum[1]
	states, k := c.Cell.States(), n.NIn()
	ordered := func(v string) string { return x.gates(v, c.Cell) }
	one := func(v string) string { return x.op("Unsqueeze", nil, v, x.ints(0)) }
	args := []string{
		x.op("Transpose", attrs(attrInts("perm", 1, 0, 2)), x.valueOf(seq)), one(ordered(x.valueOf(wih))), one(ordered(x.in(k - 2))),
		one(x.op("Concat", attrs(attrInt("axis", 0)), ordered(x.valueOf(bih)), ordered(x.in(k-1)))), "",
	}
	for i := range states {
		args = append(args, one(x.in(1+i)))
	}
	units := in[1].Int(1)
	a := attrs(attrInt("hidden_size", int64(units)))
	outs := 3
	if c.Cell == engine.GRU {
		a, outs = append(a, attrInt("linear_before_reset", 1)), 2
	}
	results := x.ops(c.Cell.String(), a, outs, args...)
	kept := &cells{all: results[0], steps: in[0].Int(1), units: units}
	if c.Cell == engine.LSTM {
		kept.lastCell = results[2]
	}
	if c.Kept != engine.Everything {
		return engine.Bound{}, errors.New("it is no layer of the graph")
	}
	x.cells[n] = kept
	return asGiven, nil
}

// BindRecurrenceGrad implements [engine.Recurrer].
func (recorder) BindRecurrenceGrad(engine.RecurrenceGrad, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, errGradient
}

// gates puts the blocks of v, one for each gate, into the order of the operator.
func (x *exporter) gates(v string, cell engine.Cell) string {
	order := gateOrder[cell]
	parts := x.ops("Split", attrs(attrInt("axis", 0), attrInt("num_outputs", int64(len(order)))), len(order), v)
	sorted := make([]string, len(order))
	for i, at := range order {
		sorted[i] = parts[at]
	}
	return x.op("Concat", attrs(attrInt("axis", 0)), sorted...)
}

// part exports a slice of the planes: hidden states of some steps, or the last cell state.
func (c *cells) part(x *exporter, w engine.Window, out engine.Operand) string {
	plane := w.Start[2] / c.units
	whole := w.Start[0] == 0 && w.Step[0] == 1 && w.Start[2]%c.units == 0 && w.Step[2] == 1 && out.Int(2) == c.units
	switch {
	case whole && plane == 0:
		all := x.op("Transpose", attrs(attrInts("perm", 1, 0, 2)), x.op("Squeeze", nil, c.all, x.ints(1)))
		if w.Start[1] == 0 && w.Step[1] == 1 && out.Int(1) == c.steps {
			return all
		}
		return x.op("Slice", nil, all, x.ints(w.Start[1]), x.ints(endOf(w, 1, out)), x.ints(1), x.ints(w.Step[1]))
	case whole && plane == 1 && c.lastCell != "" && w.Start[1] == c.steps-1 && out.Int(1) == 1:
		return x.op("Transpose", attrs(attrInts("perm", 1, 0, 2)), c.lastCell)
	}
	refuse("only the hidden states of a recurrent layer and its last cell state have an ONNX form")
	return ""
}

var (
	_ engine.Conv2Der     = recorder{}
	_ engine.MaxPooler    = recorder{}
	_ engine.AvgPooler    = recorder{}
	_ engine.WindowSummer = recorder{}
	_ engine.MatMuler     = recorder{}
	_ engine.Reducer      = recorder{}
	_ engine.Softmaxer    = recorder{}
	_ engine.Normaliser   = recorder{}
	_ engine.Attender     = recorder{}
	_ engine.Mover        = recorder{}
	_ engine.Indexer      = recorder{}
	_ engine.Scanner      = recorder{}
	_ engine.Mapper       = recorder{}
	_ engine.Recurrer     = recorder{}
	_ engine.Resampler    = recorder{}
)
