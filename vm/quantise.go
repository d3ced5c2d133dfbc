package vm

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// checkQuantised rejects 8-bit integers where there can be none.
func (o *options) checkQuantised(e engine.Engine) error {
	if o.ranges == nil || e == nil {
		return nil
	}
	if _, ok := e.(engine.Quantiser); !ok {
		return fmt.Errorf("vm: Quantise: %w", engine.Missing(e, "8-bit integers"))
	}
	switch {
	case o.train:
		return errors.New("vm: Quantise: a program that trains computes in float32; compile the inference program with it")
	case o.weights != shape.Invalid:
		return errors.New("vm: Quantise: with WithWeights the arithmetic stays in float32; use one of them")
	case !onHost(engine.MemoryOf(e)):
		return fmt.Errorf("vm: Quantise: the values of engine %s are on %s, whose kernels compute in float32; compile without it", e.Name(), engine.MemoryOf(e).Name())
	}
	return nil
}

// absorbing returns the engine as absorb sees it for in. The kernels of 8-bit integers take every bias
// and ReLU, so that all engines round at the same places, and leave poolings apart, which pick among
// bytes.
func (p *plan) absorbing(in *instr) engine.Engine {
	if !p.quantises(in) {
		return p.prog.unit.eng
	}
	return fusing{p.prog.unit.eng}
}

// fusing is an engine that fuses every epilogue, and nothing else.
type fusing struct{ engine.Engine }

func (fusing) Fuses(engine.Epilogue) bool { return true }

// quantise has convolutions and products of known ranges compute in 8-bit integers. What only they
// read is stored in bytes: they make these themselves, in a kernel that also adds and clamps what it
// has summed.
func quantise(p *plan) error {
	if p.prog.unit.opts.ranges == nil {
		return nil
	}
	q := &quantising{plan: p, quants: map[*value]engine.Quant{}, of: map[*instr]*quantised{}}
	if err := q.find(); err != nil {
		return err
	}
	for _, in := range p.instrs {
		q.follow(in)
	}
	p.compact()
	for _, in := range slices.Backward(p.instrs) {
		q.pick(in)
	}
	q.rewrite()
	p.relink()
	return nil
}

// quantising holds the state of quantise.
type quantising struct {
	*plan
	quants map[*value]engine.Quant // of values that are wanted as bytes
	of     map[*instr]*quantised   // instructions that compute with bytes
	instrs []*instr
}

// quantised is how an instruction computes with bytes.
type quantised struct {
	engine.Quantised
	op     graph.Op // of a pooling: the one of bytes
	addend *value
}

// unused returns name, with a number behind it if it is taken, and takes it. seen counts the uses of names.
func unused(name string, seen map[string]int) string {
	free := name
	for seen[free] > 0 {
		seen[name]++
		free = fmt.Sprintf("%s#%d", name, seen[name])
	}
	seen[free]++
	return free
}

// nameLayers gives instructions the names that ranges know them by.
func (p *plan) nameLayers() {
	seen := map[string]int{}
	for _, in := range p.instrs {
		if _, ok := in.op.(Quantisable); !ok {
			continue
		}
		name := in.node().Layer()
		if name == "" {
			name = in.node().Op().Name()
		}
		name = unused(name, seen)
		in.ranged = name
	}
}

// find finds the instructions that can compute with bytes, and the maps of what they read.
func (q *quantising) find() error {
	ranges := q.prog.unit.opts.ranges
	wide, unknown := map[*value]Range{}, maps.Clone(ranges)
	for _, in := range q.plan.instrs {
		delete(unknown, in.ranged)
		if !q.quantises(in) {
			continue
		}
		x, r := in.in[0], ranges[in.ranged]
		if old, ok := wide[x]; ok {
			r = Range{min(r.Min, old.Min), max(r.Max, old.Max)}
		}
		wide[x] = r
		q.of[in] = &quantised{Quantised: engine.Quantised{Lo: float32(math.Inf(-1)), Hi: float32(math.Inf(1))}}
	}
	if len(unknown) > 0 {
		name := slices.Min(slices.Collect(maps.Keys(unknown)))
		return fmt.Errorf("vm: Quantise: the ranges have %s, which is no convolution or product of the program; they belong to another model", name)
	}
	for x, r := range wide {
		q.quants[x] = engine.QuantOf(r.Min, r.Max)
	}
	return nil
}

// quantises reports whether in is to compute with bytes and can: its input is float32, and its weights do
// not change between runs.
func (p *plan) quantises(in *instr) bool {
	if _, ok := p.prog.unit.opts.ranges[in.ranged]; !ok || in.ranged == "" || in.kind != compute {
		return false
	}
	p.working.at(in.node())
	w, ok := in.op.(Weighted)
	if !ok || in.in[0].typ.DType != shape.Float32 || in.in[0].from == fromUniform {
		return false
	}
	at, ok := w.Weights(types(in.in))
	if !ok || slices.Contains(in.in[1:], in.in[0]) {
		return false
	}
	for _, v := range in.in[1:] { // the weights, and a bias
		if v.from == fromUniform {
			return false
		}
	}
	if r := in.in[at.In].root(); r.from != fromLeaf && r.from != fromConst {
		return false
	}
	_, ok = in.op.(Quantisable).Quantised(engine.Quantised{}, types(in.in))
	return ok
}

// follow takes the maps that follow in into it, as far as its kernel can do them. The merged
// instruction takes the place of the last one, so that its inputs come before it.
func (q *quantising) follow(in *instr) {
	for of := q.of[in]; of != nil; of = q.of[in] {
		next := in.mapBehind()
		if next == nil {
			return
		}
		more, ok := of.then(in, next)
		if !ok {
			return
		}
		delete(q.of, in)
		q.of[next] = of
		*next = instr{op: in.op, in: slices.Concat(in.in, more), out: next.out, nodes: slices.Concat(in.nodes, next.nodes), at: next.at, ranged: in.ranged}
		*in = instr{at: in.at}
		for _, v := range next.in {
			for i, u := range v.uses {
				if u == in {
					v.uses[i] = next
				}
			}
		}
		in = next
	}
}

// mapBehind returns the map of one result that alone reads the result of in, or nil.
func (in *instr) mapBehind() *instr {
	if len(in.out) != 1 || in.out[0].out || len(in.out[0].uses) != 1 {
		return nil
	}
	next := in.out[0].uses[0]
	if next.fmap == nil || len(next.out) != 1 || next.out[0].typ != in.out[0].typ {
		return nil
	}
	return next
}

// then takes in the map next of the result of in, if it is a clamp, or a sum that is not clamped
// before. It returns the further input.
func (of *quantised) then(in, next *instr) (more []*value, ok bool) {
	y := in.out[0]
	if len(next.in) == 2 && len(next.fmap.Steps) == 1 && next.fmap.Steps[0].Fn == engine.Add {
		other := next.in[0]
		if other == y {
			other = next.in[1]
		}
		if other == y || other.typ != y.typ || other.from == fromUniform || of.Adds || of.clamps() || slices.Contains(in.in, other) {
			return nil, false
		}
		q := of.Quantised
		q.Adds = true
		if _, ok = in.op.(Quantisable).Quantised(q, types(in.in)); ok {
			of.Quantised, of.addend, more = q, other, []*value{other}
		}
		return more, ok
	}
	lo, hi, ok := clampOf(next.fmap)
	if !ok || len(next.in) != 1 {
		return nil, false
	}
	of.Lo, of.Hi = min(max(of.Lo, lo), hi), min(max(of.Hi, lo), hi)
	return nil, true
}

// clamps reports whether something follows that keeps it from adding.
func (of *quantised) clamps() bool {
	return !math.IsInf(float64(of.Lo), -1) || !math.IsInf(float64(of.Hi), 1)
}

// clampOf returns the bounds that m clamps its input to, or false if that is not what it does.
func clampOf(m *engine.Map) (lo, hi float32, ok bool) {
	lo, hi = float32(math.Inf(-1)), float32(math.Inf(1))
	for i, s := range m.Steps {
		if s.Fn != engine.Max && s.Fn != engine.Min {
			return 0, 0, false
		}
		before := engine.In(0)
		if i > 0 {
			before = engine.Res(i - 1)
		}
		x, bound := s.Args[0], s.Args[1]
		if x != before {
			x, bound = bound, x
		}
		v, number := bound.Number()
		if x != before || !number || v != v {
			return 0, 0, false
		}
		if s.Fn == engine.Max {
			lo, hi = max(lo, float32(v)), max(hi, float32(v))
		} else {
			lo, hi = min(lo, float32(v)), min(hi, float32(v))
		}
	}
	return lo, hi, len(m.Outs) == 1 && m.Outs[0] == len(m.Steps)-1
}

// pick has a pooling whose result is wanted as bytes pick among bytes: its input is then wanted as
// bytes, by the same map, which is the same since pooling keeps the order.
func (q *quantising) pick(in *instr) {
	op, ok := in.op.(Picker)
	if !ok || in.kind != compute || len(in.out) != 1 || !q.bytes(in.out[0]) {
		return
	}
	if _, taken := q.quants[in.in[0]]; taken {
		return
	}
	q.working.at(in.node())
	picks, ok := op.PicksBytes(types(in.in))
	if !ok {
		return
	}
	q.of[in] = &quantised{op: picks}
	q.quants[in.in[0]] = q.quants[in.out[0]]
}

// bytes reports whether v is only wanted as bytes: all that read it can.
func (q *quantising) bytes(v *value) bool {
	if _, wanted := q.quants[v]; !wanted || v.out {
		return false
	}
	return !slices.ContainsFunc(v.uses, func(u *instr) bool {
		of := q.of[u]
		return of == nil || u.in[0] != v && of.addend != v
	})
}

// rewrite makes the instructions that compute with bytes, and those that make bytes of what is not
// only wanted as such.
func (q *quantising) rewrite() {
	twins := map[*value]*value{}
	for _, v := range q.values {
		if v.from != fromInstr {
			q.twin(twins, v)
		}
	}
	for _, in := range q.plan.instrs {
		of := q.of[in]
		for i, v := range in.in {
			if t := twins[v]; of != nil && i == 0 && t != nil {
				in.in[i] = t
			}
		}
		if of != nil {
			q.lower(in, of)
		}
		q.instrs = append(q.instrs, in)
		for _, v := range in.out {
			if of == nil || v.typ.DType != shape.Uint8 {
				q.twin(twins, v)
			}
		}
	}
	q.plan.instrs = q.instrs
}

// twin adds the instruction that makes bytes of v, if some instruction wants them.
func (q *quantising) twin(twins map[*value]*value, v *value) {
	quant, wanted := q.quants[v]
	if !wanted || !slices.ContainsFunc(v.uses, func(u *instr) bool { return q.of[u] != nil && u.in[0] == v }) {
		return
	}
	t := q.newValue(shape.Type{DType: shape.Uint8, Shape: v.typ.Shape}, v.node, fromInstr)
	q.quants[t] = quant
	q.instrs = append(q.instrs, &instr{op: toBytes{quant}, in: []*value{v}, out: []*value{t}, nodes: []*graph.Node{v.node}, added: true})
	twins[v] = t
}

// lower gives in the op that computes with bytes.
func (q *quantising) lower(in *instr, of *quantised) {
	in.bytes = true
	y := in.out[0]
	if of.op != nil {
		in.op = of.op
		y.typ.DType = shape.Uint8
		return
	}
	of.In = q.quants[in.in[0]]
	if of.Adds && in.in[len(in.in)-1].typ.DType == shape.Uint8 {
		of.Addend = q.quants[in.in[len(in.in)-1]]
	}
	if q.bytes(y) {
		of.Out = q.quants[y]
		y.typ.DType = shape.Uint8
	}
	in.op, _ = in.op.(Quantisable).Quantised(of.Quantised, types(in.in))
}

// toBytes makes bytes of float32.
type toBytes struct{ Quant engine.Quant }

func (toBytes) Name() string { return "Quantise" }

func (toBytes) Infer(in []shape.Type) (shape.Type, error) {
	return shape.Type{DType: shape.Uint8, Shape: in[0].Shape}, nil
}

func (op toBytes) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	z, ok := e.(engine.Quantiser)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "8-bit integers")
	}
	return z.BindQuantise(op.Quant, in, out)
}
