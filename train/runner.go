package train

import (
	"context"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/train/metrics"
	"github.com/plexaura/plexaura/vm"
)

// runner runs a program on batches. The first outputs of the program are a loss and a model's
// output.
type runner struct {
	machine   *vm.Machine     // nil if gradients computes everything
	gradients *gradientRunner // runs first, if not nil
	feeds     []feed          // one for each input of the program
	args      []*tensor.Dense
	classes   metrics.Classes
	labelled  bool
	confusion [][]int // counted if not nil
	given     results // passed to feeds, if there are no gradients
	observed
}

// feed returns the value of an input, from a batch and the results of Gradients.
type feed func(b data.Batch, r results) *tensor.Dense

func fromX(b data.Batch, _ results) *tensor.Dense { return b.X }
func fromY(b data.Batch, _ results) *tensor.Dense { return b.Y }

// newRunner makes a runner of a program of n, for data described by info.
func (n *Network) newRunner(p *vm.Program, s *vm.Store, info data.Info) (*runner, error) {
	feeds, err := n.feedsOf(p.Inputs())
	if err != nil {
		return nil, err
	}
	m, err := p.NewMachine(s)
	if err != nil {
		return nil, err
	}
	r := &runner{machine: m, feeds: feeds, args: make([]*tensor.Dense, len(feeds))}
	r.classes, r.labelled = metrics.ClassesOf(p.Outputs()[1], batched(info.Target))
	return r, nil
}

// feedsOf returns the feed of each of inputs, which belong to n or a clone of it.
func (n *Network) feedsOf(inputs []*graph.Node) ([]feed, error) {
	var feeds []feed
	for _, in := range inputs {
		f, ok := n.feeds[in.Source()]
		if !ok {
			return nil, fmt.Errorf("the model has an Input of its own, %q, built at %v; only the input that train adds gets values", in.Name(), in.Pos())
		}
		feeds = append(feeds, f)
	}
	return feeds, nil
}

// run runs the program on one batch.
func (r *runner) run(ctx context.Context, b data.Batch) (m Metrics, res results, err error) {
	if res, err = r.results(ctx, b); err != nil {
		return m, res, err
	}
	loss, err := vm.Number(res.loss)
	if err != nil {
		return m, res, err
	}
	m = Metrics{Examples: len(b.Examples), LossSum: loss * float64(len(b.Examples))}
	if r.labelled {
		r.compare(&m, res.output, b.Y.Int32s())
	}
	return m, res, r.observe(res.output, b.Y)
}

// compare compares outputs with labels. If confusion is not nil, it counts there how often each
// class (row) was predicted as each class (column). Labels that are not a class are ignored.
func (r *runner) compare(m *Metrics, output *tensor.Dense, labels []int32) {
	r.classes.Each(output, labels, func(label, predicted int) {
		m.Labels++
		if label == predicted {
			m.Correct++
		}
		if r.confusion != nil {
			r.confusion[label][predicted]++
		}
	})
}

func (r *runner) results(ctx context.Context, b data.Batch) (res results, err error) {
	res = r.given
	if r.gradients != nil {
		if res, err = r.gradients.run(ctx, b); err != nil || r.machine == nil {
			return res, err
		}
	}
	for i, feed := range r.feeds {
		r.args[i] = feed(b, res)
	}
	values, err := r.machine.Run(ctx, r.args...)
	if err != nil {
		return res, err
	}
	return resultsOf(values), nil
}

// runAll runs the program on every batch of an epoch that is not shuffled.
func (r *runner) runAll(ctx context.Context, l *data.Loader) (sum Metrics, err error) {
	r.sums.Reset()
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
	sum.Values, err = r.sums.Values()
	return sum, err
}
