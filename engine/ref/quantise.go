package ref

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.Quantiser = Engine{}

// BindQuantise implements [engine.Quantiser].
func (Engine) BindQuantise(q engine.Quant, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if in[0].DType != shape.Float32 || out.DType != shape.Uint8 || in[0].Layout != engine.Rows || out.Layout != engine.Rows {
		return unsupported("Quantise", in)
	}
	return bound(func(c *engine.Call) error {
		y := engine.Slice[uint8](c.Out[0])
		for i, v := range engine.Slice[float32](c.In[0]) {
			y[i] = q.Of(v)
		}
		return nil
	}), nil
}

// BindQuantConv2D implements [engine.Quantiser].
func (Engine) BindQuantConv2D(c engine.Conv2D, q engine.Quantised, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := convOf(c, in[0].Type, in[1].Type, out.Type)
	f := finisherOf(q, c.Epilogue, in, out)
	k, ok := bindQuantised(f, in, out, engine.Weights{In: 1}, g.yPlane)
	if !ok {
		return unsupported("QuantConv2D", in)
	}
	k.Kernel = quantConv2D(g, f, in[1].Type)
	return k, nil
}

// BindQuantMatMul implements [engine.Quantiser].
func (Engine) BindQuantMatMul(m engine.MatMul, q engine.Quantised, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	w := engine.Weights{In: 1, Axis: 1}
	if m.TransB {
		w.Axis = 0
	}
	f := finisherOf(q, m.Epilogue, in, out)
	k, ok := bindQuantised(f, in, out, w, out.Int(-1))
	if !ok || m.TransA || in[0].Rank() != 2 || in[1].Rank() != 2 {
		return unsupported("QuantMatMul", in)
	}
	k.Kernel = quantMatMul(gemmOf(m, in[0].Type, in[1].Type, out.Type), f, in[1].Type, w.Axis)
	return k, nil
}

// finisher makes results of sums.
type finisher struct {
	engine.Quantised
	affine    engine.Affine
	bias      bool
	addend    int  // index of the input that is added
	addsBytes bool // it is uint8
	bytes     bool // and so is the result
}

func finisherOf(q engine.Quantised, e engine.Epilogue, in []engine.Operand, out engine.Operand) finisher {
	f := finisher{Quantised: q.WithReLU(e.ReLU), bias: e.Bias, addend: len(in) - 1, bytes: out.DType == shape.Uint8}
	f.affine = f.Affine()
	f.addsBytes = q.Adds && in[f.addend].DType == shape.Uint8
	return f
}

// bindQuantised is a kernel whose scratch holds so many sums, and then the weights and their scales. It
// reports whether operands are those of one.
func bindQuantised(f finisher, in []engine.Operand, out engine.Operand, w engine.Weights, sums int) (engine.Bound, bool) {
	inputs := 2
	for _, has := range []bool{f.bias, f.Adds} {
		if has {
			inputs++
		}
	}
	if len(in) != inputs || in[0].DType != shape.Uint8 || in[1].DType != shape.Float32 || f.bias && in[2].DType != shape.Float32 {
		return engine.Bound{}, false
	}
	if f.Adds && (in[f.addend].DType != shape.Float32 && !f.addsBytes || in[f.addend].Shape != out.Shape) {
		return engine.Bound{}, false
	}
	for _, o := range append([]engine.Operand{out}, in...) {
		if o.Layout != engine.Rows {
			return engine.Bound{}, false
		}
	}
	if out.DType != shape.Float32 && out.DType != shape.Uint8 || in[1].Len()/max(in[1].Int(w.Axis), 1) > engine.Deepest {
		return engine.Bound{}, false
	}
	b := bound(nil)
	b.Scratch = 4*(sums+in[1].Int(w.Axis)) + in[1].Len()
	return b, true
}

// quantWeights puts the weights into the scratch memory of c, and returns n sums too.
func quantWeights(c *engine.Call, n int, t shape.Type, axis int) (sums []int32, scales []float32, w []int8) {
	sums = engine.Slice[int32](c.Scratch.At(0, shape.Int32, n))
	scales = engine.Slice[float32](c.Scratch.At(4*n, shape.Float32, t.Int(axis)))
	w = engine.Slice[int8](c.Scratch.At(4*(n+t.Int(axis)), shape.Int8, t.Len()))
	engine.QuantWeights(w, scales, engine.Slice[float32](c.In[1]), t, axis)
	return sums, scales, w
}

// store sets result i, of the given channel.
func (f finisher) store(c *engine.Call, i int, sum int32, scale float32, channel int) {
	var bias, addend float32
	if f.bias {
		bias = engine.Slice[float32](c.In[2])[channel]
	}
	switch {
	case f.addsBytes:
		addend = float32(engine.Slice[uint8](c.In[f.addend])[i])
	case f.Adds:
		addend = engine.Slice[float32](c.In[f.addend])[i]
	}
	y := f.affine.Of(sum, scale, f.affine.Shift(bias), addend)
	if f.bytes {
		engine.Slice[uint8](c.Out[0])[i] = engine.Byte(y)
		return
	}
	engine.Slice[float32](c.Out[0])[i] = y
}

func quantConv2D(g conv, f finisher, t shape.Type) engine.Kernel {
	return func(c *engine.Call) error {
		sums, scales, w := quantWeights(c, g.yPlane, t, 0)
		x := engine.Slice[uint8](c.In[0])
		for n := range g.batch {
			for o := range g.filters {
				clear(sums)
				for i := range g.groupIn {
					xp := nth(x, n*g.channels+o/g.groupOut*g.groupIn+i, g.xPlane)
					for k, v := range nth(w, o*g.groupIn+i, len(g.taps)) {
						gatherBytes(g.taps[k], sums, xp, int32(v), int32(f.In.Zero))
					}
				}
				for i, sum := range sums {
					f.store(c, (n*g.filters+o)*g.yPlane+i, sum, scales[o], o)
				}
			}
		}
		return nil
	}
}

// gatherBytes adds v times the block of the image x, less zero, to y.
func gatherBytes(t tap, y []int32, x []uint8, v, zero int32) {
	for r := range t.rows {
		xr := x[t.x+r*t.xRow:]
		for j := range t.cols {
			y[t.y+r*t.yRow+j] += v * (int32(xr[j*t.xCol]) - zero)
		}
	}
}

func quantMatMul(g gemm, f finisher, t shape.Type, axis int) engine.Kernel {
	return func(c *engine.Call) error {
		sums, scales, w := quantWeights(c, g.p, t, axis)
		a := engine.Slice[uint8](c.In[0])
		for i := range g.m {
			clear(sums)
			for k := range g.k {
				v := int32(a[i*g.k+k]) - int32(f.In.Zero)
				for j := range sums {
					sums[j] += v * int32(w[k*g.b.row+j*g.b.col])
				}
			}
			for j, sum := range sums {
				f.store(c, i*g.p+j, sum, scales[j], j)
			}
		}
		return nil
	}
}

// BindQuantMaxPool2D implements [engine.Quantiser].
func (Engine) BindQuantMaxPool2D(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if in[0].DType != shape.Uint8 || out.DType != shape.Uint8 || in[0].Layout != engine.Rows || out.Layout != engine.Rows {
		return unsupported("QuantMaxPool2D", in)
	}
	windows := poolOf(p, in[0].Type, out.Type)
	return bound(func(c *engine.Call) error {
		x, y := engine.Slice[uint8](c.In[0]), engine.Slice[uint8](c.Out[0])
		for n := range windows.planes {
			xp, yp := nth(x, n, windows.xPlane()), nth(y, n, windows.yPlane())
			clear(yp)
			maxima(windows, xp, func(o, at int) {
				if at >= 0 {
					yp[o] = xp[at]
				}
			})
		}
		return nil
	}), nil
}
