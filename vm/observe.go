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

// An Observer says what is to be seen of a Machine's runs; see [Machine.Observe]. The zero
// Observer sees nothing.
type Observer struct {
	// Labels gives the samples of a CPU profile, which package runtime/pprof takes, the label "op",
	// the name of the instruction, and "layer", where it belongs to one; also those of the engine's
	// workers. So "go tool pprof -tagfocus layer=conv2" shows the work of a layer, that of its
	// gradients included.
	Labels bool
	// Span, if not nil, is told what each worker did for an instruction, when that has ended; for
	// instructions that run side by side, when the last of them has. It is called by Run, on its
	// goroutine, and must not use the machine or wait for somebody who writes to the store.
	Span func(Span)
	// Runs is how many runs are watched, those that fail included; 0 is all. Runs after these
	// cost what they did before.
	Runs int
}

// Span is the time that one worker spent on one instruction. Of one that takes part in several
// loops of an instruction there is a span for each, unless the pause between two is shorter than
// 5 µs.
type Span struct {
	Instruction *Instruction // as [Program.Describe] lists it; it is not to be changed
	Run         int          // the run, from 0, counted from Observe on
	Worker      int          // 0 is the goroutine that called Run, others are the engine's
	Start       time.Time
	Took        time.Duration
}

// Observe has o watch the runs that follow, in place of the Observer before. Results are the same
// bits. Only what is watched takes time for it: some hundred nanoseconds an instruction and as
// much for each part of it that a worker of the engine runs. The error wraps [ErrBusy] while the
// machine runs.
func (m *Machine) Observe(o Observer) error {
	switch {
	case m == nil || m.prog == nil:
		return errNoMachine
	case o.Runs < 0:
		return fmt.Errorf("vm: Observe: %d runs; want 1 at least, or 0 for all", o.Runs)
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

// watchBy changes who watches; kernels are then bound anew.
func (m *Machine) watchBy(w *watch) {
	m.drop(0)
	m.watch = w
}

// watch is an Observer at work.
type watch struct {
	Observer
	prog  *Program // with kernels that show their work, where the engine can
	shown bool     // it can
	lanes []lane   // by worker; each is written to by its own goroutine
	runs  int

	// Of the run, and of the instruction that runs; workers read them.
	ctx     context.Context
	step    *step // of a team the first; nil between two
	labeled context.Context
}

// lane is what a worker did for the instruction that runs.
type lane struct {
	parts []part
	_     [104]byte // two cache lines, since processors fetch pairs
}

type part struct {
	step     *step
	from, to time.Time
}

// seen is what is told of a step.
type seen struct {
	Instruction
	labels pprof.LabelSet
}

// seen is what is told of in; nil where nobody watches.
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
		if reflect.TypeOf(shown) != reflect.TypeOf(e) || engine.MemoryOf(shown) != p.memory { // that of an engine which e embeds
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

// on is the program with kernels of e, which computes as its engine does.
func (p *Program) on(e engine.Engine) *Program {
	u, o := *p.unit, *p.unit.opts
	o.dumps = nil // they are written
	u.eng, u.opts = e, &o
	return &Program{
		unit: &u, inputs: p.inputs, leaves: p.leaves, leaf: p.leaf, consts: p.consts, constForms: p.constForms,
		konst: p.konst, claims: p.claims, memory: p.memory, device: p.device, plans: map[int]*plan{},
	}
}

// program is the one to run in place of p.
func (w *watch) program(p *Program) *Program {
	if w == nil {
		return p
	}
	return w.prog
}

// begin is the start of a run, [Machine.endWatch] its end.
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
		pprof.SetGoroutineLabels(w.ctx) // those that the caller has, as with pprof.Do
	}
	w.ctx, w.step, w.labeled = nil, nil, nil
	if w.runs++; w.runs == w.Runs {
		m.watchBy(nil)
	}
}

// run does the step, and those of its team, and tells of it.
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

// tells reports whether somebody is told of spans.
func (w *watch) tells() bool { return w != nil && w.Span != nil }

// sharing reports whether steps may run side by side: whoever runs one is known, or of no interest.
func (w *watch) sharing() bool { return w == nil || w.shown }

// label gives the goroutine the labels of s.
func (w *watch) label(s *step) context.Context {
	if !w.Labels {
		return nil
	}
	ctx := pprof.WithLabels(w.ctx, s.seen.labels)
	pprof.SetGoroutineLabels(ctx)
	return ctx
}

// unlabel takes the labels from the goroutine of a worker.
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
	if s == nil { // what is packed before a run
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

// pause is how long a worker may rest between two parts that are told as one.
const pause = 5 * time.Microsecond

func (l *lane) add(s *step, from, to time.Time) {
	if n := len(l.parts); n > 0 && l.parts[n-1].step == s && from.Sub(l.parts[n-1].to) < pause {
		l.parts[n-1].to = to
		return
	}
	l.parts = append(l.parts, part{s, from, to})
}

// tell tells of the instruction that has ended.
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
