package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// productUlps is the limit of matrix products and convolutions, in units in the last place of the
// sum of the magnitudes of the terms. Infinities and NaN propagate as in arithmetic.
const productUlps = 8

type matMulCase struct {
	batchA, batchB []int
	m, k, p        int
	dtype          shape.DType
	op             engine.MatMul
}

func (g *gen) matMul(c matMulCase) trial {
	a, b := []int{c.m, c.k}, []int{c.k, c.p}
	if c.op.TransA {
		a = []int{c.k, c.m}
	}
	if c.op.TransB {
		b = []int{c.p, c.k}
	}
	batch := c.batchA
	if len(c.batchB) > 0 {
		batch = c.batchB
	}
	tensor := func(dims ...[]int) shape.Type {
		var all []int
		for _, d := range dims {
			all = append(all, d...)
		}
		return shape.Type{DType: c.dtype, Shape: shape.OfInts(all...)}
	}
	tr := trial{
		op: fmt.Sprintf("MatMul%+v", c.op),
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.MatMuler).BindMatMul(c.op, in, out)
		}),
		in:    []shape.Type{tensor(c.batchA, a), tensor(c.batchB, b)},
		out:   []shape.Type{tensor(batch, []int{c.m, c.p})},
		limit: limit{terms: productUlps},
	}
	if c.op.Epilogue.Bias {
		tr.in = append(tr.in, tensor([]int{c.p}))
	}
	tr.data = repeat(terms, len(tr.in))
	if len(c.batchB) == 0 {
		tr.weights = &engine.Weights{In: 1, Axis: 1}
		if c.op.TransB {
			tr.weights.Axis = 0
		}
	}
	if !g.opts.SkipsZeros {
		tr.data[0] = mixed(3, among(0), tr.data[0])
	}
	return tr
}

// epilogues returns the epilogues that the engine supports.
func (g *gen) epilogues() []engine.Epilogue {
	all := []engine.Epilogue{{}}
	f, ok := g.engine.(engine.Fuser)
	for _, e := range []engine.Epilogue{{Bias: true}, {ReLU: true}, {Bias: true, ReLU: true}} {
		if ok && f.Fuses(e) {
			all = append(all, e)
		}
	}
	return all
}

// matMulTable has every transposition with every epilogue, at a size that is divided among workers;
// the dense layers of LeNet, forward and backward; products of no terms; and every edge in each
// position.
func matMulTable(g *gen) []trial {
	var all []trial
	add := func(c matMulCase) { all = append(all, g.matMul(c)) }
	for _, ep := range g.epilogues() {
		for i := range 4 {
			op := engine.MatMul{TransA: i&1 == 1, TransB: i&2 == 2, Epilogue: ep}
			add(matMulCase{m: 67, k: 129, p: 83, dtype: shape.Float32, op: op})
			add(matMulCase{m: 13, k: 33, p: 17, dtype: shape.Float64, op: op})
			add(matMulCase{m: 5, k: 0, p: 9, dtype: shape.Float32, op: op})
		}
	}
	for _, layer := range [][2]int{{400, 120}, {120, 84}, {84, 10}} {
		in, out := layer[0], layer[1]
		add(matMulCase{m: 64, k: in, p: out, dtype: shape.Float32, op: engine.MatMul{TransB: true}})
		add(matMulCase{m: 64, k: out, p: in, dtype: shape.Float32})
		add(matMulCase{m: out, k: 64, p: in, dtype: shape.Float32, op: engine.MatMul{TransA: true}})
	}
	for i, n := range edges {
		op := engine.MatMul{TransA: i&1 == 1, TransB: i&2 == 2, Epilogue: pick(g, g.epilogues()...)}
		for _, d := range []shape.DType{shape.Float32, shape.Float64} {
			add(matMulCase{m: n, k: 19, p: 5, dtype: d, op: op})
			add(matMulCase{m: 6, k: n, p: 18, dtype: d, op: op})
			add(matMulCase{m: 7, k: 13, p: n, dtype: d, op: op})
			add(matMulCase{m: n, k: n, p: 1, dtype: d, op: op})
			add(matMulCase{m: 1, k: n, p: n, dtype: d, op: op})
		}
	}
	add(matMulCase{batchA: []int{3, 2}, batchB: []int{3, 2}, m: 7, k: 5, p: 3, dtype: shape.Float32})
	return all
}

func randomMatMul(g *gen) trial {
	c := matMulCase{m: g.extent(65), k: g.extent(129), p: g.extent(65), dtype: pick(g, floats...)}
	c.op = engine.MatMul{TransA: g.bool(), TransB: g.bool(), Epilogue: pick(g, g.epilogues()...)}
	batch := make([]int, g.IntN(3))
	for i := range batch {
		batch[i] = g.extent(4)
	}
	c.batchA, c.batchB = batch, batch
	switch g.IntN(4) {
	case 0:
		c.batchA = nil
	case 1:
		c.batchB = nil
	}
	return g.matMul(c)
}
