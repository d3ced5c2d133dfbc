package train

import (
	"context"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/vm"
)

// runner feeds batches to a program whose first outputs are a loss and a model's output.
type runner struct {
	machine   *vm.Machine
	feeds     []func(data.Batch) *tensor.Dense // one for each input of the program
	args      []*tensor.Dense
	classes   classes
	labelled  bool
	confusion [][]int // counted where not nil
}

func newRunner(p *vm.Program, s *vm.Store, info data.Info) (*runner, error) {
	feeds, err := feedsOf(p)
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

// feedsOf says which part of a batch each input of p is.
func feedsOf(p *vm.Program) ([]func(data.Batch) *tensor.Dense, error) {
	var feeds []func(data.Batch) *tensor.Dense
	for _, in := range p.Inputs() {
		switch in.Name() {
		case inputName:
			feeds = append(feeds, func(b data.Batch) *tensor.Dense { return b.X })
		case targetName, mixedName:
			feeds = append(feeds, func(b data.Batch) *tensor.Dense { return b.Y })
		default:
			return nil, fmt.Errorf("the model has an Input of its own, %q, built at %v; only its argument is fed", in.Name(), in.Pos())
		}
	}
	return feeds, nil
}

// run runs the program on one batch.
func (r *runner) run(ctx context.Context, b data.Batch) (m Metrics, outs []*tensor.Dense, err error) {
	for i, feed := range r.feeds {
		r.args[i] = feed(b)
	}
	if outs, err = r.machine.Run(ctx, r.args...); err != nil {
		return m, nil, err
	}
	loss, err := vm.Number(outs[0])
	if err != nil {
		return m, nil, err
	}
	m = Metrics{Examples: len(b.Examples), LossSum: loss * float64(len(b.Examples))}
	if r.labelled {
		m.Correct, m.Labels = r.classes.compare(outs[1], b.Y.Int32s(), r.confusion)
	}
	return m, outs, nil
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
