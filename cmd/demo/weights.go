package main

import (
	"fmt"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// weightsChoice is the flags that pick trained weights.
type weightsChoice struct{ file, model, engine *string }

func (c *call) pickWeights() weightsChoice {
	return weightsChoice{
		file:   c.String("weights", "runs/lenet/model.safetensors", "weights `file`: that of a run, or with -model a safetensors file with the names of torchvision's"),
		model:  c.String("model", "", "the model of weights that come from elsewhere, one of "+list(models())),
		engine: c.String("engine", "cpu", "one of "+list(engines())),
	}
}

// trained is a model, its values and what computes with them.
type trained struct {
	*train.Checkpoint
	path    string
	model   model
	engine  engine.Engine
	foreign bool // they come from elsewhere
}

// load reads the file. What runs leave behind says which model it is for, which classes
// there are and how inputs are prepared; for other files -model says so.
func (p weightsChoice) load() (w trained, err error) {
	w.path = *p.file
	if w.engine, err = findEngine(*p.engine); err != nil {
		return w, err
	}
	if *p.model != "" {
		if w.model, err = findModel(*p.model); err != nil {
			return w, err
		}
		if w.Checkpoint, err = readForeign(*p.file, *p.model, w.model); err != nil {
			return w, err
		}
		w.foreign = w.Checkpoint != nil
	}
	if w.Checkpoint == nil {
		if w.Checkpoint, err = readOwn(*p.file); err != nil {
			return w, err
		}
	}
	if *p.model != "" && w.Name != *p.model {
		return w, fmt.Errorf("%s is for the model %q, not %q; leave -model out", w.path, w.Name, *p.model)
	}
	var ok bool
	if w.model, ok = models()[w.Name]; !ok {
		return w, fmt.Errorf("%s is for a model %q, which demo does not have; it has %s", w.path, w.Name, list(models()))
	}
	return w, nil
}

// ofRun tells the weights of a run by their metadata.
func ofRun(f safetensors.File) bool { return f.Metadata["model"] != "" }

// readOwn reads the weights of a run.
func readOwn(path string) (*train.Checkpoint, error) {
	c, err := train.LoadCheckpoint(path)
	if err == nil {
		return c, nil
	}
	if f, unread := safetensors.ReadFile(path); unread == nil && !ofRun(f) {
		return nil, fmt.Errorf("%s does not say which model it is for; name it by -model", path)
	}
	return nil, err
}

// readForeign reads a safetensors file such as PyTorch writes, as the weights of m for the
// data that m was published for. It returns nil for the weights of a run. PyTorch counts the
// batches of a normalisation; these numbers are left out.
func readForeign(path, name string, m model) (*train.Checkpoint, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil || ofRun(f) {
		return nil, err
	}
	c := &train.Checkpoint{Name: name, Info: m.info(), Store: vm.NewStore(0)}
	for _, t := range f.Tensors {
		if strings.HasSuffix(t.Name, ".num_batches_tracked") {
			continue
		}
		values, err := safetensors.View[float32](t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if len(values) == 0 {
			return nil, fmt.Errorf("%s: %q is %v, without an element", path, t.Name, t.Type)
		}
		if err := c.Store.Set(t.Name, tensor.New(tensor.WithShape(t.Type.Ints()...), tensor.WithBacking(values))); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return c, nil
}

// predictor computes with the weights; those of another model are an error that names them.
func (w trained) predictor() (*train.Predictor, error) {
	p, err := train.NewPredictor(w.model.layer(w.Info), w.Checkpoint, w.engine)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.path, err)
	}
	return p, nil
}
