package onnx

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// maxStages is how many programs a Session keeps, and maxForms for how many kinds of inputs it
// remembers which they are.
const maxStages, maxForms = 64, 256

// A Session runs a model on an engine. It makes a program for each combination of extents that it
// meets, except those of the batch: the first axis, where its extent is not a number, is N. Where an
// operator needs values to continue, such as the extents that a Reshape is given, a first program
// computes these, and a further one, which is kept for these values, the rest.
//
// A Session may be used by many goroutines. As many runs as the initial GOMAXPROCS are computed at a
// time, each in memory that is reused; further ones wait.
type Session struct {
	m     *Model
	eng   engine.Engine
	opts  []vm.Option
	store *vm.Store
	slots chan struct{} // has room for the runs that are computed

	mu    sync.Mutex
	forms map[string]*form // by the types of inputs
	roots map[string]*stage
	count int
}

// A form is what the types of inputs lead to.
type form struct {
	batch map[string]shape.Type // with N for the batch, or nil
	exact map[string]shape.Type

	ofBatch, ofExact *stage // the first stages; ofExact is nil before it is needed
}

// A stage is what a run computes before it needs values to decide what comes next.
type stage struct {
	once    sync.Once
	built   atomic.Bool // once is done
	err     error
	program *vm.Program // nil if all that comes next is known
	inputs  []string    // of the program
	elems   []ir.DataType
	outs    []output // of the last stage
	final   bool

	broken atomic.Bool // a stage behind this one has an error, for any N

	mu   sync.Mutex
	idle []*runner
	next map[[sha256.Size]byte]*stage
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
	return &Session{m: m, eng: e, opts: opts, store: store, slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		forms: map[string]*form{}, roots: map[string]*stage{}}, nil
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
	f, err := s.form(inputs)
	if err != nil {
		return nil, err
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-s.slots }()
	if f.batch != nil && !f.ofBatch.broken.Load() {
		outs, err := s.runFrom(ctx, f.ofBatch, f.batch, inputs)
		if err == nil || !f.ofBatch.broken.Load() {
			return outs, err
		}
	}
	return s.runFrom(ctx, s.exact(f), f.exact, inputs) // of this one batch size
}

// exact returns the first stage for the types as they are.
func (s *Session) exact(f *form) *stage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.ofExact == nil {
		f.ofExact = s.root(f.exact)
	}
	return f.ofExact
}

// form returns what the types of the inputs lead to. For types that it has met it allocates nothing.
func (s *Session) form(inputs map[string]*Tensor) (*form, error) {
	var room [128]byte
	key := room[:0]
	usual := len(inputs) == len(s.m.inputs) // none replaces an initialiser
	for _, in := range s.m.inputs {
		t := inputs[in.Name]
		if usual = usual && t.check() == nil; !usual {
			break
		}
		key = binary.AppendVarint(key, int64(t.Type))
		for _, d := range t.Dims {
			key = binary.AppendVarint(key, int64(d))
		}
		key = binary.AppendVarint(key, -1) // which is no extent
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.forms[string(key)]; ok && usual {
		return f, nil
	}
	types, err := s.types(inputs)
	if err != nil {
		return nil, err
	}
	f := &form{batch: s.m.batch(types), exact: types}
	if f.batch != nil {
		f.ofBatch = s.root(f.batch)
	}
	if usual {
		if len(s.forms) >= maxForms {
			clear(s.forms)
		}
		s.forms[string(key)] = f
	}
	return f, nil
}

// runFrom runs stage by stage. If the program for some stage cannot be made for any N, the first is
// broken, so that the next run does not try.
func (s *Session) runFrom(ctx context.Context, root *stage, types map[string]shape.Type, inputs map[string]*Tensor) (map[string]*Tensor, error) {
	var tape []*Tensor
	for st := root; ; {
		if !st.built.Load() {
			s.buildOnce(st, types, tape)
		}
		if st.err != nil {
			if !concrete(types) {
				root.broken.Store(true)
			}
			return nil, st.err
		}
		r, err := st.run(ctx, s.store, inputs)
		if err != nil {
			return nil, err
		}
		if st.final {
			outs := s.named(st, r)
			st.release(r)
			return outs, nil
		}
		results := make([]*Tensor, len(r.outs))
		for i, d := range r.outs {
			results[i] = fromDense(d, st.elems[i])
		}
		st.release(r)
		tape = append(tape, results...)
		st = s.after(st, results)
	}
}

// named returns the outputs of the model by name.
func (s *Session) named(st *stage, r *runner) map[string]*Tensor {
	outs := make(map[string]*Tensor, len(st.outs))
	for i, o := range st.outs {
		t := o.known
		if t == nil {
			t = fromDense(r.outs[o.index], st.elems[o.index])
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.next[key] == nil {
		if st.next == nil {
			st.next = map[[sha256.Size]byte]*stage{}
		}
		st.next[key] = s.newStage()
	}
	return st.next[key]
}

// newStage counts the stages, and forgets all if there are too many. s.mu is held.
func (s *Session) newStage() *stage {
	if s.count++; s.count > maxStages {
		clear(s.roots)
		clear(s.forms)
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

// root returns the first stage for inputs of the given types. s.mu is held.
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

// buildOnce builds the stage, unless another run has.
func (s *Session) buildOnce(st *stage, types map[string]shape.Type, tape []*Tensor) {
	st.once.Do(func() {
		s.build(st, types, tape)
		st.built.Store(true)
	})
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

// compile makes the program of the stage, and its first machine.
func (s *Session) compile(st *stage, nodes []*graph.Node, elems []ir.DataType) {
	if st.program, st.err = vm.Compile(s.eng, nodes, s.opts...); st.err != nil {
		return
	}
	st.elems = elems
	for _, n := range st.program.Inputs() {
		st.inputs = append(st.inputs, n.Name())
	}
	r, err := st.acquire(s.store)
	if st.err = err; err == nil {
		st.release(r)
	}
}
