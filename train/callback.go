package train

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/internal/isnil"
)

// A Callback takes part in a run of [Fit]; package train/callbacks has some. Its methods are called
// between steps, those of several in the order of Config.Callbacks, and before the functions of the
// Config. An error ends the run; see [ErrStop]. Embed [NoCallback] to write only some of them.
type Callback interface {
	// Start is called once, before the first step. After an error nothing has changed.
	Start(s Start) error
	// Step is called after every step.
	Step(s Step) error
	// Epoch is called once an epoch has been validated. What it changes, in the callback's state or
	// in the store, is saved with the epoch. If one returns ErrStop, the epoch is still saved.
	Epoch(e Epoch) error
	// Saved is called once the epoch is in the run's folder, if there is one, from where an earlier run
	// has been moved by then.
	Saved(e Epoch) error
	// End is called once, after the last save, if Start was: with the result, nil if the run did not
	// begin, and the error of the run.
	End(r *Result, err error) error
}

// A Stateful is a [Callback] whose state is part of the checkpoint, so that a resumed run goes on with
// it.
type Stateful interface {
	Callback
	// Key is the name of the state, unlike that of others.
	Key() string
	// State returns the state.
	State() (json.RawMessage, error)
	// Restore sets the state to that of the checkpoint, which may be from anywhere. It is called
	// before Start, if the checkpoint has one of the Key.
	Restore(state json.RawMessage) error
}

// NoCallback does nothing.
type NoCallback struct{}

// Start implements [Callback].
func (NoCallback) Start(Start) error { return nil }

// Step implements [Callback].
func (NoCallback) Step(Step) error { return nil }

// Epoch implements [Callback].
func (NoCallback) Epoch(Epoch) error { return nil }

// Saved implements [Callback].
func (NoCallback) Saved(Epoch) error { return nil }

// End implements [Callback].
func (NoCallback) End(*Result, error) error { return nil }

// functions are the functions of a Config as the last callback.
type functions struct {
	NoCallback
	step func(Step) error
	done func(Epoch) error
}

func (f functions) Step(s Step) error {
	if f.step == nil {
		return nil
	}
	return f.step(s)
}

func (f functions) Saved(e Epoch) error {
	if f.done == nil {
		return nil
	}
	return f.done(e)
}

// callbacks are those of a run, the functions of the Config last.
type callbacks struct {
	all     []Callback
	started int
	stopped bool // one of them returned ErrStop from Start
}

func callbacksOf(c Config) (callbacks, error) {
	keys := map[string]bool{}
	for _, one := range c.Callbacks {
		if isnil.Of(one) {
			return callbacks{}, errors.New("the Config has a Callback that is nil")
		}
		s, ok := one.(Stateful)
		if !ok {
			continue
		}
		key := s.Key()
		if keys[key] {
			return callbacks{}, fmt.Errorf("the Config has two Callbacks with the state %q", key)
		}
		keys[key] = true
	}
	return callbacks{all: append(append([]Callback{}, c.Callbacks...), functions{step: c.OnStep, done: c.OnEpoch})}, nil
}

// start restores and starts the callbacks.
func (c *callbacks) start(s Start) error {
	states := s.Checkpoint.Progress.Callbacks
	for _, one := range c.all {
		if s, ok := one.(Stateful); ok && states[s.Key()] != nil {
			if err := s.Restore(states[s.Key()]); err != nil {
				return fmt.Errorf("resuming: the state of %q: %w", s.Key(), err)
			}
		}
		err := one.Start(s)
		if err != nil && !errors.Is(err, ErrStop) {
			return err
		}
		c.started++
		c.stopped = c.stopped || err != nil
	}
	return nil
}

// step calls Step of all callbacks up to the first error.
func (c *callbacks) step(s Step) error {
	for _, one := range c.all {
		if err := one.Step(s); err != nil {
			return err
		}
	}
	return nil
}

// each calls all callbacks. ErrStop is returned only if there is no other error.
func (c *callbacks) each(call func(Callback) error) error {
	var failed, stop error
	for _, one := range c.all {
		switch err := call(one); {
		case errors.Is(err, ErrStop):
			stop = err
		default:
			failed = errors.Join(failed, err)
		}
	}
	if failed != nil {
		return failed
	}
	return stop
}

// end calls End of the callbacks that were started, the last first.
func (c *callbacks) end(r *Result, err error) (failed error) {
	for c.started > 0 {
		c.started--
		if e := c.all[c.started].End(r, err); !errors.Is(e, ErrStop) {
			failed = errors.Join(failed, e)
		}
	}
	return failed
}

// states returns the states of all callbacks that have one; nil if there are none.
func (c *callbacks) states() (map[string]json.RawMessage, error) {
	var states map[string]json.RawMessage
	for _, one := range c.all {
		s, ok := one.(Stateful)
		if !ok {
			continue
		}
		state, err := s.State()
		if err != nil {
			return nil, fmt.Errorf("the state of %q: %w", s.Key(), err)
		}
		if states == nil {
			states = map[string]json.RawMessage{}
		}
		states[s.Key()] = state
	}
	return states, nil
}
