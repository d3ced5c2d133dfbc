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

// planesAt is where the planes of the steps are: in the result, or, of two steps in turn, in scratch
// memory.
type planesAt[T shape.Float] struct {
	planes, steps int
	scratch       region[T] // of two steps of all rows; or nothing
}

// from returns step t from a row on.
func (p *planesAt[T]) from(c *engine.Call, row, t int) vec.Rows[T] {
	if p.scratch.n > 0 {
		return vec.Rows[T]{V: p.scratch.of(c, 0)[(row*2+t&1)*p.planes:], Row: 2 * p.planes}
	}
	return stepsOf[T](c.Out[0], row, t, p.steps, p.planes)
}

// stepsOf returns step t, of width elements, of a tensor (N,T,width), from a row on.
func stepsOf[T shape.Float](b engine.Buffer, row, t, steps, width int) vec.Rows[T] {
	return vec.Rows[T]{V: engine.Slice[T](b)[(row*steps+t)*width:], Row: steps * width}
}

// on returns rows from element i on.
func on[T shape.Float](r vec.Rows[T], i int) vec.Rows[T] { return vec.Rows[T]{V: r.V[i:], Row: r.Row} }

func bindRecurrence[T shape.Float](e Engine, of engine.Recurrence, in []engine.Operand) engine.Bound {
	n, t, h, gates := in[0].Int(0), in[0].Int(1), in[1].Int(1), of.Cell.Gates()
	r := newRecurrent[T](e, n, t, h, gemm.StepsOp{Groups: gates, Units: h, K: h, TransB: true})
	var l layout
	products, biases := reserve[T](&l, 1, n*r.product.Columns()), reserve[T](&l, 1, r.product.Columns())
	at := planesAt[T]{planes: of.Cell.Planes() * h, steps: t}
	if of.Kept != engine.Everything {
		at.scratch = reserve[T](&l, 1, 2*n*at.planes)
	}
	second := (of.Cell.States() - 1) * h // the planes of an LSTM are those after h
	r.panel = func(c *engine.Call, b []T, t int, p gemm.StepsPanel, lo, hi int) {
		if lo == hi {
			return
		}
		before, prev := stepsOf[T](c.In[1], lo, 0, 1, h), stepsOf[T](c.In[of.Cell.States()], lo, 0, 1, h)
		if t > 0 {
			before = at.from(c, lo, t-1)
			prev = on(before, second)
		}
		pre := products.of(c, 0)[r.product.In(p, n, lo):r.product.In(p, n, hi)]
		r.product.Mul(p, hi-lo, before.V, before.Row, b, pre, biases.of(c, 0))
		now := at.from(c, lo, t)
		s := vec.Gates[T]{Rows: hi - lo, N: p.End - p.First, Stride: h, Pitch: p.Width, Pre: vec.Rows[T]{V: pre, Row: gates * p.Width},
			X: on(stepsOf[T](c.In[0], lo, t, r.t, gates*h), p.First), Prev: on(prev, p.First), H: on(now, p.First), Planes: on(now, second+p.First)}
		if of.Cell == engine.GRU {
			vec.GRU(e.simd.Vec, &s)
		} else {
			vec.LSTM(e.simd.Vec, &s)
		}
		var kept vec.Rows[T]
		switch {
		case of.Kept == engine.HiddenStates:
			kept = stepsOf[T](c.Out[0], lo, t, r.t, h)
		case of.Kept == engine.LastHidden && t == r.t-1:
			kept = stepsOf[T](c.Out[0], lo, 0, 1, h)
		default:
			return
		}
		for row := range hi - lo {
			copy(kept.V[row*kept.Row+p.First:][:s.N], s.H.V[row*s.H.Row:])
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
	from := 0 // where the adjoints of what goes through w begin
	if of.Cell == engine.GRU {
		from = h
	}
	cells, inner, next := 0, 0, 1 // numbers of inputs; the planes are the next one, and then the state
	if of.Cells {
		cells, next = next, next+1
	}
	if of.Inner {
		inner, next = next, next+1
	}
	planes, second := of.Cell.Planes()*h, (of.Cell.States()-1)*h
	r.panel = func(c *engine.Call, b []T, t int, p gemm.StepsPanel, lo, hi int) {
		if lo == hi {
			return
		}
		product := through.of(c, 0)[r.product.In(p, n, lo):r.product.In(p, n, hi)]
		carry := carries.of(c, 0)[lo*h+p.First:]
		if t < r.t-1 {
			after := at.from(c, lo, t+1)
			r.product.Mul(p, hi-lo, after.V[from:], after.Row, b, product, nil)
		} else {
			clear(product)
			for row := range hi - lo {
				clear(carry[row*h:][:p.End-p.First])
			}
		}
		input := func(i, width int) vec.Rows[T] { return on(stepsOf[T](c.In[i], lo, t, r.t, width), p.First) }
		s := vec.GateGrads[T]{Rows: hi - lo, N: p.End - p.First, Stride: h, DH: vec.Rows[T]{V: product, Row: p.Width}, DY: input(0, h),
			DC: vec.Rows[T]{V: zeros.of(c, 0)[p.First:]}, Planes: on(input(next, planes), second), Prev: on(stepsOf[T](c.In[next+1], lo, 0, 1, h), p.First),
			Carry: vec.Rows[T]{V: carry, Row: h}, Out: on(at.from(c, lo, t), p.First)}
		if cells > 0 {
			s.DC = input(cells, h)
		}
		if inner > 0 {
			s.Inner = input(inner, 4*h)
		}
		if t > 0 {
			s.Prev = on(stepsOf[T](c.In[next], lo, t-1, r.t, planes), second+p.First)
		}
		if of.Cell == engine.GRU {
			vec.GRUGrad(e.simd.Vec, &s)
		} else {
			vec.LSTMGrad(e.simd.Vec, &s)
		}
		for row := range hi - lo {
			if !of.Brief {
				copy(s.Out.V[row*s.Out.Row+4*h:][:s.N], carry[row*h:])
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
