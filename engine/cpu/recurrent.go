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

// recurrent is a recurrent layer of known extents: of t steps of n rows and h units. A step is a
// product with the weights, of which a panel has some units of all gates, and what follows for these
// units, while the product is in the cache.
type recurrent[T shape.Float] struct {
	n, t, h int
	product *gemm.Steps[T]
	rows    int                                                               // of a task, which goes through all steps, unless
	shared  bool                                                              // the panels of each step are the tasks
	panel   func(c *engine.Call, w []T, t int, p gemm.StepsPanel, lo, hi int) // of step t, for some rows
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
	work, runs := r.tasks(e, clock, packed, backwards)
	packs := r.packs(e, func(c *engine.Call) (w, form []T) { return engine.Slice[T](c.In[weights]), packing.of(c, 0) })
	bound := engine.Bound{By: name, Alg: "steps", Scratch: int(*l), Serial: work.serial() && packs.serial(), Kernel: func(c *engine.Call) error {
		if elements > 0 && !c.Packed.Valid() && r.n > 0 {
			packs.run(c)
		}
		for i := range runs {
			clock.of(c, 0)[0] = int64(i)
			work.run(c)
		}
		return nil
	}}
	if elements > 0 {
		ahead := r.packs(e, func(c *engine.Call) (w, form []T) {
			return engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0].At(0, shape.DTypeOf[T](), elements))
		})
		bytes := elements * shape.DTypeOf[T]().Width()
		bound.Packing = engine.Packing{In: weights, Bytes: bytes, Form: form, Rest: int(rest), Replaces: true, Kernel: ahead.kernel()}
	}
	return bound
}

// tasks returns the loop over the tasks of all steps, or of one that the clock says, and how often it
// runs.
func (r *recurrent[T]) tasks(e Engine, clock region[int64], packed func(c *engine.Call) []T, backwards bool) (work *loop, runs int) {
	at := func(i int) int {
		if backwards {
			return r.t - 1 - i
		}
		return i
	}
	op, panels := r.product.StepsOp, r.product.Panels()
	if r.shared {
		return e.newLoop(panels, r.cost(r.n, op)/panels, func(c *engine.Call, _, lo, hi int) {
			w, t := packed(c), at(int(clock.of(c, 0)[0]))
			for p := lo; p < hi; p++ {
				r.panel(c, w, t, r.product.Panel(p), 0, r.n)
			}
		}), r.t
	}
	tasks := (r.n + r.rows - 1) / r.rows
	return e.newLoop(tasks, r.t*r.cost(r.rows, op), func(c *engine.Call, _, lo, hi int) {
		w, end := packed(c), min(hi*r.rows, r.n)
		for i := range r.t {
			for p := range panels {
				r.panel(c, w, at(i), r.product.Panel(p), lo*r.rows, end)
			}
		}
	}), 1
}

// packs is the loop that packs the weights.
func (r *recurrent[T]) packs(e Engine, of func(c *engine.Call) (w, form []T)) *loop {
	op := r.product.StepsOp
	return e.newLoop(r.product.Panels(), op.Groups*op.Units*op.K/4/r.product.Panels(), func(c *engine.Call, _, lo, hi int) {
		w, form := of(c)
		for p := lo; p < hi; p++ {
			r.product.Pack(r.product.Panel(p), w, form)
		}
	})
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

// recurrence is a layer bound.
type recurrence[T shape.Float] struct {
	*recurrent[T]
	engine.Recurrence
	e                Engine
	products, biases region[T]
	at               planesAt[T]
	second           int // where the plane after h is, if that is where Gates' planes begin
}

func bindRecurrence[T shape.Float](e Engine, of engine.Recurrence, in []engine.Operand) engine.Bound {
	n, t, h, planes := in[0].Int(0), in[0].Int(1), in[1].Int(1), of.Cell.Planes()
	f := &recurrence[T]{Recurrence: of, e: e, second: (of.Cell.States() - 1) * h}
	f.recurrent = newRecurrent[T](e, n, t, h, gemm.StepsOp{Groups: of.Cell.Gates(), Units: h, K: h, TransB: true})
	f.panel = f.step
	var l layout
	f.products, f.biases = reserve[T](&l, 1, n*f.product.Columns()), reserve[T](&l, 1, f.product.Columns())
	f.at = planesAt[T]{planes: planes * h, steps: t}
	if of.Kept != engine.Everything {
		f.at.scratch = reserve[T](&l, 1, 2*n*planes*h)
	}
	b := f.bound(e, &l, len(in)-2, false)
	steps := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		f.product.PackBias(engine.Slice[T](c.In[len(c.In)-1]), f.biases.of(c, 0))
		return steps(c)
	}
	return b
}

// step computes the units of a panel for rows lo to hi.
func (f *recurrence[T]) step(c *engine.Call, w []T, t int, p gemm.StepsPanel, lo, hi int) {
	before, prev := stepsOf[T](c.In[1], lo, 0, 1, f.h), stepsOf[T](c.In[f.Cell.States()], lo, 0, 1, f.h)
	if t > 0 {
		before = f.at.from(c, lo, t-1)
		prev = on(before, f.second)
	}
	pre := f.products.of(c, 0)[f.product.In(p, f.n, lo):f.product.In(p, f.n, hi)]
	f.product.Mul(p, hi-lo, before.V, before.Row, w, pre, f.biases.of(c, 0))
	gates, now := f.Cell.Gates(), f.at.from(c, lo, t)
	s := vec.Gates[T]{
		Rows: hi - lo, N: p.End - p.First, Stride: f.h, Pitch: p.Width,
		Pre: vec.Rows[T]{V: pre, Row: gates * p.Width}, X: on(stepsOf[T](c.In[0], lo, t, f.t, gates*f.h), p.First),
		Prev: on(prev, p.First), H: on(now, p.First), Planes: on(now, f.second+p.First),
	}
	if f.Cell == engine.GRU {
		vec.GRU(f.e.simd.Vec, &s)
	} else {
		vec.LSTM(f.e.simd.Vec, &s)
	}
	switch {
	case f.Kept == engine.HiddenStates:
		copyRows(on(stepsOf[T](c.Out[0], lo, t, f.t, f.h), p.First), s.H, s.Rows, s.N)
	case f.Kept == engine.LastHidden && t == f.t-1:
		copyRows(on(stepsOf[T](c.Out[0], lo, 0, 1, f.h), p.First), s.H, s.Rows, s.N)
	}
}

// copyRows copies n elements of each row.
func copyRows[T shape.Float](dst, src vec.Rows[T], rows, n int) {
	for i := range rows {
		copy(dst.V[i*dst.Row:][:n], src.V[i*src.Row:])
	}
}
