package train

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/vm"
)

// ErrStop, returned by a callback of a [Config], ends the run in good order and without an
// error.
var ErrStop = errors.New("train: stop")

// Config says what [Fit] trains, on what and how.
type Config struct {
	Model     nn.Layer        // maps a batch of inputs to outputs; for class numbers, to logits (N,C) or (N,C,...)
	Train     data.Dataset    // what is learnt from
	Engine    engine.Engine   // what it runs on
	Optimizer optim.Optimizer // how parameters change, such as optim.Adam{}

	// Validation is looked at after every epoch; it may be nil. Choose by it, not by the data
	// of the final test.
	Validation data.Dataset
	// Loss is minimised. By default it is that of [Build].
	Loss Loss
	// Gradients, if not nil, makes what computes losses, outputs and gradients, in training and in
	// validation. Engine then runs only the parameter updates.
	Gradients GradientsFunc
	// Epochs is how often all examples are used, in total: a run that is resumed makes what
	// is left of them. Default 1.
	Epochs int
	// Batch is the number of examples in a step. What is left over at the end of an epoch
	// makes a smaller one, which counts by its own size. Default 64.
	Batch int
	// Seed fixes initialisation, the order of the examples in each epoch, augmentation and
	// dropout.
	Seed uint64
	// Augment, if not nil, changes the training inputs, another way in each epoch. What it makes
	// of them is what the model takes and what validation images are like.
	Augment data.Augmentation
	// Mix, if not nil, combines the examples of a training batch. Where it makes distributions of
	// class numbers, Loss is given those, and training has no accuracy.
	Mix data.Mixer
	// Workers is how many goroutines load batches while steps are made. The results are the
	// same, to the bit, for any number. 0 means one, -1 none: then each step loads its own.
	Workers int

	// Store holds values to start from, if not nil, such as those of a [Checkpoint]; it is
	// trained in place. It has to have the model's parameters and running statistics, and no
	// more: otherwise the error is a [MismatchError]. What the optimiser of an earlier run has
	// kept begins anew, the number of steps, moments and moving averages, and so does the
	// schedule; only Resume goes on with it.
	Store *vm.Store
	// Partial are patterns, as in [path.Match], of values in which Store may differ from the
	// model, such as "head.*": those that it lacks, or has in another type, are initialised, from
	// its own seed; those that the model lacks are removed from it. {"*"} allows any, but at
	// least one value has to fit unless Store is empty. Those that fit are used.
	Partial []string
	// Resume, if not nil, is the run to go on with; its store is trained in place. Seed,
	// Batch, Train, Augment and Mix must be those that it was made with.
	Resume *Checkpoint

	// Folder is where the run is kept, in the files [CheckpointFile], [MetricsFile] and
	// [SettingsFile]; it is made if missing. Empty means nowhere. What it may be, and that
	// nobody else may have it, says [LockFolder].
	Folder string
	// Lock, if not nil, is the lock on the run's folder, which the program has taken and keeps;
	// Folder is then not looked at.
	Lock *FolderLock
	// Name is the model's name in the checkpoint, for programs that know several.
	Name string
	// Settings is what the program was told, kept as JSON in [SettingsFile] and in the
	// checkpoint. By default they are those of this Config.
	Settings any

	// Observe says how the steps are watched, for a profile or a trace; see [vm.Machine.Observe].
	// With Labels the validation has labels too.
	Observe vm.Observer

	// OnStart is called once, before the first step, OnStep after every step and OnEpoch
	// after every epoch, when it has been validated and saved. Each may be nil. An error ends
	// the run; see [ErrStop]. Steps wait for them, and the store is at rest meanwhile.
	OnStart func(Start) error
	OnStep  func(Step) error
	OnEpoch func(Epoch) error
}

// Start describes a run that is about to begin.
type Start struct {
	// Checkpoint is the run's; it changes as training goes on. Its Progress tells where a
	// resumed run goes on.
	Checkpoint *Checkpoint
	Params     int       // numbers in the model's parameters
	Batches    int       // steps in an epoch
	Train      vm.Memory // of the program for training, at the full batch size; excluding what Gradients take
	Evaluation vm.Memory // of that for validation, likewise
}

// Step is what [Config.OnStep] is told.
type Step struct {
	Epoch    int     // from 1
	Batch    int     // of the epoch, from 1
	Batches  int     // in the epoch
	Examples int     // in this batch
	Loss     float64 // mean over this batch, before the step changed the parameters
	Rate     float64 // learning rate
	SoFar    Metrics // of the epoch up to and with this batch
	Seconds  float64 // spent on training in this epoch
	Waited   float64 // seconds of these that steps waited for data
	Timed    int     // examples that Seconds were spent on: not those before a resume
}

// Result is what a run came to.
type Result struct {
	// Epochs holds one record for each complete epoch, those before a resume included.
	Epochs []Epoch
	// Checkpoint holds the values after the last step; it shares the store of the run.
	Checkpoint *Checkpoint
	// Saved tells that the run's folder holds Checkpoint as it is.
	Saved bool
	// Earlier is where another run, which was in the folder, is now; empty if there was none.
	Earlier string
}

// withDefaults returns c with defaults filled in, or says what is missing.
func (c Config) withDefaults() (Config, error) {
	if err := c.missing(); err != nil {
		return c, err
	}
	switch {
	case c.Store != nil && c.Resume != nil:
		return c, errors.New("the Config has a Store and a Resume; a resumed run has the store of its checkpoint")
	case c.Store == nil && c.Partial != nil:
		return c, errors.New("the Config has Partial, but no Store to use a part of")
	case c.Workers < -1:
		return c, fmt.Errorf("Workers is %d; want at least 1, 0 for one, or -1 for none", c.Workers)
	case c.Epochs < 0:
		return c, fmt.Errorf("Epochs is %d; want at least 1", c.Epochs)
	}
	if c.Epochs == 0 {
		c.Epochs = 1
	}
	if c.Batch == 0 {
		c.Batch = defaultBatch
	}
	return c, checkPatterns(c.Partial)
}

// missing says what c lacks. A nil pointer in an interface is nothing either.
func (c Config) missing() error {
	if isnil.Of(c.Train) {
		return errors.New("the Config has no dataset to Train on")
	}
	for _, field := range []struct {
		value   any
		missing string
		may     bool // be left out
	}{
		{c.Model, "no Model", false},
		{c.Engine, "no Engine", false},
		{c.Optimizer, "no Optimizer", false},
		{c.Validation, "a Validation that is a nil pointer", true},
		{c.Augment, "an Augment that is a nil pointer", true},
		{c.Mix, "a Mix that is a nil pointer", true},
	} {
		if isnil.Of(field.value) && !(field.may && field.value == nil) {
			return fmt.Errorf("the Config has %s", field.missing)
		}
	}
	return nil
}

// workers is how many goroutines load.
func (c Config) workers() int {
	switch c.Workers {
	case -1:
		return 0
	case 0:
		return 1
	}
	return c.Workers
}

const defaultBatch = 64
