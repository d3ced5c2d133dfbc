package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// BindRecurrence implements [engine.Recurrer].
func (e Engine) BindRecurrence(of engine.Recurrence, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindRecurrence(of, in, out)
	if err != nil {
		return b, err
	}
	if out.DType == shape.Float64 {
		return bindRecurrence[float64](e, of, in), nil
	}
	return bindRecurrence[float32](e, of, in), nil
}

// BindRecurrenceGrad implements [engine.Recurrer].
func (e Engine) BindRecurrenceGrad(of engine.RecurrenceGrad, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindRecurrenceGrad(of, in, out)
	if err != nil {
		return b, err
	}
	if out.DType == shape.Float64 {
		return bindRecurrenceGrad[float64](e, of, in), nil
	}
	return bindRecurrenceGrad[float32](e, of, in), nil
}

// recurrent is a recurrent layer of known extents: of t steps of n rows and h units. A step is a
// product with the weights, of which a panel has some units of all gates, and what follows for these
// units, while the product is in the cache.
type recurrent[T shape.Float] struct {
	n, t, h int
	product *gemm.Steps[T]
	rows    int  // of a task, which goes through all steps, unless
	shared  bool // the panels of each step are the tasks
	panel   func(c *engine.Call, b []T, t int, p gemm.StepsPanel, lo, hi int)
}

const (
	// sharedStep is the time from which on the panels of a step are shared out, in nanoseconds: its end
	// is a barrier.
	sharedStep = 16_000
	// stepRows is how many rows a task has at least, so that it reads the weights for more than one.
	stepRows = 8
)

// newRecurrent plans the products, of op.K terms, for n rows.
func newRecurrent[T shape.Float](e Engine, n, t, h int, op gemm.StepsOp) *recurrent[T] {
	r := &recurrent[T]{n: n, t: t, h: h, rows: max(n, 1)}
	op.M = n
	step := r.cost(n, op)
	if r.product = gemm.StepsOf[T](e.simd.Gemm, op); step >= sharedStep && r.product.Panels() > 1 {
		r.shared = true
		return r
	}
	if n >= 2*stepRows {
		r.rows, op.M = stepRows, stepRows
		r.product = gemm.StepsOf[T](e.simd.Gemm, op)
	}
	return r
}

// cost is about the time of a step of m rows, in nanoseconds.
func (r *recurrent[T]) cost(m int, op gemm.StepsOp) int {
	return 500 + m*op.Groups*op.Units*op.K/50 + m*r.h*2
}

// bound returns the kernel. It goes through the steps forwards or backwards. Input weights has the
// weights, and l what is reserved.
func (r *recurrent[T]) bound(e Engine, l *layout, weights int, backwards bool) engine.Bound {
	clock := reserve[int64](l, 1, 1)
	rest := *l
	elements, form := r.product.Packing()
	packing := reserve[T](l, 1, elements)
	packed := func(c *engine.Call) []T {
		switch {
		case elements == 0:
			return engine.Slice[T](c.In[weights])
		case c.Packed.Valid():
			return engine.Slice[T](c.Packed.At(0, shape.DTypeOf[T](), elements))
		}
		return packing.of(c, 0)
	}
	at := func(i int) int {
		if backwards {
			return r.t - 1 - i
		}
		return i
	}
	var work *loop
	steps := 1
	if panels, op := r.product.Panels(), r.product.StepsOp; r.shared {
		steps = r.t
		work = e.newLoop(panels, r.cost(r.n, op)/panels, func(c *engine.Call, _, lo, hi int) {
			b, t := packed(c), at(int(clock.of(c, 0)[0]))
			for p := lo; p < hi; p++ {
				r.panel(c, b, t, r.product.Panel(p), 0, r.n)
			}
		})
	} else {
		tasks := (r.n + r.rows - 1) / r.rows
		work = e.newLoop(tasks, r.t*r.cost(r.rows, op), func(c *engine.Call, _, lo, hi int) {
			b, end := packed(c), min(hi*r.rows, r.n)
			for i := range r.t {
				for p := range panels {
					r.panel(c, b, at(i), r.product.Panel(p), lo*r.rows, end)
				}
			}
		})
	}
	bound := engine.Bound{By: name, Alg: "steps", Scratch: int(*l), Serial: work.serial(), Kernel: func(c *engine.Call) error {
		if elements > 0 && !c.Packed.Valid() && r.n > 0 {
			r.product.Pack(engine.Slice[T](c.In[weights]), packing.of(c, 0))
		}
		for i := range steps {
			clock.of(c, 0)[0] = int64(i)
			work.run(c)
		}
		return nil
	}}
	if elements > 0 {
		width := shape.DTypeOf[T]().Width()
		bound.Packing = engine.Packing{In: weights, Bytes: elements * width, Form: form, Rest: int(rest), Replaces: true,
			Kernel: func(c *engine.Call) error {
				r.product.Pack(engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0].At(0, shape.DTypeOf[T](), elements)))
				return nil
			}}
	}
	return bound
}

// planesAt is where the planes of the steps of a row are: in the result, or, of two steps in turn, in
// scratch memory.
type planesAt[T shape.Float] struct {
	planes, steps int
	scratch       region[T] // used if steps is 2
}

func (p *planesAt[T]) of(c *engine.Call, row, t int) []T {
	if p.scratch.n > 0 {
		return p.scratch.of(c, 0)[(row*2+t&1)*p.planes:][:p.planes]
	}
	return engine.Slice[T](c.Out[0])[(row*p.steps+t)*p.planes:][:p.planes]
}

// stride is the distance from a row's planes to the next one's.
func (p *planesAt[T]) stride() int {
	if p.scratch.n > 0 {
		return 2 * p.planes
	}
	return p.steps * p.planes
}

// all is the memory from the planes of step t of a row on.
func (p *planesAt[T]) all(c *engine.Call, row, t int) []T {
	if p.scratch.n > 0 {
		return p.scratch.of(c, 0)[(row*2+t&1)*p.planes:]
	}
	return engine.Slice[T](c.Out[0])[(row*p.steps+t)*p.planes:]
}

func bindRecurrence[T shape.Float](e Engine, of engine.Recurrence, in []engine.Operand) engine.Bound {
	n, t, h, gates := in[0].Int(0), in[0].Int(1), in[1].Int(1), of.Cell.Gates()
	r := newRecurrent[T](e, n, t, h, gemm.StepsOp{Groups: gates, Units: h, K: h, TransB: true})
	var l layout
	products, biases := reserve[T](&l, 1, n*r.product.Columns()), reserve[T](&l, 1, r.product.Columns())
	at := planesAt[T]{planes: of.Cell.Planes() * h, steps: t}
	if of.Kept != engine.Everything {
		at.scratch = reserve[T](&l, 1, 2*n*at.planes)
	}
	states, step := of.Cell.States(), vec.LSTM[T]
	if of.Cell == engine.GRU {
		step = vec.GRU[T]
	}
	r.panel = func(c *engine.Call, b []T, t int, p gemm.StepsPanel, lo, hi int) {
		x, pre := engine.Slice[T](c.In[0]), products.of(c, 0)
		before, ldh := engine.Slice[T](c.In[1])[lo*h:], h
		if t > 0 {
			before, ldh = at.all(c, lo, t-1), at.stride()
		}
		r.product.Mul(p, hi-lo, before, ldh, b, pre[r.product.In(p, n, lo):r.product.In(p, n, hi)], biases.of(c, 0))
		first := p.First
		for row := lo; row < hi; row++ {
			now := at.of(c, row, t)
			s := vec.Gates[T]{N: p.End - first, Stride: h, Pitch: p.Width, Pre: pre[r.product.In(p, n, row):], X: x[(row*r.t+t)*gates*h+first:], H: now[first:]}
			s.Planes = now[(states-1)*h+first:]
			if t > 0 {
				s.Prev = at.of(c, row, t-1)[(states-1)*h+first:]
			} else {
				s.Prev = engine.Slice[T](c.In[states])[row*h+first:]
			}
			step(e.simd.Vec, s)
			switch {
			case of.Kept == engine.HiddenStates:
				copy(engine.Slice[T](c.Out[0])[(row*r.t+t)*h+first:], s.H[:s.N])
			case of.Kept == engine.LastHidden && t == r.t-1:
				copy(engine.Slice[T](c.Out[0])[row*h+first:], s.H[:s.N])
			}
		}
	}
	b := r.bound(e, &l, len(in)-2, false)
	kernel := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		r.product.PackBias(engine.Slice[T](c.In[len(c.In)-1]), biases.of(c, 0))
		return kernel(c)
	}
	return b
}

func bindRecurrenceGrad[T shape.Float](e Engine, of engine.RecurrenceGrad, in []engine.Operand) engine.Bound {
	n, t, h, gates := in[0].Int(0), in[0].Int(1), in[0].Int(2), of.Cell.Gates()
	r := newRecurrent[T](e, n, t, h, gemm.StepsOp{Groups: 1, Units: h, K: gates * h})
	var l layout
	through, carries, zeros := reserve[T](&l, 1, n*r.product.Columns()), reserve[T](&l, 1, n*h), reserve[T](&l, 1, h)
	at := planesAt[T]{planes: 5 * h, steps: t}
	if of.Brief {
		at.planes = 4 * h
	}
	step, from := vec.LSTMGrad[T], 0
	if of.Cell == engine.GRU {
		step, from = vec.GRUGrad[T], h
	}
	cells, inner, next := -1, -1, 1
	if of.Cells {
		cells, next = next, next+1
	}
	if of.Inner {
		inner, next = next, next+1
	}
	planes, states := of.Cell.Planes()*h, of.Cell.States()
	saved, state := next, next+1
	r.panel = func(c *engine.Call, b []T, t int, p gemm.StepsPanel, lo, hi int) {
		first := p.First
		product, carry := through.of(c, 0), carries.of(c, 0)
		if t < r.t-1 {
			r.product.Mul(p, hi-lo, at.all(c, lo, t+1)[from:], at.stride(), b, product[r.product.In(p, n, lo):r.product.In(p, n, hi)], nil)
		}
		for row := lo; row < hi; row++ {
			i, here := row*r.t+t, row*h+first
			out := at.of(c, row, t)
			s := vec.GateGrads[T]{N: p.End - first, Stride: h, DH: product[r.product.In(p, n, row):], DY: engine.Slice[T](c.In[0])[i*h+first:], DC: zeros.of(c, 0)[first:],
				Planes: engine.Slice[T](c.In[saved])[i*planes+(states-1)*h+first:], Carry: carry[here:], Out: out[first:]}
			if cells >= 0 {
				s.DC = engine.Slice[T](c.In[cells])[i*h+first:]
			}
			if inner >= 0 {
				s.Inner = engine.Slice[T](c.In[inner])[i*4*h+first:]
			}
			if t > 0 {
				s.Prev = engine.Slice[T](c.In[saved])[(i-1)*planes+(states-1)*h+first:]
			} else {
				s.Prev = engine.Slice[T](c.In[state])[here:]
			}
			if t == r.t-1 {
				clear(s.DH[:s.N])
				clear(s.Carry[:s.N])
			}
			step(e.simd.Vec, s)
			if !of.Brief {
				copy(out[4*h+first:], s.Carry[:s.N])
			}
		}
	}
	b := r.bound(e, &l, len(in)-1, true)
	kernel := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		clear(zeros.of(c, 0))
		return kernel(c)
	}
	return b
}
