package cpu

import (
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// An idiom is some steps for which there is one kernel: an activation of ops, or its gradient. Where
// nothing else reads what is between, they become one step.
type idiom struct {
	op   vec.Op
	cost int // of a block, as in stepCost
	term term
}

// term is what a step computes: a function of terms, a number, or what stands for any argument, the
// same wherever it occurs.
type term struct {
	fn   engine.Fn
	args []term
	any  int // argument of the kernel, from 1 on
	num  float64
}

func of(fn engine.Fn, args ...term) term { return term{fn: fn, args: args} }

func constant(v float64) term { return term{num: v} }

// idioms are the activations as package ops writes them.
var idioms = makeIdioms()

func makeIdioms() []idiom {
	x, dy, n := term{any: 1}, term{any: 2}, constant
	clip := of(engine.Min, of(engine.Max, x, n(-1000)), n(1000))
	within := of(engine.And, of(engine.Ge, x, n(-1000)), of(engine.Le, x, n(1000)))
	times := func(factors ...term) term {
		product := factors[0]
		for _, f := range factors[1:] {
			product = of(engine.Mul, product, f)
		}
		return product
	}

	half, root := times(x, n(.5)), times(clip, n(math.Sqrt2/2))
	twice := of(engine.Add, of(engine.Erf, root), n(1)) // of the normal distribution
	density := times(of(engine.Exp, of(engine.Neg, times(root, root))), n(2/math.Sqrt(math.Pi)))
	slope := of(engine.Select, within, times(times(times(dy, half), density), n(math.Sqrt2/2)), n(0))

	s := of(engine.Sigmoid, clip)
	rise := of(engine.Select, within, times(times(dy, x), times(s, of(engine.Sub, n(1), s))), n(0))

	c := n(2 * math.Sqrt2 / math.SqrtPi)
	bent := of(engine.Add, times(times(clip, clip), n(.044715)), n(1))
	t := of(engine.Sigmoid, times(times(clip, bent), c))
	with := times(times(times(dy, x), times(t, of(engine.Sub, n(1), t))), c)
	cubic := times(times(with, clip), n(.044715), clip)
	climb := of(engine.Select, within, of(engine.Add, of(engine.Add, times(with, bent), cubic), cubic), n(0))

	low, high := of(engine.Lt, x, n(-3)), of(engine.Ge, x, n(3))
	beyond := of(engine.Or, low, high)
	inside := of(engine.Select, beyond, n(0), x)
	above := of(engine.Add, inside, n(3))
	above6 := times(of(engine.Select, high, n(0), of(engine.Select, low, n(0), dy)), n(1./6))
	bend := of(engine.Add, times(above6, above), times(above6, inside))
	return []idiom{
		{vec.GELU, 300, times(half, twice)},
		{vec.GELUGrad, 450, of(engine.Add, slope, times(dy, twice, n(.5)))},
		{vec.SiLU, 256, times(x, s)},
		{vec.SiLUGrad, 300, of(engine.Add, times(dy, s), rise)},
		{vec.GELUTanh, 360, times(x, t)},
		{vec.GELUTanhGrad, 550, of(engine.Add, times(dy, t), climb)},
		{vec.HardSwish, 50, of(engine.Select, low, n(0), of(engine.Select, high, x, times(inside, above, n(1./6))))},
		{vec.HardSwishGrad, 60, of(engine.Add, of(engine.Select, high, of(engine.Select, low, n(0), dy), n(0)), of(engine.Select, beyond, n(0), bend))},
	}
}

// found is an idiom whose last step this is, and the arguments of the kernel.
type found struct {
	op   vec.Op
	cost int
	args []engine.Arg
}

// findIdioms notes the steps that are idioms, unless more is computed with than without them.
func (p *program) findIdioms() {
	before := p.work()
	p.idioms = map[int]found{}
	for i := range p.m.Steps {
		for _, want := range idioms {
			var args [3]engine.Arg
			if d := p.m.Steps[i].DType; (d == shape.Float32 || d == shape.Float64 && want.op.Doubles()) && p.matches(want.term, engine.Res(i), &args) {
				p.idioms[i] = found{want.op, want.cost, args[1 : 1+want.op.Operands()]}
			}
		}
	}
	if len(p.idioms) > 0 && p.work() >= before {
		p.idioms = nil
	}
}

// work is about the time that the steps take which somebody reads.
func (p *program) work() (cost int) {
	for i, last := range p.lastReads() {
		if last > 0 {
			cost += p.costOf(i)
		}
	}
	return cost
}

func (p *program) costOf(i int) int {
	if of, ok := p.idioms[i]; ok {
		return of.cost
	}
	return stepCost(p.m.Steps[i].Fn)
}

// matches reports whether a is the term, and sets the arguments that it leaves open. Sums and
// products are the same either way round, and so are conditions that hold both, or one.
func (p *program) matches(t term, a engine.Arg, args *[3]engine.Arg) bool {
	if t.any > 0 {
		if args[t.any] == (engine.Arg{}) {
			args[t.any] = a
		}
		_, number := a.Number()
		return args[t.any] == a && !number
	}
	if v, ok := a.Number(); ok || t.fn == engine.NoFn {
		return ok && t.fn == engine.NoFn && (v == t.num || float32(v) == float32(t.num) && !p.doubles())
	}
	i, ok := a.Step()
	if !ok || p.m.Steps[i].Fn != t.fn {
		return false
	}
	s := p.m.Steps[i]
	saved := *args
	if p.matchAll(t.args, s.Args[:], args) {
		return true
	}
	*args = saved
	switch t.fn {
	case engine.Add, engine.Mul, engine.And, engine.Or:
		if p.matchAll(t.args, []engine.Arg{s.Args[1], s.Args[0]}, args) {
			return true
		}
		*args = saved
	}
	return false
}

// doubles reports whether the map computes in float64, whose constants have all digits.
func (p *program) doubles() bool {
	return slices.ContainsFunc(p.m.Steps, func(s engine.Step) bool { return s.DType == shape.Float64 })
}

func (p *program) matchAll(ts []term, as []engine.Arg, args *[3]engine.Arg) bool {
	for k, t := range ts {
		if !p.matches(t, as[k], args) {
			return false
		}
	}
	return true
}
