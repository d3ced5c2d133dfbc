package enginetest

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/shape"
)

// laned is ref, which for batches in lanes unpacks and packs them.
type laned struct{ ref.Engine }

var _ engine.Laner = laned{}

func (laned) Lanes() int                                                          { return 8 }
func (laned) PrefersLanes(engine.Conv2D, shape.Type, shape.Type, shape.Type) bool { return false }

func (e laned) BindConv2D(c engine.Conv2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return byRows(in, out, func(in []shape.Type, out shape.Type) (engine.Bound, error) { return e.Engine.BindConv2D(c, in, out) })
}

func (e laned) BindConv2DMaxPool(c engine.Conv2D, p engine.Pool2D, in []shape.Type, y, out shape.Type) (engine.Bound, error) {
	return byRows(in, out, func(in []shape.Type, out shape.Type) (engine.Bound, error) {
		return e.Engine.BindConv2DMaxPool(c, p, in, rowMajor(y), out)
	})
}

func (e laned) BindConv2DInputGrad(c engine.Conv2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return byRows(in, out, func(in []shape.Type, out shape.Type) (engine.Bound, error) {
		return e.Engine.BindConv2DInputGrad(c, in, out)
	})
}

func (e laned) BindConv2DFilterGrad(c engine.Conv2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return byRows(in, out, func(in []shape.Type, out shape.Type) (engine.Bound, error) {
		return e.Engine.BindConv2DFilterGrad(c, in, out)
	})
}

func (e laned) BindMaxPool2D(p engine.Pool2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return byRows(in, out, func(in []shape.Type, out shape.Type) (engine.Bound, error) { return e.Engine.BindMaxPool2D(p, in, out) })
}

func (e laned) BindMaxPool2DScatter(p engine.Pool2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return byRows(in, out, func(in []shape.Type, out shape.Type) (engine.Bound, error) {
		return e.Engine.BindMaxPool2DScatter(p, in, out)
	})
}

func (e laned) BindAvgPool2D(p engine.Pool2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return byRows(in, out, func(in []shape.Type, out shape.Type) (engine.Bound, error) { return e.Engine.BindAvgPool2D(p, in, out) })
}

func (e laned) BindAvgPool2DGrad(p engine.Pool2D, in []shape.Type, out shape.Type) (engine.Bound, error) {
	return byRows(in, out, func(in []shape.Type, out shape.Type) (engine.Bound, error) {
		return e.Engine.BindAvgPool2DGrad(p, in, out)
	})
}

// byRows binds a kernel for row-major batches, and returns one for those that are in lanes.
func byRows(in []shape.Type, out shape.Type, bind func(in []shape.Type, out shape.Type) (engine.Bound, error)) (engine.Bound, error) {
	var rows []shape.Type
	for _, t := range in {
		rows = append(rows, rowMajor(t))
	}
	b, err := bind(rows, rowMajor(out))
	if err != nil || in[0].Rank() != 5 {
		return b, err
	}
	kernel := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		of := *c
		of.In = nil
		for i, t := range in {
			of.In = append(of.In, newBuffer(t.DType, t.Len()))
			move(of.In[i], c.In[i], t, true)
		}
		of.Out = []engine.Buffer{newBuffer(out.DType, out.Len())}
		if err := kernel(&of); err != nil {
			return err
		}
		move(c.Out[0], of.Out[0], out, false)
		return nil
	}
	return b, nil
}

// rowMajor is the type of a batch out of lanes. Other types stay.
func rowMajor(t shape.Type) shape.Type {
	if t.Rank() != 5 {
		return t
	}
	return t.Of(shape.OfInts(t.Int(0)*t.Int(4), t.Int(1), t.Int(2), t.Int(3)))
}

// move copies src to dst, of type t, out of lanes or into them. What is not in lanes is copied as it is.
func move(dst, src engine.Buffer, t shape.Type, out bool) {
	if t.Rank() != 5 || t.Len() == 0 {
		copy(dst.Bytes(), src.Bytes())
		return
	}
	lanes, size := t.Int(4), t.Int(1)*t.Int(2)*t.Int(3)
	for i := range t.Len() {
		image, at := i/size, i%size
		lane := (image/lanes*size+at)*lanes + image%lanes
		if out {
			copy(element(dst, i), element(src, lane))
		} else {
			copy(element(dst, lane), element(src, i))
		}
	}
}

// inLanes returns tr with its batches in lanes: the inputs before the given one, and the output where that is one.
func (tr trial) inLanes(lanes, inputs int, output bool) trial {
	pack := func(ts []shape.Type, n int) []shape.Type {
		all := append([]shape.Type{}, ts...)
		for i := range n {
			t := all[i]
			all[i] = t.Of(shape.OfInts(t.Int(0)/lanes, t.Int(1), t.Int(2), t.Int(3), lanes))
		}
		return all
	}
	tr.in = pack(tr.in, inputs)
	if output {
		tr.out = pack(tr.out, 1)
	}
	return tr
}

// laneConvs are a convolution with one epilogue, and its adjoints.
func laneConvs(g *gen, c convCase) []trial {
	lanes := g.engine.(engine.Laner).Lanes()
	return []trial{
		c.forward(pick(g, g.epilogues()...)).inLanes(lanes, 1, true),
		c.inputGrad().inLanes(lanes, 1, true),
		c.filterGrad().inLanes(lanes, 2, false),
	}
}

// lanePools are all pooling kernels that batches in lanes have.
func lanePools(g *gen, c poolCase) (all []trial) {
	lanes := g.engine.(engine.Laner).Lanes()
	trials := append(c.maxTrials()[:3], c.avgTrials()...)
	for _, tr := range trials {
		all = append(all, tr.inLanes(lanes, len(tr.in), true))
	}
	return all
}

// laneTable is LeNet's layers; filters in groups, with strides, with padding beyond their reach; pooling that overlaps and such that leaves
// elements out; and empty batches.
func laneTable(g *gen) (all []trial) {
	n := g.engine.(engine.Laner).Lanes()
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
		all = append(all, laneConvs(g, c)...)
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
	} {
		all = append(all, lanePools(g, c)...)
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
		all = append(all, laneConvPool(g, c))
	}
	return all
}

func laneConvPool(g *gen, c convPoolCase) trial {
	return c.trial(pick(g, g.epilogues()...)).inLanes(g.engine.(engine.Laner).Lanes(), 1, true)
}

func randomLanes(g *gen) trial {
	n := g.engine.(engine.Laner).Lanes() * (1 + g.IntN(2))
	if _, ok := g.engine.(engine.ConvPooler); ok && g.IntN(3) == 0 {
		return laneConvPool(g, randomConvPoolCase(g, shape.Float32, n))
	}
	if g.bool() {
		c := randomConvCase(g, shape.Float32, n, 5, 9)
		return pick(g, laneConvs(g, c)...)
	}
	return pick(g, lanePools(g, randomPoolCase(g, shape.Float32, n, 3, 17))...)
}
