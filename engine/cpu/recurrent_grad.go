package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

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

// recurrenceGrad is a gradient bound.
type recurrenceGrad[T shape.Float] struct {
	*recurrent[T]
	engine.RecurrenceGrad
	e                       Engine
	through, carries, zeros region[T]
	at                      planesAt[T]
	cells, inner, saved     int // inputs; 0 if absent
	second                  int // where the planes begin that vec knows
	first                   int // where the adjoints of what goes through w begin
}

func bindRecurrenceGrad[T shape.Float](e Engine, of engine.RecurrenceGrad, in []engine.Operand) engine.Bound {
	n, t, h := in[0].Int(0), in[0].Int(1), in[0].Int(2)
	g := &recurrenceGrad[T]{RecurrenceGrad: of, e: e, saved: 1, second: (of.Cell.States() - 1) * h}
	g.recurrent = newRecurrent[T](e, n, t, h, gemm.StepsOp{Groups: 1, Units: h, K: of.Cell.Gates() * h})
	g.panel = g.step
	if of.Cells {
		g.cells, g.saved = g.saved, g.saved+1
	}
	if of.Inner {
		g.inner, g.saved = g.saved, g.saved+1
	}
	if of.Cell == engine.GRU {
		g.first = h
	}
	g.at = planesAt[T]{planes: 5 * h, steps: t}
	if of.Brief {
		g.at.planes = 4 * h
	}
	var l layout
	g.through, g.carries, g.zeros = reserve[T](&l, 1, n*g.product.Columns()), reserve[T](&l, 1, n*h), reserve[T](&l, 1, h)
	b := g.bound(e, &l, len(in)-1, true)
	steps := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		clear(g.zeros.of(c, 0))
		clear(g.carries.of(c, 0))
		return steps(c)
	}
	return b
}

// step computes the units of a panel for rows lo to hi.
func (g *recurrenceGrad[T]) step(c *engine.Call, w []T, t int, p gemm.StepsPanel, lo, hi int) {
	through := g.through.of(c, 0)[g.product.In(p, g.n, lo):g.product.In(p, g.n, hi)]
	if t < g.t-1 {
		after := on(g.at.from(c, lo, t+1), g.first)
		g.product.Mul(p, hi-lo, after.V, after.Row, w, through, nil)
	} else {
		clear(through)
	}
	input := func(i, width int) vec.Rows[T] { return on(stepsOf[T](c.In[i], lo, t, g.t, width), p.First) }
	planes := g.Cell.Planes() * g.h
	s := vec.GateGrads[T]{
		Rows: hi - lo, N: p.End - p.First, Stride: g.h,
		DH: vec.Rows[T]{V: through, Row: p.Width}, DY: input(0, g.h), DC: vec.Rows[T]{V: g.zeros.of(c, 0)[p.First:]},
		Planes: on(input(g.saved, planes), g.second), Prev: on(stepsOf[T](c.In[g.saved+1], lo, 0, 1, g.h), p.First),
		Carry: vec.Rows[T]{V: g.carries.of(c, 0)[lo*g.h+p.First:], Row: g.h}, Out: on(g.at.from(c, lo, t), p.First),
	}
	if g.cells > 0 {
		s.DC = input(g.cells, g.h)
	}
	if g.inner > 0 {
		s.Inner = input(g.inner, 4*g.h)
	}
	if t > 0 {
		s.Prev = on(stepsOf[T](c.In[g.saved], lo, t-1, g.t, planes), g.second+p.First)
	}
	if g.Cell == engine.GRU {
		vec.GRUGrad(g.e.simd.Vec, &s)
	} else {
		vec.LSTMGrad(g.e.simd.Vec, &s)
	}
	if !g.Brief {
		copyRows(on(s.Out, 4*g.h), s.Carry, s.Rows, s.N)
	}
}
