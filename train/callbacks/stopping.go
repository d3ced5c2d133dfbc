package callbacks

import (
	"encoding/json"
	"fmt"

	"github.com/plexaura/plexaura/train"
)

// EarlyStopping ends a run after an epoch if a metric on validation data has not improved for
// Patience epochs. The run then ends without an error. A run that it ended and that is resumed ends
// at once, unless Patience is greater than before.
type EarlyStopping struct {
	train.NoCallback
	Metric   string  // default "loss"
	Patience int     // epochs, at least 1
	MinDelta float64 // an improvement is more than this

	monitor monitor
	stopped bool
}

// Start implements [train.Callback].
func (c *EarlyStopping) Start(s train.Start) error {
	if c.Patience < 1 {
		return fmt.Errorf("EarlyStopping: Patience is %d; want at least 1 epoch", c.Patience)
	}
	if err := c.monitor.begin("EarlyStopping", c.Metric, c.MinDelta, s); err != nil {
		return err
	}
	return c.end()
}

// Epoch implements [train.Callback].
func (c *EarlyStopping) Epoch(e train.Epoch) error {
	if _, err := c.monitor.see(e); err != nil {
		return err
	}
	return c.end()
}

// end returns ErrStop if the patience is exhausted.
func (c *EarlyStopping) end() error {
	if c.stopped = c.monitor.best.Waited >= c.Patience; c.stopped {
		return train.ErrStop
	}
	return nil
}

// Stopped reports whether it has ended the run, and the epoch with the best value, 0 if there is
// none.
func (c *EarlyStopping) Stopped() (best int, stopped bool) {
	if c == nil {
		return 0, false
	}
	return c.monitor.best.Epoch, c.stopped
}

// Key implements [train.Stateful].
func (c *EarlyStopping) Key() string { return "early_stopping" }

// State implements [train.Stateful].
func (c *EarlyStopping) State() (json.RawMessage, error) { return json.Marshal(c.monitor.best) }

// Restore implements [train.Stateful].
func (c *EarlyStopping) Restore(state json.RawMessage) error {
	return c.monitor.restore(state)
}
