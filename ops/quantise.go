package ops

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Ops in 8-bit integers, which the pass quantise of vm puts in place of those in float32.

// madeByQuantise is the reason why they have no gradient.
const madeByQuantise = "made when a program is specialised, which then only infers"

// anyQuantised is that of the ops in All.
var anyQuantised = engine.Quantised{In: engine.Quant{Scale: .5, Zero: 3}, Lo: -100, Hi: 100}

// Quantised implements vm's Quantisable.
func (op Conv2DOp) Quantised(q engine.Quantised, in []shape.Type) (graph.Op, bool) {
	return fusedConv2D{Conv: op}.Quantised(q, in)
}

func (op fusedConv2D) Quantised(q engine.Quantised, in []shape.Type) (graph.Op, bool) {
	w := in[1]
	return quantConv2D{op.Conv, op.Epilogue, q}, !op.pools() && !(q.Adds && op.Epilogue.ReLU) && w.Len()/w.Int(0) <= engine.Deepest
}

func (op fusedMatMul) Quantised(q engine.Quantised, in []shape.Type) (graph.Op, bool) {
	rows := in[0].Rank() == 2 && in[1].Rank() == 2 && !op.MatMul.TransA
	return quantMatMul{op.MatMul, op.Epilogue, q}, rows && !(q.Adds && op.Epilogue.ReLU) && in[0].Int(1) <= engine.Deepest
}

// PicksBytes implements vm's Picker.
func (op MaxPool2DOp) PicksBytes([]shape.Type) (graph.Op, bool) { return quantMaxPool2D{op}, true }

// ownInputs is how many of so many inputs come before the addend, if there is one.
func ownInputs(q engine.Quantised, all int) int {
	if q.Adds {
		return all - 1
	}
	return all
}

// inferQuantised is type inference for an op in 8-bit integers from that in float32, by infer.
func inferQuantised(q engine.Quantised, in []shape.Type, infer func(in []shape.Type) (shape.Type, error)) (t shape.Type, err error) {
	own := ownInputs(q, len(in))
	if own < 2 || in[0].DType != shape.Uint8 {
		return t, fmt.Errorf("want a uint8 and its weights, have %v", in)
	}
	wide := append([]shape.Type{{DType: shape.Float32, Shape: in[0].Shape}}, in[1:own]...)
	if t, err = infer(wide); err != nil {
		return t, err
	}
	if q.Adds && in[own].Shape != t.Shape {
		return t, fmt.Errorf("%v cannot be added to %v", in[own], t)
	}
	if q.Out.Scale != 0 {
		t.DType = shape.Uint8
	}
	return t, nil
}

// quantName is the name of an op that adds and clamps as q says.
func quantName(name string, q engine.Quantised) string {
	if q.Adds {
		name += "+Add"
	}
	return "Quant" + name
}

// quantOperands flattens the bias of in, which comes before the addend.
func quantOperands(ep engine.Epilogue, q engine.Quantised, in []engine.Operand) []engine.Operand {
	own := ownInputs(q, len(in))
	return append(flatOperands(ep, in[:own]), in[own:]...)
}

// quantConv2D is a convolution in 8-bit integers. Its inputs are those of a fusedConv2D, then the
// addend.
type quantConv2D struct {
	Conv     Conv2DOp
	Epilogue engine.Epilogue
	Quant    engine.Quantised
}

func (op quantConv2D) Name() string {
	return quantName("Conv2D"+epilogueName(op.Epilogue), op.Quant)
}

func (op quantConv2D) Infer(in []shape.Type) (shape.Type, error) {
	return inferQuantised(op.Quant, in, fusedConv2D{Conv: op.Conv, Epilogue: op.Epilogue}.Infer)
}

func (quantConv2D) NotDifferentiable() string { return madeByQuantise }

func (op quantConv2D) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	q, ok := e.(engine.Quantiser)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "8-bit integers")
	}
	return q.BindQuantConv2D(op.Conv.attrs(op.Epilogue), op.Quant, quantOperands(op.Epilogue, op.Quant, in), out)
}

// MACs returns the number of multiply-accumulate operations, for concrete types.
func (op quantConv2D) MACs(in []shape.Type, out shape.Type) int { return convMACs(out, in[1]) }

// quantMatMul is a product in 8-bit integers. Its inputs are those of a fusedMatMul, then the addend.
type quantMatMul struct {
	MatMul   MatMulOp
	Epilogue engine.Epilogue
	Quant    engine.Quantised
}

func (op quantMatMul) Name() string {
	return quantName("MatMul"+epilogueName(op.Epilogue), op.Quant)
}

func (op quantMatMul) Infer(in []shape.Type) (shape.Type, error) {
	return inferQuantised(op.Quant, in, fusedMatMul{op.MatMul, op.Epilogue}.Infer)
}

func (quantMatMul) NotDifferentiable() string { return madeByQuantise }

func (op quantMatMul) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	q, ok := e.(engine.Quantiser)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "8-bit integers")
	}
	m := engine.MatMul{TransA: op.MatMul.TransA, TransB: op.MatMul.TransB, Epilogue: op.Epilogue}
	return q.BindQuantMatMul(m, op.Quant, quantOperands(op.Epilogue, op.Quant, in), out)
}

// MACs returns the number of multiply-accumulate operations, for concrete types.
func (op quantMatMul) MACs(in []shape.Type, out shape.Type) int { return op.MatMul.MACs(in, out) }

// quantMaxPool2D is max pooling of bytes.
type quantMaxPool2D struct{ Pool MaxPool2DOp }

func (op quantMaxPool2D) Name() string { return "Quant" + op.Pool.Name() }

func (op quantMaxPool2D) Infer(in []shape.Type) (shape.Type, error) {
	if len(in) != 1 || in[0].DType != shape.Uint8 {
		return shape.Type{}, fmt.Errorf("want a uint8, have %v", in)
	}
	return op.Pool.pooled(in[0])
}

func (quantMaxPool2D) NotDifferentiable() string { return madeByQuantise }

func (op quantMaxPool2D) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	q, ok := e.(engine.Quantiser)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "8-bit integers")
	}
	return q.BindQuantMaxPool2D(op.Pool.attrs(), in, out)
}
