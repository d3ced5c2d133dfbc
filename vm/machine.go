package vm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/rescue"
	"github.com/plexaura/plexaura/shape"
)

// ErrNotFinite is wrapped by errors about a NaN or infinity. If a training step returns it, the
// step has changed nothing.
var ErrNotFinite = errors.New("not finite")

// A Machine runs a [Program]. It owns the memory of one run at a time.
type Machine struct {
	prog     *Program
	store    *Store
	leaves   []*leaf // the program's leaves in the store
	deleted  uint64  // the value of Store.deleted when leaves were looked up
	attached bool    // leaves have been looked up
	busy     atomic.Bool
	arena    *engine.Region
	prepared []*prepared // most recently used first
	watch    *watch      // nil if nothing is observed
	once     *onceValues // nil if there are none
}

// maxPrepared is the number of batch sizes that a Machine keeps ready to run.
const maxPrepared = 4

// NewMachine returns a machine that runs p with the values in s. Values that s lacks are
// initialised. State of an optimiser in s belongs to that optimiser: it is an error if p would let
// another optimiser change it, or if s has only a part of the state that an optimiser of p keeps.
func (p *Program) NewMachine(s *Store) (*Machine, error) {
	if p == nil || p.unit == nil {
		return nil, errNoProgram
	}
	if s == nil {
		return nil, errNoStore
	}
	if err := s.adopt(p); err != nil {
		return nil, err
	}
	once, err := p.onceFor(s)
	if err != nil {
		return nil, err
	}
	return &Machine{prog: p, store: s, once: once}, nil
}

// attach looks up the leaves in the store, which must be held. It does so again if values were
// deleted from the store since.
func (m *Machine) attach() error {
	if m.attached && m.deleted == m.store.deleted {
		return nil
	}
	leaves := make([]*leaf, len(m.prog.leaves))
	for i, n := range m.prog.leaves {
		l := m.store.get(n.Name())
		if l == nil {
			return fmt.Errorf("vm: %q was deleted from the store; Set it, or Init it again", n.Name())
		}
		if err := l.suits(n); err != nil {
			return err
		}
		leaves[i] = l
	}
	if m.once != nil {
		if err := m.once.attach(); err != nil {
			return err
		}
		leaves = append(leaves, m.once.leaves...)
	}
	if err := m.store.claim(m.prog.claims); err != nil {
		return err
	}
	m.leaves, m.deleted, m.attached = leaves, m.store.deleted, true
	m.drop(0) // they refer to the old leaves
	return nil
}

// prepared is a plan bound to the memory of a machine.
type prepared struct {
	plan      *plan
	steps     []step
	inputs    []shape.Type // concrete
	patches   [][]patch    // by input: the arguments that its tensor is passed to
	staging   []engine.Buffer
	packCalls []packCall
	finite    []finite // outputs that a training step checks for finiteness
	outs      []*tensor.Dense
	results   []engine.Buffer // the memory of outs

	// For a device:
	device  engine.Memory    // nil if the memory is the host's
	sources []engine.Buffer  // the device buffers that results are copied from
	regions []*engine.Region // staging memory
}

// finite is a scalar output that a training step checks.
type finite struct {
	output int
	value  *value
	buf    engine.Buffer
}

// step is an instruction that is ready to run.
type step struct {
	kernel engine.Kernel
	call   engine.Call
	instr  *instr
	team   *team         // set for the first step of a group
	seen   *seen         // nil if nothing is observed
	device engine.Memory // nil if the memory is the host's
}

// team is the steps of a group, which run side by side.
type team struct {
	steps []step
	errs  []error // by step
	run   func(lo, hi int)
	share func() error // has the engine's workers call run
}

// newTeam makes a team of steps. w observes them, if it is not nil.
func newTeam(steps []step, s engine.Sharer, w *watch) *team {
	t := &team{steps: steps, errs: make([]error, len(steps))}
	t.share = func() error {
		s.Share(len(t.steps), t.run)
		return nil
	}
	t.run = func(lo, hi int) {
		for i := lo; i < hi; i++ {
			t.errs[i] = t.steps[i].compute()
		}
	}
	if w != nil {
		t.run = func(lo, hi int) { // called for steps on the caller's goroutine; Part is called for others
			for i := lo; i < hi; i++ {
				w.member(0, i)
			}
		}
	}
	return t
}

// work runs the steps. If some fail, it returns the first of them with its error.
func (t *team) work() (first *step, err error) {
	clear(t.errs)
	if err := rescue.Do(t.share); err != nil {
		return &t.steps[0], err
	}
	for i, err := range t.errs {
		if err != nil {
			return &t.steps[i], err
		}
	}
	return nil, nil
}

// patch is an argument of a step that is the tensor of an input.
type patch struct{ step, arg int }

// Run computes the outputs from tensors for the Inputs of the program, in their order. A tensor in
// row-major order is used without a copy, and never written. An output of the previous Run may be
// passed as an input. The batch size N is taken from the inputs, which must agree on it; it is 1 if
// no input depends on it. In training, Run makes one whole step or, if it returns an error, none.
// It waits for readers of the store to finish, at most until ctx ends.
//
// The outputs, and the slice that holds them, belong to the machine and are valid until its next
// Run. Run does not allocate if it has recently seen the batch size.
//
// If the engine is an [engine.Device], inputs are copied to it and outputs back. Run returns, also
// with an error, after the device has finished everything that was started.
func (m *Machine) Run(ctx context.Context, inputs ...*tensor.Dense) ([]*tensor.Dense, error) {
	return m.trace(ctx, nil, inputs)
}

// trace is Run that calls see, if it is not nil, after each instruction.
func (m *Machine) trace(ctx context.Context, see func(*step, time.Duration) error, inputs []*tensor.Dense) ([]*tensor.Dense, error) {
	if m == nil || m.prog == nil {
		return nil, errNoMachine
	}
	if !m.busy.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("vm: machine %w", ErrBusy)
	}
	defer m.busy.Store(false)
	if ctx == nil {
		return nil, errors.New("vm: the context is nil")
	}
	n, err := m.prog.batchOf(inputs)
	if err != nil {
		return nil, err
	}
	writes, shown := m.prog.writes(), see != nil || m.watch.tells()
	if err := m.store.hold(ctx, writes, shown); err != nil {
		return nil, fmt.Errorf("vm: %w", err)
	}
	defer m.store.letGo(writes, shown)
	m.watch.begin(ctx)
	defer m.endWatch()
	if err := m.attach(); err != nil {
		return nil, err
	}
	if err := m.once.refresh(ctx); err != nil {
		return nil, err
	}
	l, err := m.ready(n)
	if err != nil {
		return nil, err
	}
	if err := m.feed(l, inputs); err != nil {
		return nil, err
	}
	if err := l.packAll(ctx); err != nil {
		return nil, err
	}
	if err := l.run(ctx, writes, see, m.watch); err != nil {
		return nil, err
	}
	return m.finish(l, writes)
}

// finish counts the writes to leaves, and returns the outputs.
func (m *Machine) finish(l *prepared, writes bool) ([]*tensor.Dense, error) {
	if writes {
		m.count()
	}
	if err := l.fetch(); err != nil {
		return nil, err
	}
	m.renew(l)
	return l.outs, nil
}

// renew replaces outputs whose tensor the user has reshaped in place.
func (m *Machine) renew(l *prepared) {
	for i, v := range l.plan.outs {
		if d := l.outs[i]; d == nil || !hasShape(d, v.typ.Shape) || !engine.IsRowMajor(d) {
			l.outs[i] = engine.DenseOf(v.typ.Shape, l.results[i])
		}
	}
}

// batchOf checks the inputs against the types of the program and returns N.
func (p *Program) batchOf(inputs []*tensor.Dense) (int, error) {
	if len(inputs) != len(p.unit.inputs) {
		return 0, fmt.Errorf("vm: the program has %d inputs, %d were given", len(p.unit.inputs), len(inputs))
	}
	n := 0
	for i, d := range inputs {
		node := p.unit.inputs[i]
		if d == nil {
			return 0, fmt.Errorf("vm: input %q is nil", node.Name())
		}
		if err := readable(d); err != nil {
			return 0, fmt.Errorf("vm: input %q: %w", node.Name(), err)
		}
		if engine.DTypeOf(d) != node.Type().DType {
			return 0, fmt.Errorf("vm: input %q is %v, the tensor given holds %v", node.Name(), node.Type(), engine.DTypeOf(d))
		}
		var err error
		if n, err = solve(node, d.Shape(), n); err != nil {
			return 0, err
		}
	}
	return max(n, 1), nil
}

// solve matches the shape of a tensor with that of an input. n is the batch size so far, or 0 if it
// is not known. It returns the batch size.
func solve(node *graph.Node, dims tensor.Shape, n int) (int, error) {
	t := node.Type()
	if len(dims) != t.Rank() {
		return 0, fmt.Errorf("vm: input %q is %v, the tensor given has shape %v", node.Name(), t, dims)
	}
	for i, have := range dims {
		want := t.Shape.Dim(i)
		k := want.Factor()
		switch {
		case k == 0 && int(want) == have:
			continue
		case k == 0 || have%k != 0:
			return 0, fmt.Errorf("vm: input %q is %v, the tensor given has shape %v", node.Name(), t, dims)
		case have == 0:
			return 0, fmt.Errorf("vm: input %q: the batch is empty (shape %v)", node.Name(), dims)
		case n != 0 && have/k != n:
			return 0, fmt.Errorf("vm: input %q has shape %v, so N = %d, but an input before it has N = %d", node.Name(), dims, have/k, n)
		}
		n = have / k
	}
	return n, nil
}

// ready returns the plan for batch size n, bound to the memory of the machine.
func (m *Machine) ready(n int) (*prepared, error) {
	for i, l := range m.prepared {
		if l.plan.batch == n {
			copy(m.prepared[1:i+1], m.prepared[:i])
			m.prepared[0] = l
			return l, nil
		}
	}
	pl, err := m.watch.program(m.prog).plan(n)
	if err != nil {
		return nil, err
	}
	if err := m.affordRun(pl); err != nil {
		return nil, err
	}
	if err := m.grow(pl); err != nil {
		return nil, err
	}
	l, err := m.prepare(pl)
	if err != nil {
		return nil, err
	}
	if len(m.prepared) == maxPrepared {
		m.drop(maxPrepared - 1)
	}
	m.prepared = slices.Insert(m.prepared, 0, l)
	return l, nil
}

// grow makes the arena large enough for pl. On a device the old arena is freed first.
func (m *Machine) grow(pl *plan) error {
	if pl.arena <= m.arena.Len() {
		return nil
	}
	m.drop(0) // they refer to the old arena
	m.arena.Free()
	m.arena = nil
	arena, err := alloc(m.prog.memory, pl.arena, fmt.Sprintf("the values of a run at batch size N=%d", pl.batch))
	if err != nil {
		return fmt.Errorf("%w: take smaller batches, or compile with vm.WithMemory", err)
	}
	m.arena = arena
	return nil
}

// prepare assigns memory to every argument of every instruction.
func (m *Machine) prepare(pl *plan) (*prepared, error) {
	n := len(m.prog.unit.inputs)
	l := &prepared{plan: pl, staging: make([]engine.Buffer, n), patches: make([][]patch, n)}
	var copies *engine.Region // host memory, if values are on a device
	if m.prog.device {
		l.device, copies = m.prog.memory, engine.HostRegion(engine.Aligned(pl.copies()))
	}
	for _, n := range m.prog.unit.inputs {
		l.inputs = append(l.inputs, n.Type().At(pl.batch))
	}
	for _, in := range pl.instrs {
		if in.kind == aliased || in.kind == joined {
			continue
		}
		if err := m.bindStep(l, in, copies); err != nil {
			return nil, graph.ErrorAt(in.node(), err)
		}
	}
	if l.device == nil {
		l.makeTeams(pl.prog.unit.eng, m.watch)
	}
	for i, v := range pl.outs {
		if err := m.bindOutput(l, i, v); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// bindStep adds the step of an instruction.
func (m *Machine) bindStep(l *prepared, in *instr, copies *engine.Region) error {
	s := step{kernel: in.bound.Kernel, instr: in, seen: m.watch.seen(in), device: l.device}
	if in.kind == write {
		s.kernel = m.move
		s.call.Out = []engine.Buffer{m.buffer(in.leaf)}
	}
	for _, v := range in.out {
		s.call.Out = append(s.call.Out, m.buffer(v))
	}
	for k, v := range in.in {
		if r := v.root(); r.from == fromInput {
			l.patches[r.index] = append(l.patches[r.index], patch{len(l.steps), k})
		}
		s.call.In = append(s.call.In, m.buffer(v))
	}
	s.call.Scratch = m.arena.At(in.scratch, shape.Uint8, in.bound.Scratch)
	if in.prepacked {
		k, err := m.newPackCall(in, copies)
		if err != nil {
			return err
		}
		s.call.Packed = k.form.mem
		l.packCalls = append(l.packCalls, k)
	}
	if m.prog.detours(in) {
		s.kernel = m.detour(in, copies, s.call.Packed).run
	}
	l.steps = append(l.steps, s)
	return nil
}

// bindOutput makes the tensor of output i: in the arena or, for a device, in host memory.
func (m *Machine) bindOutput(l *prepared, i int, v *value) error {
	b := m.buffer(v)
	if checkedFinite(v) {
		l.finite = append(l.finite, finite{i, v, b})
	}
	if l.device != nil {
		l.sources = append(l.sources, b)
		var err error
		if b, err = reserve(v.typ, fmt.Sprintf("output %d", i)); err != nil {
			return err
		}
	}
	l.results = append(l.results, b)
	l.outs = append(l.outs, engine.DenseOf(v.typ.Shape, b))
	return nil
}

// makeTeams makes a team of each group of steps.
func (l *prepared) makeTeams(e engine.Engine, w *watch) {
	for i := 0; i < len(l.steps); {
		n, id := 1, l.steps[i].instr.group
		for id > 0 && i+n < len(l.steps) && l.steps[i+n].instr.group == id {
			n++
		}
		if n > 1 && w.sharing() {
			l.steps[i].team = newTeam(l.steps[i:i+n:i+n], e.(engine.Sharer), w)
		}
		i += n
	}
}

// move is the kernel of a write instruction.
func (m *Machine) move(c *engine.Call) error {
	return failureOf(m.prog.memory, m.prog.memory.Copy(c.Out[0], c.In[0]))
}

// buffer returns the memory of v. That of an input is known only at each run.
func (m *Machine) buffer(v *value) engine.Buffer {
	r := v.holder()
	switch r.from {
	case fromLeaf:
		return m.leaves[r.index].buf
	case fromConst:
		return m.prog.consts[r.index]
	case fromInstr:
		return m.arena.At(r.offset+v.part.At*v.typ.Width(), v.typ.DType, v.elements())
	}
	return engine.Buffer{}
}

// feed passes the given tensors to the instructions.
func (m *Machine) feed(l *prepared, inputs []*tensor.Dense) error {
	for i, d := range inputs {
		b, err := m.staged(l, i, d)
		if err != nil {
			return fmt.Errorf("vm: input %q: %w", m.prog.unit.inputs[i].Name(), err)
		}
		for _, p := range l.patches[i] {
			l.steps[p.step].call.In[p.arg] = b
		}
	}
	return nil
}

// staged returns the elements of input i. They are copied if the tensor has another layout than
// row-major, or is a result of the previous run and so lies in the arena. For a device they are
// always copied.
func (m *Machine) staged(l *prepared, i int, d *tensor.Dense) (engine.Buffer, error) {
	if l.device != nil {
		return m.load(l, i, d)
	}
	b, n := engine.BufferOfDense(d), l.inputs[i].Len()
	if engine.IsRowMajor(d) && b.Len() >= n && !b.Overlaps(m.arena.Bytes()) {
		return b.At(0, b.DType(), n), nil
	}
	if l.staging[i].Len() == 0 {
		b, err := reserve(l.inputs[i], "a copy of it in row-major order")
		if err != nil {
			return b, err
		}
		l.staging[i] = b
	}
	return l.staging[i], read(l.staging[i], d)
}

// run executes the steps, and returns when all have finished.
func (l *prepared) run(ctx context.Context, train bool, see func(*step, time.Duration) error, w *watch) error {
	committed, err := l.execute(ctx, train, see, w)
	if late := l.settle(committed); late != nil {
		return late
	}
	return err
}

// execute starts the steps. Until it commits it can be cancelled and may fail.
func (l *prepared) execute(ctx context.Context, train bool, see func(*step, time.Duration) error, w *watch) (committed bool, err error) {
	done := ctx.Done()
	for i := 0; i < len(l.steps); {
		s := &l.steps[i]
		if !committed {
			select {
			case <-done:
				_ = l.settle(false)
				return false, context.Cause(ctx)
			default:
			}
			if train && s.instr.at >= l.plan.commit {
				if err := l.check(); err != nil {
					return false, err
				}
				committed = true
			}
		}
		n, failed, err := s.run(see, w)
		if err != nil && failed != nil {
			err = failed.failed(err, committed)
		}
		if err != nil {
			return committed, err
		}
		i += n
	}
	if train && !committed {
		return false, l.check()
	}
	return committed, nil
}

// run runs the step together with those of its team, or only the step if see is set. It returns the
// number of steps that ran. If one failed it returns that step and the error; if the error is from
// see, the step is nil.
func (s *step) run(see func(*step, time.Duration) error, w *watch) (n int, failed *step, err error) {
	switch {
	case see != nil:
		start := time.Now()
		if err := s.complete(); err != nil {
			return 0, s, err
		}
		return 1, nil, see(s, time.Since(start))
	case w != nil:
		return w.run(s)
	case s.team != nil:
		failed, err = s.team.work()
		return len(s.team.steps), failed, err
	}
	return 1, s, s.compute()
}

// compute runs the kernel. A panic of the kernel becomes an error.
func (s *step) compute() (err error) {
	defer rescue.To(&err)
	return s.kernel(&s.call)
}

// failed returns the error of a kernel that failed. A kernel that is not marked as one that fails
// may have done so after the step committed.
func (s *step) failed(err error, committed bool) error {
	var panicked *rescue.Panic
	var device *deviceError
	if !s.instr.bound.Fails && !errors.As(err, &panicked) && !errors.As(err, &device) {
		err = fmt.Errorf("%w (the kernel, of engine %q, is not marked as one that fails)", err, s.instr.bound.By)
	}
	if committed {
		err = fmt.Errorf("%w; the store holds a part of this step", err)
	}
	return graph.ErrorAt(s.instr.node(), err)
}

// check returns an error about outputs that must be finite and are not, or before that an error of
// the device.
func (l *prepared) check() error {
	if err := l.settle(false); err != nil {
		return err
	}
	for _, f := range l.finite {
		v, err := f.number()
		if err != nil {
			return err
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			n := f.value.node
			return fmt.Errorf("vm: training step refused: output %d, %v built at %v, is %v: %w", f.output, n.Source(), n.Pos(), v, ErrNotFinite)
		}
	}
	return nil
}

// number returns the value of the output.
func (f finite) number() (float64, error) {
	b := f.buf
	if !onHost(b.Memory()) {
		var err error
		if b, err = copied(b, f.value.typ, "an output"); err != nil {
			return 0, err
		}
	}
	switch b.DType() {
	case shape.Float32:
		return float64(engine.Slice[float32](b)[0]), nil
	case shape.Float64:
		return engine.Slice[float64](b)[0], nil
	}
	return engine.Floats(b)[0], nil
}

// count records that the leaves were written.
func (m *Machine) count() {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	for _, up := range m.prog.unit.updates {
		m.leaves[m.prog.leaf[up.Leaf.Name()]].writes++
	}
}
