package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/shape"
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
	tensors, err := tensorsOf(c.Store)
	if err != nil {
		return fmt.Errorf("saving %s: %w", path, err)
	}
	if err := safetensors.WriteFile(path, safetensors.File{Metadata: meta, Tensors: tensors}); err != nil {
		return fmt.Errorf("saving the checkpoint: %w", err)
	}
	return nil
}

func (c *Checkpoint) metadata() (map[string]string, error) {
	if c.Store == nil {
		return nil, errors.New("the checkpoint has no Store")
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

// tensorsOf copies the values of s.
func tensorsOf(s *vm.Store) ([]safetensors.Tensor, error) {
	s, err := s.Snapshot() // of one step, whatever goes on
	if err != nil {
		return nil, err
	}
	var tensors []safetensors.Tensor
	for _, name := range s.Names() {
		v, err := s.Value(name)
		if err != nil {
			return nil, err
		}
		tensors = append(tensors, tensorOf(name, v))
		if err := s.Delete(name); err != nil { // its memory is wanted
			return nil, err
		}
	}
	return tensors, nil
}

// tensorOf views v, a value of a store.
func tensorOf(name string, v *tensor.Dense) safetensors.Tensor {
	s := shape.OfInts(v.Shape()...)
	switch v.Dtype() {
	case tensor.Float32:
		return safetensors.Of(name, s, v.Float32s())
	case tensor.Float64:
		return safetensors.Of(name, s, v.Float64s())
	case tensor.Int32:
		return safetensors.Of(name, s, v.Int32s())
	case tensor.Int64:
		return safetensors.Of(name, s, v.Int64s())
	case tensor.Uint8:
		return safetensors.Of(name, s, v.Uint8s())
	default:
		return safetensors.Of(name, s, v.Bools())
	}
}

// LoadCheckpoint reads what [Checkpoint.Save] wrote, into a new store. Whether the values
// are those of a given model shows when they are used with it.
func LoadCheckpoint(path string) (*Checkpoint, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: reading weights: %w", err)
	}
	c, err := parse(f)
	if err != nil {
		return nil, fmt.Errorf("train: reading weights: %s: %w", path, err)
	}
	c.file = path
	return c, nil
}

func parse(f safetensors.File) (c *Checkpoint, err error) {
	c = &Checkpoint{Name: f.Metadata[keyModel]}
	if c.Info, err = data.ParseInfo(f.Metadata); err != nil {
		return nil, err
	}
	for _, field := range c.fields() {
		s, ok := f.Metadata[field.key]
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
	c.Store = vm.NewStore(c.Progress.Seed)
	for _, t := range f.Tensors {
		v, err := denseOf(t)
		if err != nil {
			return nil, err
		}
		if err := c.Store.Set(t.Name, v); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// denseOf views t as a tensor of gorgonia's.
func denseOf(t safetensors.Tensor) (*tensor.Dense, error) {
	switch t.Type.DType {
	case shape.Float32:
		return view[float32](t)
	case shape.Float64:
		return view[float64](t)
	case shape.Int32:
		return view[int32](t)
	case shape.Int64:
		return view[int64](t)
	case shape.Uint8:
		return view[uint8](t)
	default:
		return view[bool](t)
	}
}

func view[T shape.Elem](t safetensors.Tensor) (*tensor.Dense, error) {
	if t.Type.Len() == 0 {
		return nil, fmt.Errorf("%q is %v, without an element", t.Name, t.Type)
	}
	values, err := safetensors.View[T](t)
	if err != nil {
		return nil, err
	}
	return tensor.New(tensor.WithShape(t.Type.Ints()...), tensor.WithBacking(values)), nil
}

// Snapshot returns a copy of c with a store of its own, to predict with while c is trained.
func (c *Checkpoint) Snapshot() (*Checkpoint, error) {
	if c.Store == nil {
		return nil, errors.New("train: the checkpoint has no Store")
	}
	store, err := c.Store.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	s := *c
	s.Progress.Epochs = slices.Clone(s.Progress.Epochs)
	s.Store = store
	return &s, nil
}
