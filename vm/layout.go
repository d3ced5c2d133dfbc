package vm

import (
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// layout gives tensors another layout than rows if the engine's kernels are faster with it.
// Instructions between such tensors follow, and conversions are placed where they move the fewest
// bytes.
func layout(p *plan) error {
	e, ok := p.prog.unit.eng.(engine.Layouter)
	if !ok {
		return nil
	}
	l := &layouting{plan: p, engine: e, chosen: map[*instr]engine.Arrangement{}, twins: map[twin]*value{}}
	if err := l.bind(); err != nil {
		return err
	}
	for _, to := range l.wanted() {
		l.choose(to)
	}
	if len(l.chosen) == 0 {
		return nil
	}
	l.rewrite()
	p.relink()
	return nil
}

// layouting holds the state of layout.
type layouting struct {
	*plan
	engine engine.Layouter
	chosen map[*instr]engine.Arrangement // of instructions that do not work only on rows
	twins  map[twin]*value
	instrs []*instr // the new list
}

// twin is a value converted to another layout.
type twin struct {
	of *value
	in engine.Layout
}

// bind asks for the row kernels of instructions with tensors that can have other layouts.
// Instructions that stay with rows keep them.
func (l *layouting) bind() error {
	for _, in := range l.plan.instrs {
		if in.kind != compute || in.fmap != nil || !slices.ContainsFunc(slices.Concat(in.in, in.out), l.flexible) {
			continue
		}
		l.working.at(in.node())
		if err := l.plan.bind(in); err != nil {
			return err
		}
	}
	return nil
}

func (l *layouting) flexible(v *value) bool { return len(l.engine.Layouts(v.typ)) > 0 }

// wanted lists the layouts with which some kernel is faster.
func (l *layouting) wanted() (all []engine.Layout) {
	for _, in := range l.plan.instrs {
		for _, a := range in.bound.Arrangements {
			if to := a.Other(); a.Gain > 0 && !slices.Contains(all, to) {
				all = append(all, to)
			}
		}
	}
	return all
}

// arrangement returns how in can work with layout to, if it can and has no arrangement yet.
func (l *layouting) arrangement(in *instr, to engine.Layout) (a engine.Arrangement, ok bool) {
	if _, done := l.chosen[in]; done || in.kind != compute {
		return a, false
	}
	if in.fmap != nil {
		return l.mapArrangement(in, to)
	}
	i := slices.IndexFunc(in.bound.Arrangements, func(a engine.Arrangement) bool { return a.Other() == to })
	if i < 0 {
		return a, false
	}
	return in.bound.Arrangements[i], true
}

// mapArrangement returns the arrangement of a map: its results and the inputs of the same shape
// have the layout; the other inputs must be readable as they are.
func (l *layouting) mapArrangement(in *instr, to engine.Layout) (a engine.Arrangement, ok bool) {
	out := in.out[0].typ
	if !slices.Contains(l.engine.Layouts(out), to) {
		return a, false
	}
	a.In, a.Out = make([]engine.Layout, len(in.in)), to
	for i, v := range in.in {
		if v.typ.Shape == out.Shape {
			a.In[i] = to
		} else if _, fits := to.View(v.typ, out.Rank()); !fits {
			return a, false
		}
	}
	return a, true
}

// choose applies layout to to the instructions that gain by it, and to those around them if that
// saves conversions.
func (l *layouting) choose(to engine.Layout) {
	r := l.reach(to)
	for i, keeps := range r.cut() {
		if !keeps {
			l.chosen[r.instrs[i]] = r.how[i]
		}
	}
}

// reach collects the instructions that gain by the layout, and then the producers and consumers of
// their tensors that can use it too.
func (l *layouting) reach(to engine.Layout) *region {
	r := &region{plan: l.plan, layout: to, at: map[*instr]int{}}
	add := func(in *instr, a engine.Arrangement) {
		r.at[in] = len(r.instrs)
		r.instrs, r.how = append(r.instrs, in), append(r.how, a)
	}
	for _, in := range l.plan.instrs {
		if a, ok := l.arrangement(in, to); ok && a.Gain > 0 {
			add(in, a)
		}
	}
	for i := 0; i < len(r.instrs); i++ {
		for _, next := range r.neighbours(i) {
			if _, known := r.at[next]; known {
				continue
			}
			if a, ok := l.arrangement(next, to); ok {
				add(next, a)
			}
		}
	}
	return r
}

// rewrite rebuilds the list of instructions, with conversions between different layouts.
func (l *layouting) rewrite() {
	for _, in := range l.plan.instrs {
		a, ok := l.chosen[in]
		if !ok {
			a = engine.Arrangement{In: make([]engine.Layout, len(in.in))}
		}
		for i, v := range in.in {
			in.in[i] = l.in(v, a.In[i])
		}
		if ok {
			in.bound = engine.Bound{} // it is bound for rows
		}
		for _, v := range in.out {
			v.layout = a.Out
		}
		l.instrs = append(l.instrs, in)
	}
	for i, v := range l.plan.outs {
		if v.layout != engine.Rows {
			v.out = false
			l.plan.outs[i] = l.in(v, engine.Rows)
			l.plan.outs[i].out = true
		}
	}
	l.plan.instrs = l.instrs
}

// in returns v in layout to, converted if necessary.
func (l *layouting) in(v *value, to engine.Layout) *value {
	if v.layout == to {
		return v
	}
	if t := l.twins[twin{v, to}]; t != nil {
		return t
	}
	from := v
	if to != engine.Rows {
		from = l.in(v, engine.Rows)
	}
	t := l.newValue(v.typ, v.node, fromInstr)
	t.layout = to
	l.instrs = append(l.instrs, &instr{op: convert{from.layout, to}, in: []*value{from}, out: []*value{t}, nodes: []*graph.Node{v.node}, added: true})
	l.twins[twin{v, to}] = t
	return t
}

// rowMajorOf returns b, the memory of v, or a copy of it in row-major order.
func (v *value) rowMajorOf(b engine.Buffer) engine.Buffer {
	if v.layout == engine.Rows || v.typ.Len() == 0 {
		return b
	}
	c := allocate(v.typ)
	width := v.typ.Width()
	blocks, block, inner := v.layout.Swap(v.typ)
	src, dst := b.Bytes(), c.Bytes()
	for i := range blocks * block * inner {
		stored, at, k := i/(block*inner), i/block%inner, i%block
		copy(dst[((stored*block+k)*inner+at)*width:][:width], src[i*width:])
	}
	return c
}

// convert changes the layout of its input. One of the two layouts is rows.
type convert struct{ From, To engine.Layout }

func (convert) Name() string { return "Convert" }

func (convert) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }

func (op convert) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if in[0].Layout != op.From || out.Layout != op.To || op.From != engine.Rows && op.To != engine.Rows {
		return engine.Bound{}, fmt.Errorf("a conversion of %v to %v was given %v and %v", op.From, op.To, in[0], out)
	}
	m, ok := e.(engine.Mover)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "transposition")
	}
	if op.To == engine.Rows {
		blocks, block, inner := op.From.Swap(out.Type)
		return bindSwap(m, out.DType, blocks, inner, block)
	}
	blocks, block, inner := op.To.Swap(out.Type)
	return bindSwap(m, out.DType, blocks, block, inner)
}

// bindSwap binds a kernel that transposes a number of matrices.
func bindSwap(m engine.Mover, d shape.DType, blocks, rows, cols int) (engine.Bound, error) {
	b, r, c := shape.Dim(blocks), shape.Dim(rows), shape.Dim(cols)
	return m.BindTranspose(engine.Perm{0, 2, 1}, engine.InRows(shape.Make(d, b, r, c)), engine.InRow(shape.Make(d, b, c, r)))
}
