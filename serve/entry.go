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
		g.sessions = append(g.sessions, s)
	}
	return g, nil
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
	shape []int // of an input of the batch
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
	err := w.compute(g.sessions[w.i], batch)
	for i, c := range batch {
		if err != nil {
			c.err = err
			if len(batch) > 1 {
				if alone := w.compute(g.sessions[w.i], batch[i:i+1]); alone != nil {
					c.err = alone
				}
			}
		}
		c.version = g.version
		c.done <- struct{}{}
	}
}

// compute runs calls in one batch, and gives each its rows, or an error of its own. An error that it
// returns, which may be a panic, is of the batch.
func (w *worker) compute(s Session, batch []*call) (err error) {
	defer rescue.To(&err)
	e, rows := w.entry, 0
	for _, c := range batch {
		rows += c.rows
	}
	for i := range e.inputs {
		if err := w.fill(s, i, batch, rows); err != nil {
			return err
		}
	}
	begin := time.Now()
	if err := s.Run(e.ctx); err != nil {
		return err
	}
	took := time.Since(begin)
	e.queue.ran(took)
	e.metrics.batch(rows, took)
	for i := range e.outputs {
		if err := e.checkOutput(s, i, len(batch), rows); err != nil {
			return err
		}
	}
	at := 0
	for _, c := range batch {
		c.err = e.deliver(s, c, at, rows)
		at += c.rows
	}
	return nil
}

// fill writes input i of the calls, one behind the other.
func (w *worker) fill(s Session, i int, batch []*call, rows int) error {
	e, bytes := w.entry, 0
	w.shape = append(w.shape[:0], batch[0].shapes[i]...)
	if e.batched {
		w.shape[0] = rows
	}
	memory, err := s.Input(i, w.shape)
	if err != nil {
		return err
	}
	for _, c := range batch {
		bytes += len(c.in[i])
	}
	if len(memory) != bytes {
		return fmt.Errorf("the session has %d bytes for input %q; %v take %d", len(memory), e.inputs[i].Name, w.shape, bytes)
	}
	for _, c := range batch {
		memory = memory[copy(memory, c.in[i]):]
	}
	return nil
}

// checkOutput returns an error if output i cannot be that of so many calls.
func (e *entry) checkOutput(s Session, i, calls, rows int) error {
	t := e.outputs[i]
	shape, b := s.Output(i)
	if n, ok := elementsOf(shape); !ok || n*t.Datatype.row().width != len(b) {
		return fmt.Errorf("output %q has %d bytes for %s %v", t.Name, len(b), t.Datatype, shape)
	}
	if calls > 1 && (len(shape) == 0 || shape[0] != rows) {
		return fmt.Errorf("output %q of %d rows is %v", t.Name, rows, shape)
	}
	return nil
}

// deliver copies the outputs of a call, whose rows begin with at, out of those of a batch.
func (e *entry) deliver(s Session, c *call, at, rows int) error {
	for len(c.out) < len(e.outputs) {
		c.out, c.outShapes = append(c.out, nil), append(c.outShapes, nil)
	}
	for _, a := range c.answers {
		shape, b := s.Output(a.index)
		own := append(c.outShapes[a.index][:0], shape...)
		c.outShapes[a.index] = own
		if c.rows < rows {
			row := len(b) / rows
			own[0], b = c.rows, b[at*row:(at+c.rows)*row]
		}
		if err := e.afford(c, a, own, len(b)); err != nil {
			return err
		}
		c.out[a.index] = grown(c.out[a.index], len(b))
		copy(c.out[a.index], b)
	}
	return nil
}

// afford asks for the memory of an output whose size was not known before.
func (e *entry) afford(c *call, a answer, shape []int, bytes int) error {
	t := e.outputs[a.index]
	reserved, known := e.row(t)
	if known = known && c.rows*reserved*t.Datatype.row().width >= bytes; known || c.reserve == nil {
		return nil
	}
	n, _ := elementsOf(shape)
	return c.reserve(bytes + a.bytes(t, n))
}
