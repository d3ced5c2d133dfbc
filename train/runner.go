package train

import (
	"context"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/vm"
)

// runner feeds batches to a program whose first outputs are a loss and a model's output.
type runner struct {
	machine   *vm.Machine     // nil where the gradients' runner computes all
	gradients *gradientRunner // runs first, if not nil
	feeds     []feed          // one for each input of the program
	args      []*tensor.Dense
	classes   classes
	labelled  bool
	confusion [][]int // counted where not nil
}

// feed picks what an input is fed, from a batch and the results of Gradients.
type feed func(b data.Batch, computed []*tensor.Dense) *tensor.Dense

// newRunner makes a runner of a program that, where d is not nil, is fed with what d says.
func newRunner(p *vm.Program, s *vm.Store, info data.Info, d *standIns) (*runner, error) {
	feeds, err := feedsOf(p.Inputs(), d)
	if err != nil {
		return nil, err
	}
	m, err := p.NewMachine(s)
	if err != nil {
		return nil, err
	}
	r := &runner{machine: m, feeds: feeds, args: make([]*tensor.Dense, len(feeds))}
	r.classes, r.labelled = classesOf(p.Outputs()[1], info.Target)
	return r, nil
}

// feedsOf says what each of some inputs is fed.
func feedsOf(inputs []*graph.Node, d *standIns) ([]feed, error) {
	var feeds []feed
	for _, in := range inputs {
		switch at := d.index(in.Name()); {
		case at >= 0:
			feeds = append(feeds, func(_ data.Batch, computed []*tensor.Dense) *tensor.Dense { return computed[at] })
		case in.Name() == inputName:
			feeds = append(feeds, func(b data.Batch, _ []*tensor.Dense) *tensor.Dense { return b.X })
		case in.Name() == targetName || in.Name() == mixedName:
			feeds = append(feeds, func(b data.Batch, _ []*tensor.Dense) *tensor.Dense { return b.Y })
		default:
			return nil, fmt.Errorf("the model has an Input of its own, %q, built at %v; only its argument is fed", in.Name(), in.Pos())
		}
	}
	return feeds, nil
}

// results are those of a program on a batch.
type results struct {
	loss, output *tensor.Dense
	rate         *tensor.Dense // of learning; nil but in training
}

// resultsOf takes the outputs of [Network].Training or Evaluation apart.
func resultsOf(outs []*tensor.Dense) (r results, err error) {
	if len(outs) < 2 {
		return r, fmt.Errorf("want a loss and an output, have %d results", len(outs))
	}
	r.loss, r.output = outs[0], outs[1]
	if len(outs) > 2 {
		r.rate = outs[2]
	}
	return r, nil
}

// run runs the program on one batch.
func (r *runner) run(ctx context.Context, b data.Batch) (m Metrics, res results, err error) {
	outs, err := r.outputs(ctx, b)
	if err != nil {
		return m, res, err
	}
	if res, err = resultsOf(outs); err != nil {
		return m, res, err
	}
	loss, err := vm.Number(res.loss)
	if err != nil {
		return m, res, err
	}
	m = Metrics{Examples: len(b.Examples), LossSum: loss * float64(len(b.Examples))}
	if r.labelled {
		m.Correct, m.Labels = r.classes.compare(res.output, b.Y.Int32s(), r.confusion)
	}
	return m, res, nil
}

func (r *runner) outputs(ctx context.Context, b data.Batch) (computed []*tensor.Dense, err error) {
	if r.gradients != nil {
		if computed, err = r.gradients.run(ctx, b); err != nil || r.machine == nil {
			return computed, err
		}
	}
	for i, feed := range r.feeds {
		r.args[i] = feed(b, computed)
	}
	return r.machine.Run(ctx, r.args...)
}

// runAll runs the program on every batch of an epoch that is not shuffled.
func (r *runner) runAll(ctx context.Context, l *data.Loader) (sum Metrics, err error) {
	for b, err := range l.EpochFrom(ctx, 0, 0) {
		if err != nil {
			return sum, err
		}
		m, _, err := r.run(ctx, b)
		if err != nil {
			return sum, fmt.Errorf("batch %d of %d: %w", b.Index+1, l.Len(), err)
		}
		sum.add(m)
	}
	return sum, nil
}
