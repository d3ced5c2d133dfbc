package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// watched is what is computed for some examples during a run.
type watched struct {
	look    *look
	machine *vm.Machine
	batch   batch
	labels  []string
	memory  memoryState
}

// watchedOf makes everything that computes for the page of a run that is about to begin. It writes
// nothing to the run's store.
func watchedOf(c train.Config, s train.Start) (*watched, *probe, error) {
	info, store := s.Checkpoint.Info, s.Checkpoint.Store
	net, err := train.Build(c.Model, info, c.Loss, c.Optimizer)
	if err != nil {
		return nil, nil, err
	}
	p, err := newProbe(c, net, store)
	if err != nil {
		return nil, nil, err
	}
	w := &watched{}
	if w.look, err = newLook(c.Engine, net.Inference, info); err != nil {
		return nil, nil, err
	}
	if w.machine, err = w.look.program.NewMachine(store); err != nil {
		return nil, nil, err
	}
	if w.batch, err = firstExamples(c, maxExamples); err != nil {
		return nil, nil, err
	}
	w.label()
	m, err := w.look.program.Memory(w.batch.size())
	w.memory = memoryOf("maps on this page", m)
	return w, p, err
}

// label sets the names of the examples' classes, if each has one.
func (w *watched) label() {
	if w.look.classes == 0 {
		return
	}
	for _, v := range w.batch.y.Int32s() {
		w.labels = append(w.labels, w.look.class(int(v)))
	}
}

func (w *watched) maps(ctx context.Context) ([]exampleMaps, error) {
	all, err := w.look.run(ctx, w.machine, w.batch.x)
	for i := range all {
		if i < len(w.labels) {
			all[i].Label = w.labels[i]
		}
	}
	return all, err
}

// trial makes predictions for pictures with a trained model, one at a time.
type trial struct {
	look    *look
	machine *vm.Machine
	prepare func(image.Image, data.Info) ([]float32, error)
	turn    chan struct{} // holds one token
}

func newTrial(c train.Config, prepare func(image.Image, data.Info) ([]float32, error), w *train.Checkpoint) (*trial, error) {
	net, err := train.Build(c.Model, w.Info, c.Loss, nil)
	if err != nil {
		return nil, err
	}
	output := net.Inference
	if w.Averaged {
		output = optim.AveragedBy(append(w.Store.Names(), w.Training...), output)[0]
	}
	t := &trial{prepare: prepare, turn: make(chan struct{}, 1)}
	if t.look, err = newLook(c.Engine, output, w.Info); err != nil {
		return nil, err
	}
	if err := w.Store.Widen(t.look.program.Leaves()...); err != nil {
		return nil, err
	}
	t.machine, err = t.look.program.NewMachine(w.Store)
	return t, err
}

// maxPixels is the largest number of pixels of a picture, more than phones take.
const maxPixels = 1 << 24

// try returns the prediction for a picture, of a kind that data/picture reads, with the maps of the layers.
func (t *trial) try(ctx context.Context, file []byte) (m exampleMaps, err error) {
	size, _, err := image.DecodeConfig(bytes.NewReader(file))
	switch {
	case err != nil:
		return m, errors.New("this is not a picture that can be read: PNG, JPEG, WebP, GIF, BMP or TIFF")
	case size.Width <= 0 || size.Height <= 0 || size.Width > maxPixels/size.Height:
		return m, fmt.Errorf("a picture of %d by %d pixels; at most %d can be tried", size.Width, size.Height, maxPixels)
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return m, context.Cause(ctx)
	}
	img, err := picture.Decode(bytes.NewReader(file))
	if err != nil {
		return m, err
	}
	x, err := t.prepare(img, t.look.info)
	if err != nil {
		return m, err
	}
	if want := t.look.info.Input.Len(); len(x) != want {
		return m, fmt.Errorf("the picture was prepared as %d numbers; the model takes %d", len(x), want)
	}
	t.look.info.Preprocess.Apply(x)
	in := tensor.New(tensor.WithShape(t.look.info.Input.Insert(0, 1).Ints()...), tensor.WithBacking(x))
	all, err := t.look.run(ctx, t.machine, in)
	if err != nil {
		return m, err
	}
	return all[0], nil
}
