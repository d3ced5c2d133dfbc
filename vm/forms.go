package vm

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// formKey identifies one of the packed forms of a value.
type formKey struct {
	form  any // the engine's identification of the form, or else the instruction
	bytes int

	memory engine.Memory // nil for the host's
}

func (in *instr) formKey() formKey {
	k := in.bound.Packing
	if k.Form == nil {
		return formKey{weak.Make(in), k.Bytes, in.bound.Memory}
	}
	return formKey{k.Form, k.Bytes, in.bound.Memory}
}

// formOf is a packed form of a value in a plan.
type formOf struct {
	value *value
	key   formKey
}

// formOf returns the packed form that the kernel of in uses.
func (in *instr) formOf() formOf {
	return formOf{in.in[in.bound.Packing.In].root(), in.formKey()}
}

// forms lists the packed forms that kernels use, each once.
func (p *plan) forms() (forms []formOf) {
	seen := map[formOf]bool{}
	for _, in := range p.instrs {
		if !in.prepacked {
			continue
		}
		f := in.formOf()
		if !seen[f] {
			seen[f] = true
			forms = append(forms, f)
		}
	}
	return forms
}

// formSet holds the packed forms of one value, a leaf or a constant. A form is shared by all
// machines that need it, and lives as long as the last of them.
type formSet struct {
	mu    sync.Mutex
	forms map[formKey]weak.Pointer[packedForm]
}

// packedForm is a packed form of a value.
type packedForm struct {
	mem  engine.Buffer
	mu   sync.Mutex    // held while packing
	made atomic.Uint64 // 1 + the number of writes to the value when the form was made; 0 if it is not made
}

// of returns the form with the given key.
func (s *formSet) of(key formKey) (*packedForm, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.forms[key].Value(); f != nil {
		return f, nil
	}
	mem := key.memory
	if mem == nil {
		mem = engine.Host{}
	}
	r, err := alloc(mem, key.bytes, "packed parameters")
	if err != nil {
		return nil, err
	}
	if s.forms == nil {
		s.forms = map[formKey]weak.Pointer[packedForm]{}
	}
	maps.DeleteFunc(s.forms, func(_ formKey, f weak.Pointer[packedForm]) bool { return f.Value() == nil })
	f := &packedForm{mem: r.At(0, shape.Uint8, key.bytes)}
	s.forms[key] = weak.Make(f)
	return f, nil
}

// has reports whether there is a form with the given key.
func (s *formSet) has(key formKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forms[key].Value() != nil
}

// packCall makes the packed form that an instruction uses.
type packCall struct {
	instr *instr
	leaf  *leaf // nil if it is a constant
	form  *packedForm
	step  step
}

// newPackCall binds the packing of an input of in. If the kernel packs on the host and the value is
// on a device, it works on copies.
func (m *Machine) newPackCall(in *instr, copies *engine.Region) (packCall, error) {
	k := in.bound.Packing
	v := in.in[k.In]
	form, err := m.formsOf(v.root()).of(in.formKey())
	if err != nil {
		return packCall{}, err
	}
	p := packCall{instr: in, form: form, step: step{kernel: k.Kernel}}
	if r := v.root(); r.from == fromLeaf {
		p.leaf = m.leaves[r.index]
	}
	c := &p.step.call
	c.In, c.Out = []engine.Buffer{m.buffer(v)}, []engine.Buffer{form.mem}
	switch {
	case m.prog.detours(in):
		d := &detour{memory: m.prog.memory, kernel: k.Kernel, call: engine.Call{Out: c.Out}}
		d.call.In = []engine.Buffer{copies.At(0, v.typ.DType, v.typ.Len())}
		d.call.Scratch = copies.At(align(v.typ.Bytes()), shape.Uint8, k.Scratch)
		c.Out, p.step.kernel = nil, d.run // the packed form stays on the host
	case m.prog.device:
		p.step.device = m.prog.memory
		fallthrough
	default:
		c.Scratch = m.arena.At(0, shape.Uint8, k.Scratch)
	}
	return p, nil
}

// formsOf returns the packed forms of a leaf or a constant.
func (m *Machine) formsOf(root *value) *formSet {
	if root.from == fromLeaf {
		return &m.leaves[root.index].forms
	}
	return &m.prog.constForms[root.index]
}

// packAll makes the forms that do not exist yet or whose value has changed since. The store is
// held, so that no value changes in the meantime.
func (l *prepared) packAll(ctx context.Context) error {
	for i := range l.packCalls {
		p := &l.packCalls[i]
		if p.fresh() {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := p.run(); err != nil {
			return graph.ErrorAt(p.instr.node(), fmt.Errorf("packing input %d: %w", p.instr.bound.Packing.In, err))
		}
	}
	return nil
}

func (p *packCall) fresh() bool { return p.form.made.Load() == p.version() }

func (p *packCall) version() uint64 {
	if p.leaf == nil {
		return 1
	}
	return 1 + p.leaf.writes
}

// run makes the form, or waits for another machine to make it.
func (p *packCall) run() error {
	p.form.mu.Lock()
	defer p.form.mu.Unlock()
	if p.fresh() {
		return nil
	}
	p.form.made.Store(0)
	if err := p.step.complete(); err != nil {
		return err
	}
	p.form.made.Store(p.version())
	return nil
}
