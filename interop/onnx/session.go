package onnx

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/rescue"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// maxStages is how many programs a Session keeps, and maxForms for how many kinds of inputs it
// remembers which they are. defaultMemory is the default of Options.Memory.
const maxStages, maxForms, defaultMemory = 64, 256, 1 << 30

// A Session runs a model on an engine. It makes a program for each combination of extents that it
// meets, except those of the batch: the first axis, where its extent is not a number, is N. Where an
// operator needs values to continue, such as the extents that a Reshape is given, a first program
// computes these, and a further one, which is kept for these values, the rest. Where the extents of an
// operator's results depend on elements, as those of NonMaxSuppression do, a first program computes its
// inputs, the operator runs on the host, and a further program, which is kept for the extents of its
// results, computes the rest.
//
// A Session keeps at most 64 programs, and no more than [Options.Memory] says. Further ones take the place of those that were
// not used for the longest time.
//
// A Session may be used by many goroutines. As many runs as the initial GOMAXPROCS are computed at a
// time, each in memory that is reused; further ones wait.
type Session struct {
	m     *Model
	eng   engine.Engine
	opts  []vm.Option
	store *vm.Store
	inner bool          // it runs the body of a loop
	slots chan struct{} // has room for the runs that are computed

	mu     sync.Mutex // guards what follows, and the maps of stages
	forms  map[string]*form
	roots  map[string]*stage
	stages []*stage
	clock  int
	bytes  int // of all stages
}

// newSession returns a Session without checks.
func newSession(m *Model, e engine.Engine, store *vm.Store, opts []vm.Option) *Session {
	return &Session{m: m, eng: e, opts: opts, store: store, slots: make(chan struct{}, runtime.GOMAXPROCS(0)), forms: map[string]*form{}, roots: map[string]*stage{}}
}

// A form is what the types of inputs lead to.
type form struct {
	batch map[string]spec // with N for the batch, or nil
	exact map[string]spec

	ofBatch, ofExact *stage // the first stages; ofExact is nil before it is needed
}

// A stage is what a run computes before it needs values to decide what comes next.
type stage struct {
	building sync.Mutex
	built    atomic.Bool // what follows is as it stays
	plan

	broken atomic.Bool // a stage behind this one has an error, for any N

	mu   sync.Mutex
	idle []*runner

	next   map[string]*stage
	parent map[string]*stage // which has it under key
	key    string
	used   int // when it was last
	bytes  int // that it keeps
	gone   bool
}

// A plan is what a stage does.
type plan struct {
	err     error
	program *vm.Program // nil if all that comes next is known
	inputs  []string    // of the program
	elems   []ir.DataType
	wait    *wave    // what comes next, or nil after the last stage
	outs    []output // of the last stage
	final   bool
}

// output is an output of the model: known, an input, a result of the program, or a sequence or optional
// of such.
type output struct {
	known *Tensor
	feed  string
	index int
	elem  ir.DataType
	kind  ir.Kind
	items []output
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
	return newSession(m, e, store, opts), nil
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
			return s.named(outs), err
		}
	}
	outs, err := s.runFrom(ctx, s.exact(f), f.exact, inputs) // of this one batch size
	return s.named(outs), err
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
		if usual = usual && t.check() == nil && t.plain(); !usual {
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
		s.clock++
		for _, st := range []*stage{f.ofBatch, f.ofExact} {
			if st != nil {
				st.used = s.clock
			}
		}
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

// named returns the outputs of the model by name.
func (s *Session) named(list []*Tensor) map[string]*Tensor {
	if list == nil {
		return nil
	}
	outs := map[string]*Tensor{}
	for i, t := range list {
		outs[s.m.ir.Graph.Outputs[i].Name] = t
	}
	return outs
}

// runFrom runs stage by stage. If the program for some stage cannot be made for any N, the first is
// broken, so that the next run does not try.
func (s *Session) runFrom(ctx context.Context, root *stage, types map[string]spec, inputs map[string]*Tensor) ([]*Tensor, error) {
	fed, own := feedsOf(s.m, inputs)
	var tape played
	for st := root; ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.made(ctx, st, types, tape); err != nil {
			if ctx.Err() == nil && !concrete(types) {
				root.broken.Store(true)
			}
			return nil, err
		}
		r, err := st.run(ctx, s.store, fed)
		if err != nil {
			return nil, err
		}
		if r.machine != nil && r.fed {
			s.account(st, r)
		}
		if st.final {
			outs := mapped(st.outs, func(o output) *Tensor { return o.tensor(st, r, fed) })
			st.release(r)
			return outs, nil
		}
		results := make([]*Tensor, len(r.outs))
		for i, d := range r.outs {
			results[i] = fromDense(d, st.elems[i])
		}
		st.release(r)
		if !own {
			fed, own = maps.Clone(fed), true
		}
		if tape == nil {
			tape = played{}
		}
		key, err := s.play(ctx, st.wait, results, fed, tape)
		if err != nil {
			return nil, err
		}
		st = s.after(st, key)
	}
}

// made makes the plan of the stage, unless another run has. One that the end of ctx ended is to be made again.
func (s *Session) made(ctx context.Context, st *stage, types map[string]spec, tape played) error {
	if st.built.Load() {
		return st.err
	}
	st.building.Lock()
	defer st.building.Unlock()
	if st.built.Load() {
		return st.err
	}
	if s.build(ctx, st, types, tape); st.err != nil && ctx.Err() != nil {
		err := st.err
		st.plan = plan{}
		return err
	}
	st.built.Store(true)
	return st.err
}

// played has what an evaluation asks for, by key.
type played map[string]answer

// An answer has elements or, of a step, the types of its results; or an id of a value that is saved.
type answer struct {
	value *Tensor
	specs []spec
	saved bool
}

// play computes what the operators of a wave ask for, and returns the key of the stage after it.
func (s *Session) play(ctx context.Context, w *wave, results []*Tensor, fed feeds, tape played) (string, error) {
	for id, i := range w.saved {
		fed[s.m.inner(valueName(id))] = results[i]
		tape[id] = answer{saved: true}
	}
	var key strings.Builder
	for _, a := range w.asks {
		in := mapped(a.at, func(i int) *Tensor { return results[i] })
		if a.step == nil {
			tape[a.key] = answer{value: in[0]}
			fmt.Fprintf(&key, "%x;", hashOf(in))
			continue
		}
		var outs []*Tensor
		err := rescue.Do(func() (err error) {
			outs, err = a.step(ctx, in)
			return err
		})
		if err != nil {
			return "", err
		}
		specs := mapped(outs, specOf)
		for i, t := range outs {
			fed.add(s.m, s.m.inner(stepName(a.key, i)), t)
		}
		tape[a.key] = answer{specs: specs}
		fmt.Fprint(&key, specs, ";")
	}
	return key.String(), nil
}

// stepName is the name of result i of a step.
func stepName(key string, i int) string { return fmt.Sprintf("(step %s%d)", key, i) }

// tensor returns the value of an output.
func (o output) tensor(st *stage, r *runner, fed feeds) *Tensor {
	switch {
	case o.kind != ir.TensorKind:
		return &Tensor{Kind: o.kind, Type: o.elem, Items: mapped(o.items, func(e output) *Tensor { return e.tensor(st, r, fed) })}
	case o.known != nil:
		return o.known.clone()
	case o.feed != "":
		return fed[o.feed]
	}
	return fromDense(r.outs[o.index], st.elems[o.index])
}

// after returns the stage that follows st for the given key.
func (s *Session) after(st *stage, key string) *stage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.next == nil {
		st.next = map[string]*stage{}
	}
	return s.stage(st.next, key, st)
}

// stage returns the stage of a map, that of what follows of if it is not nil, made if there is none. If there are too
// many, that which was not used for the longest time, and that none follows, is forgotten. s.mu is held.
func (s *Session) stage(in map[string]*stage, key string, of *stage) *stage {
	s.clock++
	if in[key] == nil {
		if len(s.stages) >= maxStages {
			s.forget(of)
		}
		in[key] = &stage{parent: in, key: key}
		s.stages = append(s.stages, in[key])
	}
	in[key].used = s.clock
	return in[key]
}

// account counts what a runner keeps, after inputs of other extents, and forgets programs if that is too much.
func (s *Session) account(st *stage, r *runner) {
	r.fed = false
	more := r.keeps(st) - r.bytes
	r.bytes += more
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.gone {
		return
	}
	if st.bytes == 0 {
		more += st.constants()
	}
	st.bytes += more
	s.bytes += more
	for s.bytes > s.m.memory && s.forget(st) {
	}
}

// forget forgets a stage, but not current, and reports whether there was one.
func (s *Session) forget(current *stage) bool {
	old := -1
	for i, st := range s.stages {
		if st != current && len(st.next) == 0 && (old < 0 || st.used < s.stages[old].used) {
			old = i
		}
	}
	if old < 0 {
		return false
	}
	st := s.stages[old]
	delete(st.parent, st.key)
	st.gone = true
	s.bytes -= st.bytes
	s.stages = slices.Delete(s.stages, old, old+1)
	clear(s.forms) // which may have it
	return true
}

// types returns the types of the inputs of a run by name, with N for the batch.
func (s *Session) types(inputs map[string]*Tensor) (map[string]spec, error) {
	types := map[string]spec{}
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
		if err == nil {
			err = in.takes(t)
		}
		if err == nil {
			err = in.agree(t, sizes)
		}
		if err != nil {
			return nil, fmt.Errorf("onnx: %s: input %q: %w", s.m.name, plain.Name(name), err)
		}
		types[name] = specOf(t)
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

// takes returns an error if t cannot be the input.
func (in Input) takes(t *Tensor) error {
	switch {
	case in.Kind == ir.OptionalKind && t.Kind == ir.OptionalKind:
		return nil
	case t.kind() != in.Kind && in.Kind != ir.OptionalKind, t.Type != in.Type:
		return fmt.Errorf("%v is given; want %v", t, in)
	case t.kind() == ir.SequenceKind || t.Type == ir.String:
		return nil
	}
	in.Kind = ir.TensorKind
	return in.admits(t.compute())
}

// agree returns an error if extents of the same name differ.
func (in Input) agree(t *Tensor, sizes map[string]int) error {
	if t.kind() != ir.TensorKind {
		return nil
	}
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
func (m *Model) batch(types map[string]spec) map[string]spec {
	first := slices.IndexFunc(m.inputs, func(in Input) bool {
		return in.Kind == ir.TensorKind && len(in.Dims) > 0 && in.Dims[0].Size < 0 && in.Type != ir.String
	})
	if first < 0 {
		return nil
	}
	name := m.inputs[first].Dims[0].Name
	sym := maps.Clone(types)
	for _, in := range m.inputs {
		s := types[in.Name]
		if s.kind != ir.TensorKind || s.known != nil {
			continue
		}
		t := s.typ
		for i, d := range in.Dims {
			if d.Size < 0 && d.Name == name && (name != "" || i == 0) && t.Dim(i) > 0 {
				t = t.Of(t.With(i, shape.N))
			}
		}
		s.typ = t
		sym[in.Name] = s
	}
	return sym
}

// concrete reports whether no type depends on N.
func concrete(types map[string]spec) bool {
	for _, s := range types {
		if s.kind == ir.TensorKind && !s.typ.Concrete() {
			return false
		}
	}
	return true
}

// root returns the first stage for inputs of the given types. s.mu is held.
func (s *Session) root(types map[string]spec) *stage {
	return s.stage(s.roots, fmt.Sprint(types), nil) // fmt sorts the keys of maps
}

// replay gives an evaluation what was computed for it before.
type replay struct {
	ev   *evaluator
	tape played
}

// next returns the answer, or lets the operator wait for it.
func (r replay) next(a ask) answer {
	if r.ev.unrolling > 0 {
		panic(unrollable{})
	}
	given, ok := r.tape[a.key]
	if !ok {
		r.ev.wave.ask(a)
		panic(later{})
	}
	return given
}

// force returns the elements of a node.
func (r replay) force(a ask) *Tensor { return r.next(a).value }

// host returns inputs for the results of a step.
func (r replay) host(a ask) []*value {
	specs := r.next(a).specs
	outs := make([]*value, len(specs))
	for i, s := range specs {
		outs[i] = s.value(r.ev, r.ev.m.inner(stepName(a.key, i)))
	}
	return outs
}

// build evaluates the model with the values so far, and makes the program for what is needed next.
func (s *Session) build(ctx context.Context, st *stage, types map[string]spec, tape played) {
	g := graph.New()
	ev := newEvaluator(s.m, nn.Root(g))
	r := replay{ev: ev, tape: tape}
	ev.ctx, ev.session, ev.force, ev.host = ctx, s, r.force, r.host
	for id := range tape {
		if tape[id].saved {
			ev.saved[id] = true
		}
	}
	g.Inferring(func() { s.evaluate(ev, st, types) })
	switch {
	case st.err != nil:
		return
	case st.wait != nil:
		s.compile(st, st.wait.nodes, st.wait.elems, ev.integers(st.wait.nodes))
		return
	}
	st.final = true
	if w := ev.wave; len(w.nodes) > 0 {
		s.compile(st, w.nodes, w.elems, ev.integers(w.nodes))
	}
}

// evaluate finds the outputs of the model, or what it waits for.
func (s *Session) evaluate(ev *evaluator, st *stage, types map[string]spec) {
	var outs []*value
	if outs, st.err = ev.run(s.inputValues(ev, types)); st.err != nil {
		return
	}
	st.err = guarded(func() {
		if len(ev.wave.asks) > 0 {
			ev.wave.finish(ev, outs)
			st.wait = ev.wave
			return
		}
		st.finish(ev, outs)
		for i := range st.outs {
			st.outs[i].collect(ev.wave, outs[i], s.inner)
		}
	})
}

// finish lists the outputs.
func (st *stage) finish(ev *evaluator, outs []*value) {
	for i, v := range outs {
		o := outputOf(ev, v)
		if t := ev.m.ir.Graph.Outputs[i].Type; t != nil && t.Kind == ir.OptionalKind && o.kind != ir.OptionalKind {
			o = output{kind: ir.OptionalKind, elem: v.elem, items: []output{o}}
		}
		st.outs = append(st.outs, o)
	}
}

func outputOf(ev *evaluator, v *value) output {
	switch {
	case v.none:
		return output{kind: ir.OptionalKind, elem: v.elem}
	case v.isList:
		return output{kind: ir.SequenceKind, elem: v.elem, items: mapped(v.items, func(e *value) output { return outputOf(ev, e) })}
	case v.host == nil:
		ev.nodeOf(v)
	}
	return output{kind: ir.TensorKind, known: v.host, elem: v.elem}
}

// collect says where the elements of an output are. Inputs are given back as they are if share is set.
func (o *output) collect(w *wave, v *value, share bool) {
	switch {
	case o.kind == ir.OptionalKind && len(o.items) == 1:
		o.items[0].collect(w, v, share)
	case o.kind == ir.SequenceKind:
		for i := range o.items {
			o.items[i].collect(w, v.items[i], share)
		}
	case o.kind == ir.OptionalKind || o.known != nil:
	case share && v.node.Kind() == graph.Input:
		o.feed = v.node.Name()
	default:
		o.index = w.add(v.node, v.elem)
	}
}

// inputValues adds the inputs to the graph.
func (s *Session) inputValues(ev *evaluator, types map[string]spec) map[string]*value {
	values := map[string]*value{}
	for _, v := range s.m.ir.Graph.Inputs {
		if t, ok := types[v.Name]; ok {
			ev.g.At(graph.Pos{File: s.m.name}, func() { values[v.Name] = t.value(ev, v.Name) })
		}
	}
	return values
}

// program compiles nodes, with layers in 8-bit integers where the options of the session and the layers' places allow that.
func (s *Session) program(nodes []*graph.Node, integers []vm.Option) (*vm.Program, error) {
	if len(integers) > 0 {
		p, err := vm.Compile(s.eng, nodes, slices.Concat(s.opts, integers)...)
		if err == nil {
			_, err = p.Memory(1) // layers that passes have merged are known then
		}
		if err == nil {
			return p, nil
		}
	}
	return vm.Compile(s.eng, nodes, s.opts...)
}

// compile makes the program of the stage, and its first machine.
func (s *Session) compile(st *stage, nodes []*graph.Node, elems []ir.DataType, integers []vm.Option) {
	if st.program, st.err = s.program(nodes, integers); st.err != nil {
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
