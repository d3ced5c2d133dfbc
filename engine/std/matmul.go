package std

import (
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// BindMatMul implements [engine.MatMuler], with one product of the library per matrix of a batch.
func (e Engine) BindMatMul(m engine.MatMul, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindMatMul(m, in, out)
	mul, ok := e.of.(tensor.MatMuler)
	if err != nil || !ok || m.Epilogue != (engine.Epilogue{}) || !e.computes(in[0].Type, in[1].Type, out.Type) {
		return b, err
	}
	p := product{MatMul: m, a: matrixOf(in[0].Type), b: matrixOf(in[1].Type), y: matrixOf(out.Type)}
	return engine.Bound{
		By:      name,
		Scratch: max(b.Scratch, p.scratch(in[1].Type)),
		Kernel: func(c *engine.Call) error {
			for i := range p.y.count {
				if err := p.run(e, mul, c, i); err != nil {
					return b.Kernel(c)
				}
			}
			return nil
		},
	}, nil
}

// product is a batch of products with their layout in memory.
type product struct {
	engine.MatMul
	a, b, y matrix
}

// matrix is an operand: count matrices, or one for all.
type matrix struct{ count, rows, cols int }

func matrixOf(t shape.Type) matrix {
	m := matrix{1, t.Int(-2), t.Int(-1)}
	for i := range t.Rank() - 2 {
		m.count *= t.Int(i)
	}
	return m
}

// of returns matrix i of the batch in b's memory.
func (m matrix) of(e Engine, b engine.Buffer, i int) *tensor.Dense {
	return e.dense(b, i%m.count*m.rows*m.cols, m.rows, m.cols)
}

// copiesB reports whether b is transposed beforehand. Otherwise gonum would compute such a product
// by dot products, whose order, and therefore whose bits, depend on the alignment of the operands.
func (p product) copiesB() bool { return p.TransB && !p.TransA }

func (p product) scratch(b shape.Type) int {
	if !p.copiesB() {
		return 0
	}
	return p.b.rows * p.b.cols * b.Width()
}

// run computes product i.
func (p product) run(e Engine, mul tensor.MatMuler, c *engine.Call, i int) error {
	a, b := p.a.of(e, c.In[0], i), p.b.of(e, c.In[1], i)
	if p.copiesB() {
		turned := c.Scratch.At(0, c.In[1].DType(), p.b.rows*p.b.cols)
		p.transpose(turned, c.In[1], i)
		b = e.dense(turned, 0, p.b.cols, p.b.rows)
	} else if err := transposeIf(p.TransB, b); err != nil {
		return err
	}
	if err := transposeIf(p.TransA, a); err != nil {
		return err
	}
	return mul.MatMul(a, b, p.y.of(e, c.Out[0], i))
}

// transpose sets dst to the transpose of b's matrix i.
func (p product) transpose(dst, b engine.Buffer, i int) {
	start := i % p.b.count * p.b.rows * p.b.cols
	if b.DType() == shape.Float32 {
		transpose(engine.Slice[float32](dst), engine.Slice[float32](b)[start:], p.b)
	} else {
		transpose(engine.Slice[float64](dst), engine.Slice[float64](b)[start:], p.b)
	}
}

func transpose[T shape.Float](dst, src []T, m matrix) {
	for r := range m.rows {
		for c, v := range src[r*m.cols:][:m.cols] {
			dst[c*m.rows+r] = v
		}
	}
}

// transposeIf marks a tensor as transposed, as products of tensor engines expect.
func transposeIf(yes bool, t *tensor.Dense) error {
	if !yes {
		return nil
	}
	return t.T()
}
