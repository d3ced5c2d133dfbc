package train

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train/metrics"
	"github.com/plexaura/plexaura/vm"
)

// observed are the metrics of a runner. Each batch is summed up by itself and then merged, in the
// order of the batches, or of the shards of each, so that whoever computes a part gets the same bits.
type observed struct {
	part *metrics.Set // of a batch; nil without metrics
	sums *metrics.Set // with which each batch is merged; nil if somebody else merges them
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

// dataOf describes at most n examples of outputs.
func dataOf(output shape.Type, info data.Info, n, limit int) metrics.Data {
	return metrics.Data{Output: output, Target: batched(info.Target), Examples: n, Limit: limit}
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

// measure makes the metrics of training and validation. Training has none if its targets are mixed
// to another type.
func (r *run) measure(p programs) (err error) {
	output := p.evaluation.Outputs()[1]
	if r.batches.Info().Target == r.info.Target {
		r.training, err = metrics.NewSet(dataOf(output, r.info, r.Train.Len(), limitInTraining), r.Metrics...)
		if err = cmp.Or(err, checkNames(r.training.Metrics())); err != nil {
			return fmt.Errorf("training: %w", err)
		}
	}
	if r.Validation == nil {
		if len(r.ValidationMetrics) > 0 {
			return errors.New("the Config has ValidationMetrics, but no Validation")
		}
		return nil
	}
	all := slices.Concat(r.Metrics, r.ValidationMetrics)
	r.validated, err = metrics.NewSet(dataOf(output, r.info, r.Validation.Len(), 0), all...)
	if err = cmp.Or(err, checkNames(r.validated.Metrics())); err != nil {
		return fmt.Errorf("validation: %w", err)
	}
	return nil
}

// like returns a Set of the metrics of s for at most n examples.
func (r *run) like(s *metrics.Set, n int) (*metrics.Set, error) {
	return metrics.NewSet(dataOf(r.programs.evaluation.Outputs()[1], r.info, n, 0), s.Metrics()...)
}

// observeAll has the runners observe batches.
func (r *run) observeAll() (err error) {
	r.eval.sums = r.validated
	if r.eval.part, err = r.like(r.validated, r.Batch); err != nil || r.parallel != nil {
		return errors.Join(err, r.observeShards())
	}
	r.step.sums = r.training
	r.step.part, err = r.like(r.training, r.Batch)
	return err
}

// observeShards has each shard observe its part of a batch.
func (r *run) observeShards() (err error) {
	x := r.parallel
	if x == nil {
		return nil
	}
	most := (r.Batch + r.Shards - 1) / r.Shards
	for _, l := range x.local {
		if l.part, err = r.like(r.training, most); err != nil {
			return err
		}
		x.parts = append(x.parts, l.part)
		sums, err := r.like(r.validated, most*batchesOf(r.validation))
		if err != nil {
			return err
		}
		x.validated = append(x.validated, sums)
	}
	x.received, err = r.like(r.training, most)
	return err
}

// batchesOf returns the number of batches of l, which may be nil.
func batchesOf(l *data.Loader) int {
	if l == nil {
		return 0
	}
	return l.Len()
}

// restore continues the metrics of an epoch in the middle of which the resumed run stopped.
func (r *run) restore() error {
	p := &r.state.Progress
	if r.Resume == nil || p.Batch == 0 {
		return nil
	}
	if err := r.training.UnmarshalBinary(p.Sums); err != nil {
		return fmt.Errorf("resuming in the middle of an epoch, which needs the metrics that it began with: %w", err)
	}
	return nil
}

// mergeShards merges the metrics of a step, of all shards in their order.
func (r *run) mergeShards(ctx context.Context) error {
	if r.training == nil {
		return nil
	}
	return r.mergeInto(ctx, r.training, r.parallel.parts, r.parallel.received)
}

// mergeInto adds to sums those of all shards in their order: own ones, and those of the other ranks,
// which are received in memory of the same metrics.
func (r *run) mergeInto(ctx context.Context, sums *metrics.Set, own []*metrics.Set, received *metrics.Set) (err error) {
	if r.Group.Size() == 1 {
		for _, s := range own {
			err = errors.Join(err, sums.Merge(s))
		}
		return err
	}
	var send []byte
	for _, s := range own {
		b, err := s.AppendBinary(nil)
		if err != nil {
			return r.broken(err)
		}
		send = append(binary.AppendUvarint(send, uint64(len(b))), b...)
	}
	ctx, cancel := r.waiting(ctx)
	defer cancel()
	all, err := dist.Collect(ctx, r.Group, send, maxCollected)
	if err != nil {
		return r.broken(err)
	}
	for _, states := range all {
		for range own {
			n, size := binary.Uvarint(states)
			if size <= 0 || n > uint64(len(states)-size) {
				return r.broken(errors.New("another rank sent metrics that are cut off"))
			}
			if err := cmp.Or(received.UnmarshalBinary(states[size:size+int(n)]), sums.Merge(received)); err != nil {
				return r.broken(err)
			}
			states = states[size+int(n):]
		}
	}
	return nil
}

// maxCollected bounds what metrics of all ranks take, in bytes.
const maxCollected = 1 << 30

// follow calls the callbacks, which rank 0 has, and gives the other ranks what they change in the
// store. ended is the error of a callback, which ends the run once the epoch is saved.
func (r *run) follow(ctx context.Context, e Epoch) (ended, err error) {
	if !r.followed {
		return nil, nil
	}
	r.before = nil // steps from before cannot be repeated if a callback has changed the store
	store := r.state.Store
	writes := map[string]uint64{}
	for _, name := range store.Names() {
		writes[name] = store.Writes(name)
	}
	ended = r.callbacks.each(func(c Callback) error { return c.Epoch(e) })
	if r.Group.Size() == 1 {
		return ended, nil
	}
	var changed []byte
	for _, name := range store.Names() {
		if r.Group.Rank() != 0 || store.Writes(name) == writes[name] {
			continue
		}
		v, err := store.Value(name)
		if err != nil {
			return ended, r.broken(err)
		}
		for _, part := range [][]byte{[]byte(name), engine.BufferOfDense(v).Bytes()} {
			changed = append(binary.AppendUvarint(changed, uint64(len(part))), part...)
		}
	}
	ctx, cancel := r.waiting(ctx)
	defer cancel()
	all, err := dist.Collect(ctx, r.Group, changed, maxCollected)
	if err == nil && r.Group.Rank() != 0 {
		err = take(store, all[0])
	}
	if err != nil {
		err = r.broken(err)
	}
	return ended, err
}

// take sets values of the store to those that rank 0 has changed.
func take(store *vm.Store, changed []byte) error {
	next := func() (part []byte) {
		n, size := binary.Uvarint(changed)
		part, changed = changed[size:size+int(n)], changed[size+int(n):]
		return part
	}
	for len(changed) > 0 {
		name := string(next())
		v, err := store.Value(name)
		if err != nil {
			return err
		}
		if b := engine.BufferOfDense(v).Bytes(); copy(b, next()) != len(b) {
			return fmt.Errorf("rank 0 has another type of %q", name)
		}
		if err := store.Set(name, v); err != nil {
			return err
		}
	}
	return nil
}
