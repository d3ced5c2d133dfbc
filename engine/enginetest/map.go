package enginetest

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Limits of maps. Each step of a map is rounded to its type, so that a map equals its steps one by
// one. Arithmetic, roots, comparisons, conversions and selection must return exactly the number
// required by IEEE 754, other functions a number within 4 units in the last place.
const roughUlps = 4

// rough lists the functions that need not be exact.
var rough = [engine.NumFns]bool{
	engine.Exp: true, engine.Log: true, engine.Log1p: true, engine.Expm1: true, engine.Sin: true,
	engine.Asin: true, engine.Acos: true, engine.Atan: true, engine.Sinh: true, engine.Cosh: true, engine.Asinh: true, engine.Acosh: true, engine.Atanh: true,
	engine.Cos: true, engine.Tanh: true, engine.Sigmoid: true, engine.Erf: true, engine.Pow: true,
}

func bindMap(m engine.Map) binder {
	return func(e engine.Engine, in, out []engine.Operand) (engine.Bound, error) {
		return e.(engine.Mapper).BindMap(m, in, out)
	}
}

// mapTable has every function in every type, at an odd length and at every edge, and conversion
// between all types.
func mapTable(g *gen) []trial {
	var all []trial
	for f := engine.Copy; int(f) < engine.NumFns; f++ {
		for _, d := range dtypes {
			all = append(all, fnTrials(f, d)...)
		}
	}
	for f := engine.Copy; int(f) < engine.NumFns; f++ {
		for _, n := range edges {
			all = append(all, edgeTrials(f, n)...)
		}
	}
	return slices.Concat(all, mapShapes(g), conditionTrials(), castTrials())
}

// castTrials round to the types that are only stored: numbers halfway between two of theirs, and
// those next to them; and among steps of float32.
func castTrials() (all []trial) {
	for _, to := range dtypes {
		if !to.IsStorage() {
			continue
		}
		for _, from := range numeric {
			tr := fnTrial(engine.Copy, to, []shape.Type{shape.Make(from, 4801)})
			tr.data = []source{halfway(to, from)}
			all = append(all, tr)
		}
		x, y := shape.Make(to, 31, 77), shape.F32(77)
		m := engine.Map{Outs: []int{2, 3}, Steps: []engine.Step{
			{Fn: engine.Copy, DType: shape.Float32, Args: [3]engine.Arg{engine.In(0)}},
			{Fn: engine.Copy, DType: to, Args: [3]engine.Arg{engine.In(1)}},
			{Fn: engine.Copy, DType: shape.Float32, Args: [3]engine.Arg{engine.Res(1)}},
			{Fn: engine.Mul, DType: shape.Float32, Args: [3]engine.Arg{engine.Res(0), engine.Res(2)}},
		}}
		out := shape.F32(31, 77)
		all = append(all, trial{op: m.String(), bind: bindMap(m), in: []shape.Type{x, y}, out: []shape.Type{out, out},
			data: []source{whole(-64, 64), eighths}, twice: true})
	}
	return all
}

// conditionTrials select by comparisons of numbers many of which are denormal: a condition must
// have the same answer whatever it selects.
func conditionTrials() (all []trial) {
	x, a, b := engine.In(0), engine.In(1), engine.In(2)
	for f := engine.Eq; f <= engine.Ge; f++ {
		for _, choice := range [][2]engine.Arg{{a, engine.Imm(0)}, {engine.Imm(0), a}, {a, b}} {
			for _, args := range [][2]engine.Arg{{x, engine.Imm(0)}, {engine.Imm(0), x}, {x, b}} {
				m := engine.Map{Outs: []int{1}, Steps: []engine.Step{
					{Fn: f, DType: shape.Bool, Args: [3]engine.Arg{args[0], args[1]}},
					{Fn: engine.Select, DType: shape.Float32, Args: [3]engine.Arg{engine.Res(0), choice[0], choice[1]}},
				}}
				t := shape.F32(1213)
				all = append(all, trial{op: m.String(), bind: bindMap(m), in: []shape.Type{t, t, t}, out: []shape.Type{t},
					data: repeat(oneOf(denormal, among(0, negZero, nan), signed), 3), keeps: true, twice: true})
			}
		}
	}
	return all
}

// edgeTrials returns f of n float32, or of Bool if it is logic, and of one row broadcast to five.
func edgeTrials(f engine.Fn, n int) []trial {
	d := shape.Float32
	if f == engine.Not || f == engine.And || f == engine.Or {
		d = shape.Bool
	}
	if f >= engine.BitAnd && f <= engine.ShiftRight {
		d = shape.Uint8
	}
	in := make([]shape.Type, f.Arity())
	for i := range in {
		in[i] = shape.Type{DType: d, Shape: shape.OfInts(n)}
	}
	if f == engine.Select {
		in[0] = in[0].As(shape.Bool)
	}
	to := resultsOf(f, d)[0]
	if f == engine.Copy {
		to = shape.Float32
	}
	flat := fnTrial(f, to, in)
	if len(in) < 2 {
		return defined([]trial{flat})
	}
	rows := append([]shape.Type(nil), in...)
	rows[0].Shape = shape.OfInts(5, n)
	return defined([]trial{flat, fnTrial(f, to, rows)})
}

// fnTrials returns trials of one function computed in d: of vectors, and of one number and vectors.
func fnTrials(f engine.Fn, d shape.DType) []trial {
	var all []trial
	for _, to := range resultsOf(f, d) {
		args := []shape.DType{d, d, d}[:f.Arity()]
		if f == engine.Select {
			args[0] = shape.Bool
		}
		vectors := make([]shape.Type, len(args))
		for i, a := range args {
			vectors[i] = shape.Make(a, 1213)
		}
		all = append(all, fnTrial(f, to, vectors))
		for i, a := range args[1:] {
			mixed := append([]shape.Type(nil), vectors...)
			mixed[i+1] = shape.Make(a, 1)
			all = append(all, fnTrial(f, to, mixed))
		}
	}
	return defined(all)
}

// resultsOf returns the result types of f computed in d.
func resultsOf(f engine.Fn, d shape.DType) []shape.DType {
	switch {
	case f == engine.Copy:
		return dtypes
	case f >= engine.Eq && f <= engine.Ge:
		return []shape.DType{shape.Bool}
	}
	return []shape.DType{d}
}

func fnTrial(f engine.Fn, to shape.DType, in []shape.Type) trial {
	args := []engine.Arg{engine.In(0), engine.In(1), engine.In(2)}[:len(in)]
	m := engine.MapOf(f, to, args...)
	var out shape.Shape
	for _, t := range in {
		out, _ = shape.Broadcast(out, t.Shape)
	}
	tr := trial{op: m.String(), bind: bindMap(m), in: in, out: []shape.Type{{DType: to, Shape: out}}, twice: true}
	for _, t := range in {
		tr.data = append(tr.data, anyOf(t.DType))
	}
	if rough[f] {
		tr.limit.result = roughUlps
	}
	tr.keeps = exact(f) || f == engine.Copy && (to.IsStorage() || in[0].IsStorage())
	return tr
}

// exact reports whether f compares or selects rather than computes, or is the logarithm, which is
// infinite only at 0.
func exact(f engine.Fn) bool {
	return f >= engine.Eq && f <= engine.Ge || slices.Contains([]engine.Fn{engine.Max, engine.Min, engine.Log, engine.ReLUGrad, engine.Select}, f)
}

// defined drops the trials of functions that are not defined for their types.
func defined(all []trial) []trial {
	var kept []trial
	for _, tr := range all {
		if _, err := tr.bind(oracle, tr.operands(), tr.results()); err == nil {
			kept = append(kept, tr)
		}
	}
	return kept
}

// mapShapes has powers, large maps, empty ones, one without inputs, and typical broadcasts.
func mapShapes(*gen) []trial {
	add := engine.MapOf(engine.Add, shape.Float32, engine.In(0), engine.In(1))
	var powers []trial
	for _, e := range []float64{.25, .5, .75, 1, 1.25, 1.5, 2, 2.75, 3, 4, 5, 7.5, 0, -.25, -.5, -.75, -1, -1.75, -2, -3, .3, nan, inf} {
		m := engine.MapOf(engine.Pow, shape.Float32, engine.In(0), engine.Imm(e))
		for _, n := range []int{1, 17, 2500} {
			powers = append(powers, trial{op: m.String(), bind: bindMap(m), in: []shape.Type{shape.Make(shape.Float32, shape.Dim(n))},
				out: []shape.Type{shape.Make(shape.Float32, shape.Dim(n))}, data: []source{powerData(n)}, limit: limit{result: roughUlps}, twice: true})
		}
	}
	relu := engine.MapOf(engine.Max, shape.Float32, engine.In(0), engine.Imm(0))
	seven := engine.MapOf(engine.Copy, shape.Float32, engine.Imm(7))
	f32 := shape.F32
	all := powers
	for _, c := range []struct {
		m  engine.Map
		in []shape.Type
		to shape.Type
	}{
		{add, []shape.Type{f32(100_003), f32(100_003)}, f32(100_003)},
		{add, []shape.Type{f32(64, 6, 28, 28), f32(6, 1, 1)}, f32(64, 6, 28, 28)},
		{add, []shape.Type{f32(257, 120), f32(120)}, f32(257, 120)},
		{add, []shape.Type{f32(257, 1), f32(1, 120)}, f32(257, 120)},
		{add, []shape.Type{f32(), f32(70_001)}, f32(70_001)},
		{add, []shape.Type{f32(), f32()}, f32()},
		{add, []shape.Type{f32(0, 3), f32(3)}, f32(0, 3)},
		{relu, []shape.Type{f32(99_991)}, f32(99_991)},
		{seven, nil, f32(5, 7)},
		{seven, nil, f32(70_001)},
		{sgdMap(), []shape.Type{f32(61_706), f32(61_706), f32(61_706)}, f32(61_706)},
	} {
		out := make([]shape.Type, len(c.m.Outs))
		for i := range out {
			out[i] = c.to
		}
		all = append(all, trial{op: c.m.String(), bind: bindMap(c.m), in: c.in, out: out, data: repeat(eighths, len(c.in)), twice: true})
	}
	return all
}

// powerData draws numbers of any sign and special cases of powers; if there are many numbers, only
// positive ones.
func powerData(n int) source {
	if n < 1000 {
		return anyOf(shape.Float32)
	}
	return each(magnitude)
}

// sgdMap is a step of gradient descent with momentum on w, v and the gradient. It returns w and v.
func sgdMap() engine.Map {
	step := func(f engine.Fn, a, b engine.Arg) engine.Step {
		return engine.Step{Fn: f, DType: shape.Float32, Args: [3]engine.Arg{a, b}}
	}
	return engine.Map{Outs: []int{3, 1}, Steps: []engine.Step{
		step(engine.Mul, engine.In(1), engine.Imm(0.9)),
		step(engine.Add, engine.Res(0), engine.In(2)),
		step(engine.Mul, engine.Res(1), engine.Imm(0.05)),
		step(engine.Sub, engine.In(0), engine.Res(2)),
	}}
}

// randomMap draws a program of up to 10 steps over broadcast inputs. Results of rough functions are
// not used in further steps, so that these stay exact.
func randomMap(g *gen) trial {
	out := g.shape(g.IntN(6), 4000)
	p := mapDraw{gen: g}
	for range 1 + g.IntN(4) {
		t := shape.Type{DType: pick(g, append(dtypes, shape.Float32, shape.Float32)...), Shape: g.spreads(out)}
		p.in = append(p.in, t)
		p.values = append(p.values, value{engine.In(len(p.in) - 1), t.DType})
	}
	for steps := 1 + g.IntN(10); len(p.m.Steps) < steps; {
		p.step()
	}
	tr := trial{in: p.in, twice: true}
	for _, s := range g.Perm(len(p.m.Steps))[:1+g.IntN(min(3, len(p.m.Steps)))] {
		p.m.Outs = append(p.m.Outs, s)
		tr.out = append(tr.out, shape.Type{DType: p.m.Steps[s].DType, Shape: out})
		if rough[p.m.Steps[s].Fn] {
			tr.limit.result = roughUlps
		}
	}
	tr.op, tr.bind = p.m.String(), bindMap(p.m)
	for _, t := range p.in {
		tr.data = append(tr.data, mapData(t.DType))
	}
	return tr
}

func mapData(d shape.DType) source {
	if fractional(d) {
		return eighths
	}
	return anyOf(d)
}

// spreads draws a shape that broadcasts to s.
func (g *gen) spreads(s shape.Shape) shape.Shape {
	dims := s.Dims()
	if g.bool() {
		return s
	}
	dims = dims[g.IntN(len(dims)+1):]
	for i := range dims {
		if g.IntN(3) == 0 {
			dims[i] = 1
		}
	}
	return shape.Of(dims...)
}

// value is an argument that a step can use.
type value struct {
	arg   engine.Arg
	dtype shape.DType
}

type mapDraw struct {
	*gen
	m      engine.Map
	in     []shape.Type
	values []value
}

// step tries to append one step.
func (p *mapDraw) step() {
	f := engine.Fn(1 + p.IntN(engine.NumFns-1))
	first := pick(p.gen, p.values...)
	s := engine.Step{Fn: f, DType: pick(p.gen, resultsOf(f, first.dtype)...)}
	for i := range f.Arity() {
		s.Args[i] = p.arg(first)
	}
	s.Args[p.IntN(f.Arity())] = first.arg
	if f == engine.Select {
		s.Args[0] = p.arg(value{engine.Imm(1), shape.Bool})
	}
	m := engine.Map{Steps: append(p.m.Steps, s), Outs: []int{len(p.m.Steps)}}
	if _, err := oracle.BindMap(m, engine.InRows(p.in...), engine.InRows(shape.Type{DType: s.DType, Shape: p.whole()})); err != nil {
		return
	}
	p.m.Steps = m.Steps
	if !rough[f] {
		p.values = append(p.values, value{engine.Res(len(p.m.Steps) - 1), s.DType})
	}
}

// whole returns the shape that the inputs broadcast to.
func (p *mapDraw) whole() (s shape.Shape) {
	for _, t := range p.in {
		s, _ = shape.Broadcast(s, t.Shape)
	}
	return s
}

// arg draws a value of the type of like, or a number.
func (p *mapDraw) arg(like value) engine.Arg {
	if p.IntN(4) == 0 && like.dtype != shape.Bool {
		return engine.Imm(float64(p.IntN(65)-32) / 8)
	}
	var fit []value
	for _, v := range p.values {
		if v.dtype == like.dtype {
			fit = append(fit, v)
		}
	}
	if len(fit) == 0 {
		return like.arg
	}
	return pick(p.gen, fit...).arg
}
