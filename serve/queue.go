package serve

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// call is a request that is decoded, on its way through the queue.
type call struct {
	id      string
	timeout time.Duration
	answers []answer
	rows    int                   // 1 where the model takes no batches
	shapes  [][]int               // by input
	in      [][]byte              // by input: the elements
	own     [][]byte              // memory for in, that is used again
	reserve func(bytes int) error // asks for memory

	out       [][]byte // by output, once it has run
	outShapes [][]int
	version   int // of the model that has run it
	err       error
	done      chan struct{} // receives once when it has run; buffered

	ctx     context.Context
	arrived time.Time

	// Of the queue, which they are in while queued is set.
	queued     bool
	prev, next *call
}

var calls = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

func newCall() *call { return calls.Get().(*call) }

// maxKept is the largest memory in bytes that a call keeps for the next one.
const maxKept = 1 << 20

// free gives c back. Nobody else may have it.
func (c *call) free() {
	clear(c.in) // may point into a body
	for _, all := range [][][]byte{c.own, c.out} {
		for i := range all {
			if cap(all[i]) > maxKept {
				all[i] = nil
			}
		}
	}
	c.id, c.ctx, c.err, c.reserve = "", nil, nil, nil
	calls.Put(c)
}

// fit makes room for so many inputs.
func (c *call) fit(inputs int) {
	for len(c.in) < inputs {
		c.in, c.own = append(c.in, nil), append(c.own, nil)
	}
	for len(c.shapes) < inputs {
		c.shapes = append(c.shapes, nil)
	}
	c.shapes = c.shapes[:inputs]
}

// joins reports whether c can be in a batch with other: the extents of its inputs are the same, but
// for the first one, which is the batch.
func (c *call) joins(other *call) bool {
	for i, shape := range c.shapes {
		if !slices.Equal(shape[min(1, len(shape)):], other.shapes[i][min(1, len(other.shapes[i])):]) {
			return false
		}
	}
	return true
}

// queue is the calls of a model that wait, in the order in which they came.
type queue struct {
	maxCalls, maxRows int
	delay             time.Duration

	mu          sync.Mutex
	first, last *call
	calls, rows int
	usual       int           // rows of a batch lately
	took        time.Duration // by the last batch
	closed      bool

	turn chan struct{} // held by the worker that collects
	wake chan struct{} // a call came, or the queue was closed; buffered
}

func newQueue(maxCalls, maxRows int, delay time.Duration) *queue {
	return &queue{maxCalls: maxCalls, maxRows: maxRows, delay: delay, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

// room returns an error where no call may be added now.
func (q *queue) room() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.full()
}

func (q *queue) full() error {
	switch {
	case q.closed:
		return errClosing
	case q.calls >= q.maxCalls:
		return refuse(http.StatusTooManyRequests, "%d requests wait for this model already; try again later", q.calls)
	}
	return nil
}

// add appends c.
func (q *queue) add(c *call) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.full(); err != nil {
		return err
	}
	c.arrived, c.queued, c.prev, c.next = time.Now(), true, q.last, nil
	if q.last == nil {
		q.first = c
	} else {
		q.last.next = c
	}
	q.last = c
	q.calls++
	q.rows += c.rows
	if q.first == c || q.enough() {
		q.signal()
	}
	return nil
}

// remove takes c out, unless a worker has done so: then it reports false, and c.done will receive.
func (q *queue) remove(c *call) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !c.queued {
		return false
	}
	q.unlink(c)
	return true
}

func (q *queue) unlink(c *call) {
	if c.prev == nil {
		q.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		q.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.queued, c.prev, c.next = false, nil, nil
	q.calls--
	q.rows -= c.rows
}

// close refuses further calls; those that wait are still collected.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.signal()
	q.mu.Unlock()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// enough reports whether the calls that wait need not wait for more: they fill a batch, or have as
// many rows as those that came together lately. So a client that is alone does not wait, and of many
// that each wait for their answer the last one begins the batch.
func (q *queue) enough() bool { return q.rows >= min(q.usual, q.maxRows) || q.closed }

// collect waits for calls and appends those of the next batch to batch: the oldest first and those that
// can join it, as many as have maxRows rows, once there are enough or the first has waited for delay, or for as long as the
// last batch took: nobody gains by waiting for longer than what is saved. It returns none when the
// queue is closed and empty.
func (q *queue) collect(batch []*call, timer *time.Timer) []*call {
	q.turn <- struct{}{}
	defer func() { <-q.turn }()
	for {
		batch, wait := q.take(batch)
		if len(batch) > 0 {
			return batch
		}
		if wait < 0 {
			q.signal() // the other workers end too
			return nil
		}
		if wait == 0 {
			<-q.wake
			continue
		}
		timer.Reset(wait)
		select {
		case <-q.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// take appends the calls of the next batch, or says how long to wait for more: 0 until another comes,
// -1 where none will.
func (q *queue) take(batch []*call) (_ []*call, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.first == nil && q.closed:
		return batch, -1
	case q.first == nil:
		return batch, 0
	case !q.enough():
		if wait = min(q.delay, q.took) - time.Since(q.first.arrived); wait > 0 {
			return batch, wait
		}
	}
	rows := 0
	for c := q.first; c != nil; {
		next := c.next
		if len(batch) == 0 || c.joins(batch[0]) {
			if rows+c.rows > q.maxRows {
				break
			}
			rows += c.rows
			q.unlink(c)
			batch = append(batch, c)
		}
		c = next
	}
	q.usual = max(rows, q.usual*3/4)
	return batch, 0
}

// ran tells how long a batch took.
func (q *queue) ran(took time.Duration) {
	q.mu.Lock()
	q.took = took
	q.mu.Unlock()
}

// depth returns how many calls wait.
func (q *queue) depth() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.calls
}
