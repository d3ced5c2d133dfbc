package callbacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/train"
)

// BestFile is the file of the best weights, in a run's folder.
const BestFile = "best.safetensors"

// Best keeps the weights of the epoch that is best by a metric on validation data, as the checkpoint
// [BestFile] in the run's folder. The file is replaced atomically. Of equal epochs it keeps the
// first. The run must have a folder.
type Best struct {
	train.NoCallback
	Metric string // default "loss"

	monitor    monitor
	checkpoint *train.Checkpoint // of the run
	folder     string
	unsaved    bool
	held       *train.Checkpoint // the best of before the run's folder was its own; nil if none
}

// Start implements [train.Callback].
func (c *Best) Start(s train.Start) error {
	if s.Folder == "" {
		return errors.New("Best: the run has no Folder to keep the best weights in")
	}
	if err := c.monitor.begin("Best", c.Metric, 0, s); err != nil {
		return err
	}
	c.checkpoint, c.folder, c.unsaved, c.held = s.Checkpoint, s.Folder, false, nil
	if c.monitor.best.Epoch == 0 {
		return nil
	}
	return c.goOn(s)
}

// goOn finds the best weights of the resumed run. The process may have been killed when the epoch was
// saved, but its weights were not yet kept as the best; those are then the checkpoint's.
func (c *Best) goOn(s train.Start) error {
	from := filepath.Join(filepath.Dir(s.Resumed), BestFile)
	p := s.Checkpoint.Progress
	kept, err := train.LoadCheckpoint(from)
	switch here := s.Resumed != "" && regular.Same(filepath.Dir(s.Resumed), s.Folder); {
	case err == nil && s.Resumed != "" && isOf(kept, c.monitor.best.Epoch, p):
		if !here {
			c.held = kept
		}
	case len(p.Epochs) != c.monitor.best.Epoch || p.Batch != 0:
		return fmt.Errorf("Best: the best weights so far are those of epoch %d, and %s does not have them", c.monitor.best.Epoch, from)
	case here:
		c.unsaved = true
		return c.save()
	default:
		c.held, err = s.Checkpoint.Snapshot()
		return err
	}
	return nil
}

// isOf reports whether kept is the checkpoint after an epoch of the run p.
func isOf(kept *train.Checkpoint, epoch int, p train.Progress) bool {
	k := kept.Progress
	return len(k.Epochs) == epoch && k.Batch == 0 && k.Seed == p.Seed && k.Size == p.Size && k.Examples == p.Examples
}

// Epoch implements [train.Callback].
func (c *Best) Epoch(e train.Epoch) error {
	better, err := c.monitor.see(e)
	if better {
		c.unsaved, c.held = true, nil
	}
	return err
}

// Saved implements [train.Callback].
func (c *Best) Saved(train.Epoch) error { return c.save() }

// save writes the file if it is not that of the best.
func (c *Best) save() (err error) {
	path := filepath.Join(c.folder, BestFile)
	switch {
	case c.unsaved:
		err = c.checkpoint.Save(path)
	case c.held != nil:
		err = c.held.Save(path)
	}
	if err != nil {
		return fmt.Errorf("keeping the best weights: %w", err)
	}
	c.unsaved, c.held = false, nil
	return nil
}

// End implements [train.Callback].
func (c *Best) End(r *train.Result, _ error) error {
	if r == nil || !r.Saved || c.held == nil {
		return nil
	}
	return c.save()
}

// Best returns the epoch with the best value, 0 if there is none, and the value.
func (c *Best) Best() (epoch int, value float64) {
	if c == nil {
		return 0, 0
	}
	return c.monitor.best.Epoch, c.monitor.best.Value
}

// Key implements [train.Stateful].
func (c *Best) Key() string { return "best" }

// State implements [train.Stateful].
func (c *Best) State() (json.RawMessage, error) { return json.Marshal(c.monitor.best) }

// Restore implements [train.Stateful].
func (c *Best) Restore(state json.RawMessage) error {
	return c.monitor.restore(state)
}
