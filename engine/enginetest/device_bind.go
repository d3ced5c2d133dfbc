package enginetest

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// The kernels that a Device may have of its own, except MatMul.

// BindAddPart implements [engine.Accumulator].
func (d *Device) BindAddPart(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("AddPart")(d.Engine.BindAddPart(w, in, out))
}

// BindGather implements [engine.Indexer].
func (d *Device) BindGather(g engine.Gather, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Gather")(d.Engine.BindGather(g, in, out))
}

// BindScatterAdd implements [engine.Indexer].
func (d *Device) BindScatterAdd(g engine.Gather, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("ScatterAdd")(d.Engine.BindScatterAdd(g, in, out))
}

// BindUpdateSlice implements [engine.Indexer].
func (d *Device) BindUpdateSlice(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("UpdateSlice")(d.Engine.BindUpdateSlice(axis, in, out))
}

// BindAttention implements [engine.Attender].
func (d *Device) BindAttention(a engine.Attention, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Attention")(d.Engine.BindAttention(a, in, out))
}

// BindAttentionGrad implements [engine.Attender].
func (d *Device) BindAttentionGrad(a engine.Attention, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("AttentionGrad")(d.Engine.BindAttentionGrad(a, in, out))
}

// BindTopK implements [engine.Indexer].
func (d *Device) BindTopK(t engine.TopK, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("TopK")(d.Engine.BindTopK(t, in, out))
}

// BindCumSum implements [engine.Scanner].
func (d *Device) BindCumSum(s engine.CumSum, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("CumSum")(d.Engine.BindCumSum(s, in, out))
}

// BindLinearScan implements [engine.Scanner].
func (d *Device) BindLinearScan(axis int, reverse bool, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("LinearScan")(d.Engine.BindLinearScan(axis, reverse, in, out))
}

// BindResample implements [engine.Resampler].
func (d *Device) BindResample(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Resample")(d.Engine.BindResample(axis, in, out))
}

// BindScatter implements [engine.Indexer].
func (d *Device) BindScatter(s engine.Scatter, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Scatter")(d.Engine.BindScatter(s, in, out))
}

// BindTranspose implements [engine.Mover].
func (d *Device) BindTranspose(p engine.Perm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Transpose")(d.Engine.BindTranspose(p, in, out))
}

// BindSlice implements [engine.Mover].
func (d *Device) BindSlice(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Slice")(d.Engine.BindSlice(w, in, out))
}

// BindEmbed implements [engine.Mover].
func (d *Device) BindEmbed(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Embed")(d.Engine.BindEmbed(w, in, out))
}

// BindConcat implements [engine.Mover].
func (d *Device) BindConcat(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Concat")(d.Engine.BindConcat(axis, in, out))
}

// BindPad implements [engine.Mover].
func (d *Device) BindPad(p engine.Padding, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Pad")(d.Engine.BindPad(p, in, out))
}

// BindPadGrad implements [engine.Mover].
func (d *Device) BindPadGrad(p engine.Padding, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("PadGrad")(d.Engine.BindPadGrad(p, in, out))
}

// BindOneHot implements [engine.Mover].
func (d *Device) BindOneHot(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("OneHot")(d.Engine.BindOneHot(in, out))
}

// BindRandom implements [engine.Randomer].
func (d *Device) BindRandom(r engine.Distribution, stream uint64, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Random")(d.Engine.BindRandom(r, stream, in, out))
}

// BindConv2D implements [engine.Conv2Der].
func (d *Device) BindConv2D(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Conv2D")(d.Engine.BindConv2D(c, in, out))
}

// BindConv2DInputGrad implements [engine.Conv2Der].
func (d *Device) BindConv2DInputGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Conv2DInputGrad")(d.Engine.BindConv2DInputGrad(c, in, out))
}

// BindConv2DFilterGrad implements [engine.Conv2Der].
func (d *Device) BindConv2DFilterGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Conv2DFilterGrad")(d.Engine.BindConv2DFilterGrad(c, in, out))
}

// BindMaxPool2D implements [engine.MaxPooler].
func (d *Device) BindMaxPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("MaxPool2D")(d.Engine.BindMaxPool2D(p, in, out))
}

// BindMaxPool2DScatter implements [engine.MaxPooler].
func (d *Device) BindMaxPool2DScatter(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("MaxPool2DScatter")(d.Engine.BindMaxPool2DScatter(p, in, out))
}

// BindMaxPool2DGather implements [engine.MaxPooler].
func (d *Device) BindMaxPool2DGather(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("MaxPool2DGather")(d.Engine.BindMaxPool2DGather(p, in, out))
}

// BindConv2DMaxPool implements [engine.ConvPooler].
func (d *Device) BindConv2DMaxPool(c engine.Conv2D, p engine.Pool2D, in []engine.Operand, y shape.Type, out engine.Operand) (engine.Bound, error) {
	return d.bound("Conv2DMaxPool")(d.Engine.BindConv2DMaxPool(c, p, in, y, out))
}

// BindAvgPool2D implements [engine.AvgPooler].
func (d *Device) BindAvgPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("AvgPool2D")(d.Engine.BindAvgPool2D(p, in, out))
}

// BindAvgPool2DGrad implements [engine.AvgPooler].
func (d *Device) BindAvgPool2DGrad(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("AvgPool2DGrad")(d.Engine.BindAvgPool2DGrad(p, in, out))
}

// BindWindowSum implements [engine.WindowSummer].
func (d *Device) BindWindowSum(w engine.WindowSum, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("WindowSum")(d.Engine.BindWindowSum(w, in, out))
}

// BindRecurrence implements [engine.Recurrer].
func (d *Device) BindRecurrence(r engine.Recurrence, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Recurrence")(d.Engine.BindRecurrence(r, in, out))
}

// BindRecurrenceGrad implements [engine.Recurrer].
func (d *Device) BindRecurrenceGrad(r engine.RecurrenceGrad, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("RecurrenceGrad")(d.Engine.BindRecurrenceGrad(r, in, out))
}

// BindReduce implements [engine.Reducer].
func (d *Device) BindReduce(r engine.Reduction, axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Reduce")(d.Engine.BindReduce(r, axes, in, out))
}

// BindSoftmax implements [engine.Softmaxer].
func (d *Device) BindSoftmax(log bool, axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Softmax")(d.Engine.BindSoftmax(log, axis, in, out))
}

// BindSoftmaxGrad implements [engine.Softmaxer].
func (d *Device) BindSoftmaxGrad(log bool, axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("SoftmaxGrad")(d.Engine.BindSoftmaxGrad(log, axis, in, out))
}

// BindMap implements [engine.Mapper].
func (d *Device) BindMap(m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	return d.bound("Map")(d.Engine.BindMap(m, in, out))
}

// BindMoments implements [engine.Normaliser].
func (d *Device) BindMoments(axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Moments")(d.Engine.BindMoments(axes, in, out))
}

// BindNorm implements [engine.Normaliser].
func (d *Device) BindNorm(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("Norm")(d.Engine.BindNorm(n, in, out))
}

// BindNormInputGrad implements [engine.Normaliser].
func (d *Device) BindNormInputGrad(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("NormInputGrad")(d.Engine.BindNormInputGrad(n, in, out))
}

// BindNormSums implements [engine.Normaliser].
func (d *Device) BindNormSums(n engine.Norm, over engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return d.bound("NormSums")(d.Engine.BindNormSums(n, over, in, out))
}
