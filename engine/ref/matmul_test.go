package ref_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/shape"
)

func TestMatMulOfEveryForm(t *testing.T) {
	t.Run("float32", testMatMul[float32])
	t.Run("float64", testMatMul[float64])
}

func testMatMul[T shape.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	e, d := ref.Engine{}, shape.DTypeOf[T]()
	for range 300 {
		op := engine.MatMul{TransA: r.IntN(2) == 0, TransB: r.IntN(2) == 0}
		m, k, p := r.IntN(5), r.IntN(5), r.IntN(5)
		g1, g2 := 1+r.IntN(2), r.IntN(4) // batches
		shared := r.IntN(4)              // which operand serves every batch
		if shared == 3 {
			g1, g2 = 1, 1
		}
		a, b := newImage(g1, g2, m, k).fill(r), newImage(g1, g2, k, p).fill(r)
		if shared == 1 || shared == 3 {
			a = newImage(1, 1, m, k).fill(r)
		}
		if shared == 2 || shared == 3 {
			b = newImage(1, 1, k, p).fill(r)
		}
		out := newImage(g1, g2, m, p)
		out.each(func(n, c, i, j int) {
			for l := range k {
				*out.at(n, c, i, j) += *a.at(n%a.n, c%a.c, i, l) * *b.at(n%b.n, c%b.c, l, j)
			}
		})
		at, av := stored(a, op.TransA, shared == 1 || shared == 3, d)
		bt, bv := stored(b, op.TransB, shared == 2 || shared == 3, d)
		ot := out.typ(d)
		if shared == 3 {
			ot.Shape = shape.OfInts(m, p)
		}
		bound, err := e.BindMatMul(op, engine.InRows(at, bt), engine.InRow(ot))
		agree(t, out.v, runs[T](t, bound, err, len(out.v), av, bv), op, at, bt)
	}
}

// stored returns x as an operand lies in memory, transposed if so asked, with 2 axes or 4.
func stored(x image, transposed, matrix bool, d shape.DType) (shape.Type, []float64) {
	if transposed {
		xt := newImage(x.n, x.c, x.w, x.h)
		xt.each(func(n, c, i, j int) { *xt.at(n, c, i, j) = *x.at(n, c, j, i) })
		x = xt
	}
	if matrix {
		return shape.Type{DType: d, Shape: shape.OfInts(x.h, x.w)}, x.v
	}
	return x.typ(d), x.v
}

func TestMatMulEpilogueHasTheBitsOfSeparateOps(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	e := ref.Engine{}
	a, b, bias := newImage(1, 1, 4, 7).fill(r), newImage(1, 1, 7, 3).fill(r), newImage(1, 1, 1, 3).fill(r)
	at, bt, ot := shape.F32(4, 7), shape.F32(7, 3), shape.F32(4, 3)
	bound, err := e.BindMatMul(engine.MatMul{}, engine.InRows(at, bt), engine.InRow(ot))
	want := runs[float32](t, bound, err, 12, a.v, b.v)
	for i := range want {
		want[i] = max(want[i]+float32(bias.v[i%3]), 0)
	}
	bound, err = e.BindMatMul(engine.MatMul{Epilogue: engine.Epilogue{Bias: true, ReLU: true}}, engine.InRows(at, bt, shape.F32(3)), engine.InRow(ot))
	require.Equal(t, want, runs[float32](t, bound, err, 12, a.v, b.v, bias.v))
}
