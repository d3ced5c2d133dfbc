package train

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/patterns"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train/metrics"
	"github.com/plexaura/plexaura/vm"
)

// ErrStop is returned by a callback of a [Config] to end the run early without an error.
var ErrStop = errors.New("train: stop")

// Config tells [Fit] which model to train, and how.
type Config struct {
	Model     nn.Layer        // inputs to outputs; for class numbers, logits (N,C) or (N,C,...)
	Train     data.Dataset    // the examples to learn from; nil if there is a Stream
	Engine    engine.Engine   // the engine to run on
	Optimizer optim.Optimizer // the update rule, such as optim.Adam{}

	// Stream has the examples to learn from, instead of Train, one after the other and of a number that
	// need not be known. Each epoch opens it anew, with its number from 0. A run that is resumed in an
	// epoch reads the epoch up to there again, without decoding or computing. If there is a Group,
	// each rank reads the whole Stream and decodes its part of each batch.
	Stream data.Stream
	// Buffer is the shuffle buffer of Stream, that of [data.Batching]; 0 keeps the order of the Stream,
	// whereas examples of Train come in another order in each epoch. A resumed run must have the same.
	Buffer int
	// StepsPerEpoch ends each epoch of Stream after so many steps, if the Stream does not end before; 0
	// means its end, which an infinite one has not. A resumed run must have the same.
	StepsPerEpoch int

	// Validation is evaluated after every epoch; it may be nil. Use it to choose between models,
	// and keep the data of the final test separate.
	Validation data.Dataset
	// Loss is the loss to minimise. The default is that of [Build].
	Loss Loss
	// Gradients, if not nil, is used to compute losses, outputs and gradients, in training and in
	// validation. Engine then runs only the parameter updates.
	Gradients GradientsFunc
	// Epochs is the total number of passes over the examples, or over as many of a Stream as
	// StepsPerEpoch says. A resumed run makes those that remain. Default 1.
	Epochs int
	// Batch is the number of examples in a step. If the dataset is not a multiple of it, the last
	// batch of an epoch is smaller and weighted by its own size. Default 64.
	Batch int
	// Weights and DropLast are those of [data.Batching], for training: examples drawn by weight, and no
	// smaller batch at the end of an epoch. A resumed run must have the same. A Stream takes no Weights.
	Weights  []float64
	DropLast bool
	// Seed determines initialisation, the order of the examples in each epoch, augmentation and
	// dropout.
	Seed uint64
	// Augment, if not nil, changes the training inputs, differently in each epoch. The model takes
	// inputs of the type that it returns, and so do validation images.
	Augment data.Augmentation
	// Mix, if not nil, combines the examples of a training batch. If it turns class numbers into
	// distributions over the classes, Loss is called with those, and training reports no accuracy.
	Mix data.Mixer
	// Workers is the number of goroutines that load batches while steps run. The results are
	// bit-identical for any number. 0 means one; with -1 each step loads its own batch.
	Workers int

	// Store, if not nil, holds initial values, such as those of a [Checkpoint]; it is trained in
	// place. It must contain exactly the model's parameters and running statistics, apart from
	// state of an optimiser; otherwise the error is a [MismatchError]. State that the optimiser of
	// an earlier run kept starts afresh: the number of steps, moments and moving averages, and with
	// them the schedule. Use Resume to continue with it.
	Store *vm.Store
	// Partial lists patterns, as in [path.Match], of values in which Store may differ from the
	// model, such as "head.*". Matching values that Store lacks, or has with another type, are
	// initialised from its own seed; matching values that the model lacks are removed from it.
	// {"*"} allows any difference, but at least one value must fit unless Store is empty. All
	// values that fit are used.
	Partial []string
	// Resume, if not nil, is the checkpoint of the run to continue; its store is trained in place.
	// Seed, Batch, Train or Stream, Augment, Mix, Freeze and UnfreezeAt must be the same as in that run.
	Resume *Checkpoint

	// Freeze lists patterns, as in [path.Match], of parameters that are not trained, such as
	// "features.*"; a * also stands for dots. No gradients are computed for them, so the backward pass ends where
	// the rest begins. Batch normalisation of which both parameters are frozen keeps its statistics, and
	// normalises by them. Dropout goes on.
	Freeze []string
	// UnfreezeAt is the number of the epoch, from 2 on, from which all parameters are trained. The
	// state of the optimiser for those that were frozen begins then, the schedule goes on. 0 means never.
	UnfreezeAt int

	// Parallel cuts batches into shards, which several processes can share.
	Parallel

	// Folder is the folder for the files of the run, [CheckpointFile], [MetricsFile] and
	// [SettingsFile]. It is created if it is missing. If Folder is empty, nothing is saved. See
	// [LockFolder] for which folders are accepted, and for the lock that excludes other runs.
	Folder string
	// Lock, if not nil, is a lock on the run's folder that the program took before and keeps.
	// Folder is then ignored.
	Lock *FolderLock
	// Name is the model's name in the checkpoint, for programs that know several models.
	Name string
	// Settings are the program's settings, stored as JSON in [SettingsFile] and in the checkpoint.
	// The default is the settings of this Config.
	Settings any

	// Metrics are computed over the examples of each epoch, in training as they are learnt from, and
	// on Validation. Their values are in the Metrics of an [Epoch] and in [MetricsFile]. If Mix turns
	// class numbers into something else, training has none.
	Metrics []metrics.Metric
	// ValidationMetrics are further metrics that are computed on Validation only.
	ValidationMetrics []metrics.Metric
	// Callbacks take part in the run.
	Callbacks []Callback

	// Observe observes the steps, for a profile or a trace; see [vm.Machine.Observe]. If it sets
	// Labels, validation has labels too.
	Observe vm.Observer

	// OnStart is called once, before the first step, OnStep after every step, and OnEpoch after
	// every epoch, once it has been validated and saved. Each may be nil. An error ends the run;
	// see [ErrStop]. The next step waits until they return, so the store does not change in the
	// meantime.
	OnStart func(Start) error
	OnStep  func(Step) error
	OnEpoch func(Epoch) error
}

// Start describes a run that is about to begin.
type Start struct {
	// Checkpoint is that of the run and changes as training proceeds. For a resumed run its
	// Progress says where training continues.
	Checkpoint *Checkpoint
	Params     int       // number of elements in the model's parameters
	Batches    int       // steps in an epoch; of a Stream at most so many, and 0 if that is not known
	Epochs     int       // in the whole run
	Train      vm.Memory // memory for training at the full batch size, without that of Gradients
	Evaluation vm.Memory // memory for validation, likewise
	Network    *Network  // the graphs of the run

	// Validated reports that there is a Validation, and Labelled that targets are class numbers, so
	// that the accuracy is measured. Metrics are those that are computed on it or, if
	// there is none, in training, besides the loss and the accuracy.
	Validated bool
	Labelled  bool
	Metrics   []metrics.Metric
	// Folder is the run's folder, empty if there is none. It may still contain an earlier run, until
	// the first Saved of a [Callback].
	Folder string
	// Resumed is the file of the checkpoint that the run goes on from; empty if there is none.
	Resumed string
}

// Step is the argument of [Config.OnStep].
type Step struct {
	Number   int     // in the run, from 1
	Epoch    int     // from 1
	Batch    int     // in the epoch, from 1
	Batches  int     // in the epoch; of a Stream as in [Start]
	Examples int     // in this batch
	Loss     float64 // mean over this batch, before the step changed the parameters
	Rate     float64 // learning rate
	SoFar    Metrics // results of the epoch including this batch
	Seconds  float64 // spent on training in this epoch
	Waited   float64 // the part of Seconds that steps waited for data
	Timed    int     // number of examples in Seconds, without those before a resume
}

// Result is the result of a run.
type Result struct {
	// Epochs has one record per complete epoch, including those before a resume.
	Epochs []Epoch
	// Checkpoint holds the values after the last step. It shares the store of the run.
	Checkpoint *Checkpoint
	// Saved reports that the run's folder contains Checkpoint in this state.
	Saved bool
	// Earlier is the folder to which an earlier run in Folder was moved, or empty if there was
	// none.
	Earlier string
}

// withDefaults returns c with defaults filled in, or an error about what is missing or invalid.
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
	if c.parallel() && c.Gradients != nil {
		return c, errors.New("Gradients compute whole batches, not shards; leave Shards, Group or Gradients out")
	}
	return c, cmp.Or(patterns.Check("Partial", c.Partial), c.checkFreeze())
}

// missing returns an error about the fields that c lacks. An interface with a nil pointer counts as
// missing.
func (c Config) missing() error {
	switch {
	case c.Train != nil && c.Stream != nil:
		return errors.New("the Config has a dataset to Train on and a Stream; leave one out")
	case isnil.Of(c.Train) && isnil.Of(c.Stream):
		return errors.New("the Config has no dataset to Train on, and no Stream")
	case c.Stream == nil && (c.Buffer != 0 || c.StepsPerEpoch != 0):
		return errors.New("Buffer and StepsPerEpoch are of a Stream, and the Config has none")
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

// workers returns the number of goroutines that load batches.
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
