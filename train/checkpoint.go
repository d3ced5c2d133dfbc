package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/vm"
)

// Checkpoint holds a model's values, together with the information needed to use them or to
// continue training.
type Checkpoint struct {
	Name     string          // the model's name, for programs that know several models
	Info     data.Info       // of the data that the model is for: types, classes, preprocessing
	Settings json.RawMessage // the settings of the program that trained the model; may be nil
	Progress Progress
	// Averaged reports that predictions use the moving averages of the parameters.
	Averaged bool
	// Training lists the names of the values that only training needs, such as the optimiser's
	// state.
	Training []string
	// Store holds the values.
	Store *vm.Store

	file    string       // the file that it was read from or last saved to; empty if none
	refresh func() error // brings Progress up to date; nil once the run is over
}

// Progress records how far a run has come. It is always at the end of a whole step.
type Progress struct {
	Epochs   []Epoch `json:"epochs"` // the complete epochs
	Batch    int     `json:"batch"`  // number of completed batches of the next epoch
	SoFar    Metrics `json:"so_far"` // results on these batches
	Rate     float64 `json:"rate"`   // learning rate of the last step
	Seconds  float64 `json:"-"`      // on these batches; not saved, so that equal runs make equal files
	Waited   float64 `json:"-"`      // the part of Seconds that steps waited for data
	Timed    int     `json:"-"`      // number of examples in Seconds, without those before a resume
	Seed     uint64  `json:"seed"`
	Size     int     `json:"batch_size"`
	Examples int     `json:"examples"` // in the dataset; 0 of a Stream

	// Streamed is set if the examples come from a Stream.
	Streamed *Streamed `json:"streamed,omitempty"`

	// Freeze and UnfreezeAt are those of the Config.
	Freeze     []string `json:"freeze,omitempty"`
	UnfreezeAt int      `json:"unfreeze_at,omitempty"`

	// Sums are those of the metrics on these batches, and Callbacks the states of callbacks, both as
	// they encode them.
	Sums      []byte                     `json:"sums,omitempty"`
	Callbacks map[string]json.RawMessage `json:"callbacks,omitempty"`
}

// The keys of a checkpoint's metadata, in addition to those of data.Info.
const (
	keyModel    = "model"
	keySettings = "settings"
	keyProgress = "progress"
	keyAveraged = "averaged"
	keyTraining = "training"
	keySeed     = "store_seed" // only if it is not the seed of the run
)

// Save replaces the file at path by c, in the safetensors format. If Save is interrupted at any
// point, the file is either the old or the new one, complete. No training step on c.Store may be
// running; in the callbacks of [Config] none is.
func (c *Checkpoint) Save(path string) error { return prefixed(c.save(path)) }

func (c *Checkpoint) save(path string) error {
	meta, err := c.metadata()
	if err != nil {
		return fmt.Errorf("saving %s: %w", path, err)
	}
	return c.Store.Save(path, meta)
}

// check returns an error if c holds no values.
func (c *Checkpoint) check() error {
	switch {
	case c == nil:
		return errors.New("there is no checkpoint: it is nil")
	case c.Store == nil:
		return errors.New("the checkpoint has no Store")
	}
	return nil
}

func (c *Checkpoint) metadata() (map[string]string, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.refresh != nil {
		if err := c.refresh(); err != nil {
			return nil, err
		}
	}
	meta, err := c.Info.Metadata()
	if err != nil {
		return nil, err
	}
	meta[keyModel] = c.Name
	for _, field := range c.fields() {
		b, err := json.Marshal(field.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field.key, err)
		}
		meta[field.key] = string(b)
	}
	if seed := c.Store.Seed(); seed != c.Progress.Seed {
		meta[keySeed] = strconv.FormatUint(seed, 10)
	}
	return meta, nil
}

type field struct {
	key   string
	value any // a pointer
}

// fields lists the parts of c that the metadata hold as JSON.
func (c *Checkpoint) fields() []field {
	return []field{
		{keySettings, &c.Settings},
		{keyProgress, &c.Progress},
		{keyAveraged, &c.Averaged},
		{keyTraining, &c.Training},
	}
}

// LoadCheckpoint reads a file written by [Checkpoint.Save] into a new store. It does not compare
// the values with a model; functions that use them with one do.
func LoadCheckpoint(path string) (*Checkpoint, error) {
	c, err := loadCheckpoint(path)
	if err != nil {
		return nil, prefixed(fmt.Errorf("reading weights: %w", err))
	}
	c.file = path
	return c, nil
}

func loadCheckpoint(path string) (*Checkpoint, error) {
	r, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	c, err := parse(r.Metadata())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	_, err = c.Store.LoadFrom(r, vm.LoadOptions{})
	return c, err
}

// parse makes a checkpoint with an empty store from its metadata.
func parse(meta map[string]string) (c *Checkpoint, err error) {
	c = &Checkpoint{Name: meta[keyModel]}
	if c.Info, err = data.ParseInfo(meta); err != nil {
		return nil, err
	}
	var seed *uint64
	for _, field := range append(c.fields(), field{keySeed, &seed}) {
		s, ok := meta[field.key]
		if !ok {
			continue
		}
		if err := json.Unmarshal([]byte(s), field.value); err != nil {
			return nil, fmt.Errorf("metadata: %q: %w", field.key, err)
		}
	}
	if string(c.Settings) == "null" {
		c.Settings = nil
	}
	if seed == nil { // an older file, or the store had the seed of the run
		seed = &c.Progress.Seed
	}
	c.Store = vm.NewStore(*seed)
	return c, nil
}

// ForTrainingOnly returns the names of the values of a checkpoint that only training needs, given the metadata of its
// file, and whether predictions use moving averages. Of other files there are none.
func ForTrainingOnly(meta map[string]string) (names []string, averaged bool, err error) {
	if meta[keyProgress] == "" {
		return nil, false, nil
	}
	var c Checkpoint
	for _, field := range c.fields() {
		if s, ok := meta[field.key]; ok && (field.key == keyTraining || field.key == keyAveraged) {
			if err := json.Unmarshal([]byte(s), field.value); err != nil {
				return nil, false, prefixed(fmt.Errorf("metadata: %q: %w", field.key, err))
			}
		}
	}
	return append(c.Training, randomState), c.Averaged, nil
}

// Snapshot returns a copy of c with a store of its own, for predicting while c is trained.
func (c *Checkpoint) Snapshot() (*Checkpoint, error) {
	if err := c.check(); err != nil {
		return nil, prefixed(err)
	}
	if c.refresh != nil {
		if err := c.refresh(); err != nil {
			return nil, prefixed(err)
		}
	}
	store, err := c.Store.Snapshot()
	if err != nil {
		return nil, prefixed(err)
	}
	s := *c
	s.refresh = nil
	s.Progress.Epochs = slices.Clone(s.Progress.Epochs)
	s.Store = store
	return &s, nil
}
