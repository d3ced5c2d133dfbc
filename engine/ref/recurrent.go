package ref

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// recurrent is a recurrent layer of known extents.
type recurrent struct {
	n, t, h int
	cell    engine.Cell
}

// width is the number of elements of a step of some planes.
func (r recurrent) width(planes int) int { return planes * r.h }

// recurrentOf returns the extents of inputs that must have the types of want, by a first one (N,T,_)
// and the weights (_,H).
func recurrentOf(cell engine.Cell, in []engine.Operand, first, weights int) (r recurrent, ok bool) {
	if len(in) <= max(first, weights) || in[first].Rank() != 3 || in[weights].Rank() != 2 {
		return r, false
	}
	r = recurrent{in[first].Int(0), in[first].Int(1), in[weights].Int(1), cell}
	return r, r.t > 0 && r.h > 0
}

func (r recurrent) steps(planes int) shape.Shape { return shape.OfInts(r.n, r.t, r.width(planes)) }
func (r recurrent) state() shape.Shape           { return shape.OfInts(r.n, r.h) }
func (r recurrent) weights() shape.Shape         { return shape.OfInts(r.width(r.cell.Gates()), r.h) }

// fits reports whether the operands are rows of the type of out with these shapes.
func fits(in []engine.Operand, out engine.Operand, want ...shape.Shape) bool {
	if len(in) != len(want) || out.Layout != engine.Rows {
		return false
	}
	for i, o := range in {
		if o.Type != out.Of(want[i]) || o.Layout != engine.Rows {
			return false
		}
	}
	return true
}

// BindRecurrence implements [engine.Recurrer].
func (Engine) BindRecurrence(of engine.Recurrence, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	r, ok := recurrentOf(of.Cell, in, 0, len(in)-2)
	want := []shape.Shape{r.steps(of.Cell.Gates()), r.state(), r.state(), r.weights(), shape.OfInts(r.width(of.Cell.Gates()))}
	if of.Cell == engine.GRU {
		want = append(want[:1], want[2:]...)
	}
	result := [...]shape.Shape{r.steps(of.Cell.Planes()), r.steps(1), shape.OfInts(r.n, 1, r.h)}[of.Kept]
	if !ok || !fits(in, out, want...) || out.Shape != result {
		return unsupported(of.Cell.String(), in)
	}
	var b engine.Bound
	switch out.DType {
	case shape.Float32:
		b = bound(recurrence[float32](r, of))
	case shape.Float64:
		b = bound(recurrence[float64](r, of))
	default:
		return unsupported(of.Cell.String(), in)
	}
	b.Scratch = 2 * r.width(of.Cell.Planes()) * out.DType.Width()
	return b, nil
}

// recurrence goes through the steps of each row. The planes of a step, and of the one before, are in
// scratch memory.
func recurrence[T shape.Float](r recurrent, of engine.Recurrence) engine.Kernel {
	step := lstmStep[T]
	if of.Cell == engine.GRU {
		step = gruStep[T]
	}
	gates, planes := r.width(r.cell.Gates()), r.width(r.cell.Planes())
	return func(c *engine.Call) error {
		x, w, b := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[len(c.In)-2]), engine.Slice[T](c.In[len(c.In)-1])
		both, out := engine.Slice[T](c.Scratch.At(0, shape.DTypeOf[T](), 2*planes)), engine.Slice[T](c.Out[0])
		for n := range r.n {
			before, now := both[:planes], both[planes:]
			for s := range r.cell.States() {
				copy(before[s*r.h:], nth(engine.Slice[T](c.In[1+s]), n, r.h))
			}
			for t := range r.t {
				step(r.h, now, before, nth(x, n*r.t+t, gates), w, b)
				switch {
				case of.Kept == engine.Everything:
					copy(nth(out, n*r.t+t, planes), now)
				case of.Kept == engine.HiddenStates:
					copy(nth(out, n*r.t+t, r.h), now)
				case t == r.t-1:
					copy(nth(out, n, r.h), now)
				}
				before, now = now, before
			}
		}
		return nil
	}
}

// hidden is row i of w times the hidden state, plus its bias.
func hidden[T shape.Float](h, w, b []T, i int) T {
	sum := 0.0
	for k, v := range h {
		sum += float64(v) * float64(w[i*len(h)+k])
	}
	return T(sum) + b[i]
}

func squash[T shape.Float](x T) T { return T(sigmoid(float64(x))) }

func tanh[T shape.Float](x T) T { return T(math.Tanh(float64(x))) }

// lstmStep sets the planes h, c, i, f, g and o by those of the step before.
func lstmStep[T shape.Float](units int, now, before, x, w, b []T) {
	for j := range units {
		gate := func(k int) T { return x[k*units+j] + hidden(before[:units], w, b, k*units+j) }
		i, f, g, o := squash(gate(0)), squash(gate(1)), tanh(gate(2)), squash(gate(3))
		c := f*before[units+j] + i*g
		for k, v := range []T{o * tanh(c), c, i, f, g, o} {
			now[k*units+j] = v
		}
	}
}

// gruStep sets the planes h, r, z, n and q.
func gruStep[T shape.Float](units int, now, before, x, w, b []T) {
	for j := range units {
		gate := func(k int) T { return hidden(before[:units], w, b, k*units+j) }
		r, z, q := squash(x[j]+gate(0)), squash(x[units+j]+gate(1)), gate(2)
		n := tanh(x[2*units+j] + r*q)
		for k, v := range []T{n + z*(before[j]-n), r, z, n, q} {
			now[k*units+j] = v
		}
	}
}

// BindRecurrenceGrad implements [engine.Recurrer].
func (Engine) BindRecurrenceGrad(of engine.RecurrenceGrad, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	r, ok := recurrentOf(of.Cell, in, 0, len(in)-1)
	want := []shape.Shape{r.steps(1)}
	if of.Cells {
		want = append(want, r.steps(1))
	}
	if of.Inner {
		want = append(want, r.steps(4))
	}
	want = append(want, r.steps(of.Cell.Planes()), r.state(), r.weights())
	planes := 5
	if of.Brief {
		planes = 4
	}
	if !ok || of.Cells && of.Cell == engine.GRU || !fits(in, out, want...) || out.Shape != r.steps(planes) {
		return engine.Bound{}, fmt.Errorf("engine %s has no gradient of %v for %v and %v", name, of, in, out)
	}
	var b engine.Bound
	switch out.DType {
	case shape.Float32:
		b = bound(recurrenceGrad[float32](r, of, planes))
	case shape.Float64:
		b = bound(recurrenceGrad[float64](r, of, planes))
	default:
		return unsupported("gradient of "+of.Cell.String(), in)
	}
	b.Scratch = 2 * r.h * out.DType.Width()
	return b, nil
}

// adjoints are those of a step of a row, of which each slice begins with unit 0. Absent ones are nil.
type adjoints[T shape.Float] struct {
	units            int
	dh, dc, inner    []T // of the planes
	now, before, out []T
	through, carry   []T // of h from the step after, through w; and the last plane of the step after, to be set
}

func recurrenceGrad[T shape.Float](r recurrent, of engine.RecurrenceGrad, planes int) engine.Kernel {
	step, first := lstmGrad[T], 0
	if of.Cell == engine.GRU {
		step, first = gruGrad[T], 1
	}
	return func(c *engine.Call) error {
		in := c.In
		next := func(width int) func(i int) []T {
			all := engine.Slice[T](in[0])
			in = in[1:]
			return func(i int) []T { return nth(all, i, width) }
		}
		absent := func(int) []T { return nil }
		dh, dc, inner := next(r.h), absent, absent
		if of.Cells {
			dc = next(r.h)
		}
		if of.Inner {
			inner = next(4 * r.h)
		}
		saved, state, w := next(r.width(r.cell.Planes())), next(r.h), engine.Slice[T](in[len(in)-1])
		both, out := engine.Slice[T](c.Scratch.At(0, shape.DTypeOf[T](), 2*r.h)), engine.Slice[T](c.Out[0])
		a := adjoints[T]{units: r.h, through: both[:r.h], carry: both[r.h:]}
		for n := range r.n {
			clear(both)
			for t := r.t - 1; t >= 0; t-- {
				at := n*r.t + t
				a.dh, a.dc, a.inner, a.now, a.out = dh(at), dc(at), inner(at), saved(at), nth(out, at, planes*r.h)
				a.before = state(n)
				if t > 0 && of.Cell == engine.LSTM {
					a.before = saved(at - 1)[r.h:]
				} else if t > 0 {
					a.before = saved(at - 1)
				}
				step(a)
				if !of.Brief {
					copy(a.out[4*r.h:], a.carry)
				}
				gates := a.out[first*r.h:][:r.width(r.cell.Gates())]
				for j := range a.through {
					sum := 0.0
					for k, v := range gates {
						sum += float64(v) * float64(w[k*r.h+j])
					}
					a.through[j] = T(sum)
				}
			}
		}
		return nil
	}
}

// of returns element j of plane k of v, or 0 if there is none.
func (a *adjoints[T]) of(v []T, k, j int) T {
	if v == nil {
		return 0
	}
	return v[k*a.units+j]
}

func lstmGrad[T shape.Float](a adjoints[T]) {
	u := a.units
	for j := range u {
		c, i, f, g, o := a.now[u+j], a.now[2*u+j], a.now[3*u+j], a.now[4*u+j], a.now[5*u+j]
		dh, th := a.through[j]+a.dh[j], tanh(c)
		dc := dh*o*(1-th*th) + a.carry[j] + a.of(a.dc, 0, j)
		a.out[j] = (dc*g + a.of(a.inner, 0, j)) * i * (1 - i)
		a.out[u+j] = (dc*a.before[j] + a.of(a.inner, 1, j)) * f * (1 - f)
		a.out[2*u+j] = (dc*i + a.of(a.inner, 2, j)) * (1 - g*g)
		a.out[3*u+j] = (dh*th + a.of(a.inner, 3, j)) * o * (1 - o)
		a.carry[j] = dc * f
	}
}

func gruGrad[T shape.Float](a adjoints[T]) {
	u := a.units
	for j := range u {
		r, z, n, q := a.now[u+j], a.now[2*u+j], a.now[3*u+j], a.now[4*u+j]
		dh := a.through[j] + a.dh[j] + a.carry[j]
		dn := (dh*(1-z) + a.of(a.inner, 2, j)) * (1 - n*n)
		a.out[j] = dn
		a.out[u+j] = (dn*q + a.of(a.inner, 0, j)) * r * (1 - r)
		a.out[2*u+j] = (dh*(a.before[j]-n) + a.of(a.inner, 1, j)) * z * (1 - z)
		a.out[3*u+j] = dn*r + a.of(a.inner, 3, j)
		a.carry[j] = dh * z
	}
}
