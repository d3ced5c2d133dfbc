package ref

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.MatMuler = Engine{}

// BindMatMul implements [engine.MatMuler].
func (Engine) BindMatMul(m engine.MatMul, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	g := gemmOf(m, in[0].Type, in[1].Type, out.Type)
	return bindFloat("MatMul", in, out, g.p, matMul[float32](g), matMul[float64](g))
}

// gemm is a batch of products (m,k)*(k,p).
type gemm struct {
	batch, m, k, p int
	a, b           matrix
	epilogue       engine.Epilogue
}

// matrix describes an operand's strides, in elements.
type matrix struct{ batch, row, col int }

func gemmOf(op engine.MatMul, a, b, out shape.Type) gemm {
	g := gemm{batch: 1, m: out.Int(-2), k: a.Int(-1), p: out.Int(-1), epilogue: op.Epilogue}
	if op.TransA {
		g.k = a.Int(-2)
	}
	for i := range out.Rank() - 2 {
		g.batch *= out.Int(i)
	}
	g.a, g.b = matrixOf(a, op.TransA), matrixOf(b, op.TransB)
	return g
}

// matrixOf describes an operand. An operand with 2 axes is used for every batch.
func matrixOf(t shape.Type, transposed bool) matrix {
	m := matrix{row: t.Int(-1), col: 1}
	if t.Rank() > 2 {
		m.batch = t.Int(-2) * t.Int(-1)
	}
	if transposed {
		m.row, m.col = m.col, m.row
	}
	return m
}

func matMul[T shape.Float](g gemm) engine.Kernel {
	return func(c *engine.Call) error {
		a, b, out := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.Out[0])
		sums := sumsOf(c, g.p)
		for n := range g.batch {
			for i := range g.m {
				clear(sums)
				product(g, sums, a, n*g.a.batch+i*g.a.row, b, n*g.b.batch)
				row := nth(out, n*g.m+i, g.p)
				round(row, sums)
				if g.epilogue.Bias {
					for j, v := range engine.Slice[T](c.In[2])[:g.p] {
						row[j] += v
					}
				}
				if g.epilogue.ReLU {
					rectify(row)
				}
			}
		}
		return nil
	}
}

// product adds to sums the row of a that starts at ai, times the matrix of b that starts at bi. The
// inner loop runs along b's memory.
func product[T shape.Float](g gemm, sums []float64, a []T, ai int, b []T, bi int) {
	if g.b.col != 1 {
		for j := range sums {
			for k := range g.k {
				sums[j] += float64(a[ai+k*g.a.col]) * float64(b[bi+k*g.b.row+j*g.b.col])
			}
		}
		return
	}
	for k := range g.k {
		f := float64(a[ai+k*g.a.col])
		for j, v := range b[bi+k*g.b.row:][:len(sums)] {
			sums[j] += f * float64(v)
		}
	}
}
