package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train/metrics"
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

// observedOf makes the metrics of a program's output, for at most n examples in batches of size.
func observedOf(all []metrics.Metric, output shape.Type, info data.Info, n, size, limit int) (o observed, err error) {
	d := metrics.Data{Output: output, Target: batched(info.Target), Examples: n, Limit: limit}
	if o.sums, err = metrics.NewSet(d, all...); err != nil {
		return o, err
	}
	d.Examples = min(n, size)
	if o.part, err = metrics.NewSet(d, all...); err != nil {
		return o, err
	}
	return o, checkNames(o.sums.Metrics())
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

// measure makes the metrics of training and validation, before anything else is made.
func (r *run) measure(p programs) error {
	training, err := r.observedInTraining(p)
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	r.sums = training.sums
	if r.Validation == nil && len(r.ValidationMetrics) > 0 {
		return errors.New("the Config has ValidationMetrics, but no Validation")
	}
	if _, err = r.observedInValidation(p); err != nil {
		return fmt.Errorf("validation: %w", err)
	}
	return nil
}

// observedInTraining makes metrics of training. There are none if targets are mixed to another type.
func (r *run) observedInTraining(p programs) (o observed, err error) {
	if r.batches.Info().Target != r.info.Target {
		return o, nil
	}
	output := p.training.Outputs()[1]
	if p.gradient != nil {
		output = p.gradient.Outputs()[1]
	}
	return observedOf(r.Metrics, output, r.info, r.Train.Len(), r.Batch, limitInTraining)
}

func (r *run) observedInValidation(p programs) (o observed, err error) {
	if r.Validation == nil {
		return o, nil
	}
	all := slices.Concat(r.Metrics, r.ValidationMetrics)
	return observedOf(all, p.evaluation.Outputs()[1], r.info, r.Validation.Len(), r.Batch, 0)
}

// restore continues the metrics of an epoch in the middle of which the resumed run stopped.
func (r *run) restore() error {
	p := &r.state.Progress
	if r.Resume == nil || p.Batch == 0 {
		return nil
	}
	if err := r.sums.UnmarshalBinary(p.Sums); err != nil {
		return fmt.Errorf("resuming in the middle of an epoch, which needs the metrics that it began with: %w", err)
	}
	return nil
}
