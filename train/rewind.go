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
	// keepEvery is the number of steps between two states that are kept.
	keepEvery = 512
	// keepBytes is the size in bytes of the largest store of which a copy is kept.
	keepBytes = 256 << 20
)

// before is a state of the run from which steps can be repeated.
type before struct {
	store        *vm.Store
	epoch, batch int // of the next step, from 0
	left         int // number of steps for which it is still kept
}

// keep copies the state before a step every keepEvery steps. The state is needed because a gradient
// that is not finite shows in the loss only after it has changed the parameters.
func (r *run) keep(batch int) {
	if r.before != nil && r.before.left > 0 {
		r.before.left--
		return
	}
	r.before = nil // frees its memory before the next copy
	if r.start.Train.Leaves > keepBytes || r.Gradients != nil || r.team != nil {
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

// diagnose adds to cause where the first value arose that is not finite. cause is the error of the
// step of batch b or, if b is nil, an error found after a step. If diagnose does not find the
// place, it returns cause.
func (r *run) diagnose(ctx context.Context, b *data.Batch, cause error) error {
	bad, err := r.spoilt(r.state.Store)
	if err != nil || r.Group.Size() > 1 { // no rank has the whole batch
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
		return fmt.Errorf("%w; these parameters are not since an earlier step: %s", cause, plain.Names(bad, shown))
	}
	return cause
}

// rewind repeats steps, beginning at the kept state, up to the first one after which parameters are
// not finite. It repeats the steps before last or, if last is nil, all steps made.
func (r *run) rewind(ctx context.Context, last *data.Batch) (*NotFiniteError, error) {
	l, err := r.loader(r.batching())
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

// again repeats a step on the state at. If the step makes parameters that are not finite, it
// examines the step.
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
