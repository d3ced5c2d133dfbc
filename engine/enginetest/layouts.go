package enginetest

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/shape"
)

// Laid is ref.Engine with kernels of images, and reductions over batches of them, that accept
// tensors in any layout, by making copies in rows. It defines the results of such kernels, and is
// an engine for tests of code that chooses layouts.
type Laid struct {
	ref.Engine
	Layout engine.Layout // that it offers
	Wins   bool          // its convolutions are said to be faster in that layout
}

var _ engine.Layouter = Laid{}

// Name implements [engine.Engine].
func (Laid) Name() string { return "laid" }

// Layouts implements [engine.Layouter].
func (e Laid) Layouts(t shape.Type) []engine.Layout {
	if t.Rank() != 4 || e.Layout == engine.Rows || !e.Layout.Fits(t) {
		return nil
	}
	return []engine.Layout{e.Layout}
}

type bindOne func(in []engine.Operand, out engine.Operand) (engine.Bound, error)

// BindConv2D implements [engine.Conv2Der].
func (e Laid) BindConv2D(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, 1, true, e.Wins, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindConv2D(c, in, out)
	})
}

// BindConv2DMaxPool implements [engine.ConvPooler].
func (e Laid) BindConv2DMaxPool(c engine.Conv2D, p engine.Pool2D, in []engine.Operand, y shape.Type, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, 1, true, e.Wins, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindConv2DMaxPool(c, p, in, y, out)
	})
}

// BindConv2DInputGrad implements [engine.Conv2Der].
func (e Laid) BindConv2DInputGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, 1, true, e.Wins, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindConv2DInputGrad(c, in, out)
	})
}

// BindConv2DFilterGrad implements [engine.Conv2Der].
func (e Laid) BindConv2DFilterGrad(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, 2, false, e.Wins, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindConv2DFilterGrad(c, in, out)
	})
}

// BindMaxPool2D implements [engine.MaxPooler].
func (e Laid) BindMaxPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, 1, true, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindMaxPool2D(p, in, out)
	})
}

// BindMaxPool2DScatter implements [engine.MaxPooler].
func (e Laid) BindMaxPool2DScatter(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, 2, true, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindMaxPool2DScatter(p, in, out)
	})
}

// BindAvgPool2D implements [engine.AvgPooler].
func (e Laid) BindAvgPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, 1, true, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindAvgPool2D(p, in, out)
	})
}

// BindAvgPool2DGrad implements [engine.AvgPooler].
func (e Laid) BindAvgPool2DGrad(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, 1, true, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindAvgPool2DGrad(p, in, out)
	})
}

// BindReduce implements [engine.Reducer].
func (e Laid) BindReduce(r engine.Reduction, axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	images := 0
	if axes.Has(e.Layout.Axis) {
		images = 1
	}
	return e.bind(in, out, images, false, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindReduce(r, axes, in, out)
	})
}

// BindMoments implements [engine.Normaliser].
func (e Laid) BindMoments(axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, e.normalised(axes, 1), false, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindMoments(axes, in, out)
	})
}

// BindNorm implements [engine.Normaliser].
func (e Laid) BindNorm(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, e.normalised(n.Axes, 1), true && e.normalised(n.Axes, 1) > 0, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindNorm(n, in, out)
	})
}

// BindNormInputGrad implements [engine.Normaliser].
func (e Laid) BindNormInputGrad(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, e.normalised(n.Axes, 2), true && e.normalised(n.Axes, 1) > 0, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindNormInputGrad(n, in, out)
	})
}

// BindNormSums implements [engine.Normaliser].
func (e Laid) BindNormSums(n engine.Norm, over engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, e.normalised(n.Axes, 2), false, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindNormSums(n, over, in, out)
	})
}

// normalised returns how many inputs of a normalisation have the layout, n if it is over batches.
func (e Laid) normalised(axes engine.Axes, n int) int {
	if axes.Has(e.Layout.Axis) {
		return n
	}
	return 0
}

// BindConcat implements [engine.Mover].
func (e Laid) BindConcat(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return e.bind(in, out, len(in), true, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindConcat(axis, in, out)
	})
}

// BindTranspose implements [engine.Mover].
func (e Laid) BindTranspose(p engine.Perm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.bind(in, out, 0, false, false, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.Engine.BindTranspose(p, in, out)
	})
	if err != nil {
		return b, err
	}
	b.Alias = p.Keeps(in[0], out)
	laid := engine.Operand{Type: out.Type, Layout: e.Layout}
	if in[0].Layout == engine.Rows && out.Layout == engine.Rows && len(e.Layouts(out.Type)) > 0 && p.Keeps(in[0], laid) {
		b.Arrangements = []engine.Arrangement{{In: []engine.Layout{engine.Rows}, Out: e.Layout, Gain: max(out.Bytes()-1, 0)}}
	}
	return b, nil
}

// bind returns the kernel for operands in any layout. If all are in rows, it offers an arrangement
// in which the first images inputs and, if result is set, the result have e's layout.
func (e Laid) bind(in []engine.Operand, out engine.Operand, images int, result, wins bool, bind bindOne) (engine.Bound, error) {
	b, err := bind(engine.InRows(engine.Types(in)...), engine.InRow(out.Type))
	if err != nil {
		return b, err
	}
	if slices.ContainsFunc(append(in[:len(in):len(in)], out), func(o engine.Operand) bool { return o.Layout != engine.Rows }) {
		b.Kernel = byRows(b.Kernel, in, out)
		return b, nil
	}
	laid := engine.Types(in[:images])
	if result {
		laid = append(laid, out.Type)
	}
	for _, t := range laid {
		if len(e.Layouts(t)) == 0 {
			return b, nil
		}
	}
	if images > 0 {
		a := engine.Arrangement{In: engine.Images(e.Layout, images, len(in))}
		if wins {
			a.Gain = engine.Always
		}
		if result {
			a.Out = e.Layout
		}
		b.Arrangements = []engine.Arrangement{a}
	}
	return b, nil
}

// byRows returns kernel applied to copies in rows of operands with another layout.
func byRows(kernel engine.Kernel, in []engine.Operand, out engine.Operand) engine.Kernel {
	return func(c *engine.Call) error {
		of := *c
		of.In = nil
		for i, o := range in {
			of.In = append(of.In, newBuffer(o.DType, o.Len()))
			toRows(of.In[i], c.In[i], o)
		}
		of.Out = []engine.Buffer{newBuffer(out.DType, out.Len())}
		if err := kernel(&of); err != nil {
			return err
		}
		fromRows(c.Out[0], of.Out[0], out)
		return nil
	}
}

// toRows copies the elements of o's memory to row-major order.
func toRows(rows, stored engine.Buffer, o engine.Operand) {
	eachElement(o, func(row, at int) { copy(element(rows, row), element(stored, at)) })
}

// fromRows does the opposite.
func fromRows(stored, rows engine.Buffer, o engine.Operand) {
	eachElement(o, func(row, at int) { copy(element(stored, at), element(rows, row)) })
}

// eachElement calls f with the position of each element in row-major order and in o's memory.
func eachElement(o engine.Operand, f func(row, at int)) {
	if o.Layout == engine.Rows || o.Len() == 0 {
		for i := range o.Len() {
			f(i, i)
		}
		return
	}
	block := o.Layout.Block
	if block == engine.All {
		block = o.Int(o.Layout.Axis)
	}
	inner := o.Strides()[o.Layout.Axis]
	for i := range o.Len() {
		k, in := i/inner, i%inner // index along the axis and all before it, and offset within
		f(i, (k/block*inner+in)*block+k%block)
	}
}

// inLayout returns tr with the first inputs inputs and, if output is set, the output in layout l.
func (tr trial) inLayout(l engine.Layout, inputs int, output bool) trial {
	tr.layout, tr.laidIn, tr.laidOut = l, inputs, output
	return tr
}

// arrangements returns tr and, if it is in rows, tr in every other layout that e's kernel can be bound
// for, each also with weights in small types.
func (tr trial) arrangements(e engine.Engine) []trial {
	all := tr.arranged(e)
	if engine.MemoryOf(e) != engine.Memory(engine.Host{}) {
		return all // small weights are for kernels of the host
	}
	for _, of := range all {
		if of.weights != nil {
			all = append(all, of.weighted(*of.weights)...)
		}
	}
	return all
}

// arranged is arrangements but for weights in small types.
func (tr trial) arranged(e engine.Engine) []trial {
	all := []trial{tr}
	if tr.laidIn > 0 || tr.laidOut {
		return all
	}
	b, err := tr.bind(e, tr.operands(), tr.results())
	if err != nil {
		return all // check reports it
	}
	for _, a := range b.Arrangements {
		inputs := 0
		for inputs < len(a.In) && a.In[inputs] == a.Other() {
			inputs++
		}
		laid := tr.inLayout(a.Other(), inputs, a.Out != engine.Rows)
		if last := len(a.In) - 1; inputs < last && a.In[last] == a.Other() {
			laid.laidTail = 1
		}
		all = append(all, laid)
		if b, err := laid.bind(e, laid.operands(), laid.results()); err == nil {
			all = append(all, laid.tails(b)...)
		}
	}
	return append(all, tr.tails(b)...)
}

// operands returns the inputs as operands.
func (tr trial) operands() []engine.Operand {
	os := engine.InRows(tr.in...)
	for i := range tr.laidIn {
		os[i].Layout = tr.layout
	}
	for i := range tr.laidTail {
		os[len(os)-1-i].Layout = tr.results()[0].Layout
	}
	return os
}

// results returns the outputs as operands.
func (tr trial) results() []engine.Operand {
	os := engine.InRows(tr.out...)
	if tr.laidOut {
		os[0].Layout = tr.layout
	}
	return os
}

// layout returns the layout that the engine has for batches of 48 images with 48 channels.
func (g *gen) layout() engine.Layout {
	return g.engine.(engine.Layouter).Layouts(shape.F32(48, 48, 3, 3))[0]
}

// layoutConvs returns a convolution with an epilogue, and its adjoints.
func layoutConvs(g *gen, c convCase) []trial {
	return []trial{
		c.forward(pick(g, g.epilogues()...)).inLayout(g.layout(), 1, true),
		c.inputGrad().inLayout(g.layout(), 1, true),
		c.filterGrad().inLayout(g.layout(), 2, false),
	}
}

// layoutPools returns all pooling kernels that accept layouts other than rows.
func layoutPools(g *gen, c poolCase) (all []trial) {
	trials := append(c.maxTrials()[:3], c.avgTrials()...)
	for _, tr := range trials {
		all = append(all, tr.inLayout(g.layout(), len(tr.in), true))
	}
	return all
}

// layoutTable has the layers of LeNet; grouped, strided and widely padded convolutions; pooling
// that overlaps or skips elements; and empty batches.
func layoutTable(g *gen) (all []trial) {
	n := g.layout().Block
	grouped, strided, far := padded(plainConv, 1), padded(plainConv, 2), padded(plainConv, 4)
	grouped.Groups = 3
	strided.Stride, strided.Dilation = [2]int{4, 3}, [2]int{1, 2}
	far.Stride = [2]int{2, 2}
	f32 := shape.Float32
	for _, c := range []convCase{
		newConv(padded(plainConv, 2), f32, 2*n, 1, 6, [2]int{28, 28}, [2]int{5, 5}),
		newConv(plainConv, f32, n, 6, 16, [2]int{14, 14}, [2]int{5, 5}),
		newConv(grouped, f32, n, 6, 9, [2]int{9, 8}, [2]int{3, 3}),
		newConv(strided, f32, n, 3, 7, [2]int{23, 19}, [2]int{11, 7}),
		newConv(far, f32, n, 2, 3, [2]int{2, 1}, [2]int{2, 3}),
		newConv(plainConv, f32, n, 17, 5, [2]int{4, 7}, [2]int{1, 1}),
		newConv(padded(plainConv, 1), f32, 0, 2, 3, [2]int{5, 5}, [2]int{3, 3}),
	} {
		all = append(all, layoutConvs(g, c)...)
	}
	odd := engine.Pool2D{Kernel: [2]int{2, 3}, Stride: [2]int{3, 1}, Dilation: [2]int{2, 1}, Pad: [2][2]int{{1, 0}, {0, 2}}, CountPad: true}
	for _, c := range []poolCase{
		newPool(squarePool(2, 2, 0), f32, 2*n, 6, [2]int{28, 28}, false),
		newPool(squarePool(2, 2, 0), f32, n, 3, [2]int{7, 9}, false),
		newPool(squarePool(2, 2, 0), f32, n, 3, [2]int{7, 9}, true),
		newPool(squarePool(3, 2, 1), f32, n, 3, [2]int{14, 13}, false),
		newPool(squarePool(2, 1, 1), f32, n, 2, [2]int{5, 4}, false),
		newPool(squarePool(2, 2, 2), f32, n, 2, [2]int{4, 4}, false), // windows of padding alone
		newPool(odd, f32, n, 2, [2]int{9, 11}, true),
		newPool(squarePool(2, 2, 0), f32, 0, 3, [2]int{4, 4}, false),
		newPool(squarePool(3, 2, 0), f32, n, 2, [2]int{2, 2}, true), // windows wider than the image
		newPool(squarePool(2, 2, 1), f32, n, 2, [2]int{5, 1}, false),
		newAdaptivePool(f32, n, 3, [2]int{14, 13}, [2]int{4, 7}),
		newAdaptivePool(f32, n, 2, [2]int{3, 1}, [2]int{5, 4}),
	} {
		all = append(all, layoutPools(g, c)...)
	}
	for axes := range engine.Axes(1 << 4) {
		for r := engine.Sum; axes.Has(0) && r <= engine.Minimum; r++ {
			all = append(all, reduceTrial(r, shape.F32(shape.Dim(2*n), 3, 5, 7), axes, axes%3 == 0).inLayout(g.layout(), 1, false))
		}
	}
	for _, c := range []convPoolCase{
		newConvPool(newConv(padded(plainConv, 2), f32, 2*n, 1, 6, [2]int{28, 28}, [2]int{5, 5}), squarePool(2, 2, 0), false),
		newConvPool(newConv(plainConv, f32, n, 6, 16, [2]int{14, 14}, [2]int{5, 5}), squarePool(2, 2, 0), false),
		newConvPool(newConv(padded(plainConv, 2), f32, n, 3, 5, [2]int{21, 11}, [2]int{5, 5}), squarePool(3, 2, 1), true),
		newConvPool(newConv(grouped, f32, n, 6, 9, [2]int{19, 8}, [2]int{3, 3}), squarePool(2, 3, 0), false), // rows in no window
		newConvPool(newConv(strided, f32, n, 3, 7, [2]int{43, 19}, [2]int{11, 7}), squarePool(3, 1, 1), false),
		newConvPool(newConv(far, f32, n, 2, 3, [2]int{20, 1}, [2]int{2, 3}), squarePool(2, 2, 5), false), // windows of padding alone
		newConvPool(newConv(plainConv, f32, n, 2, 3, [2]int{24, 13}, [2]int{4, 3}), odd, true),
		newConvPool(newConv(padded(plainConv, 1), f32, 0, 2, 3, [2]int{5, 5}, [2]int{3, 3}), squarePool(2, 2, 0), false),
		newConvPool(newConv(padded(plainConv, 1), f32, n, 2, 3, [2]int{2, 2}, [2]int{3, 3}), squarePool(3, 2, 0), true), // wider
		newConvPool(newConv(padded(plainConv, 1), f32, n, 2, 3, [2]int{9, 1}, [2]int{3, 3}), squarePool(2, 2, 1), false),
	} {
		all = append(all, layoutConvPool(g, c))
	}
	return all
}

func layoutConvPool(g *gen, c convPoolCase) trial {
	return c.trial(pick(g, g.epilogues()...)).inLayout(g.layout(), 1, true)
}

func randomLayout(g *gen) trial {
	n := g.layout().Block * (1 + g.IntN(2))
	if _, ok := g.engine.(engine.ConvPooler); ok && g.IntN(3) == 0 {
		return layoutConvPool(g, randomConvPoolCase(g, shape.Float32, n))
	}
	if g.bool() {
		c := randomConvCase(g, shape.Float32, n, 5, 9)
		return pick(g, layoutConvs(g, c)...)
	}
	return pick(g, layoutPools(g, randomPoolCase(g, shape.Float32, n, 3, 17))...)
}
