package watch

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"sync"
	"time"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/rescue"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/train/metrics"
	"github.com/plexaura/plexaura/vm"
)

// Options configure a [Run].
type Options struct {
	// Title is shown at the top, such as "lenet on mnist".
	Title string
	// Prepare turns a picture into intensities for an input as described by info. They are then
	// normalised by info.Preprocess. Without Prepare, pictures cannot be tried when the run is
	// over.
	Prepare func(img image.Image, info data.Info) ([]float32, error)
}

// Run is a run of [train.Fit] that is shown while it trains. Its methods may be called from any
// goroutine.
//
//	run := watch.NewRun(watch.Options{Title: "lenet on mnist"})
//	server, err := watch.Serve(":8080", run)
//	...
//	defer server.Close()
//	run.Attach(&config)
//	result, err := train.Fit(ctx, config)
//	run.Finish(result, err)
type Run struct {
	options Options
	clock   func() time.Time
	pace    budget // of computations other than the steps

	mu       sync.Mutex // protects the fields below
	state    runState
	steps    *table
	epochs   *table
	norms    *table // nil until the layers are known
	maps     []exampleMaps
	stopping bool
	trial    *trial // nil until the run is over
	readers  map[*runReader]bool

	// Used only by the goroutine that trains.
	config   train.Config
	probe    *probe
	watched  *watched
	metrics  []string        // names of those in the table of epochs
	last     train.Step      // the previous step
	progress *train.Progress // of the run, between steps
	told     time.Time       // when readers were last notified
	measured []number        // norms of gradients; those of the updates follow after the next step
	spent    time.Duration
}

// The phases of a run.
const (
	waiting  = "waiting"  // for data or the first step
	training = "training" //
	stopping = "stopping" // requested by the page
	stopped  = "stopped"  // by the page
	finished = "finished"
	failed   = "failed"
)

// runState is the state of a run, except the tables.
type runState struct {
	Title    string      `json:"title"`
	Phase    string      `json:"phase"`
	Message  string      `json:"message,omitempty"` // a line with the reason, or about what is not shown
	Epoch    int         `json:"epoch"`
	Epochs   int         `json:"epochs"`
	Batch    int         `json:"batch"`
	Batches  int         `json:"batches"` // 0 if it is not known
	Left     number      `json:"left"`    // estimate of the remaining seconds
	Model    *modelState `json:"model,omitempty"`
	Maps     int         `json:"maps"`     // number of times that there were new ones
	Examples []string    `json:"examples"` // their classes and predictions
	Trial    bool        `json:"trial"`    // a picture can be tried
	Notes    []string    `json:"notes,omitempty"`
}

// modelState is the information that is known once the model is built.
type modelState struct {
	Params int           `json:"params"`
	Batch  int           `json:"batch"`
	Input  string        `json:"input"`
	Engine string        `json:"engine"`
	Memory []memoryState `json:"memory"`
}

// memoryState is the memory plan of a program, in bytes.
type memoryState struct {
	Program  string `json:"program"`
	Arena    int    `json:"arena"`
	Unshared int    `json:"unshared"`
	Leaves   int    `json:"leaves"`
	Consts   int    `json:"consts"`
	Packed   int    `json:"packed"`
}

// NewRun returns a Run for use with [Run.Attach].
func NewRun(o Options) *Run {
	return &Run{
		options: o,
		clock:   time.Now,
		pace:    budget{every: time.Second, share: 0.01},
		state:   runState{Title: plain.Line(o.Title), Phase: waiting, Left: none},
		steps:   newTable("steps", "step", "loss", "accuracy", "rate", "seconds an image"),
		epochs:  newTable("epochs", runColumns(nil)...),
		readers: map[*runReader]bool{},
	}
}

// often is the time between two messages to a browser.
const often = 200 * time.Millisecond

// Attach makes r show the run of c. The callbacks that c already has are called first, and their
// errors end the run as before.
func (r *Run) Attach(c *train.Config) {
	if r == nil || c == nil || r.readers == nil {
		return
	}
	c.OnStart = after(c.OnStart, r.started)
	c.OnStep = after(c.OnStep, r.stepped)
	c.OnEpoch = after(c.OnEpoch, r.epochDone)
	r.config = *c
}

// after returns a callback that calls first, if it is not nil, and then the other.
func after[T any](first, then func(T) error) func(T) error {
	if first == nil {
		return then
	}
	return func(v T) error {
		if err := first(v); err != nil {
			return err
		}
		return then(v)
	}
}

// stop returns train.ErrStop if the page has asked to stop.
func (r *Run) stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		return train.ErrStop
	}
	return nil
}

// started begins to show the run. If something cannot be computed for the page, that is a note on
// it and not an error of the run.
func (r *Run) started(s train.Start) error {
	var notes []string
	build := func() (err error) {
		r.watched, r.probe, err = watchedOf(r.config, s)
		return err
	}
	if err := rescue.Do(build); err != nil {
		r.watched, r.probe = nil, nil
		notes = append(notes, note("maps and norms are not shown", err))
	}
	r.metrics = metricNames(s.Metrics)
	p := s.Checkpoint.Progress
	r.progress = &s.Checkpoint.Progress
	r.last = train.Step{Epoch: len(p.Epochs) + 1, SoFar: p.SoFar, Seconds: p.Seconds}
	r.mu.Lock()
	if len(r.metrics) > 0 {
		r.epochs = newTable("epochs", runColumns(r.metrics)...)
	}
	r.describe(s)
	r.state.Notes = append(r.state.Notes, notes...)
	if r.watched != nil {
		r.state.Model.Memory = append(r.state.Model.Memory, r.watched.memory, r.probe.memory)
	}
	if r.probe != nil && len(r.probe.layers) > 0 {
		r.norms = newTable("norms", r.normColumns()...)
		if n := len(r.probe.layers); n < r.probe.all {
			r.state.Notes = append(r.state.Notes, fmt.Sprintf("norms of %d of the %d layers are shown", n, r.probe.all))
		}
	}
	for _, e := range s.Checkpoint.Progress.Epochs {
		r.addEpoch(e)
	}
	r.mu.Unlock()
	r.measure(r.stepsDone(s), false)
	r.tell()
	return r.stop()
}

func note(what string, err error) string { return plain.Line(what + ": " + err.Error()) }

func (r *Run) stepsDone(s train.Start) int {
	p := s.Checkpoint.Progress
	return p.Steps(len(p.Epochs)) + p.Batch
}

// describe fills in the information that is known from the beginning.
func (r *Run) describe(s train.Start) {
	info := s.Checkpoint.Info
	r.state.Phase = training
	if r.stopping {
		r.state.Phase = stopping
	}
	r.state.Epochs, r.state.Batches = max(r.config.Epochs, 1), s.Batches
	r.steps.expect((r.state.Epochs - len(s.Checkpoint.Progress.Epochs)) * s.Batches)
	r.epochs.expect(r.state.Epochs)
	r.state.Epoch, r.state.Batch = len(s.Checkpoint.Progress.Epochs)+1, s.Checkpoint.Progress.Batch
	r.state.Model = &modelState{
		Params: s.Params, Batch: s.Checkpoint.Progress.Size, Input: info.Input.String(), Engine: r.config.Engine.Name(),
		Memory: []memoryState{
			memoryOf("training", s.Train), memoryOf("evaluation", s.Evaluation),
		},
	}
}

func memoryOf(program string, m vm.Memory) memoryState {
	return memoryState{program, m.Arena, m.Unshared, m.Leaves, m.Consts, m.Packed}
}

func (r *Run) normColumns() []string {
	columns := []string{"step"}
	for _, kind := range []string{"gradient ", "update "} {
		for _, l := range r.probe.layers {
			columns = append(columns, kind+l.name)
		}
	}
	return columns
}

// stepped shows a step.
func (r *Run) stepped(s train.Step) error {
	r.record(s)
	if now := r.clock(); r.measured != nil || r.pace.due(now) {
		r.measure(s.Number, r.measured != nil)
	}
	if now := r.clock(); now.Sub(r.told) >= often {
		r.tell()
	}
	return r.stop()
}

// record adds a step to the tables. It does not allocate.
func (r *Run) record(s train.Step) {
	seconds, correct, labels := s.Seconds, s.SoFar.Correct, s.SoFar.Labels
	if s.Epoch == r.last.Epoch {
		seconds -= r.last.Seconds
		correct -= r.last.SoFar.Correct
		labels -= r.last.SoFar.Labels
	}
	r.last = s
	accuracy := none
	if labels > 0 {
		accuracy = number(correct) / number(labels)
	}
	perImage := number(seconds) / number(max(s.Examples, 1))
	left := float64(s.Batches-s.Batch) + float64(r.state.Epochs-s.Epoch)*float64(s.Batches)
	if s.Batches == 0 {
		left = float64(none)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps.add(number(s.Number), number(s.Loss), accuracy, number(s.Rate), perImage)
	r.state.Epoch, r.state.Batch = s.Epoch, s.Batch
	r.state.Left = number(s.Seconds / float64(max(s.Timed, 1)) * float64(s.Examples) * left)
}

// measure computes quantities that a step does not. It takes two steps: the change made by the
// second is computed after it.
func (r *Run) measure(step int, second bool) {
	if r.watched == nil {
		return
	}
	begun := r.clock()
	if err := rescue.Do(func() error { return r.compute(step, second) }); err != nil {
		r.watched, r.probe, r.measured = nil, nil, nil
		r.mu.Lock()
		r.state.Notes = append(r.state.Notes, note("maps and norms are no longer shown", err))
		r.mu.Unlock()
	}
	now := r.clock()
	took := now.Sub(begun)
	if r.spent += took; second {
		took = r.spent
	}
	if r.measured == nil {
		r.spent = 0
	}
	r.pace.spent(now, took)
}

func (r *Run) compute(step int, second bool) error {
	ctx := context.Background()
	if second {
		updates, err := r.probe.changed(ctx)
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.norms.add(slices.Concat([]number{number(step)}, r.measured, updates)...)
		r.mu.Unlock()
		r.measured = nil
		return nil
	}
	gradients, err := r.probe.measure(ctx)
	if err != nil {
		return err
	}
	r.measured = gradients
	shown, err := r.watched.maps(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.maps = shown
	r.state.Maps++
	r.state.Examples = r.state.Examples[:0]
	for i, m := range shown {
		r.state.Examples = append(r.state.Examples, m.title(i))
	}
	return nil
}

// epochDone shows an epoch.
func (r *Run) epochDone(e train.Epoch) error {
	r.mu.Lock()
	r.addEpoch(e)
	r.mu.Unlock()
	r.tell()
	return r.stop()
}

func (r *Run) addEpoch(e train.Epoch) {
	loss, accuracy := none, none
	if v := e.Validation; v != nil {
		loss, accuracy = number(v.Loss()), accuracyOf(*v)
	}
	row := []number{number(r.progress.Steps(e.Number)), number(e.Number), number(e.Train.Loss()), accuracyOf(e.Train), loss, accuracy}
	for _, name := range r.metrics {
		row = append(row, valueOf(&e.Train, name), valueOf(e.Validation, name))
	}
	r.epochs.add(row...)
}

// mostMetrics bounds the metrics that are shown, besides loss and accuracy.
const mostMetrics = 32

// metricNames lists the names of the metrics that are shown.
func metricNames(all []metrics.Metric) (names []string) {
	for _, m := range all {
		if name := m.Name(); name != "accuracy" && len(names) < mostMetrics {
			names = append(names, name)
		}
	}
	return names
}

// runColumns returns the columns of the table of epochs, with two for each further metric.
func runColumns(names []string) []string {
	columns := []string{"step", "epoch", "loss", "accuracy", "validation loss", "validation accuracy"}
	for _, name := range names {
		columns = append(columns, name, "validation "+name)
	}
	return columns
}

// valueOf returns a metric of m, which may be nil.
func valueOf(m *train.Metrics, name string) number {
	if m == nil {
		return none
	}
	if v, ok := m.Values.Get(name); ok {
		return number(v)
	}
	return none
}

func accuracyOf(m train.Metrics) number {
	if m.Labels == 0 {
		return none
	}
	return number(m.Accuracy())
}

// Finish shows how the run ended; its arguments are the results of [train.Fit]. From then on
// pictures can be tried, with the values of the result.
func (r *Run) Finish(result *train.Result, err error) {
	if r == nil || r.readers == nil {
		return
	}
	var t *trial
	var notes []string
	if result != nil && r.options.Prepare != nil && !errors.Is(err, context.Canceled) {
		var failure error
		build := func() (err error) { t, err = newTrial(r.config, r.options.Prepare, result.Checkpoint); return err }
		if failure = rescue.Do(build); failure != nil {
			t = nil
			notes = append(notes, note("pictures cannot be tried", failure))
		}
	}
	r.mu.Lock()
	r.state.Phase, r.state.Left = finished, none
	switch {
	case errors.Is(err, context.Canceled):
		r.state.Phase, r.state.Message = stopped, "interrupted"
	case err != nil:
		r.state.Phase, r.state.Message = failed, plain.Line(err.Error())
	case r.stopping:
		r.state.Phase = stopped
		if result != nil && result.Saved {
			r.state.Message = "stopped at a whole step and saved"
		}
	}
	r.trial, r.state.Trial = t, t != nil
	r.state.Notes = append(r.state.Notes, notes...)
	r.mu.Unlock()
	r.tell()
}

// Stopped reports whether the run was stopped from the page. [train.Fit] then returned no error.
func (r *Run) Stopped() bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopping
}

// requestStop asks the run to stop after the current step.
func (r *Run) requestStop() error {
	r.mu.Lock()
	defer func() { r.mu.Unlock(); r.tellAll() }()
	switch r.state.Phase {
	case waiting, training, stopping:
	default:
		return fmt.Errorf("the run is over: it is %s", r.state.Phase)
	}
	r.stopping, r.state.Phase = true, stopping
	return nil
}

// tell notifies the browsers that there is something new.
func (r *Run) tell() {
	r.told = r.clock()
	r.tellAll()
}

func (r *Run) tellAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for reader := range r.readers {
		select {
		case reader.news <- struct{}{}:
		default: // has not yet read the previous notification
		}
	}
}

// runReader is the reader of one browser.
type runReader struct {
	run     *Run
	news    chan struct{}
	cursors [3]cursor
}

func (r *Run) subscribe() reader {
	s := &runReader{run: r, news: make(chan struct{}, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readers[s] = true
	return s
}

func (s *runReader) close() {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	delete(s.run.readers, s)
}

func (s *runReader) changed() <-chan struct{} { return s.news }

// read returns what is new since the last call. The messages share no memory with the run.
func (s *runReader) read() (messages []message) {
	r := s.run
	r.mu.Lock()
	defer r.mu.Unlock()
	state := r.state
	state.Notes, state.Examples = slices.Clone(state.Notes), slices.Clone(state.Examples)
	messages = append(messages, message{"state", state})
	for i, t := range []*table{r.steps, r.epochs, r.norms} {
		if t == nil {
			continue
		}
		if m, ok := t.since(&s.cursors[i]); ok {
			messages = append(messages, message{"rows", m})
		}
	}
	return messages
}
