package main

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// weightsChoice is the flags that pick trained weights.
type weightsChoice struct {
	file, model, engine *string
	onnx                *onnxChoice // nil for a command that does not take ONNX files
}

func (c *call) pickWeights() weightsChoice {
	pick := weightsChoice{
		file: c.String("weights", "", "weights `file`: of a run, or with -model any safetensors file with the names of that model's parameters (default runs/MODEL/model.safetensors)"),
	}
	pick.model, pick.engine = c.pickModelAndEngine()
	return pick
}

// pickModelAndEngine declares the flags for weights of any file.
func (c *call) pickModelAndEngine() (model, engine *string) {
	model = c.String("model", "", "the model, for weights that do not say which; one of "+list(models()))
	return model, c.String("engine", "cpu", "one of "+list(engines()))
}

// trained is a model, its values and what computes with them.
type trained struct {
	*train.Checkpoint
	path    string
	model   model
	engine  engine.Engine
	foreign bool // they are not those of a run
}

// load reads the weights.
func (p weightsChoice) load() (w trained, err error) {
	if w.engine, err = findEngine(*p.engine); err != nil {
		return w, err
	}
	if err := p.check(); err != nil {
		return w, err
	}
	if p.onnx.given() {
		return p.onnx.load(w.engine)
	}
	if w.path = *p.file; w.path == "" {
		w.path = filepath.Join("runs", cmp.Or(*p.model, "lenet"), train.CheckpointFile)
	}
	if w.Checkpoint, w.foreign, err = read(w.path, *p.model); err != nil {
		return w, err
	}
	var ok bool
	if w.model, ok = models()[w.Name]; !ok {
		return w, fmt.Errorf("%s is for a model %q, which this program does not have; it has %s", w.path, w.Name, list(models()))
	}
	return w, nil
}

// read reads a file. What runs leave behind says which model it is for, which classes there
// are and how inputs are prepared; for other files, which are foreign, the model has to be told.
func read(path, name string) (c *train.Checkpoint, foreign bool, err error) {
	if name == "" {
		c, err = readOwn(path)
		return c, false, err
	}
	m, err := findModel(name)
	if err != nil {
		return nil, false, err
	}
	if c, err = readForeign(path, name, m); c != nil || err != nil {
		return c, true, err
	}
	if c, err = readOwn(path); err == nil && c.Name != name {
		err = fmt.Errorf("%s is for the model %q, not %q; leave -model out", path, c.Name, name)
	}
	return c, false, err
}

// ofRun tells the weights of a run by their metadata.
func ofRun(r *safetensors.Reader) bool { return r.Metadata()["model"] != "" }

// readOwn reads the weights of a run.
func readOwn(path string) (*train.Checkpoint, error) {
	c, err := train.LoadCheckpoint(path)
	if err == nil {
		return c, nil
	}
	if r, unread := safetensors.Open(path); unread == nil {
		defer r.Close()
		if ofRun(r) {
			return nil, err
		}
		return nil, fmt.Errorf("%s does not say which model it is for; name it by -model", path)
	}
	return nil, err
}

// readForeign reads a safetensors file such as PyTorch writes, as the weights of m for the
// data that m was published for. It returns nil for the weights of a run.
func readForeign(path, name string, m model) (*train.Checkpoint, error) {
	r, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if ofRun(r) {
		return nil, nil
	}
	c := &train.Checkpoint{Name: name, Info: m.info(), Store: vm.NewStore(0)}
	// Whether something lacks is told by who computes with them.
	_, err = c.Store.LoadFrom(r, vm.LoadOptions{Partial: true, Rename: vm.WithoutCounters})
	return c, err
}

// predictor computes with the weights; those of another model are an error that names them.
func (w trained) predictor(opts ...vm.Option) (*train.Predictor, error) {
	p, err := train.NewPredictor(w.model.layer(w.Info), w.Checkpoint, w.engine, opts...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.path, err)
	}
	return p, nil
}
