package ops

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var matMulOps = []graph.Op{
	MatMulOp{},
	fusedMatMul{Epilogue: engine.Epilogue{Bias: true, ReLU: true}},
	quantMatMul{Quant: anyQuantised},
}

// MatMulOp are the attributes of [MatMul].
type MatMulOp struct {
	TransA, TransB bool // transpose the last two axes of the operand
}

// MatMul returns the product over the last two axes of a (...,M,K) and b (...,K,P), both Float32 or
// Float64: (...,M,P). The leading axes are batches. They are equal in both operands, or absent in
// one, which is then multiplied with every matrix of the other. At most one op may be given; the
// default is MatMulOp{}.
func MatMul(a, b *graph.Node, op ...MatMulOp) *graph.Node {
	switch {
	case len(op) == 0:
		return graph.Apply(MatMulOp{}, a, b)
	case len(op) > 1 && a != nil:
		return a.Graph().Reject("MatMul", errors.New("more than one MatMulOp was given"), a, b)
	}
	return graph.Apply(op[0], a, b)
}

// Name implements [graph.Op].
func (MatMulOp) Name() string { return "MatMul" }

// Infer implements [graph.Op].
func (op MatMulOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := sameFloats(in, 2); err != nil {
		return t, err
	}
	a, b := in[0], in[1]
	if a.Rank() < 2 || b.Rank() < 2 {
		return t, fmt.Errorf("want 2 axes or more, have %v and %v", a.Shape, b.Shape)
	}
	m, k := matrixDims(a, op.TransA)
	kb, p := matrixDims(b, op.TransB)
	if k != kb {
		return t, fmt.Errorf("inner extents differ: %v%s has %v, %v%s has %v",
			a.Shape, transposed(op.TransA), k, b.Shape, transposed(op.TransB), kb)
	}
	out := a.Shape
	if b.Rank() > a.Rank() {
		out = b.Shape
	}
	if a.Rank() > 2 && b.Rank() > 2 && batchShape(a) != batchShape(b) {
		return t, fmt.Errorf("batches differ: %v and %v; want equal axes before the last two, or an operand of 2 axes", a.Shape, b.Shape)
	}
	t = a.Of(out.With(-2, m).With(-1, p))
	_, err = volumeOf(t.Shape) // (N,N) is allowed, but not more elements than memory can hold
	return t, err
}

func matrixDims(t shape.Type, trans bool) (rows, cols shape.Dim) {
	if trans {
		return t.Dim(-1), t.Dim(-2)
	}
	return t.Dim(-2), t.Dim(-1)
}

func batchShape(t shape.Type) shape.Shape { return t.Shape.Drop(-1).Drop(-1) }

func transposed(yes bool) string {
	if yes {
		return " transposed"
	}
	return ""
}

// Grad implements autodiff's Differentiable.
func (op MatMulOp) Grad(n, dy *graph.Node) []*graph.Node {
	a, b := n.In(0), n.In(1)
	if rows, err := a.Type().Drop(-1).Size(); err == nil && a.Type().Rank() > 2 && b.Type().Rank() == 2 && !op.TransA {
		asMatrix := func(x *graph.Node) *graph.Node { return Reshape(x, rows, x.Type().Dim(-1)) }
		return []*graph.Node{op.gradA(b, dy), op.gradB(asMatrix(a), asMatrix(dy))} // one product for all batches
	}
	return []*graph.Node{
		SumTo(op.gradA(b, dy), a.Type().Shape),
		SumTo(op.gradB(a, dy), b.Type().Shape),
	}
}

// gradA returns dy times b transposed. The result is transposed if a is.
func (op MatMulOp) gradA(b, dy *graph.Node) *graph.Node {
	if op.TransA {
		return MatMul(b, dy, MatMulOp{TransA: op.TransB, TransB: true})
	}
	return MatMul(dy, b, MatMulOp{TransB: !op.TransB})
}

// gradB returns a transposed times dy. The result is transposed if b is.
func (op MatMulOp) gradB(a, dy *graph.Node) *graph.Node {
	if op.TransB {
		return MatMul(dy, a, MatMulOp{TransA: true, TransB: op.TransA})
	}
	return MatMul(a, dy, MatMulOp{TransA: !op.TransA})
}

// Bind implements vm's Bindable.
func (op MatMulOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return fusedMatMul{MatMul: op}.Bind(e, in, out)
}

// Scale implements vm's Scaler: a factor for each column, where b is one matrix.
func (op MatMulOp) Scale(n, factor *graph.Node) *graph.Node {
	b := n.In(1)
	if b.Type().Rank() != 2 || !isBias(factor.Type(), n.Type(), -1) {
		return nil
	}
	columns := factor.Type().Dim(-1)
	if op.TransB {
		return graph.Apply(op, n.In(0), Mul(b, Reshape(factor, columns, 1)))
	}
	return graph.Apply(op, n.In(0), Mul(b, Reshape(factor, 1, columns)))
}

// Weights implements vm's Weighted: b, if it is one matrix.
func (op MatMulOp) Weights(in []shape.Type) (engine.Weights, bool) {
	w := engine.Weights{In: 1, Axis: 1}
	if op.TransB {
		w.Axis = 0
	}
	return w, in[1].Rank() == 2
}

// Absorb implements vm's Absorber: it absorbs a bias per column, then a ReLU.
func (op MatMulOp) Absorb(e engine.Engine, in []shape.Type, next graph.Op, at int, nextIn []shape.Type) (graph.Op, bool) {
	return fusedMatMul{MatMul: op}.Absorb(e, in, next, at, nextIn)
}

// fusedMatMul is a product that has absorbed the ops after it. Its inputs are a, b and, if there is
// a bias, the bias.
type fusedMatMul struct {
	MatMul   MatMulOp
	Epilogue engine.Epilogue
}

func (op fusedMatMul) Name() string { return "MatMul" + epilogueName(op.Epilogue) }

func (op fusedMatMul) Infer(in []shape.Type) (shape.Type, error) {
	return inferFused(op.MatMul, op.Epilogue, -1, in)
}

func (fusedMatMul) NotDifferentiable() string { return madeByAbsorb }

func (op fusedMatMul) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	m, ok := e.(engine.MatMuler)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "MatMul")
	}
	return m.BindMatMul(engine.MatMul{TransA: op.MatMul.TransA, TransB: op.MatMul.TransB, Epilogue: op.Epilogue}, flatOperands(op.Epilogue, in), out)
}

func (op fusedMatMul) Weights(in []shape.Type) (engine.Weights, bool) { return op.MatMul.Weights(in) }

func (op fusedMatMul) Absorb(e engine.Engine, _ []shape.Type, next graph.Op, at int, nextIn []shape.Type) (graph.Op, bool) {
	ep, ok := extend(e, op.Epilogue, -1, next, at, nextIn)
	return fusedMatMul{op.MatMul, ep}, ok
}

// MACs returns the number of multiply-accumulate operations, for concrete types.
func (op MatMulOp) MACs(in []shape.Type, out shape.Type) int {
	axis := -1
	if op.TransA {
		axis = -2
	}
	return out.Len() * in[0].Int(axis)
}

// Quantised implements vm's Quantisable.
func (op MatMulOp) Quantised(q engine.Quantised, in []shape.Type) (graph.Op, bool) {
	return fusedMatMul{MatMul: op}.Quantised(q, in)
}

// PerExample multiplies the matrices of each row.
func (op MatMulOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	a, b := n.In(0).Type(), n.In(1).Type()
	if _, inner := matrixDims(a, op.TransA); inner.Symbolic() {
		return nil, fmt.Errorf("it sums over the batch, %v by %v, and so mixes the examples", a, b)
	}
	ownA, ownB := own(n, in, 0), own(n, in, 1)
	if !ownA && !ownB {
		return n, nil
	}
	if isBatch(n.Type().Shape) && n.Type().Rank() == 2 { // as (N,1,K) by (N,K,P)
		if ownA || op.TransA {
			return nil, fmt.Errorf("the rows of its result are not examples of %v; want (N,...) as the first operand", a)
		}
		y := MatMul(Unsqueeze(in[0], 1), in[1], op)
		return Reshape(y, n.Type().Dims()...), nil
	}
	batch := batchShape(n.Type())
	if !isBatch(n.Type().Shape) {
		batch = batch.Insert(0, rowsOf(n, in))
	}
	return MatMul(matrices(in[0], ownA, batch), matrices(in[1], ownB, batch), op), nil
}
