package onnx

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// maxStages is how many programs a Session keeps.
const maxStages = 64

// A Session runs a model on an engine. It makes a program for each combination of extents that it
// meets, except those of the batch: the first axis, where its extent is not a number, is N. Where an
// operator needs values to continue, such as the extents that a Reshape is given, a first program
// computes these, and a further one, which is kept for these values, the rest.
//
// A Session may be used by many goroutines, whose runs wait for each other.
type Session struct {
	m     *Model
	eng   engine.Engine
	opts  []vm.Option
	store *vm.Store

	mu    sync.Mutex
	roots map[string]*stage
	count int
}

// A stage is what a run computes before it needs values to decide what comes next.
type stage struct {
	err     error
	machine *vm.Machine
	inputs  []string // of the machine's program
	elems   []ir.DataType
	outs    []output // of the last stage
	final   bool
	next    map[[sha256.Size]byte]*stage
}

// output is an output of the model: known, or a result of the program.
type output struct {
	known *Tensor
	index int
	elem  ir.DataType
}

// NewSession returns a Session that runs the model on e. The store holds the parameters, which have
// the names of the initialisers; those that it lacks are taken from the file. A nil store is a new
// one.
func (m *Model) NewSession(e engine.Engine, store *vm.Store, opts ...vm.Option) (*Session, error) {
	switch {
	case !m.read():
		return nil, errNoModel
	case isnil.Of(e):
		return nil, errors.New("onnx: a session needs an engine")
	case slices.ContainsFunc(opts, func(o vm.Option) bool { return o == nil }):
		return nil, errors.New("onnx: an option is nil")
	}
	if store == nil {
		store = vm.NewStore(0)
	}
	return &Session{m: m, eng: e, opts: opts, store: store, roots: map[string]*stage{}}, nil
}

// Run computes the outputs, by name, from the inputs. Inputs with an initialiser may be left out.
// Results belong to the caller.
func (s *Session) Run(ctx context.Context, inputs map[string]*Tensor) (map[string]*Tensor, error) {
	switch {
	case s == nil || s.m == nil:
		return nil, errors.New("onnx: there is no session; make one by Model.NewSession")
	case ctx == nil:
		return nil, errors.New("onnx: the context is nil")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	types, err := s.types(inputs)
	if err != nil {
		return nil, err
	}
	if sym := s.m.batch(types); sym != nil && s.root(sym).err == nil {
		outs, err := s.runFrom(ctx, sym, inputs)
		if err == nil || s.root(sym).err == nil {
			return outs, err
		}
	}
	return s.runFrom(ctx, types, inputs) // of this one batch size
}

// runFrom runs stage by stage. If the program for some stage cannot be made, its error is also that
// of the first, so that the next run does not try.
func (s *Session) runFrom(ctx context.Context, types map[string]shape.Type, inputs map[string]*Tensor) (map[string]*Tensor, error) {
	st := s.root(types)
	var tape []*Tensor
	for {
		if st.machine == nil && !st.final && st.err == nil {
			s.build(st, types, tape)
		}
		if st.err != nil {
			if !concrete(types) {
				s.root(types).err = st.err
			}
			return nil, st.err
		}
		results, err := st.run(ctx, inputs)
		if err != nil {
			return nil, err
		}
		if st.final {
			return s.named(st, results), nil
		}
		tape = append(tape, results...)
		st = s.after(st, results)
	}
}

// run runs the program of the stage.
func (st *stage) run(ctx context.Context, inputs map[string]*Tensor) ([]*Tensor, error) {
	if st.machine == nil {
		return nil, nil
	}
	in := make([]*tensor.Dense, len(st.inputs))
	for i, name := range st.inputs {
		in[i] = inputs[name].dense()
	}
	outs, err := st.machine.Run(ctx, in...)
	if err != nil {
		return nil, err
	}
	results := make([]*Tensor, len(outs))
	for i, d := range outs {
		results[i] = fromDense(d, st.elems[i])
	}
	return results, nil
}

// named returns the outputs of the model by name.
func (s *Session) named(st *stage, results []*Tensor) map[string]*Tensor {
	outs := map[string]*Tensor{}
	for i, o := range st.outs {
		t := o.known
		if t == nil {
			t = results[o.index]
		}
		outs[s.m.ir.Graph.Outputs[i].Name] = t
	}
	return outs
}

// after returns the stage that follows st for its results.
func (s *Session) after(st *stage, results []*Tensor) *stage {
	h := sha256.New()
	for _, t := range results {
		fmt.Fprint(h, t, ";")
		h.Write(elements[t.Type].key(t.Data))
	}
	key := [sha256.Size]byte(h.Sum(nil))
	if st.next[key] == nil {
		if st.next == nil {
			st.next = map[[sha256.Size]byte]*stage{}
		}
		st.next[key] = s.newStage()
	}
	return st.next[key]
}

// newStage counts the stages, and forgets all if there are too many.
func (s *Session) newStage() *stage {
	if s.count++; s.count > maxStages {
		clear(s.roots)
		s.count = 1
	}
	return &stage{}
}

// types returns the types of the inputs of a run by name, with N for the batch.
func (s *Session) types(inputs map[string]*Tensor) (map[string]shape.Type, error) {
	types := map[string]shape.Type{}
	sizes := map[string]int{}
	for _, in := range s.m.inputs {
		t := inputs[in.Name]
		if t == nil {
			return nil, fmt.Errorf("onnx: %s: input %v is missing", s.m.name, in)
		}
	}
	for name, t := range inputs {
		in, err := s.m.input(name)
		if err == nil {
			err = t.check()
		}
		if err == nil && t.Type != in.Type {
			err = fmt.Errorf("%v is given; want %v", t, in)
		}
		if err == nil {
			err = in.admits(t.compute())
		}
		if err == nil {
			err = in.agree(t, sizes)
		}
		if err != nil {
			return nil, fmt.Errorf("onnx: %s: input %q: %w", s.m.name, plain.Name(name), err)
		}
		types[name] = t.compute()
	}
	return types, nil
}

// input describes an input of the file, also one with an initialiser.
func (m *Model) input(name string) (Input, error) {
	for _, v := range m.ir.Graph.Inputs {
		if v.Name == name && m.bound[name] == nil {
			return inputOf(v)
		}
	}
	return Input{}, errors.New("the model has no such input, or it is bound")
}

// agree returns an error if extents of the same name differ.
func (in Input) agree(t *Tensor, sizes map[string]int) error {
	for i, d := range in.Dims {
		if d.Size >= 0 || d.Name == "" {
			continue
		}
		if n, ok := sizes[d.Name]; ok && n != t.Dims[i] {
			return fmt.Errorf("extent %s is %d here and %d in another input", d, t.Dims[i], n)
		}
		sizes[d.Name] = t.Dims[i]
	}
	return nil
}

// batch returns the types with N for the extent of the batch: that of the first axis of the first
// input whose extent is not a number there, and all others of its name.
func (m *Model) batch(types map[string]shape.Type) map[string]shape.Type {
	first := slices.IndexFunc(m.inputs, func(in Input) bool { return len(in.Dims) > 0 && in.Dims[0].Size < 0 })
	if first < 0 {
		return nil
	}
	name := m.inputs[first].Dims[0].Name
	sym := map[string]shape.Type{}
	for _, in := range m.inputs {
		t := types[in.Name]
		for i, d := range in.Dims {
			if d.Size < 0 && d.Name == name && (name != "" || i == 0) && t.Dim(i) > 0 {
				t = t.Of(t.With(i, shape.N))
			}
		}
		sym[in.Name] = t
	}
	for name, t := range types { // those that replace initialisers
		if _, ok := sym[name]; !ok {
			sym[name] = t
		}
	}
	return sym
}

// concrete reports whether no type depends on N.
func concrete(types map[string]shape.Type) bool {
	for _, t := range types {
		if !t.Concrete() {
			return false
		}
	}
	return true
}

// root returns the first stage for inputs of the given types.
func (s *Session) root(types map[string]shape.Type) *stage {
	key := fmt.Sprint(types) // fmt sorts the keys of maps
	if s.roots[key] == nil {
		s.roots[key] = s.newStage()
	}
	return s.roots[key]
}

// pending is the panic of an evaluation that needs values.
type pending struct {
	nodes []*graph.Node
	elems []ir.DataType
}

// build evaluates the model with the values so far, and makes the program for what is needed next.
func (s *Session) build(st *stage, types map[string]shape.Type, tape []*Tensor) {
	g := graph.New()
	ev := newEvaluator(s.m, nn.Root(g))
	at := 0
	ev.force = func(nodes []*graph.Node, elems []ir.DataType) []*Tensor {
		if g.Err() != nil {
			panic(stop{g.Err()})
		}
		if at+len(nodes) > len(tape) {
			panic(pending{nodes, elems})
		}
		at += len(nodes)
		return tape[at-len(nodes) : at]
	}
	var outs []*value
	var wait *pending
	g.Inferring(func() {
		defer func() {
			switch r := recover().(type) {
			case nil:
			case pending:
				wait = &r
			default:
				panic(r)
			}
		}()
		outs, st.err = ev.run(s.inputValues(g, types))
		if st.err == nil {
			st.err = guarded(func() { st.finish(ev, outs) })
		}
	})
	switch {
	case st.err != nil:
		return
	case wait != nil:
		s.compile(st, wait.nodes, wait.elems)
		return
	}
	var nodes []*graph.Node
	var elems []ir.DataType
	for i, o := range st.outs {
		if o.known == nil {
			st.outs[i].index = len(nodes)
			nodes, elems = append(nodes, outs[i].node), append(elems, o.elem)
		}
	}
	st.final = true
	if len(nodes) > 0 {
		s.compile(st, nodes, elems)
	}
}

// finish lists the outputs.
func (st *stage) finish(ev *evaluator, outs []*value) {
	for i, v := range outs {
		switch {
		case v.isList, v.none:
			refuse("output %q is %v; want a tensor", plain.Name(ev.m.ir.Graph.Outputs[i].Name), v)
		case v.host == nil:
			ev.nodeOf(v)
		}
		st.outs = append(st.outs, output{known: v.host, elem: v.elem})
	}
}

// inputValues adds the inputs to g.
func (s *Session) inputValues(g *graph.Graph, types map[string]shape.Type) map[string]*value {
	values := map[string]*value{}
	for _, v := range s.m.ir.Graph.Inputs {
		if t, ok := types[v.Name]; ok {
			in, _ := inputOf(v)
			g.At(graph.Pos{File: s.m.name}, func() { values[v.Name] = computed(g.Input(v.Name, t), in.Type) })
		}
	}
	return values
}

// compile makes the program of the stage.
func (s *Session) compile(st *stage, nodes []*graph.Node, elems []ir.DataType) {
	p, err := vm.Compile(s.eng, nodes, s.opts...)
	if err == nil {
		st.machine, err = p.NewMachine(s.store)
	}
	if st.err = err; err != nil {
		return
	}
	st.elems = elems
	for _, n := range p.Inputs() {
		st.inputs = append(st.inputs, n.Name())
	}
}
