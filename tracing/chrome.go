package tracing

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/plexaura/plexaura/vm"
)

// MaxEvents is the largest number of events that a [Chrome] writes. It limits the output to about
// 200 MB.
const MaxEvents = 1 << 20

// Chrome writes spans in the JSON array form of the Trace Event Format, which chrome://tracing,
// Perfetto (ui.perfetto.dev) and others read:
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
//
// Each worker has a lane, which is a thread in the format. A span is a complete event ("ph":"X").
// Its name is that of the instruction and its layer; its arguments are the layer, the op, the
// results, the kernel, the line and the run. Times are in microseconds since the first span. Lane 0
// has one more event around the spans of each run, "run 0" and so on. Two events of a lane overlap
// only if one contains the other.
//
// Complete events are written after each run, without the closing bracket, which viewers do not
// need: the output of a killed process can be read too.
type Chrome struct {
	w      io.Writer
	err    error // the first failure, after which nothing more is written
	lines  []byte
	next   string // text before the next event
	from   time.Time
	events int
	most   int
	left   int // number of events that were left out
	lanes  map[int]bool
	told   map[*vm.Instruction]instruction
	run    run
}

// run is the run whose spans are being received.
type run struct {
	number   int
	from, to time.Time
	open     bool
}

// instruction is the text that is written for each span of an instruction.
type instruction struct{ name, args string }

// NewChrome returns a Chrome that writes to w. It does not write anything yet.
func NewChrome(w io.Writer) *Chrome {
	return &Chrome{w: w, next: first, most: MaxEvents, lanes: map[int]bool{}, told: map[*vm.Instruction]instruction{}}
}

var errNoWriter = errors.New("tracing: there is no writer; give NewChrome one")

// Span writes s. It is meant to be called by a [vm.Observer]. A failure to write becomes the error
// of Close.
func (c *Chrome) Span(s vm.Span) {
	if c == nil || c.w == nil || c.err != nil || s.Instruction == nil {
		return
	}
	if c.run.open && s.Run != c.run.number {
		c.endRun()
	}
	if c.events >= c.most {
		c.left++
		return
	}
	if c.next == first {
		c.from = s.Start
		c.line(`{"name":"process_name","ph":"M","pid":1,"args":{"name":"plexaura"}}`)
	}
	c.lane(s.Worker)
	c.run.hold(s)
	in := c.of(s.Instruction)
	c.event(in.name, s.Worker, s.Start, s.Took, in.args+fmt.Sprint(s.Run))
}

// Close writes the remaining events and the end. It does not close the writer. The error is the
// first failure to write, or reports that spans were left out.
func (c *Chrome) Close() error {
	if c == nil || c.w == nil {
		return errNoWriter
	}
	if c.run.open {
		c.endRun()
	}
	if c.next == first {
		c.lines = append(c.lines, '[')
	}
	c.lines = append(c.lines, "\n]\n"...)
	c.flush()
	if c.err == nil && c.left > 0 {
		return fmt.Errorf("tracing: %d spans after the first %d are left out", c.left, c.events)
	}
	return c.err
}

// hold extends the run to include s. The first span need not be the earliest, because a worker may
// begin before the caller.
func (r *run) hold(s vm.Span) {
	end := s.Start.Add(s.Took)
	if !r.open {
		*r = run{s.Run, s.Start, end, true}
		return
	}
	if s.Start.Before(r.from) {
		r.from = s.Start
	}
	if end.After(r.to) {
		r.to = end
	}
}

// endRun writes the event around the spans of a run, and all pending output. The event ends after
// the last span: viewers that match beginnings with ends may process events that end together in
// any order.
func (c *Chrome) endRun() {
	r := c.run
	c.run.open = false
	c.event(fmt.Sprintf(`"run %d"`, r.number), 0, r.from, r.to.Sub(r.from)+time.Nanosecond, `"run":`+fmt.Sprint(r.number))
	c.flush()
}

// lane writes the name of a worker's lane, once.
func (c *Chrome) lane(worker int) {
	if c.lanes[worker] {
		return
	}
	c.lanes[worker] = true
	name := fmt.Sprintf("worker %d", worker)
	if worker == 0 {
		name = "worker 0, the caller"
	}
	c.line(fmt.Sprintf(`{"name":"thread_name","ph":"M","pid":1,"tid":%d,"args":{"name":%q}}`, worker, name))
	c.line(fmt.Sprintf(`{"name":"thread_sort_index","ph":"M","pid":1,"tid":%d,"args":{"sort_index":%d}}`, worker, worker))
}

// event adds a complete event; name and args are JSON.
func (c *Chrome) event(name string, worker int, start time.Time, took time.Duration, args string) {
	c.events++
	c.line(fmt.Sprintf(`{"name":%s,"ph":"X","pid":1,"tid":%d,"ts":%s,"dur":%s,"args":{%s}}`, name, worker, microseconds(start.Sub(c.from)), microseconds(took), args))
}

// microseconds formats all digits of d; otherwise adjacent spans could overlap.
func microseconds(d time.Duration) string { return fmt.Sprintf("%d.%03d", d/1000, d%1000) }

// Text before the first event and before the others.
const first, following = "[\n", ",\n"

func (c *Chrome) line(event string) {
	c.lines = append(append(c.lines, c.next...), event...)
	c.next = following
}

// of returns the text for an instruction.
func (c *Chrome) of(in *vm.Instruction) instruction {
	if known, ok := c.told[in]; ok {
		return known
	}
	if len(c.told) > 1<<16 { // after batches of many sizes
		clear(c.told)
	}
	name := in.Name
	if in.Layer != "" {
		name += " " + in.Layer
	}
	var results []string
	for _, r := range in.Out {
		results = append(results, r.Type.String())
	}
	args := ""
	for _, a := range []struct {
		key   string
		value any
	}{{"layer", in.Layer}, {"op", in.Name}, {"result", results}, {"kernel", kernel(in)}, {"line", in.Pos.String()}} {
		args += fmt.Sprintf("%q:%s,", a.key, encoded(a.value))
	}
	told := instruction{encoded(name), args + `"run":`}
	c.told[in] = told
	return told
}

func kernel(in *vm.Instruction) string {
	if in.Alg == "" {
		return in.Engine
	}
	return in.Engine + " " + in.Alg
}

// encoded returns v, a string or a list of strings, as JSON.
func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return `""`
	}
	return string(b)
}

func (c *Chrome) flush() {
	if c.err == nil {
		_, c.err = c.w.Write(c.lines)
	}
	c.lines = c.lines[:0]
}
