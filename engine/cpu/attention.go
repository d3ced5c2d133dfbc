package cpu

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/attention"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.Attender = Engine{}

// heads are attention of known extents, of so many heads. A head is cut up into parts of queries
// where there are few heads.
type heads struct {
	engine.Attention
	op     attention.Op
	count  int
	parts  parts
	mask   grid // where heads begin in the mask
	row    int  // of the mask, from a query to the next
	col    int  // and from a key to the next
	maskIn int  // which input it is
}

// manyHeads is how many heads there must be for each to be one task.
const manyHeads = 8

// queriesOfPart is how many queries a part has: fewer would share what is done once for a part, the
// packing of keys and values, with too few.
const queriesOfPart = 128

// mostParts bounds what the gradients of keys and values of a head are added up from.
const mostParts = 8

// headsOf takes apart operands that ref has checked, of which so many are floating point.
func headsOf(a engine.Attention, floats int, in []engine.Operand) (h heads) {
	q, k, v := in[0], in[1], in[2]
	h.Attention, h.maskIn, h.count = a, floats, 1
	h.op = attention.Op{L: q.Int(-2), S: k.Int(-2), E: q.Int(-1), V: v.Int(-1), Scale: a.Scale, Causal: a.Causal}
	for i := range q.Rank() - 2 {
		h.count *= q.Int(i)
	}
	most := h.op.L
	if h.count < manyHeads {
		most = max(queriesOfPart, isa.Ceil(h.op.L, mostParts))
	}
	h.parts = partsOf(h.op.L, most)
	if !a.Masked {
		return h
	}
	m, scores := in[floats], q.With(-1, k.Dim(-2))
	strides := m.Strides()
	stride := func(i int) int {
		if j := i - (scores.Rank() - m.Rank()); j >= 0 && m.Int(j) != 1 {
			return strides[j]
		}
		return 0
	}
	for i := range scores.Rank() - 2 {
		h.mask.add(scores.Int(i), stride(i))
	}
	h.row, h.col = stride(scores.Rank()-2), stride(scores.Rank()-1)
	return h
}

// restricted reports whether some keys that are read are not for every query.
func (h *heads) restricted() bool { return h.Causal || h.Masked }

// now returns the op of a call.
func (h *heads) now(c *engine.Call) attention.Op {
	op := h.op
	op.Keys = op.S
	if h.Counted {
		op.Keys = min(max(int(engine.Slice[int32](c.In[len(c.In)-1])[0]), 0), op.S)
		op.Shift = op.Keys - op.L
	}
	return op
}

// headOf returns the operands of a head; dy is there for gradients.
func headOf[T isa.Float](h *heads, c *engine.Call, i int) (o attention.Head[T]) {
	of := func(in, rows, width int) []T { return nth(engine.Slice[T](c.In[in]), i, rows*width) }
	o.Q, o.K, o.V = of(0, h.op.L, h.op.E), of(1, h.op.S, h.op.E), of(2, h.op.S, h.op.V)
	if h.maskIn == 4 {
		o.DY = of(3, h.op.L, h.op.V)
	}
	if h.Masked {
		o.Allowed, o.AllowedRow, o.AllowedCol = engine.Slice[bool](c.In[h.maskIn])[h.mask.offset(i):], h.row, h.col
	}
	return o
}

// cost is about the time of so many products for a part, in nanoseconds.
func (h *heads) cost(products int) int {
	return 500 + products*h.parts.each*h.op.S*(h.op.E+h.op.V)/80 + h.op.S*(h.op.E+h.op.V)/8
}

// BindAttention implements [engine.Attender].
func (e Engine) BindAttention(a engine.Attention, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindAttention(a, in, out)
	if err != nil || out.Len() == 0 || in[0].Int(-2) == 0 {
		return b, err
	}
	if out.DType == shape.Float64 {
		return bindAttention[float64](e, headsOf(a, 3, in), in)
	}
	return bindAttention[float32](e, headsOf(a, 3, in), in)
}

func bindAttention[T isa.Float](e Engine, h heads, in []engine.Operand) (engine.Bound, error) {
	var work region[T]
	var strange region[bool]
	sum := vectorsOf[T](e.simd).sum
	l := e.newLoop(h.count*h.parts.count, h.cost(2), func(c *engine.Call, slot, lo, hi int) {
		op, flags := h.now(c), strange.of(c, 0)
		for task := lo; task < hi; task++ {
			head := task / h.parts.count
			from, to := h.parts.bounds(task % h.parts.count)
			y := nth(engine.Slice[T](c.Out[0]), head, op.L*op.V)
			attention.Forward(e.simd.Attention, op, from, to, headOf[T](&h, c, head), y, work.of(c, slot))
			flags[task] = h.restricted() && !isNumber(sum(y[from*op.V:to*op.V]))
		}
	})
	plain, err := h.alone(in, e.Engine.BindAttention, h.op.L*h.op.V)
	if err != nil {
		return engine.Bound{}, err
	}
	var m layout
	work = reserve[T](&m, l.slots, attention.Scratch[T](e.simd.Attention, h.op, false))
	strange = reserve[bool](&m, 1, l.n)
	plain.reserve(&m)
	return engine.Bound{By: name, Scratch: int(m), Serial: l.serial(), Kernel: func(c *engine.Call) error {
		l.run(c)
		return plain.mend(c, strange.of(c, 0))
	}}, nil
}

// BindAttentionGrad implements [engine.Attender].
func (e Engine) BindAttentionGrad(a engine.Attention, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindAttentionGrad(a, in, out)
	if err != nil || out.Len() == 0 || in[0].Int(-2) == 0 {
		return b, err
	}
	if out.DType == shape.Float64 {
		return bindAttentionGrad[float64](e, headsOf(a, 4, in), in)
	}
	return bindAttentionGrad[float32](e, headsOf(a, 4, in), in)
}

func bindAttentionGrad[T isa.Float](e Engine, h heads, in []engine.Operand) (engine.Bound, error) {
	keys := h.op.S * h.op.E
	shared, size := keys+h.op.S*h.op.V, h.gradLen() // gradients of keys and values, and all
	more := max(h.parts.count-1, 0)                 // parts, besides the first, whose sums have a place of their own
	var work, partial region[T]
	var strange region[bool]
	of := vectorsOf[T](e.simd)
	l := e.newLoop(h.count*h.parts.count, h.cost(5), func(c *engine.Call, slot, lo, hi int) {
		op := h.now(c)
		for task := lo; task < hi; task++ {
			head, part := task/h.parts.count, task%h.parts.count
			from, to := h.parts.bounds(part)
			grads := nth(engine.Slice[T](c.Out[0]), head, size)
			sums := grads[size-shared:]
			if part > 0 {
				sums = nth(partial.of(c, 0), head*more+part-1, shared)
			}
			g := attention.Grads[T]{Q: grads[:op.L*op.E], K: sums[:keys], V: sums[keys:]}
			attention.Backward(e.simd.Attention, op, from, to, headOf[T](&h, c, head), g, work.of(c, slot))
		}
	})
	join := e.newLoop(h.count, 100+(more*shared+size)/4, func(c *engine.Call, _, lo, hi int) {
		flags := strange.of(c, 0)
		for head := lo; head < hi; head++ {
			grads := nth(engine.Slice[T](c.Out[0]), head, size)
			for part := range more {
				sums := grads[size-shared:]
				of.apply(vec.Add, sums, sums, nth(partial.of(c, 0), head*more+part, shared), 0)
			}
			clear(nth(flags, head, h.parts.count))
			flags[head*h.parts.count] = h.restricted() && !isNumber(of.sum(grads))
		}
	})
	plain, err := h.alone(in, e.Engine.BindAttentionGrad, size)
	if err != nil {
		return engine.Bound{}, err
	}
	var m layout
	work = reserve[T](&m, l.slots, attention.Scratch[T](e.simd.Attention, h.op, true))
	partial = reserve[T](&m, 1, h.count*more*shared)
	strange = reserve[bool](&m, 1, l.n)
	plain.reserve(&m)
	return engine.Bound{By: name, Scratch: int(m), Serial: l.serial() && join.serial(), Kernel: func(c *engine.Call) error {
		l.run(c)
		join.run(c)
		return plain.mend(c, strange.of(c, 0))
	}}, nil
}

// gradLen is how many elements the gradients of a head are.
func (h *heads) gradLen() int { return h.op.L*h.op.E + h.op.S*(h.op.E+h.op.V) }

// isNumber reports whether v is a number.
func isNumber[T isa.Float](v T) bool { return v-v == 0 }

// alone computes single heads by ref's kernel: those with values that are not finite, which products
// with the zeros of keys that a query may not attend to would spread.
type alone struct {
	heads
	in      []engine.Operand
	out     engine.Operand
	bound   engine.Bound
	scratch region[uint8]
	calls   par.Free[engine.Call]
}

// alone binds ref's kernel for one head, of which the result has n elements.
func (h heads) alone(in []engine.Operand, bind func(engine.Attention, []engine.Operand, engine.Operand) (engine.Bound, error), n int) (*alone, error) {
	a := &alone{heads: h}
	for i, o := range in {
		switch {
		case i < h.maskIn:
			o = engine.InRow(o.Of(shape.Of(o.Dim(-2), o.Dim(-1))))
		case h.Masked && i == h.maskIn:
			o = engine.InRow(o.Of(shape.OfInts(extentOf(h.row, h.op.L), extentOf(h.col, h.op.S))))
		}
		a.in = append(a.in, o)
	}
	a.out = engine.InRow(in[0].Of(shape.OfInts(n)))
	var err error
	a.bound, err = bind(h.Attention, a.in, a.out)
	a.calls = par.NewFree(16, func() *engine.Call {
		return &engine.Call{In: make([]engine.Buffer, len(in)), Out: make([]engine.Buffer, 1)}
	})
	return a, err
}

// extentOf is the extent of an axis of the mask, n or 1, that has the stride.
func extentOf(stride, n int) int {
	if stride == 0 {
		return 1
	}
	return n
}

func (a *alone) reserve(m *layout) { a.scratch = reserve[uint8](m, 1, a.bound.Scratch) }

// mend computes the heads of which a part is strange.
func (a *alone) mend(c *engine.Call, strange []bool) error {
	if !a.restricted() {
		return nil
	}
	for head := range a.count {
		if !slices.Contains(nth(strange, head, a.parts.count), true) {
			continue
		}
		if err := a.run(c, head); err != nil {
			return err
		}
	}
	return nil
}

func (a *alone) run(c *engine.Call, head int) error {
	one := a.calls.Take()
	defer a.calls.Give(one)
	one.Out[0] = elementsOf(c.Out[0], a.out, head*a.out.Len())
	for i, o := range a.in {
		at := head * o.Len()
		if i >= a.maskIn {
			at = 0
		}
		if a.Masked && i == a.maskIn {
			at = a.mask.offset(head)
		}
		one.In[i] = elementsOf(c.In[i], o, at)
	}
	one.Scratch = engine.BufferOf(a.scratch.of(c, 0))
	err := a.bound.Kernel(one)
	clear(one.In)
	clear(one.Out)
	one.Scratch = engine.Buffer{}
	return err
}

// elementsOf returns the elements of b from one on that are an operand like o.
func elementsOf(b engine.Buffer, o engine.Operand, at int) engine.Buffer {
	return b.At(at*o.Width(), o.DType, o.Len())
}
