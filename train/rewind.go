package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/vm"
)

const (
	// keepEvery is how many steps lie between two states that are kept.
	keepEvery = 512
	// keepBytes is how large a store may be that is kept, being memory besides that of the run.
	keepBytes = 256 << 20
)

// before is a state of the run, from which steps can be made again.
type before struct {
	store        *vm.Store
	epoch, batch int // of the step that comes next, from 0
	left         int // steps for which it is kept
}

// keep keeps the state before a step, now and then: a gradient that is not finite shows in the loss
// only when the parameters have changed by it.
func (r *run) keep(batch int) {
	if r.before != nil && r.before.left > 0 {
		r.before.left--
		return
	}
	r.before = nil // its memory is free for the next
	if r.start.Train.Leaves > keepBytes || r.Gradients != nil {
		return
	}
	if s, err := r.state.Store.Snapshot(); err == nil {
		r.before = &before{s, len(r.state.Progress.Epochs), batch, keepEvery - 1}
	}
}

// spoilt lists the parameters of the model in s that are not finite.
func (r *run) spoilt(s *vm.Store) ([]string, error) {
	bad, err := notFiniteValues(s)
	if err != nil || len(bad) == 0 {
		return nil, err
	}
	params := map[string]bool{}
	for _, n := range r.programs.Leaves {
		params[n.Name()] = n.Kind() == graph.Param
	}
	return slices.DeleteFunc(bad, func(name string) bool { return !params[name] }), nil
}

// diagnose adds to cause, the error of a step or, where b is nil, of what came after one, where the
// first value arose that is not finite. Where that is not found it is cause.
func (r *run) diagnose(ctx context.Context, b *data.Batch, cause error) error {
	bad, err := r.spoilt(r.state.Store)
	if err != nil {
		return cause
	}
	var found *NotFiniteError
	switch {
	case len(bad) == 0 && b != nil:
		found, err = r.examine(ctx, r.state.Store, len(r.state.Progress.Epochs), *b)
	case len(bad) > 0 && r.before != nil:
		found, err = r.rewind(ctx, b)
	}
	switch {
	case err == nil && found != nil:
		found.Err = cause
		return found
	case len(bad) > 0:
		return fmt.Errorf("%w; these parameters are not, since an earlier step: %s", cause, plain.Names(bad, shown))
	}
	return cause
}

// rewind makes steps again, from the state that was kept, up to the first after which parameters
// are not finite. Those before last, or all that were made where it is nil, were made.
func (r *run) rewind(ctx context.Context, last *data.Batch) (*NotFiniteError, error) {
	l, err := data.NewLoader(r.Train, data.Batching{Size: r.Batch, Shuffle: true, Seed: r.Seed, Augment: r.Augment, Mix: r.Mix})
	if err != nil {
		return nil, err
	}
	at, p := *r.before, r.state.Progress
	step, err := r.programs.newRunner(r.programs.training, at.store, r.batches.Info())
	if err != nil {
		return nil, err
	}
	for ; at.epoch <= len(p.Epochs); at.epoch, at.batch = at.epoch+1, 0 {
		for b, err := range l.EpochFrom(ctx, at.epoch, at.batch) {
			if err != nil {
				return nil, err
			}
			if at.epoch == len(p.Epochs) && last != nil && b.Index > last.Index {
				return nil, nil
			}
			found, err := r.again(ctx, step, at, b)
			if found != nil || err != nil {
				return found, err
			}
		}
	}
	return nil, nil
}

// again makes a step on the state at, and looks into it where it is the one.
func (r *run) again(ctx context.Context, step *runner, at before, b data.Batch) (*NotFiniteError, error) {
	earlier, err := at.store.Snapshot()
	if err != nil {
		return nil, err
	}
	_, _, err = step.run(ctx, b)
	if err != nil && !errors.Is(err, vm.ErrNotFinite) {
		return nil, err
	}
	bad, looked := r.spoilt(at.store)
	if looked != nil || err == nil && len(bad) == 0 {
		return nil, looked
	}
	return r.examine(ctx, earlier, at.epoch, b)
}
