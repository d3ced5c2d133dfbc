package callbacks

import (
	"encoding/json"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// ReduceOnPlateau lowers the learning rate when a metric on validation data has not improved for
// Patience epochs. It multiplies the State [optim.RateScale], which a [optim.Recipe] with Scaled set
// multiplies its schedule's rate by, so that the rate is part of the checkpoint like all else that a
// step depends on. It is PyTorch's ReduceLROnPlateau with patience=Patience-1, threshold=MinDelta and
// threshold_mode="abs".
type ReduceOnPlateau struct {
	train.NoCallback
	Metric    string  // default "loss"
	Patience  int     // epochs, at least 1
	MinDelta  float64 // an improvement is more than this
	Factor    float64 // of the learning rate, between 0 and 1; default 0.1
	Cooldown  int     // epochs after a reduction that do not count
	Least     float64 // of the product of all factors; default 0
	Optimizer string  // the Name of the recipe

	monitor monitor
	cool    int // epochs that do not count yet
	store   *vm.Store
	scale   float64
}

// plateau is the state of a ReduceOnPlateau, besides the scale, which is in the store.
type plateau struct {
	Best json.RawMessage `json:"best"`
	Cool int             `json:"cool"`
}

// Start implements [train.Callback].
func (c *ReduceOnPlateau) Start(s train.Start) error {
	if c.Factor == 0 {
		c.Factor = 0.1
	}
	switch {
	case c.Patience < 1:
		return fmt.Errorf("ReduceOnPlateau: Patience is %d; want at least 1 epoch", c.Patience)
	case !(c.Factor > 0 && c.Factor < 1):
		return fmt.Errorf("ReduceOnPlateau: Factor is %v; want a number between 0 and 1", c.Factor)
	case c.Cooldown < 0 || !(c.Least >= 0 && c.Least <= 1):
		return fmt.Errorf("ReduceOnPlateau: Cooldown is %d and Least is %v; want 0 epochs or more, and a number from 0 to 1", c.Cooldown, c.Least)
	}
	if !c.monitor.restored {
		c.cool = 0
	}
	if err := c.monitor.begin("ReduceOnPlateau", c.Metric, c.MinDelta, s); err != nil {
		return err
	}
	c.store = s.Checkpoint.Store
	v, err := c.store.Value(c.leaf())
	if err == nil {
		c.scale, err = vm.Number(v)
	}
	if err != nil {
		return fmt.Errorf("ReduceOnPlateau: the optimiser's rate cannot be scaled; set Scaled of the optim.Recipe: %w", err)
	}
	return nil
}

func (c *ReduceOnPlateau) leaf() string { return graph.Join(c.Optimizer, optim.RateScale) }

// Epoch implements [train.Callback].
func (c *ReduceOnPlateau) Epoch(e train.Epoch) error {
	if _, err := c.monitor.see(e); err != nil {
		return err
	}
	if c.cool > 0 {
		c.cool--
		c.monitor.best.Waited = 0
	}
	if c.monitor.best.Waited < c.Patience {
		return nil
	}
	c.monitor.best.Waited, c.cool = 0, c.Cooldown
	c.scale = max(c.scale*c.Factor, c.Least)
	return c.store.Set(c.leaf(), tensor.New(tensor.FromScalar(c.scale)))
}

// Key implements [train.Stateful].
func (c *ReduceOnPlateau) Key() string { return "plateau." + c.leaf() }

// State implements [train.Stateful].
func (c *ReduceOnPlateau) State() (json.RawMessage, error) {
	best, err := json.Marshal(c.monitor.best)
	if err != nil {
		return nil, err
	}
	return json.Marshal(plateau{best, c.cool})
}

// Restore implements [train.Stateful].
func (c *ReduceOnPlateau) Restore(state json.RawMessage) error {
	var p plateau
	if err := json.Unmarshal(state, &p); err != nil {
		return err
	}
	if p.Cool < 0 {
		return fmt.Errorf("%d epochs that do not count", p.Cool)
	}
	c.cool = p.Cool
	return c.monitor.restore(p.Best)
}
