package callbacks

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"path/filepath"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/interop/tensorboard"
	"github.com/plexaura/plexaura/train"
)

// TensorBoard writes a run as an event file that TensorBoard shows: the loss and the learning rate of
// the steps; after each epoch what is measured in training and validation, and histograms of the
// parameters; once the graph of the model, and examples. Steps are counted over the whole run, from 1.
//
// If Dir is within the run's folder, the file is made once the first epoch is saved, because an
// earlier run moves away then.
type TensorBoard struct {
	train.NoCallback
	Dir      string       // the folder; each run should have its own
	Every    int          // steps between two values of the loss and the rate; default 10
	Examples data.Dataset // of which the first 8 are shown, if they are images; may be nil

	writer *tensorboard.Writer
	start  train.Start
	step   int64 // the number of the last one
	late   bool  // Dir is not ours yet
	early  []stepValue
}

// stepValue is what is written of a step.
type stepValue struct {
	step       int64
	loss, rate float64
}

// shown is the number of examples that are shown.
const shown = 8

// maxEarly bounds the steps that are kept until there is a file.
const maxEarly = 1 << 16

// Start implements [train.Callback].
func (c *TensorBoard) Start(s train.Start) error {
	switch {
	case c.Dir == "":
		return errors.New("TensorBoard: no Dir to write to")
	case c.Every < 0:
		return fmt.Errorf("TensorBoard: Every is %d; want at least 1 step", c.Every)
	case c.Every == 0:
		c.Every = 10
	}
	c.start = s
	p := s.Checkpoint.Progress
	c.step = int64(p.Steps(len(p.Epochs)) + p.Batch)
	c.late = within(c.Dir, s.Folder) && (s.Resumed == "" || !regular.Same(filepath.Dir(s.Resumed), s.Folder))
	if c.late {
		return nil
	}
	if err := c.open(); err != nil {
		return err
	}
	if s.Resumed == "" && p.Batch == 0 && len(p.Epochs) == 0 {
		return nil
	}
	return c.writer.Restart(c.step + 1)
}

// within reports whether path is in folder.
func within(path, folder string) bool {
	if folder == "" {
		return false
	}
	a, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	b, err := filepath.Abs(folder)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(b, a)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// open makes the file, with the graph and the examples.
func (c *TensorBoard) open() (err error) {
	if c.writer, err = tensorboard.Create(c.Dir); err != nil {
		return err
	}
	c.late = false
	if err := c.graph(); err != nil {
		return err
	}
	if err := c.images(); err != nil {
		return err
	}
	for _, v := range c.early {
		if err := c.write(v); err != nil {
			return err
		}
	}
	c.early = nil
	return c.writer.Flush()
}

// Step implements [train.Callback].
func (c *TensorBoard) Step(s train.Step) error {
	c.step = int64(s.Number)
	v := stepValue{c.step, s.Loss, s.Rate}
	switch {
	case v.step%int64(c.Every) != 0 && v.step != 1:
		return nil
	case !c.late:
		return c.write(v)
	case len(c.early) < maxEarly:
		c.early = append(c.early, v)
	}
	return nil
}

func (c *TensorBoard) write(v stepValue) error {
	return errors.Join(c.writer.Scalar("step/loss", v.step, v.loss), c.writer.Scalar("step/learning rate", v.step, v.rate))
}

// Saved implements [train.Callback].
func (c *TensorBoard) Saved(e train.Epoch) error {
	if c.late {
		if err := c.open(); err != nil {
			return err
		}
	}
	step := c.step
	err := c.measured("training", step, &e.Train)
	if e.Validation != nil {
		err = errors.Join(err, c.measured("validation", step, e.Validation))
	}
	if speed := e.ExamplesPerSecond(); speed > 0 {
		err = errors.Join(err, c.writer.Scalar("speed/examples a second", step, speed))
	}
	return errors.Join(err, c.histograms(step), c.writer.Flush())
}

// measured writes what was measured on a part of the data.
func (c *TensorBoard) measured(part string, step int64, m *train.Metrics) error {
	err := c.writer.Scalar(lossName+"/"+part, step, m.Loss())
	if m.Labels > 0 {
		err = errors.Join(err, c.writer.Scalar(accuracyName+"/"+part, step, m.Accuracy()))
	}
	for _, v := range m.Values {
		if v.Value == v.Value && (v.Name != accuracyName || m.Labels == 0) {
			err = errors.Join(err, c.writer.Scalar(v.Name+"/"+part, step, v.Value))
		}
	}
	return err
}

// histograms writes the values of the parameters.
func (c *TensorBoard) histograms(step int64) error {
	var values []float32
	for _, n := range c.start.Network.Leaves {
		if n.Kind() != graph.Param || !n.Type().IsFloat() {
			continue
		}
		v, err := c.start.Checkpoint.Store.Value(n.Name())
		if err != nil {
			return err
		}
		values = engine.AppendFloat32s(values[:0], v)
		if err := c.writer.Histogram(strings.Replace(n.Name(), ".", "/", 1), step, values); err != nil {
			return err
		}
	}
	return nil
}

// images writes the first examples, if they are images of one or three channels.
func (c *TensorBoard) images() error {
	info := c.start.Checkpoint.Info
	in := info.Input
	if c.Examples == nil || in.Rank() != 3 || in.Int(0) != 1 && in.Int(0) != 3 {
		return nil
	}
	l, err := data.NewLoader(c.Examples, data.Batching{Size: min(shown, c.Examples.Len())})
	if err != nil {
		return fmt.Errorf("TensorBoard: Examples: %w", err)
	}
	if l.Info().Input != in {
		return fmt.Errorf("TensorBoard: Examples are %v, the run's %v", l.Info().Input, in)
	}
	for b, err := range l.EpochFrom(context.Background(), 0, 0) {
		if err != nil {
			return err
		}
		x := b.X.Float32s()
		for i := range b.Examples {
			img := picture(x[i*in.Len():][:in.Len()], in.Int(0), in.Int(1), in.Int(2), info.Preprocess)
			if err := c.writer.Image(fmt.Sprintf("examples/%d", i), 0, img); err != nil {
				return err
			}
		}
		break
	}
	return nil
}

// picture returns the picture of an example, as it was before it was normalised.
func picture(x []float32, channels, height, width int, p data.Preprocess) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	at := func(c, i int) uint8 {
		c = min(c, channels-1)
		v := x[c*height*width+i]
		if len(p.Mean) > 0 {
			k := min(c, len(p.Mean)-1)
			v = v*p.Std[k] + p.Mean[k]
		}
		return uint8(255*max(0, min(1, v)) + 0.5)
	}
	for i := range height * width {
		img.SetRGBA(i%width, i/width, color.RGBA{at(0, i), at(1, i), at(2, i), 255})
	}
	return img
}

// graph writes the graph of the model in inference form.
func (c *TensorBoard) graph() error {
	var nodes []tensorboard.Node
	names, taken := map[*graph.Node]string{}, map[string]bool{}
	for _, n := range graph.Reachable(c.start.Network.Inference) {
		node := tensorboard.Node{Name: nodeName(n), Op: n.Op().Name(), About: n.Type().String()}
		for _, in := range n.Ins() {
			node.Inputs = append(node.Inputs, names[in])
		}
		for _, d := range n.Type().Dims() {
			extent, known := d.Int()
			if !known {
				extent = -1
			}
			node.Shape = append(node.Shape, int64(extent))
		}
		for taken[node.Name] {
			node.Name += "_"
		}
		taken[node.Name], names[n] = true, node.Name
		nodes = append(nodes, node)
	}
	return c.writer.Graph(nodes)
}

// nodeName returns a name for n in the box of its layer.
func nodeName(n *graph.Node) string {
	if n.Name() != "" {
		return strings.ReplaceAll(n.Name(), ".", "/")
	}
	name := fmt.Sprintf("%s_%d", n.Op().Name(), n.ID())
	if n.Layer() != "" {
		name = strings.ReplaceAll(n.Layer(), ".", "/") + "/" + name
	}
	return name
}

// End implements [train.Callback].
func (c *TensorBoard) End(r *train.Result, _ error) error {
	if c.late && r != nil && r.Saved { // it ended within the first epoch
		if err := c.open(); err != nil {
			return err
		}
	}
	if c.writer == nil {
		return nil
	}
	return c.writer.Close()
}
