package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/plexaura/plexaura/internal/rescue"
)

// entry is a model under its name, of which each generation has other weights.
type entry struct {
	name string
	signature
	again   func(context.Context) (Model, error) // loads the model once more; may be nil
	queue   *queue
	metrics metrics
	workers int
	ctx     context.Context // of the batches
	ended   sync.WaitGroup

	replacing sync.Mutex // held while a generation is made
	mu        sync.Mutex
	current   *generation
}

// generation is a model with its sessions, one for each worker.
type generation struct {
	model    Model
	sessions []Session
	version  int
	users    int  // batches that run
	replaced bool // by another, so that it ends with the last of them
}

// newGeneration makes the sessions of a model.
func newGeneration(m Model, workers, rows int) (g *generation, err error) {
	g = &generation{model: m, version: 1}
	for range workers {
		var s Session
		err := rescue.Do(func() (err error) {
			s, err = m.NewSession(rows)
			return err
		})
		if err == nil && s == nil {
			err = errors.New("the model has no session")
		}
		if err != nil {
			return nil, err
		}
		if err := checkSession(m, s, rows); err != nil {
			return nil, err
		}
		g.sessions = append(g.sessions, s)
	}
	return g, nil
}

// checkSession refuses a session whose memory is not that of so many rows.
func checkSession(m Model, s Session, rows int) error {
	for _, side := range []struct {
		what   string
		all    []Tensor
		memory func(i int) []byte
	}{{"input", m.Inputs(), s.Input}, {"output", m.Outputs(), s.Output}} {
		for i, t := range side.all {
			if have, want := len(side.memory(i)), rows*t.Row.Bytes(); have < want {
				return fmt.Errorf("the session has %d bytes for %s %q; %d rows take %d", have, side.what, t.Name, rows, want)
			}
		}
	}
	return nil
}

// use returns the generation that serves now, which does not end before it is released.
func (e *entry) use() *generation {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current.users++
	return e.current
}

func (e *entry) release(g *generation) {
	e.mu.Lock()
	g.users--
	last := g.replaced && g.users == 0
	e.mu.Unlock()
	if last {
		closeModel(g.model)
	}
}

// version returns that of the generation that serves now.
func (e *entry) version() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.current.version
}

// replace has m serve from the next batch on. If it returns an error, nothing has changed, and m is
// still the caller's.
func (e *entry) replace(m Model) error {
	e.replacing.Lock()
	defer e.replacing.Unlock()
	s, err := signatureOf(m)
	if err != nil {
		return err
	}
	if err := e.replacedBy(s); err != nil {
		return err
	}
	g, err := newGeneration(m, e.workers, e.queue.maxRows)
	if err != nil {
		return err
	}
	e.mu.Lock()
	old := e.current
	if old.replaced { // the server has been closed
		e.mu.Unlock()
		return errClosing
	}
	g.version = old.version + 1
	e.current = g
	e.mu.Unlock()
	e.retire(old)
	return nil
}

// retire closes the model of g once its last batch has run.
func (e *entry) retire(g *generation) {
	e.mu.Lock()
	idle := !g.replaced && g.users == 0
	g.replaced = true
	e.mu.Unlock()
	if idle {
		closeModel(g.model)
	}
}

// closeModel has nobody to tell an error to.
func closeModel(m Model) { _ = rescue.Do(func() error { return m.Close() }) }

// start starts the workers.
func (e *entry) start() {
	for i := range e.workers {
		e.ended.Go(func() { newWorker(e, i).work() })
	}
}

// stop ends the workers once the queue is empty.
func (e *entry) stop() {
	e.queue.close()
	e.ended.Wait()
	e.replacing.Lock() // no other takes its place
	defer e.replacing.Unlock()
	e.retire(e.current)
}

// worker runs batches of a model in the i-th session of its generations. From the queue to the
// session it allocates nothing.
type worker struct {
	entry *entry
	i     int
	timer *time.Timer
	batch []*call
}

func newWorker(e *entry, i int) *worker {
	w := &worker{entry: e, i: i, timer: time.NewTimer(time.Hour), batch: make([]*call, 0, e.queue.maxRows)}
	w.timer.Stop()
	return w
}

func (w *worker) work() {
	for w.step() {
	}
}

// step runs the next batch. It reports false when there will be none.
func (w *worker) step() bool {
	w.batch = w.entry.queue.collect(w.batch[:0], w.timer)
	if len(w.batch) == 0 {
		return false
	}
	g := w.entry.use()
	w.run(g, w.batch)
	w.entry.release(g)
	clear(w.batch)
	return true
}

// run computes the calls of a batch together. If that fails they run one by one, so that only those
// are told an error that cause it.
func (w *worker) run(g *generation, batch []*call) {
	err := w.compute(g, batch)
	for i, c := range batch {
		if c.err = err; err != nil && len(batch) > 1 {
			c.err = w.compute(g, batch[i:i+1])
		}
		c.version = g.version
		c.done <- struct{}{}
	}
}

// compute runs calls in one batch, and gives them their rows.
func (w *worker) compute(g *generation, batch []*call) error {
	e, s, rows := w.entry, g.sessions[w.i], 0
	for _, c := range batch {
		for i := range e.inputs {
			copy(s.Input(i)[rows*e.inputs[i].Row.Bytes():], c.in[i])
		}
		rows += c.rows
	}
	begin := time.Now()
	if err := attempt(e.ctx, s, rows); err != nil {
		return err
	}
	took := time.Since(begin)
	e.queue.ran(took)
	e.metrics.batch(rows, took)
	at := 0
	for _, c := range batch {
		for len(c.out) < len(e.outputs) {
			c.out = append(c.out, nil)
		}
		for _, a := range c.answers {
			row := e.outputs[a.index].Row.Bytes()
			c.out[a.index] = grown(c.out[a.index], c.rows*row)
			copy(c.out[a.index], s.Output(a.index)[at*row:])
		}
		at += c.rows
	}
	return nil
}

// attempt is Run, with a panic as an error.
func attempt(ctx context.Context, s Session, rows int) (err error) {
	defer rescue.To(&err)
	return s.Run(ctx, rows)
}
