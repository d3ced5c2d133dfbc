package serve

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// metrics counts what happens to the requests of a model.
type metrics struct {
	byStatus  [len(statuses)]atomic.Int64
	rows      atomic.Int64 // that were computed
	batches   histogram    // by rows
	computing histogram    // by nanoseconds
	requests  histogram    // by nanoseconds, from their arrival to their answer
	loads     [2]atomic.Int64
}

// statuses are those that requests to infer are answered with; others count with the last.
var statuses = [...]int{
	http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
	http.StatusTooManyRequests, statusGone, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusInternalServerError,
}

// histogram counts values up to each of its bounds.
type histogram struct {
	counts [12]atomic.Int64
	sum    atomic.Int64
}

// The bounds of histograms: of rows, and of nanoseconds. A value above all of them is only in the sum
// of all counts.
var (
	rowBounds  = [11]int64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}
	timeBounds = [11]int64{5e5, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 2e8, 1e9, 5e9}
)

func (h *histogram) add(v int64, bounds *[11]int64) {
	i := 0
	for i < len(bounds) && v > bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(v)
}

// batch counts a batch that was computed.
func (m *metrics) batch(rows int, took time.Duration) {
	m.rows.Add(int64(rows))
	m.batches.add(int64(rows), &rowBounds)
	m.computing.add(int64(took), &timeBounds)
}

// request counts a request that was answered.
func (m *metrics) request(status int, took time.Duration) {
	i := 0
	for i < len(statuses)-1 && statuses[i] != status {
		i++
	}
	m.byStatus[i].Add(1)
	if status == http.StatusOK {
		m.requests.add(int64(took), &timeBounds)
	}
}

// loaded counts an attempt to replace the model.
func (m *metrics) loaded(err error) {
	if err != nil {
		m.loads[1].Add(1)
		return
	}
	m.loads[0].Add(1)
}

// family is a metric, with a line or more for each model.
type family struct {
	name, kind, help string
	write            func(w io.Writer, name string, e *entry)
}

func families() []family {
	number := func(of func(e *entry) int64) func(io.Writer, string, *entry) {
		return func(w io.Writer, name string, e *entry) { fmt.Fprintf(w, "%s{model=%q} %d\n", name, e.name, of(e)) }
	}
	return []family{
		{"plexaura_requests_total", "counter", "Requests to infer, by the status of the answer; 499 are those whose client went away.", writeStatuses},
		{"plexaura_request_seconds", "histogram", "From the arrival of a request to its answer, of those with status 200.",
			func(w io.Writer, name string, e *entry) { e.metrics.requests.write(w, name, e.name, &timeBounds, 1e-9) }},
		{"plexaura_batch_rows", "histogram", "Rows that run together.",
			func(w io.Writer, name string, e *entry) { e.metrics.batches.write(w, name, e.name, &rowBounds, 1) }},
		{"plexaura_batch_seconds", "histogram", "The computation of a batch.",
			func(w io.Writer, name string, e *entry) {
				e.metrics.computing.write(w, name, e.name, &timeBounds, 1e-9)
			}},
		{"plexaura_rows_total", "counter", "Rows that were computed.", number(func(e *entry) int64 { return e.metrics.rows.Load() })},
		{"plexaura_queue_requests", "gauge", "Requests that wait for a batch.", number(func(e *entry) int64 { return int64(e.queue.depth()) })},
		{"plexaura_model_version", "gauge", "How many models have served under the name, the present one included.", number(func(e *entry) int64 { return int64(e.version()) })},
		{"plexaura_loads_total", "counter", "Attempts to replace the model.", func(w io.Writer, name string, e *entry) {
			for i, result := range []string{"done", "refused"} {
				fmt.Fprintf(w, "%s{model=%q,result=%q} %d\n", name, e.name, result, e.metrics.loads[i].Load())
			}
		}},
	}
}

func writeStatuses(w io.Writer, name string, e *entry) {
	for i, status := range statuses {
		if n := e.metrics.byStatus[i].Load(); n > 0 || status == http.StatusOK {
			fmt.Fprintf(w, "%s{model=%q,status=\"%d\"} %d\n", name, e.name, status, n)
		}
	}
}

// write writes the histogram in units of so many of the values.
func (h *histogram) write(w io.Writer, name, model string, bounds *[11]int64, unit float64) {
	total := int64(0)
	for i, bound := range bounds {
		total += h.counts[i].Load()
		fmt.Fprintf(w, "%s_bucket{model=%q,le=\"%g\"} %d\n", name, model, float64(bound)*unit, total)
	}
	total += h.counts[len(bounds)].Load()
	fmt.Fprintf(w, "%s_bucket{model=%q,le=\"+Inf\"} %d\n%s_sum{model=%q} %g\n%s_count{model=%q} %d\n",
		name, model, total, name, model, float64(h.sum.Load())*unit, name, model, total)
}

// writeMetrics writes the text that Prometheus reads.
func writeMetrics(w io.Writer, all []*entry) {
	for _, f := range families() {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", f.name, f.help, f.name, f.kind)
		for _, e := range all {
			f.write(w, f.name, e)
		}
	}
}
