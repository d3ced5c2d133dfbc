package vm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/pprof"
	"time"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/rescue"
)

// An Observer says what to observe in the runs of a Machine; see [Machine.Observe]. The zero
// Observer observes nothing.
type Observer struct {
	// Labels adds labels to the samples of a CPU profile taken with runtime/pprof: "op", the name
	// of the instruction, and "layer", if it belongs to a layer. This includes samples of the
	// engine's workers. For example, "go tool pprof -tagfocus layer=conv2" shows the work of a
	// layer, including that of its gradients.
	Labels bool
	// Span, if not nil, is called for each worker and instruction after the instruction has ended,
	// or, for instructions that run side by side, after the last of them has. Run calls it on its
	// own goroutine. It must not use the machine, nor wait for a goroutine that writes to the
	// store.
	Span func(Span)
	// Runs is the number of runs to observe, including those that fail; 0 means all. Later runs are
	// as fast as without an Observer.
	Runs int
}

// Span is the time that one worker spent on one instruction. A worker that takes part in several
// loops of an instruction has a span for each, unless the pause between two is shorter than 5 µs.
type Span struct {
	Instruction *Instruction // as listed by [Program.Describe]; must not be changed
	Run         int          // the number of the run, counted from 0 since Observe
	Worker      int          // 0 for the goroutine that called Run, others for the engine's workers
	Start       time.Time
	Took        time.Duration
}

// Observe makes o observe the following runs, instead of any earlier Observer. The results are
// bit-identical. Only observed runs take longer: some hundred nanoseconds per instruction, and as
// much for each part of it that a worker of the engine runs. The error wraps [ErrBusy] if the
// machine is running.
func (m *Machine) Observe(o Observer) error {
	switch {
	case m == nil || m.prog == nil:
		return errNoMachine
	case o.Runs < 0:
		return fmt.Errorf("vm: Observe: %d runs; want at least 1, or 0 for all", o.Runs)
	case !m.busy.CompareAndSwap(false, true):
		return fmt.Errorf("vm: machine %w", ErrBusy)
	}
	defer m.busy.Store(false)
	m.watchBy(nil)
	if !o.Labels && o.Span == nil {
		return nil
	}
	w, err := newWatch(m.prog, o)
	if err == nil {
		m.watchBy(w)
	}
	return err
}

var errNoMachine = errors.New("vm: no machine; make one by Program.NewMachine")

// watchBy changes the observer. Kernels are then bound again.
func (m *Machine) watchBy(w *watch) {
	m.drop(0)
	m.watch = w
}

// watch is the state of an Observer.
type watch struct {
	Observer
	prog  *Program // with kernels that show their work, if the engine has them
	shown bool     // prog has such kernels
	lanes []lane   // by worker; each is written by its own goroutine
	runs  int

	// The current run and instruction. Workers read them.
	ctx     context.Context
	step    *step // for a team its first step; nil between steps
	labeled context.Context
}

// lane is the work of one worker on the current instruction.
type lane struct {
	parts []part
	_     [104]byte // two cache lines, because processors fetch them in pairs
}

type part struct {
	step     *step
	from, to time.Time
}

// seen is the information that is reported about a step.
type seen struct {
	Instruction
	labels pprof.LabelSet
}

// seen returns the information about in, or nil if nothing is observed.
func (w *watch) seen(in *instr) *seen {
	if w == nil {
		return nil
	}
	s := &seen{Instruction: in.describe()}
	labels := []string{"op", s.Name}
	if s.Layer != "" {
		labels = append(labels, "layer", s.Layer)
	}
	s.labels = pprof.Labels(labels...)
	return s
}

func newWatch(p *Program, o Observer) (*watch, error) {
	w := &watch{Observer: o, prog: p, lanes: make([]lane, 1)}
	e := p.unit.eng
	show, ok := e.(engine.Watchable)
	if !ok {
		return w, nil
	}
	err := rescue.Do(func() error {
		shown := show.Watched(w)
		if reflect.TypeOf(shown) != reflect.TypeOf(e) || engine.MemoryOf(shown) != p.memory { // Watched of an embedded engine
			return nil
		}
		w.prog, w.shown, w.lanes = p.on(shown), true, make([]lane, max(1, show.Workers()))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("vm: Observe: engine %q: %w", e.Name(), err)
	}
	return w, nil
}

// on returns the program with kernels of e, which computes the same as its own engine.
func (p *Program) on(e engine.Engine) *Program {
	u, o := *p.unit, *p.unit.opts
	o.dumps = nil // they are already written
	u.eng, u.opts = e, &o
	return &Program{
		unit: &u, inputs: p.inputs, leaves: p.leaves, leaf: p.leaf, consts: p.consts, constForms: p.constForms,
		konst: p.konst, claims: p.claims, memory: p.memory, device: p.device, plans: map[int]*plan{},
		once: p.once, kept: p.kept,
	}
}

// program returns the program to run instead of p.
func (w *watch) program(p *Program) *Program {
	if w == nil {
		return p
	}
	return w.prog
}

// begin starts a run; [Machine.endWatch] ends it.
func (w *watch) begin(ctx context.Context) {
	if w != nil {
		w.ctx = ctx
	}
}

func (m *Machine) endWatch() {
	w := m.watch
	if w == nil {
		return
	}
	if w.Labels {
		pprof.SetGoroutineLabels(w.ctx) // in addition to those of the caller, as with pprof.Do
	}
	w.ctx, w.step, w.labeled = nil, nil, nil
	if w.runs++; w.runs == w.Runs {
		m.watchBy(nil)
	}
}

// run runs the step and those of its team, and reports them.
func (w *watch) run(s *step) (n int, failed *step, err error) {
	w.step = s
	n, failed = 1, s
	if s.team != nil {
		n = len(s.team.steps)
		failed, err = s.team.work()
	} else {
		w.labeled = w.label(s)
		err = w.compute(0, s)
	}
	w.step = nil
	w.tell()
	return n, failed, err
}

// tells reports whether spans are reported.
func (w *watch) tells() bool { return w != nil && w.Span != nil }

// sharing reports whether steps may run side by side: the worker that runs each is known, or
// nothing is observed.
func (w *watch) sharing() bool { return w == nil || w.shown }

// label sets the labels of s on the goroutine.
func (w *watch) label(s *step) context.Context {
	if !w.Labels {
		return nil
	}
	ctx := pprof.WithLabels(w.ctx, s.seen.labels)
	pprof.SetGoroutineLabels(ctx)
	return ctx
}

// unlabel removes the labels from the goroutine of a worker.
func (w *watch) unlabel() {
	if w.Labels {
		pprof.SetGoroutineLabels(context.Background())
	}
}

// compute runs the kernel of s on the goroutine of a worker.
func (w *watch) compute(worker int, s *step) error {
	if w.Span == nil {
		return s.complete()
	}
	from := time.Now()
	err := s.complete()
	w.lanes[worker].add(s, from, time.Now())
	return err
}

// member runs step i of the team, on the goroutine of a worker.
func (w *watch) member(worker, i int) {
	t := w.step.team
	w.label(&t.steps[i])
	t.errs[i] = w.compute(worker, &t.steps[i])
}

// Part implements [engine.Watcher].
func (w *watch) Part(worker, lo, hi int, body func(lo, hi int)) {
	s := w.step
	if s == nil { // packing before a run
		body(lo, hi)
		return
	}
	defer w.unlabel()
	if s.team != nil {
		for i := lo; i < hi; i++ {
			w.member(worker, i)
		}
		return
	}
	if w.Labels {
		pprof.SetGoroutineLabels(w.labeled)
	}
	if w.Span == nil {
		body(lo, hi)
		return
	}
	from := time.Now()
	body(lo, hi)
	w.lanes[worker].add(s, from, time.Now())
}

// pause is the longest pause of a worker between two parts that are reported as one span.
const pause = 5 * time.Microsecond

func (l *lane) add(s *step, from, to time.Time) {
	if n := len(l.parts); n > 0 && l.parts[n-1].step == s && from.Sub(l.parts[n-1].to) < pause {
		l.parts[n-1].to = to
		return
	}
	l.parts = append(l.parts, part{s, from, to})
}

// tell reports the instruction that has ended.
func (w *watch) tell() {
	if w.Span == nil {
		return
	}
	for worker := range w.lanes {
		l := &w.lanes[worker]
		for _, p := range l.parts {
			w.Span(Span{&p.step.seen.Instruction, w.runs, worker, p.from, p.to.Sub(p.from)})
		}
		l.parts = l.parts[:0]
	}
}
