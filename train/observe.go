package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/train/metrics"
	"github.com/plexaura/plexaura/vm"
)

// observed are the metrics of a runner, nil if there are none. Each batch is summed up by itself and
// then merged, in the order of the batches, so that whoever computes a part of them gets the same
// bits.
type observed struct {
	sums *metrics.Set // of the epoch so far; nil if someone else merges part
	part *metrics.Set // of a batch
}

// observe adds a batch to the metrics.
func (o observed) observe(output, target *tensor.Dense) error {
	if o.part == nil {
		return nil
	}
	o.part.Reset()
	if err := o.part.Add(output, target); err != nil || o.sums == nil {
		return err
	}
	return o.sums.Merge(o.part)
}

// limitInTraining is how many bytes metrics may keep in training: they are part of a checkpoint in
// the middle of an epoch, whose header has at most 100 MB.
const limitInTraining = 48 << 20

// observing is what observed needs: metrics of a program's output.
type observing struct {
	all   []metrics.Metric
	data  metrics.Data // of an epoch
	batch int          // the size of a batch
}

// sums makes metrics of an epoch.
func (o observing) sums() (*metrics.Set, error) {
	s, err := metrics.NewSet(o.data, o.all...)
	if err != nil {
		return nil, err
	}
	return s, checkNames(s.Metrics())
}

// part makes metrics of a batch, or of a part of one.
func (o observing) part() (*metrics.Set, error) {
	d := o.data
	d.Examples = min(d.Examples, o.batch)
	return metrics.NewSet(d, o.all...)
}

// observed makes both.
func (o observing) observed() (both observed, err error) {
	if both.sums, err = o.sums(); err != nil {
		return both, err
	}
	both.part, err = o.part()
	return both, err
}

// checkNames refuses metrics whose names stand for something else in a line of the metrics file.
func checkNames(all []metrics.Metric) error {
	reserved := []string{lossName, "epoch", "learning_rate", "seconds", "examples_per_second", "wait_share"}
	for _, m := range all {
		name := m.Name()
		if slices.Contains(reserved, name) || strings.HasPrefix(name, validationPrefix) {
			return fmt.Errorf("a metric cannot be named %q: that stands for something else in %s", name, MetricsFile)
		}
	}
	return nil
}

// measure makes the metrics of training and validation, before anything else is made. There are none of
// training if targets are mixed to another type.
func (r *run) measure(p programs) (err error) {
	if r.batches.Info().Target == r.info.Target {
		o := r.inTraining(p)
		if r.training, err = o.observed(); err != nil {
			return fmt.Errorf("training: %w", r.unbounded(o, err))
		}
	}
	switch {
	case r.Validation != nil:
		if r.validating, err = r.inValidation(p).observed(); err != nil {
			return fmt.Errorf("validation: %w", err)
		}
	case len(r.ValidationMetrics) > 0:
		return errors.New("the Config has ValidationMetrics, but no Validation")
	}
	return nil
}

// unbounded explains err, which metrics of training give, if they keep something of each example and
// nothing says how many there are.
func (r *run) unbounded(o observing, err error) error {
	if o.data.Examples = r.Batch; r.most() != unknown {
		return err
	}
	if _, other := o.sums(); other != nil {
		return err
	}
	return fmt.Errorf("of an epoch of a Stream without StepsPerEpoch, which may have any number of examples: %w", err)
}

func (r *run) inTraining(p programs) observing {
	program := p.training
	if p.gradient != nil {
		program = p.gradient
	}
	return observing{r.Metrics, measured(program, r.info, r.most(), limitInTraining), r.Batch}
}

func (r *run) inValidation(p programs) observing {
	return observing{slices.Concat(r.Metrics, r.ValidationMetrics), measured(p.evaluation, r.info, r.Validation.Len(), 0), r.Batch}
}

// measured describes what metrics of n examples see of a program.
func measured(p *vm.Program, info data.Info, n, limit int) metrics.Data {
	return metrics.Data{Output: p.Outputs()[1], Target: batched(info.Target), Examples: n, Limit: limit}
}

// restore continues the metrics of an epoch in the middle of which the resumed run stopped.
func (r *run) restore() error {
	p := &r.state.Progress
	if r.Resume == nil || p.Batch == 0 {
		return nil
	}
	if err := r.training.sums.UnmarshalBinary(p.Sums); err != nil {
		return fmt.Errorf("resuming in the middle of an epoch, which needs the metrics that it began with: %w", err)
	}
	return nil
}
