package vm

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// lower makes an instruction of every node, with the types for the batch size.
func lower(p *plan) error {
	l := lowering{p, map[*graph.Node]*value{}}
	u := p.prog.unit
	for _, n := range graph.Reachable(u.roots()...) {
		p.working.at(n)
		v, err := l.node(n)
		if err != nil {
			return graph.ErrorAt(n, err)
		}
		l.value[n] = v
	}
	for _, o := range u.outs {
		v := l.own(l.value[o])
		v.out = true
		p.outs = append(p.outs, v)
	}
	for _, up := range u.updates {
		leaf, val := l.value[up.Leaf], l.value[up.Value]
		if val == leaf {
			continue
		}
		p.instrs = append(p.instrs, &instr{kind: write, in: []*value{l.own(val)}, leaf: leaf, nodes: []*graph.Node{up.Value}})
	}
	p.prune()
	p.nameLayers()
	return nil
}

type lowering struct {
	*plan
	value map[*graph.Node]*value
}

func (l lowering) node(n *graph.Node) (*value, error) {
	t := n.Type().At(l.batch)
	if t.Shape.Err() != nil {
		return nil, fmt.Errorf("%v at N=%d: %w", n.Type(), l.batch, t.Shape.Err())
	}
	if err := fits(t); err != nil {
		return nil, err
	}
	if n.Kind() != graph.Computed {
		return l.leaf(n, t), nil
	}
	in := make([]*value, n.NIn())
	for i, x := range n.Ins() {
		in[i] = l.value[x]
	}
	if op, ok := n.Op().(engine.UniformOp); ok {
		return l.uniform(n, t, op.Uniform(types(in), t)), nil
	}
	if v, err := l.known(n, t, in); v != nil || err != nil {
		return v, err
	}
	return l.instr(n, t, in)
}

// leaf returns the value of an Input, Param, State or Const.
func (l lowering) leaf(n *graph.Node, t shape.Type) *value {
	if n.Kind() == graph.Const {
		if t.Len() == 1 && t.DType != shape.Int64 {
			return l.uniform(n, t, n.Values()[0])
		}
		v := l.newValue(t, n, fromConst)
		v.index = l.prog.constIndex(n)
		return v
	}
	if i, ok := l.prog.kept[n.Name()]; ok && n.Kind() == graph.Input {
		v := l.newValue(t, n, fromLeaf)
		v.index = len(l.prog.leaves) + i
		return v
	}
	if n.Kind() == graph.Input {
		v := l.newValue(t, n, fromInput)
		v.index = l.prog.inputIndex(n.Name())
		return v
	}
	v := l.newValue(t, n, fromLeaf)
	v.index = l.prog.leafIndex(n.Name())
	return v
}

func (l lowering) uniform(n *graph.Node, t shape.Type, number float64) *value {
	v := l.newValue(t, n, fromUniform)
	one := allocate(shape.Make(t.DType)) // rounds the number to the type
	engine.Load(one, []float64{number})
	v.number = engine.Floats(one)[0]
	return v
}

// known returns the value of an op whose inputs are all uniform, if its result is uniform too.
func (l lowering) known(n *graph.Node, t shape.Type, in []*value) (*value, error) {
	for _, v := range in {
		if v.from != fromUniform {
			return nil, nil
		}
	}
	if _, ok := n.Op().(Aliaser); ok {
		return l.uniform(n, t, in[0].number), nil
	}
	op, ok := n.Op().(engine.ElementwiseOp)
	if !ok || t.DType == shape.Int64 || len(in) == 0 {
		return nil, nil
	}
	ts, bufs := make([]shape.Type, len(in)), make([]engine.Buffer, len(in))
	for i, v := range in {
		ts[i] = shape.Make(v.typ.DType)
		bufs[i] = allocate(ts[i])
		engine.Load(bufs[i], []float64{v.number})
	}
	scalar := shape.Make(t.DType)
	b, err := bindMap(l.prog.unit.eng, op.Map(ts, scalar), engine.InRows(ts...), engine.InRows(scalar))
	if err != nil {
		return nil, err
	}
	out := allocate(scalar)
	if err := computeOnce(b, bufs, out); err != nil {
		return nil, err
	}
	return l.uniform(n, t, engine.Floats(out)[0]), nil
}

// instr adds the instruction of an op and returns its result.
func (l lowering) instr(n *graph.Node, t shape.Type, in []*value) (*value, error) {
	v := l.newValue(t, n, fromInstr)
	i := &instr{op: n.Op(), out: []*value{v}, nodes: []*graph.Node{n}}
	if op, ok := n.Op().(engine.ElementwiseOp); ok {
		m := op.Map(types(in), t)
		if err := m.Check(types(in), []shape.Type{t}); err != nil {
			return nil, err
		}
		i.fmap, i.in = &m, in
		l.immediates(i)
		return l.add(i), nil
	}
	if _, ok := n.Op().(Aliaser); ok {
		i.kind = aliased
	}
	for k, x := range in {
		if i.kind == compute || k == 0 { // further inputs of an alias are not read
			x = l.stored(x)
		}
		i.in = append(i.in, x)
	}
	return l.add(i), nil
}

// stored returns v or, if v is uniform, a copy of it in memory.
func (l lowering) stored(v *value) *value {
	if v.from != fromUniform {
		return v
	}
	m := engine.MapOf(engine.Copy, v.typ.DType, engine.Imm(v.number))
	return l.copyOf(v, m)
}

// immediates replaces uniform inputs of an instruction by numbers in its map. A uniform condition
// stays an input, because a number is not a Bool.
func (l lowering) immediates(i *instr) {
	for k := len(i.in) - 1; k >= 0; k-- {
		v := i.in[k]
		switch {
		case v.from != fromUniform:
		case v.typ.DType == shape.Bool:
			i.in[k] = l.stored(v)
		default:
			i.fmap = withNumber(i.fmap, k, v.number)
			i.in = append(i.in[:k:k], i.in[k+1:]...)
		}
	}
}

// withNumber returns m with input k replaced by a number.
func withNumber(m *engine.Map, k int, number float64) *engine.Map {
	return mapArgs(m, func(a engine.Arg) engine.Arg {
		i, ok := a.Input()
		switch {
		case !ok || i < k:
			return a
		case i == k:
			return engine.Imm(number)
		}
		return engine.In(i - 1)
	})
}

// mapArgs returns m with f applied to every argument.
func mapArgs(m *engine.Map, f func(engine.Arg) engine.Arg) *engine.Map {
	steps := make([]engine.Step, len(m.Steps))
	for i, s := range m.Steps {
		for j := range s.Fn.Arity() {
			s.Args[j] = f(s.Args[j])
		}
		steps[i] = s
	}
	return &engine.Map{Steps: steps, Outs: m.Outs}
}

// own returns a value in the arena equal to v. It ensures that an output, or the next value of a
// leaf, never shares memory with an input, a leaf that will change, or a constant of the program.
func (l lowering) own(v *value) *value {
	root := v
	for root.def != nil && root.def.kind == aliased {
		root = root.def.in[0]
	}
	if root.from == fromInstr {
		return v
	}
	if v.from == fromUniform {
		return l.stored(v)
	}
	return l.copyOf(v, engine.MapOf(engine.Copy, v.typ.DType, engine.In(0)), v)
}

func (l lowering) copyOf(v *value, m engine.Map, in ...*value) *value {
	c := l.newValue(v.typ, v.node, fromInstr)
	return l.add(&instr{fmap: &m, in: in, out: []*value{c}, nodes: []*graph.Node{v.node}})
}

// add appends i and returns its result.
func (l lowering) add(i *instr) *value {
	i.out[0].def = i
	l.instrs = append(l.instrs, i)
	return i.out[0]
}
