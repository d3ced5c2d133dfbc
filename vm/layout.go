package vm

import (
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// layout puts batches into lanes where the engine's convolutions are faster so, and lets what lies
// between them follow. Tensors are converted at the edges of such a region alone.
func layout(p *plan) error {
	e, ok := p.prog.unit.eng.(engine.Laner)
	if !ok || e.Lanes() < 2 || p.batch%e.Lanes() != 0 {
		return nil
	}
	l := &laning{plan: p, engine: e, forms: map[*instr]laned{}, twins: map[*value]*value{}}
	l.find()
	if len(l.forms) == 0 {
		return nil
	}
	l.rewrite()
	p.relink()
	return nil
}

// laning is the work of layout.
type laning struct {
	*plan
	engine engine.Laner
	forms  map[*instr]laned  // the instructions that work in lanes
	twins  map[*value]*value // a value in the other form
	instrs []*instr          // the new list
}

// laned is how an instruction works in lanes; its op is nil for a map.
type laned struct {
	op   graph.Op
	form engine.InLanes
}

// find collects the convolutions that win, then what takes or gives their tensors and is as good
// in either form.
func (l *laning) find() {
	var reached []*instr
	add := func(in *instr, f laned) {
		l.forms[in] = f
		reached = append(reached, in)
	}
	for _, in := range l.plan.instrs {
		if f, ok := l.formOf(in); ok && f.form.Wins {
			add(in, f)
		}
	}
	for len(reached) > 0 {
		in := reached[0]
		reached = reached[1:]
		for _, next := range l.neighbours(in) {
			if _, known := l.forms[next]; known {
				continue
			}
			if f, ok := l.formOf(next); ok {
				add(next, f)
			}
		}
	}
}

// neighbours lists what gives or takes the tensors that in has in lanes.
func (l *laning) neighbours(in *instr) (ns []*instr) {
	f := l.forms[in].form
	for i, v := range in.in {
		if f.In[i] && v.def != nil {
			ns = append(ns, v.def)
		}
	}
	if f.Out {
		for _, v := range in.out {
			ns = append(ns, v.uses...)
		}
	}
	return ns
}

// formOf returns how in works in lanes, if it can.
func (l *laning) formOf(in *instr) (f laned, ok bool) {
	switch {
	case in.kind != compute || l.plan.batch != firstAxis(in.out[0].typ) && in.fmap != nil:
		return f, false
	case in.fmap != nil:
		f.form, ok = l.mapForm(in)
		return f, ok
	}
	op, ok := in.op.(Laner)
	if !ok {
		return f, false
	}
	f.op, f.form, ok = op.InLanes(l.engine, types(in.in), in.out[0].typ)
	return f, ok
}

func firstAxis(t shape.Type) int {
	if t.Rank() == 0 {
		return 0
	}
	return t.Int(0)
}

// mapForm is that of a map of images: of its inputs, those of the result's shape are in lanes; others
// do not depend on the batch.
func (l *laning) mapForm(in *instr) (f engine.InLanes, ok bool) {
	out := in.out[0].typ
	if out.Rank() != 4 {
		return f, false
	}
	f = engine.InLanes{In: make([]bool, len(in.in)), Out: true}
	for i, v := range in.in {
		f.In[i] = v.typ.Shape == out.Shape
		if !f.In[i] && v.typ.Rank() == out.Rank() && v.typ.Int(0) != 1 {
			return f, false
		}
	}
	return f, slices.Contains(f.In, true)
}

// rewrite makes the list of instructions anew, with conversions where forms meet.
func (l *laning) rewrite() {
	for _, in := range l.plan.instrs {
		if f, ok := l.forms[in]; ok {
			l.enter(in, f)
			continue
		}
		for i, v := range in.in {
			in.in[i] = l.rowMajor(v)
		}
		l.instrs = append(l.instrs, in)
	}
	for i, v := range l.plan.outs {
		if v.lanes > 0 {
			v.out = false
			l.plan.outs[i] = l.rowMajor(v)
			l.plan.outs[i].out = true
		}
	}
	l.plan.instrs = l.instrs
}

// enter lists in, working in lanes.
func (l *laning) enter(in *instr, f laned) {
	for i, v := range in.in {
		switch {
		case f.form.In[i]:
			in.in[i] = l.inLanes(v)
		case in.fmap != nil:
			in.in[i] = l.spread(l.rowMajor(v))
		default:
			in.in[i] = l.rowMajor(v)
		}
	}
	if in.fmap == nil {
		in.op = f.op
	}
	if f.form.Out {
		for _, v := range in.out {
			l.put(v)
		}
	}
	l.instrs = append(l.instrs, in)
}

// put makes v a value in lanes.
func (l *laning) put(v *value) {
	v.lanes = l.engine.Lanes()
	v.typ, _ = engine.Lanes(v.typ, v.lanes)
}

// inLanes returns v, or its conversion, in lanes.
func (l *laning) inLanes(v *value) *value {
	if v.lanes > 0 {
		return v
	}
	return l.twin(v, func(t *value) graph.Op {
		l.put(t)
		return toLanes{t.lanes}
	})
}

// rowMajor returns v, or its conversion, not in lanes.
func (l *laning) rowMajor(v *value) *value {
	if v.lanes == 0 {
		return v
	}
	return l.twin(v, func(t *value) graph.Op {
		t.typ = v.plain()
		return fromLanes{v.lanes}
	})
}

// spread returns v, which does not depend on the batch, so that it broadcasts along the lanes too.
func (l *laning) spread(v *value) *value {
	if v.typ.Rank() == 0 {
		return v
	}
	return l.twin(v, func(t *value) graph.Op {
		t.typ = v.typ.Of(v.typ.Shape.Insert(v.typ.Rank(), 1))
		return lastAxis{}
	})
}

// twin returns what was made of v before, or makes it.
func (l *laning) twin(v *value, convert func(*value) graph.Op) *value {
	if t := l.twins[v]; t != nil {
		return t
	}
	t := l.newValue(v.typ, v.node, fromInstr)
	in := &instr{op: convert(t), in: []*value{v}, out: []*value{t}, nodes: []*graph.Node{v.node}, added: true}
	if _, ok := in.op.(Aliaser); ok {
		in.kind = aliased
	}
	l.instrs = append(l.instrs, in)
	l.twins[v] = t
	return t
}

// plain is the type of v in row-major order.
func (v *value) plain() shape.Type {
	if v.lanes == 0 {
		return v.typ
	}
	return v.typ.Of(v.typ.Shape.With(0, shape.Dim(v.typ.Int(0)*v.lanes)).Drop(v.typ.Rank() - 1))
}

// rowMajorOf returns b, the memory of v, or a copy of it in row-major order.
func (v *value) rowMajorOf(b engine.Buffer) engine.Buffer {
	if v.lanes == 0 {
		return b
	}
	c := allocate(v.plain())
	width, blocks := v.typ.Width(), max(v.typ.Int(0), 1)
	src, dst, image := b.Bytes(), c.Bytes(), v.typ.Len()/(blocks*v.lanes)
	for i := range v.typ.Len() {
		block, at, lane := i/(image*v.lanes), i/v.lanes%image, i%v.lanes
		copy(dst[((block*v.lanes+lane)*image+at)*width:][:width], src[i*width:])
	}
	return c
}

// toLanes and fromLanes convert (N,...) and (N/Lanes,...,Lanes).
type (
	toLanes   struct{ Lanes int }
	fromLanes struct{ Lanes int }
)

func (toLanes) Name() string   { return "ToLanes" }
func (fromLanes) Name() string { return "FromLanes" }

func (op toLanes) Infer(in []shape.Type) (shape.Type, error) {
	t, ok := engine.Lanes(in[0], op.Lanes)
	if !ok {
		return t, fmt.Errorf("%v cannot stand in %d lanes", in[0], op.Lanes)
	}
	return t, nil
}

func (op fromLanes) Infer(in []shape.Type) (shape.Type, error) {
	v := value{typ: in[0], lanes: op.Lanes}
	return v.plain(), nil
}

func (op toLanes) Bind(e engine.Engine, in []shape.Type, _ shape.Type) (engine.Bound, error) {
	blocks := in[0].Int(0) / op.Lanes
	return bindSwap(e, in[0], blocks, op.Lanes)
}

func (op fromLanes) Bind(e engine.Engine, in []shape.Type, _ shape.Type) (engine.Bound, error) {
	return bindSwap(e, in[0], in[0].Int(0), in[0].Len()/max(in[0].Int(0)*op.Lanes, 1))
}

// bindSwap exchanges the two inner axes of t seen as (blocks,rows,columns).
func bindSwap(e engine.Engine, t shape.Type, blocks, rows int) (engine.Bound, error) {
	m, ok := e.(engine.Mover)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "transposition")
	}
	cols := t.Len() / max(blocks*rows, 1)
	b, r, c := shape.Dim(blocks), shape.Dim(rows), shape.Dim(cols)
	return m.BindTranspose(engine.Perm{0, 2, 1}, []shape.Type{shape.Make(t.DType, b, r, c)}, shape.Make(t.DType, b, c, r))
}

// lastAxis adds an axis of extent 1.
type lastAxis struct{}

func (lastAxis) Name() string { return "Reshape" }
func (lastAxis) Aliases()     {}
func (lastAxis) Infer(in []shape.Type) (shape.Type, error) {
	return in[0].Of(in[0].Shape.Insert(in[0].Rank(), 1)), nil
}
