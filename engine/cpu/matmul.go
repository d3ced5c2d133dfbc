package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// Fuses implements [engine.Fuser]: products and convolutions take in every epilogue.
func (Engine) Fuses(engine.Epilogue) bool { return true }

// BindMatMul implements [engine.MatMuler].
func (e Engine) BindMatMul(m engine.MatMul, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	switch {
	case sameDType(out.DType, engine.Types(in)) && out.DType == shape.Float32:
		b := bindMatMul[float32](e, m, in, out)
		b.Narrow = e.narrow(productsOf(m, in[0].Type, in[1].Type, out.Type), m.Epilogue)
		return b, nil
	case sameDType(out.DType, engine.Types(in)) && out.DType == shape.Float64:
		return bindMatMul[float64](e, m, in, out), nil
	}
	return e.Engine.BindMatMul(m, in, out)
}

// products are a batch of products of one kind.
type products struct {
	batch   int
	op      gemm.Op
	a, b, c int // elements from one batch to the next
}

func productsOf(m engine.MatMul, a, b, out shape.Type) products {
	p := products{batch: 1, op: gemm.Op{M: out.Int(-2), N: out.Int(-1), K: a.Int(-1), TransA: m.TransA, TransB: m.TransB}}
	if m.TransA {
		p.op.K = a.Int(-2)
	}
	if m.Epilogue.Bias {
		p.op.Bias = isa.ColBias
	}
	p.op.Act = activation(m.Epilogue)
	for i := range out.Rank() - 2 {
		p.batch *= out.Int(i)
	}
	if b.Rank() == 2 && !m.TransA { // then the rows of all batches are those of one product
		p.op.M *= p.batch
		p.batch = 1
	}
	p.c = p.op.M * p.op.N
	if a.Rank() > 2 {
		p.a = p.op.M * p.op.K
	}
	if b.Rank() > 2 {
		p.b = p.op.K * p.op.N
	}
	return p
}

func bindMatMul[T shape.Float](e Engine, m engine.MatMul, in []engine.Operand, out engine.Operand) engine.Bound {
	p := productsOf(m, in[0].Type, in[1].Type, out.Type)
	multiply := func(c *engine.Call, pool *par.Pool, i int, scratch []T) {
		a, b, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.Out[0])
		gemm.Mul(e.simd.Gemm, pool, p.op, a[i*p.a:], b[i*p.b:], y[i*p.c:], bias[T](c, m.Epilogue), scratch)
	}
	n := gemm.Scratch[T](e.simd.Gemm, p.op)
	var l layout
	bound := engine.Bound{By: name, Alg: "gemm"}
	if elements, form := gemm.Packing[T](e.simd.Gemm, p.op); p.batch == 1 && elements > 0 {
		return bindPacked[T](e, p.op, m.Epilogue, elements, form)
	}
	if p.batch <= 1 || gemmCost(p.op) > sharedGemm {
		scratch, pool := reserve[T](&l, 1, n), e.pool
		if bound.Serial = p.batch*gemmCost(p.op) <= chunkWork/2; bound.Serial {
			pool = nil
		}
		bound.Kernel = func(c *engine.Call) error {
			for i := range p.batch {
				multiply(c, pool, i, scratch.of(c, 0))
			}
			return nil
		}
	} else {
		var scratch region[T]
		batches := e.newLoop(p.batch, gemmCost(p.op), func(c *engine.Call, slot, lo, hi int) {
			for i := lo; i < hi; i++ {
				multiply(c, nil, i, scratch.of(c, slot))
			}
		})
		scratch = reserve[T](&l, batches.slots, n)
		bound.Kernel = batches.kernel()
	}
	bound.Scratch = int(l)
	return bound
}

// bindPacked is a product of few rows by a large matrix, which can be packed once: weights take
// twice their memory then.
func bindPacked[T shape.Float](e Engine, op gemm.Op, ep engine.Epilogue, elements int, form gemm.Form) engine.Bound {
	var l layout
	scratch := reserve[T](&l, 1, gemm.Scratch[T](e.simd.Gemm, op))
	packed := func(b engine.Buffer) []T { return engine.Slice[T](b.At(0, shape.DTypeOf[T](), elements)) }
	return engine.Bound{
		By: name, Alg: "gemm", Scratch: int(l),
		Kernel: func(c *engine.Call) error {
			a, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0])
			if c.Packed.Valid() {
				gemm.MulPacked(e.simd.Gemm, e.pool, op, a, packed(c.Packed), y, bias[T](c, ep))
			} else {
				gemm.Mul(e.simd.Gemm, e.pool, op, a, engine.Slice[T](c.In[1]), y, bias[T](c, ep), scratch.of(c, 0))
			}
			return nil
		},
		Packing: engine.Packing{
			In: 1, Bytes: elements * shape.DTypeOf[T]().Width(), Form: form, Replaces: true,
			Kernel: func(c *engine.Call) error {
				gemm.Pack(e.simd.Gemm, e.pool, op, engine.Slice[T](c.In[0]), packed(c.Out[0]))
				return nil
			},
		},
	}
}

// bias returns the input that holds the bias, the third, or nil.
func bias[T shape.Float](c *engine.Call, e engine.Epilogue) []T {
	if !e.Bias {
		return nil
	}
	return engine.Slice[T](c.In[2])
}

// sharedGemm is the time from which on a product is shared out itself, rather than its batch.
const sharedGemm = 200_000

// gemmCost is about the time of a product on one processor, in nanoseconds: of multiplying or, where one factor has few rows
// or columns, of reading the other one.
func gemmCost(op gemm.Op) int { return 100 + max(op.M*op.N*op.K/40, (op.M+op.N)*op.K/6) }
