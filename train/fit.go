package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/shards"
	"github.com/plexaura/plexaura/vm"
)

// Fit trains a model. A mistake in c, the model or the data is found before the first step; then
// the result is nil. All mistakes in the graph are returned together, as a [graph.ErrorList].
//
// After the first step Fit always returns a result, also if ctx, a callback or data that cannot be
// read end the run. The error then says where the run stopped, and wraps the cause, including that
// of ctx. The run stops after a whole step, is saved if it has a folder, and can be resumed from
// the result's checkpoint or the saved one; the results are bit-identical to those of an
// uninterrupted run. The exception is a loss, or at the end of an epoch a parameter, that is not
// finite: then nothing is saved and the previous checkpoint remains. The error wraps
// [vm.ErrNotFinite]. If the steps can be repeated it is a [NotFiniteError], which names the node in
// which the first such value arose, and the examples that it came from.
//
// Nothing in the folder changes before there is a checkpoint to save. An earlier run in the folder
// is then moved to a folder next to it, which Result.Earlier names.
func Fit(ctx context.Context, c Config) (*Result, error) {
	if ctx == nil {
		return nil, prefixed(errNoContext)
	}
	var err error
	if c.Parallel, err = c.Parallel.withDefaults(); err != nil {
		return nil, prefixed(err)
	}
	r := &run{Config: c.ofRank(), status: ofEach(c.Group.Size(), 1), sums: ofEach(c.Group.Size(), sumBytes)}
	for _, stage := range []func(context.Context) error{r.check, r.gather, r.prepare, r.share, r.agree} {
		if err = r.together(ctx, stage(ctx)); err != nil {
			break
		}
	}
	if err != nil {
		return nil, prefixed(r.shared(errors.Join(err, r.callbacks.end(nil, err), r.close())))
	}
	err = errors.Join(r.train(ctx), r.refresh())
	r.state.refresh = nil
	result := &Result{
		Epochs: r.state.Progress.Epochs, Checkpoint: r.state,
		Saved: r.folder.current && !r.unsaved, Earlier: r.folder.earlier,
	}
	return result, prefixed(r.shared(errors.Join(err, r.callbacks.end(result, err), r.close())))
}

var errNoContext = errors.New("the context is nil; use context.Background() for one that never ends")

// prefixed adds the name of the package to err, except to mistakes in a graph, which have a
// position of their own.
func prefixed(err error) error {
	if list := (graph.ErrorList)(nil); err == nil || errors.As(err, &list) {
		return err
	}
	return plain.Prefixed("train", err)
}

// run is the state of a call of Fit.
type run struct {
	Config
	state      *Checkpoint
	start      Start
	step, eval *runner   // eval is nil without validation
	info       data.Info // of the examples, augmented but not mixed
	batches    *data.Loader
	validation *data.Loader
	folder     folder
	programs   programs
	before     *before // a state from which steps can be repeated; may be nil
	unsaved    bool    // steps were made since the last save
	made       int     // steps in the complete epochs
	callbacks  callbacks
	training   observed          // the metrics of training, whose sums are those of the epoch so far
	validating observed          // those of validation
	writes     map[string]uint64 // how often values had been written before callbacks changed some

	later     *later       // nil if all is as it is now up to the end
	laterTeam *shards.Team // for it; nil if batches are not computed in shards

	team     *shards.Team // nil if batches are not computed in shards
	parallel *parallel    // likewise
	status   [][]byte     // of each rank
	sums     [][]byte     // of each rank, what it has read of a Stream
	told     bool         // the ranks know that the run ends with an error
	apart    bool         // the ranks are no longer at the same place
}

// check checks the Config.
func (r *run) check(context.Context) error {
	c, err := r.Config.withDefaults()
	if err == nil {
		r.Config = c
	}
	return err
}

// gather makes the team, if batches are computed in shards.
func (r *run) gather(ctx context.Context) (err error) {
	if !r.Parallel.parallel() {
		return nil
	}
	ctx, cancel := r.waiting(ctx)
	defer cancel()
	r.team, err = shards.New(ctx, r.Group, r.Shards, shards.Options{Wire: r.Wire, Timeout: r.Timeout})
	if err == nil && r.UnfreezeAt > 0 {
		r.laterTeam, err = shards.New(ctx, r.Group, r.Shards, shards.Options{Wire: r.Wire, Timeout: r.Timeout})
	}
	return err
}

// prepare makes everything that the first step needs.
func (r *run) prepare(context.Context) error {
	c := r.Config
	var err error
	if r.callbacks, err = callbacksOf(c); err != nil {
		return err
	}
	if err := r.load(); err != nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	net, err := build(c.Model, r.info, c.Loss, c.Optimizer, r.how())
	if err != nil {
		return err
	}
	p, err := r.compile(net)
	if err != nil {
		return err
	}
	if err := r.describe(p); err != nil {
		return err
	}
	if err := r.prepareLater(); err != nil {
		return err
	}
	if p.anew, err = r.match(p); err != nil {
		return err
	}
	r.programs = p
	if err := r.measure(p); err != nil {
		return err
	}
	if r.folder, err = openFolder(c); err != nil {
		return err
	}
	if err := r.attach(p); err != nil {
		return err
	}
	if err := r.restore(); err != nil {
		return err
	}
	r.state.refresh = r.refresh
	r.writes = r.written()
	return r.callbacks.start(r.begun())
}

// load makes the loaders.
func (r *run) load() (err error) {
	training := r.batching()
	training.Workers, training.Only = r.workers(), r.own()
	if r.batches, err = r.loader(training); err != nil {
		return err
	}
	raw := r.raw()
	r.info = r.batches.Info()
	r.info.Target, r.info.Classes = raw.Target, raw.Classes
	if r.Validation == nil {
		return nil
	}
	r.validation, err = data.NewLoader(r.Validation, data.Batching{Size: r.Batch, Workers: r.workers(), Only: r.own()})
	if err != nil {
		return fmt.Errorf("validation: %w", err)
	}
	if err := sameData(r.info, r.validation.Info()); err != nil {
		return fmt.Errorf("training and validation: %w", err)
	}
	return nil
}

// own returns what a rank reads of a batch; nil if that is all of it.
func (r *run) own() func(n int) (lo, hi int) {
	if r.Group.Size() == 1 {
		return nil
	}
	return r.team.Own
}

// begin makes the initial state of the run.
func (r *run) begin() error {
	r.state = &Checkpoint{Store: r.Store}
	if r.Resume != nil {
		if err := r.resumable(); err != nil {
			return fmt.Errorf("resuming: %w", err)
		}
		*r.state = *r.Resume
		r.state.Progress.Epochs = slices.Clone(r.state.Progress.Epochs)
	}
	if r.state.Store == nil {
		r.state.Store = vm.NewStore(r.Seed)
	}
	r.state.Info = r.info
	if r.Name != "" {
		r.state.Name = r.Name
	}
	p := &r.state.Progress
	p.Seed, p.Size, p.Examples, p.Streamed = r.Seed, r.Batch, r.examples(), r.streamed()
	p.Freeze, p.UnfreezeAt = r.Freeze, r.UnfreezeAt
	r.made = p.Steps(len(p.Epochs))
	return r.settings()
}

// resumable returns an error if the run cannot be resumed with this Config.
func (r *run) resumable() error {
	p := r.Resume.Progress
	switch {
	case r.Resume.Store == nil:
		return errors.New("the checkpoint has no Store")
	case p.Size == 0:
		return errors.New("the checkpoint is not one of a run of Fit")
	case p.Seed != r.Seed:
		return fmt.Errorf("the run began with seed %d, this is seed %d", p.Seed, r.Seed)
	case p.Size != r.Batch:
		return fmt.Errorf("the run began with batches of %d, these are of %d", p.Size, r.Batch)
	case !p.Streamed.same(r.streamed()):
		return fmt.Errorf("the run began with %v, this has %v", p.Streamed, r.streamed())
	case p.Examples != r.examples():
		return fmt.Errorf("the run began with %d examples, these are %d", p.Examples, r.examples())
	case !slices.Equal(p.Freeze, r.Freeze) || p.UnfreezeAt != r.UnfreezeAt:
		return fmt.Errorf("the run began with Freeze %q and UnfreezeAt %d, this has %q and %d", p.Freeze, p.UnfreezeAt, r.Freeze, r.UnfreezeAt)
	case p.Batch < 0 || p.Batch > r.batches.Len() && r.batches.Len() > 0:
		return fmt.Errorf("the checkpoint is at batch %s", r.ofBatches(p.Batch))
	}
	return sameData(r.Resume.Info, r.info)
}

// sameData returns an error that says how a and b differ.
func sameData(a, b data.Info) error {
	switch {
	case a.Input != b.Input:
		return fmt.Errorf("the data differ: inputs are %v and %v", a.Input, b.Input)
	case a.Target != b.Target:
		return fmt.Errorf("the data differ: targets are %v and %v", a.Target, b.Target)
	case !slices.Equal(a.Classes, b.Classes):
		return fmt.Errorf("the data differ: classes are %q and %q", a.Classes, b.Classes)
	case !slices.Equal(a.Preprocess.Mean, b.Preprocess.Mean) || !slices.Equal(a.Preprocess.Std, b.Preprocess.Std):
		return fmt.Errorf("the data differ: preprocessing is %v and %v", a.Preprocess, b.Preprocess)
	}
	return nil
}

// settings encodes the settings of the program.
func (r *run) settings() (err error) {
	told := r.Settings
	switch {
	case told == nil && r.state.Settings != nil:
		return nil
	case told == nil:
		told = struct {
			Model  string `json:"model"`
			Engine string `json:"engine"`
			Epochs int    `json:"epochs"`
			Batch  int    `json:"batch"`
			Seed   uint64 `json:"seed"`
		}{r.state.Name, r.Engine.Name(), r.Epochs, r.Batch, r.Seed}
	}
	if r.state.Settings, err = json.Marshal(told); err != nil {
		return fmt.Errorf("Settings: %w", err)
	}
	return nil
}

// programs are the compiled programs of a run, and the names of the values of its store that start
// afresh.
type programs struct {
	*Network
	training, evaluation *vm.Program
	gradient             *vm.Program // of a shard; training then has only the updates
	anew                 []string
}

// compile compiles the programs.
func (r *run) compile(net *Network) (p programs, err error) {
	p.Network = net
	training := net.Training.Nodes()
	if net.Shard != nil {
		training = net.updating
		if p.gradient, err = vm.Compile(r.Engine, net.Shard); err != nil {
			return p, err
		}
	}
	if p.training, err = vm.Compile(r.Engine, training, vm.Train); err != nil {
		return p, err
	}
	if p.evaluation, err = vm.Compile(r.Engine, net.Evaluation.Nodes()); err != nil {
		return p, err
	}
	if _, err := net.feedsOf(p.training.Inputs()); err != nil {
		return p, err
	}
	if _, err := net.feedsOf(append(p.evaluation.Inputs(), p.gradient.Inputs()...)); err != nil {
		return p, err
	}
	return p, nil
}

// leaves returns the leaves of both programs.
func (p programs) leaves() []*graph.Node {
	return slices.Concat(p.training.Leaves(), p.evaluation.Leaves(), p.gradient.Leaves())
}

// attach makes machines for the programs on the store.
func (r *run) attach(p programs) (err error) {
	for _, name := range p.anew {
		if err := r.state.Store.Delete(name); err != nil {
			return err
		}
	}
	if r.thawed() {
		if err := r.state.Store.Extend(p.training); err != nil {
			return err
		}
	}
	if r.team != nil {
		if r.parallel, err = r.newParallel(p); err != nil {
			return err
		}
		r.step = r.parallel.local[0]
	} else {
		if r.step, err = p.newRunner(p.training, r.state.Store, r.batches.Info()); err != nil {
			return err
		}
		r.step.observed = r.training
	}
	if r.eval, err = p.newRunner(p.evaluation, r.state.Store, r.state.Info); err != nil {
		return err
	}
	r.eval.observed = r.validating
	if r.team != nil {
		r.eval.sums = nil // as are those of shards
	}
	if err := errors.Join(r.step.machine.Observe(r.Observe), r.eval.machine.Observe(vm.Observer{Labels: r.Observe.Labels})); err != nil {
		return err
	}
	r.state.Averaged = p.Averaged
	r.state.Training = except(p.leaves(), p.Leaves)
	return r.startGradients(p.Network)
}

// describe prepares the argument of OnStart.
func (r *run) describe(p programs) (err error) {
	r.start = Start{Checkpoint: r.state, Params: numbers(p.Leaves), Batches: r.batches.Len(), Epochs: r.Epochs, Network: p.Network}
	size := r.size()
	if r.start.Train, err = r.trainingMemory(p, r.team, size); err != nil {
		return err
	}
	r.start.Evaluation, err = p.evaluation.Memory(size)
	return err
}

// trainingMemory returns the memory for training with batches of the given size.
func (r *run) trainingMemory(p programs, team *shards.Team, size int) (vm.Memory, error) {
	m, err := p.training.Memory(size)
	if err != nil || team == nil {
		return m, err
	}
	k, lo, hi := team.Shards()
	shard, err := p.gradient.Memory((size + k - 1) / k)
	if err != nil {
		return m, err
	}
	m.Arena += (hi-lo)*shard.Arena + team.Bytes()
	m.Unshared += (hi-lo)*shard.Unshared + team.Bytes()
	m.Packed, m.Once, m.Consts = m.Packed+shard.Packed, m.Once+shard.Once, m.Consts+shard.Consts
	return m, nil
}

// begun completes the argument of Start.
func (r *run) begun() Start {
	s := &r.start
	s.Validated, s.Labelled, s.Metrics = r.validation != nil, r.eval.labelled, r.training.sums.Metrics()
	if s.Validated {
		s.Metrics = r.validating.sums.Metrics()
	}
	if r.folder.lock != nil {
		s.Folder = r.folder.lock.path
	}
	if r.Resume != nil {
		s.Resumed = r.Resume.file
	}
	return *s
}

// startGradients calls Config.Gradients, if it is set.
func (r *run) startGradients(net *Network) (err error) {
	if r.Gradients == nil {
		return nil
	}
	if err := r.state.Store.Init(net.Leaves...); err != nil {
		return err
	}
	if r.step.gradients, err = r.newGradients(net, *net.computed); err != nil || r.validation == nil {
		return err
	}
	r.eval.machine = nil
	r.eval.gradients, err = r.newGradients(net, computed{loss: net.Evaluation.Loss, output: net.Evaluation.Output})
	return err
}

// close unlocks the folder and frees the Gradients.
func (r *run) close() error {
	err := errors.Join(r.folder.close(), r.closeGradients())
	for _, team := range []*shards.Team{r.team, r.laterTeam} {
		if team != nil && !r.told {
			err = errors.Join(err, team.Close())
		}
	}
	return err
}

func (r *run) closeGradients() (err error) {
	for _, runner := range []*runner{r.step, r.eval} {
		if runner != nil && runner.gradients != nil {
			err = errors.Join(err, runner.gradients.Close())
		}
	}
	return err
}

// match checks the initial values, and lists those that start afresh.
func (r *run) match(p programs) (anew []string, err error) {
	if err := r.state.Store.Widen(p.leaves()...); err != nil {
		return nil, err
	}
	switch {
	case r.Resume != nil:
		return nil, r.matchResumed(p)
	case r.Store != nil:
		return fresh(r.Store, p.Network, p.leaves(), r.Partial)
	}
	return nil, nil
}

// except lists, in alphabetical order, the names of leaves that are not in others.
func except(leaves, others []*graph.Node) (names []string) {
	for _, n := range leaves {
		if !slices.ContainsFunc(others, func(o *graph.Node) bool { return o.Name() == n.Name() }) {
			names = append(names, n.Name())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// numbers returns the number of elements of the parameters among leaves.
func numbers(leaves []*graph.Node) (n int) {
	for _, leaf := range leaves {
		if leaf.Kind() == graph.Param {
			n += leaf.Type().Len()
		}
	}
	return n
}

// train trains, and saves the last state if it is not the end of an epoch.
func (r *run) train(ctx context.Context) error {
	err := r.epochs(ctx)
	var unsaved error
	if !errors.Is(err, vm.ErrNotFinite) {
		unsaved = r.save()
	}
	told := r.together(ctx, errors.Join(err, unsaved))
	switch {
	case errors.Is(err, ErrStop):
		err = nil
	case err == nil && unsaved == nil && !errors.Is(told, ErrStop):
		err = told // of another rank
	}
	return errors.Join(err, unsaved)
}

func (r *run) epochs(ctx context.Context) error {
	if r.callbacks.stopped {
		return ErrStop
	}
	if r.OnStart != nil {
		if err := r.OnStart(r.start); err != nil {
			return err
		}
	}
	for len(r.state.Progress.Epochs) < r.Epochs {
		if err := r.unfreeze(ctx); err != nil {
			return err
		}
		if err := r.epoch(ctx); err != nil {
			return err
		}
	}
	return nil
}

// epoch makes the remaining steps of an epoch.
func (r *run) epoch(ctx context.Context) error {
	p := &r.state.Progress
	number := len(p.Epochs) + 1
	begun := time.Now().Add(-time.Duration(p.Seconds * float64(time.Second)))
	for b, err := range r.batches.EpochFrom(ctx, number-1, p.Batch) {
		batch := p.Batch + 1
		if err = r.together(ctx, err); err == nil {
			err = r.alike(ctx, b)
		}
		if err == nil {
			err = r.advance(ctx, b, begun)
		}
		if err != nil {
			return fmt.Errorf("epoch %d of %d, batch %s (step %d): %w", number, r.Epochs, r.ofBatches(batch), r.made+batch, err)
		}
	}
	if err := r.endTogether(ctx); err != nil {
		return fmt.Errorf("the end of epoch %d of %d, after batch %s: %w", number, r.Epochs, r.ofBatches(p.Batch), err)
	}
	if bad, err := r.spoilt(r.state.Store); err != nil || len(bad) > 0 {
		err = cmp.Or(err, fmt.Errorf("parameters are %w: %s", vm.ErrNotFinite, plain.Names(bad, shown)))
		return fmt.Errorf("after epoch %d of %d: %w", number, r.Epochs, r.diagnose(ctx, nil, err))
	}
	var err error
	if p.SoFar.Values, err = r.training.sums.Values(); err != nil {
		return fmt.Errorf("after epoch %d of %d: %w", number, r.Epochs, err)
	}
	e := Epoch{Number: number, Train: p.SoFar, Rate: p.Rate, Seconds: p.Seconds, Waited: p.Waited, Timed: p.Timed}
	if err := r.validate(ctx, &e); err != nil {
		return fmt.Errorf("validation after epoch %d of %d: %w", number, r.Epochs, err)
	}
	return r.finish(ctx, e)
}

// advance makes one step.
func (r *run) advance(ctx context.Context, b data.Batch, begun time.Time) error {
	r.keep(b.Index)
	run := r.step.run
	if r.parallel != nil {
		run = r.parallelStep
	}
	m, res, err := run(ctx, b)
	if errors.Is(err, vm.ErrNotFinite) {
		return r.diagnose(ctx, &b, err)
	}
	if err != nil {
		return err
	}
	rate, err := vm.Number(res.rate)
	if err != nil {
		return err
	}
	p := &r.state.Progress
	p.SoFar.add(m)
	p.Timed += m.Examples
	p.Waited += b.Waited.Seconds()
	p.Batch, p.Rate, p.Seconds, r.unsaved = b.Index+1, rate, time.Since(begun).Seconds(), true
	return r.callbacks.step(Step{
		Number: r.made + p.Batch, Epoch: len(p.Epochs) + 1, Batch: p.Batch, Batches: r.batches.Len(), Examples: m.Examples,
		Loss: m.Loss(), Rate: rate, SoFar: p.SoFar, Seconds: p.Seconds, Waited: p.Waited, Timed: p.Timed,
	})
}

func (r *run) validate(ctx context.Context, e *Epoch) error {
	if r.validation == nil {
		return nil
	}
	all := r.validateShards
	if r.parallel == nil {
		all = func(ctx context.Context) (Metrics, error) { return r.eval.runAll(ctx, r.validation) }
	}
	m, err := all(ctx)
	if err != nil {
		return err
	}
	if math.IsNaN(m.LossSum) || math.IsInf(m.LossSum, 0) {
		return r.diagnose(ctx, nil, fmt.Errorf("the loss is %v: %w", m.LossSum, vm.ErrNotFinite))
	}
	e.Validation = &m
	return nil
}

// finish records an epoch. It saves the checkpoint first, because a resumed run rewrites the
// metrics from it.
func (r *run) finish(ctx context.Context, e Epoch) error {
	p := &r.state.Progress
	p.Epochs = append(p.Epochs, e)
	r.made += p.Batch
	p.Batch, p.SoFar, p.Seconds, p.Waited, p.Timed = 0, Metrics{}, 0, 0, 0
	r.training.sums.Reset()
	r.unsaved = true
	r.writes = r.written()
	ended := r.callbacks.each(func(c Callback) error { return c.Epoch(e) })
	if err := r.share(ctx); err != nil {
		return err
	}
	if len(r.Callbacks) > 0 {
		r.before = nil // steps from before cannot be repeated if a callback has changed the store
	}
	if err := r.save(); err != nil {
		return err
	}
	if err := r.folder.append(e); err != nil {
		return err
	}
	return cmp.Or(r.callbacks.each(func(c Callback) error { return c.Saved(e) }), ended)
}

// refresh brings what the checkpoint has of metrics and callbacks up to date.
func (r *run) refresh() (err error) {
	p := &r.state.Progress
	p.Sums = nil
	if p.Batch > 0 {
		if p.Sums, err = r.training.sums.AppendBinary(nil); err != nil {
			return err
		}
	}
	p.Callbacks, err = r.callbacks.states()
	return err
}

func (r *run) save() error {
	if !r.unsaved {
		return nil
	}
	r.unsaved = false
	return r.folder.save(r.state)
}
