package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train/metrics"
	"github.com/plexaura/plexaura/vm"
)

// Predictor computes a model's outputs. It is safe for concurrent use. As many goroutines as the
// initial GOMAXPROCS compute at the same time, each in memory that is reused; further ones wait.
type Predictor struct {
	model   nn.Layer
	weights *Checkpoint
	engine  engine.Engine
	opts    []vm.Option
	program *vm.Program
	in, out shape.Type   // of one example
	idle    chan *worker // nil ones are made when needed
}

// worker is a machine and the memory of its input.
type worker struct {
	machine *vm.Machine
	memory  []float32
	views   [defaultBatch + 1]*tensor.Dense // of the first n examples in memory
	args    [1]*tensor.Dense
}

// NewPredictor returns a Predictor of a model with the values of w. It shares the values: to
// predict while w is trained, use w.Snapshot(). If the weights do not fit the model, the error is a
// [MismatchError]. During a training step on w, predictions fail with [vm.ErrBusy]. The options,
// such as [vm.WithWeights], are for the programs that it compiles.
func NewPredictor(model nn.Layer, w *Checkpoint, e engine.Engine, opts ...vm.Option) (*Predictor, error) {
	p, err := newPredictor(model, w, e, opts)
	return p, prefixed(err)
}

func newPredictor(model nn.Layer, w *Checkpoint, e engine.Engine, opts []vm.Option) (*Predictor, error) {
	switch {
	case w == nil || w.Store == nil:
		return nil, errors.New("no weights")
	case isnil.Of(e):
		return nil, errors.New("no engine")
	}
	net, err := network(model, w, unmeasured(w.Info.Target.DType))
	if err != nil {
		return nil, err
	}
	output := net.Inference
	outs := []*graph.Node{output, output}
	if _, ok := metrics.ClassesOf(output.Type(), batched(w.Info.Target)); ok {
		outs[1] = ops.Softmax(output, 1)
	}
	t := output.Type()
	if t.Rank() == 0 || t.Dim(0) != shape.N || !t.Drop(0).Concrete() {
		return nil, fmt.Errorf("the model's output is %v; want one for each example, along axis 0", t)
	}
	p := &Predictor{model: model, weights: w, engine: e, opts: slices.Clone(opts), in: w.Info.Input, out: t.Of(t.Drop(0))}
	if p.program, err = vm.Compile(e, outs, p.opts...); err != nil {
		return nil, err
	}
	if _, err := net.feedsOf(p.program.Inputs()); err != nil {
		return nil, err
	}
	if err := fits(w, p.program, net); err != nil {
		return nil, err
	}
	p.idle = make(chan *worker, runtime.GOMAXPROCS(0))
	for range cap(p.idle) {
		p.idle <- nil
	}
	return p, nil
}

// unmeasured is a loss for a model that only predicts: its numbers may have another type than the target,
// for a loss of its own.
func unmeasured(target shape.DType) Loss {
	if target == shape.Int32 {
		return nil
	}
	return func(output, _ *graph.Node) *graph.Node { return ops.Mean(output) }
}

// network builds the graphs of a model that run with the values of w.
func network(model nn.Layer, w *Checkpoint, loss Loss) (*Network, error) {
	net, err := build(model, w.Info, loss, nil, how{mixed: w.Info.Target})
	if err == nil && w.Averaged {
		net.average(append(w.Store.Names(), w.Training...))
	}
	return net, err
}

// fits returns a [MismatchError] if the values of w do not fit the model. It first widens
// values that a file has kept in fewer bits.
func fits(w *Checkpoint, p *vm.Program, net *Network) error {
	if err := w.Store.Widen(p.Leaves()...); err != nil {
		return err
	}
	extra := slices.Clone(w.Training)
	for _, n := range net.Leaves {
		extra = append(extra, n.Name())
	}
	return match(w.Store, p.Leaves(), extra)
}

// Info returns the description of the data that the model is for.
func (p *Predictor) Info() data.Info {
	if p.check() != nil {
		return data.Info{}
	}
	return p.weights.Info
}

// check returns an error if p cannot be used.
func (p *Predictor) check() error {
	if p == nil || p.program == nil {
		return errors.New("the Predictor was not made by NewPredictor")
	}
	return nil
}

// Output returns the type of the output for one example.
func (p *Predictor) Output() shape.Type {
	if p.check() != nil {
		return shape.Type{}
	}
	return p.out
}

// Program returns the compiled program, whose outputs are the model's output and, if it chooses among
// classes, their probabilities, and the store with its values. Machines of it compute what
// [Predictor.Outputs] and [Predictor.Predict] do, without a check for values that are not finite.
func (p *Predictor) Program() (*vm.Program, *vm.Store) {
	if p.check() != nil {
		return nil, nil
	}
	return p.program, p.weights.Store
}

// Predict returns the probabilities of the classes for each example of x, one example after the
// other. If the model does not choose among classes, it returns the same as [Predictor.Outputs]. x
// holds any number of examples, one after the other, preprocessed as Info().Preprocess describes. A
// result that is not finite is an error that names the values at fault and wraps [vm.ErrNotFinite].
func (p *Predictor) Predict(ctx context.Context, x []float32) ([]float32, error) {
	y, err := p.compute(ctx, x, 1)
	return y, prefixed(err)
}

// Outputs returns the model's output for each example of x: logits, or the values of a regression.
// Otherwise it is like [Predictor.Predict].
func (p *Predictor) Outputs(ctx context.Context, x []float32) ([]float32, error) {
	y, err := p.compute(ctx, x, 0)
	return y, prefixed(err)
}

// compute returns one output of the program.
func (p *Predictor) compute(ctx context.Context, x []float32, output int) (y []float32, err error) {
	err = p.each(ctx, x, func(w *worker) error {
		outs, err := w.machine.Run(ctx, w.args[:]...)
		if err != nil {
			return err
		}
		if y == nil {
			y = make([]float32, 0, len(x)/p.in.Len()*p.out.Len())
		}
		y = engine.AppendFloat32s(y, outs[output])
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !finite(y) {
		return nil, notFinite("the output", p.weights.Store, x)
	}
	return y, nil
}

// each calls do for the examples of x, at most defaultBatch at a time, which are then the input of the
// worker.
func (p *Predictor) each(ctx context.Context, x []float32, do func(w *worker) error) error {
	if err := p.check(); err != nil {
		return err
	}
	if ctx == nil {
		return errNoContext
	}
	size := p.in.Len()
	if len(x) == 0 || len(x)%size != 0 {
		return fmt.Errorf("%d numbers are not a multiple of %[3]d, the size of an example of %[2]v", len(x), p.in, size)
	}
	w, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { p.idle <- w }()
	for chunk := range slices.Chunk(x, defaultBatch*size) {
		w.feed(chunk, p.in)
		if err := do(w); err != nil {
			return err
		}
	}
	return nil
}

// Calibrate extends ranges to what the model's convolutions and products are given for the examples of
// x, as [vm.Machine.Calibrate] does, for [vm.Quantise]. x is that of [Predictor.Predict]. It is not to
// be called concurrently with the same ranges.
func (p *Predictor) Calibrate(ctx context.Context, ranges vm.Ranges, x []float32) error {
	return prefixed(p.each(ctx, x, func(w *worker) error { return w.machine.Calibrate(ctx, ranges, w.args[:]...) }))
}

// acquire waits for an idle worker.
func (p *Predictor) acquire(ctx context.Context) (w *worker, err error) {
	select {
	case w = <-p.idle:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if w != nil {
		return w, nil
	}
	if w, err = p.newWorker(); err != nil {
		p.idle <- nil
		return nil, err
	}
	return w, nil
}

func (p *Predictor) newWorker() (*worker, error) {
	m, err := p.program.NewMachine(p.weights.Store)
	if err != nil {
		return nil, err
	}
	return &worker{machine: m}, nil
}

// feed makes the examples of x, of which there are at most defaultBatch, the input.
func (w *worker) feed(x []float32, each shape.Type) {
	n := len(x) / each.Len()
	if len(w.memory) < len(x) {
		w.memory = make([]float32, len(x))
		clear(w.views[:])
	}
	copy(w.memory, x)
	if w.views[n] == nil {
		s := each.Insert(0, shape.Dim(n))
		w.views[n] = tensor.New(tensor.WithShape(s.Ints()...), tensor.WithBacking(w.memory[:len(x)]))
	}
	w.args[0] = w.views[n]
}

// Class is a class with its probability.
type Class struct {
	Index       int
	Name        string // empty if classes have no names
	Probability float32
}

// Top returns the k most probable classes of one example, in order of decreasing probability.
func (p *Predictor) Top(k int, probabilities []float32) []Class {
	classes := make([]Class, len(probabilities))
	for i, v := range probabilities {
		classes[i] = Class{Index: i, Probability: v}
		if i < len(p.Info().Classes) {
			classes[i].Name = p.Info().Classes[i]
		}
	}
	slices.SortStableFunc(classes, func(a, b Class) int { return cmp.Compare(b.Probability, a.Probability) })
	return classes[:max(0, min(k, len(classes)))]
}

// Evaluation is the result of evaluating a model on a dataset.
type Evaluation struct {
	Metrics
	// Confusion counts how often an example of each class (row) was predicted as each class
	// (column). It is nil if the model does not choose among classes.
	Confusion [][]int
}

// Evaluate evaluates the model on all examples of ds. If loss is nil, the default of [Build] is
// used. The values of further metrics are in Metrics.Values. A loss that is not finite is an error, as
// in [Predictor.Predict].
func (p *Predictor) Evaluate(ctx context.Context, ds data.Dataset, loss Loss, further ...metrics.Metric) (Evaluation, error) {
	e, err := p.evaluate(ctx, ds, loss, further)
	return e, prefixed(err)
}

func (p *Predictor) evaluate(ctx context.Context, ds data.Dataset, loss Loss, further []metrics.Metric) (e Evaluation, err error) {
	if err := p.check(); err != nil {
		return e, err
	}
	if ctx == nil {
		return e, errNoContext
	}
	if isnil.Of(ds) {
		return e, errors.New("no dataset to evaluate on")
	}
	batches, err := data.NewLoader(ds, data.Batching{Size: defaultBatch, Workers: 1})
	if err != nil {
		return e, err
	}
	if err := sameData(p.Info(), batches.Info()); err != nil {
		return e, fmt.Errorf("the model's data and those to evaluate: %w", err)
	}
	net, err := network(p.model, p.weights, loss)
	if err != nil {
		return e, err
	}
	program, err := vm.Compile(p.engine, net.Evaluation.Nodes(), p.opts...)
	if err != nil {
		return e, err
	}
	if err := fits(p.weights, program, net); err != nil {
		return e, err
	}
	r, err := net.newRunner(program, p.weights.Store, p.Info())
	if err != nil {
		return e, err
	}
	if r.observed, err = (observing{further, measured(program, p.Info(), ds.Len(), 0), defaultBatch}).observed(); err != nil {
		return e, err
	}
	if r.labelled {
		r.confusion = make([][]int, r.classes.Count)
		for i := range r.confusion {
			r.confusion[i] = make([]int, r.classes.Count)
		}
	}
	m, err := r.runAll(ctx, batches)
	if err == nil && !finite([]float64{m.LossSum}) {
		err = notFinite("the loss", p.weights.Store, nil)
	}
	return Evaluation{m, r.confusion}, err
}
