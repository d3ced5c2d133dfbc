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

// Checkpoint is a model's values and what is needed to use them or to train on.
type Checkpoint struct {
	Name     string          // the model's, for whoever has to choose it
	Info     data.Info       // of the data it is for: types, classes, preprocessing
	Settings json.RawMessage // what the program that trained it was told; may be nil
	Progress Progress
	// Averaged says to predict with the moving averages of the parameters.
	Averaged bool
	// Training names the values that only training needs, such as an optimiser's.
	Training []string
	// Store holds the values.
	Store *vm.Store

	file string // where it was read from, or saved to last; empty for neither
}

// Progress is how far a run has come, always at the end of a whole step.
type Progress struct {
	Epochs   []Epoch `json:"epochs"` // those that are complete
	Batch    int     `json:"batch"`  // how many batches of the next one are done
	SoFar    Metrics `json:"so_far"` // of these batches
	Rate     float64 `json:"rate"`   // of the last step
	Seconds  float64 `json:"-"`      // spent on these batches; times are not saved, so that equal runs give equal files
	Waited   float64 `json:"-"`      // seconds of these that steps waited for data
	Timed    int     `json:"-"`      // examples that Seconds were spent on: not those before a resume
	Seed     uint64  `json:"seed"`
	Size     int     `json:"batch_size"`
	Examples int     `json:"examples"` // in the dataset
}

// The keys of a checkpoint's metadata, beside those of data.Info.
const (
	keyModel    = "model"
	keySettings = "settings"
	keyProgress = "progress"
	keyAveraged = "averaged"
	keyTraining = "training"
	keySeed     = "store_seed" // where it is not that of the run
)

// Save replaces the file at path by c, in the safetensors format. Whenever it is interrupted,
// the file is the old one or the new one, whole. Training on c.Store must be at rest, as it
// is in the callbacks of [Config].
func (c *Checkpoint) Save(path string) error { return prefixed(c.save(path)) }

func (c *Checkpoint) save(path string) error {
	meta, err := c.metadata()
	if err != nil {
		return fmt.Errorf("saving %s: %w", path, err)
	}
	return c.Store.Save(path, meta)
}

// check says why c holds no values.
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

// fields are the parts of c that the metadata hold as JSON.
func (c *Checkpoint) fields() []field {
	return []field{
		{keySettings, &c.Settings},
		{keyProgress, &c.Progress},
		{keyAveraged, &c.Averaged},
		{keyTraining, &c.Training},
	}
}

// LoadCheckpoint reads what [Checkpoint.Save] wrote, into a new store. Whether the values
// are those of a given model shows when they are used with it.
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

// parse makes a checkpoint of its metadata. Its store is empty.
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
	if seed == nil { // an older file, or one whose store had the run's
		seed = &c.Progress.Seed
	}
	c.Store = vm.NewStore(*seed)
	return c, nil
}

// Snapshot returns a copy of c with a store of its own, to predict with while c is trained.
func (c *Checkpoint) Snapshot() (*Checkpoint, error) {
	if err := c.check(); err != nil {
		return nil, prefixed(err)
	}
	store, err := c.Store.Snapshot()
	if err != nil {
		return nil, prefixed(err)
	}
	s := *c
	s.Progress.Epochs = slices.Clone(s.Progress.Epochs)
	s.Store = store
	return &s, nil
}
