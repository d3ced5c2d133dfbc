package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/imagenet"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// onnxChoice is the flags that pick a classifier in an ONNX file instead of weights.
type onnxChoice struct{ file, mean, std, size, classes *string }

// pickNetwork declares the flags that pick trained weights, or a network in an ONNX file.
func (c *call) pickNetwork() weightsChoice {
	p := c.pickWeights()
	p.onnx = &onnxChoice{
		file:    c.String("onnx", "", "instead of weights, an ONNX `file` of a classifier: one input of images (N,C,H,W) or (N,H,W,C), one output of scores. What \"onnx export\" writes says how images are prepared; of others say it by the flags below"),
		mean:    c.String("mean", "", "with -onnx: the mean of the intensities, from 0 to 1, of each channel, such as .485,.456,.406"),
		std:     c.String("std", "", "with -onnx: their standard deviation, such as .229,.224,.225"),
		size:    c.String("size", "", "with -onnx: `SHORTER` or SHORTER:CROP pixels, to which the shorter side of a picture is scaled, and of which the centre is cut out, such as 256:224; by default the size of the input, if the file states it"),
		classes: c.String("classes", "", "with -onnx: a `file` with the name of a class in each line, or imagenet"),
	}
	return p
}

// given reports whether a file is picked.
func (p *onnxChoice) given() bool { return p != nil && *p.file != "" }

// check refuses flags that do not go together.
func (p weightsChoice) check() error {
	switch {
	case p.onnx == nil:
	case p.onnx.given() && (*p.file != "" || *p.model != ""):
		return usagef("-onnx has the network and its weights; run it without -weights and -model")
	case !p.onnx.given():
		for name, v := range map[string]string{"mean": *p.onnx.mean, "std": *p.onnx.std, "size": *p.onnx.size, "classes": *p.onnx.classes} {
			if v != "" {
				return usagef("-%s is for a network by -onnx; weights of ours say it themselves", name)
			}
		}
	}
	return nil
}

// load reads the file as a model with its weights.
func (p *onnxChoice) load(e engine.Engine) (w trained, err error) {
	w = trained{path: *p.file, engine: e, foreign: true}
	m, err := onnx.ReadFile(w.path, onnx.Options{})
	if err != nil {
		return w, err
	}
	net, channels, height, width, err := imageInput(m)
	if err != nil {
		return w, fmt.Errorf("%s: %w", w.path, err)
	}
	info, err := p.info(m, channels, height, width)
	if err != nil {
		return w, err
	}
	w.foreign = info.Classes == nil
	w.model = model{
		build: func(int) nn.Layer { return net }, image: info.Input.Shape, classes: info.Classes, preprocess: info.Preprocess,
		loss: func(logits, target *graph.Node) *graph.Node { return ops.CrossEntropy(logits, target) },
	}
	w.Checkpoint = &train.Checkpoint{Name: strings.TrimSuffix(filepath.Base(w.path), ".onnx"), Info: info, Store: vm.NewStore(0)}
	scores, err := w.fill(net)
	if err != nil {
		return w, fmt.Errorf("%s: %w", w.path, err)
	}
	if n := len(info.Classes); n > 0 && n != scores {
		return w, fmt.Errorf("%s gives %d scores, and there are names of %d classes", w.path, scores, n)
	}
	return w, nil
}

// fill gives the store the values of the file, and returns how many scores there are.
func (w trained) fill(net nn.Layer) (scores int, err error) {
	g := graph.New()
	in := w.Info.Input
	y := net.Apply(nn.Root(g), g.Input("image", in.Of(in.Shape.Insert(0, shape.N))))
	if err := g.Err(); err != nil {
		return 0, err
	}
	program, err := vm.Compile(w.engine, graph.Inference(y))
	if err != nil {
		return 0, err
	}
	_, err = program.NewMachine(w.Store)
	return y.Type().Int(1), err
}

// imageNet is a network of images as a layer of (N,C,H,W) to logits (N,K).
type imageNet struct {
	m    *onnx.Model
	last bool // its channels are last
}

// Apply implements [nn.Layer]. Of probabilities it returns what they are the softmax of.
func (l imageNet) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	if l.last {
		x = ops.Transpose(x, 0, 2, 3, 1)
	}
	y := l.m.Layer().Apply(s, x)
	if !y.Valid() {
		return y
	}
	t := y.Type()
	if t.Rank() == 4 && t.Dim(2) == 1 && t.Dim(3) == 1 {
		y = ops.Reshape(y, t.Dim(0), t.Dim(1))
		t = y.Type()
	}
	if t.Rank() != 2 || t.Dim(0) != shape.N || t.DType != shape.Float32 {
		return s.Graph().Reject("ONNX", fmt.Errorf("the output is %v; want scores float32(N,K) of classes", t), y)
	}
	if k, ok := t.Dim(1).Int(); !ok || k < 2 {
		return s.Graph().Reject("ONNX", fmt.Errorf("the output is %v; want scores of at least 2 classes", t), y)
	}
	if y.Kind() == graph.Computed && y.Op().Name() == "Softmax" {
		return y.In(0)
	}
	return y
}

// imageInput finds the layout and the extents of the input, which are -1 where they are open.
func imageInput(m *onnx.Model) (net imageNet, channels, height, width int, err error) {
	ins, outs := m.Inputs(), m.Outputs()
	if len(ins) != 1 || len(outs) != 1 {
		return net, 0, 0, 0, fmt.Errorf("it has %d inputs and %d outputs; want one input of images and one output of scores", len(ins), len(outs))
	}
	in := ins[0]
	colours := func(d onnx.Dim) bool { return d.Size == 1 || d.Size == 3 }
	switch {
	case in.Kind != ir.TensorKind || len(in.Dims) != 4:
	case colours(in.Dims[1]):
		return imageNet{m, false}, in.Dims[1].Size, in.Dims[2].Size, in.Dims[3].Size, nil
	case colours(in.Dims[3]):
		return imageNet{m, true}, in.Dims[3].Size, in.Dims[1].Size, in.Dims[2].Size, nil
	}
	return net, 0, 0, 0, fmt.Errorf("its input is %v; want images (N,C,H,W) or (N,H,W,C) of 1 or 3 channels", in)
}

// info describes the data that the network is for: by the file's metadata, and by the flags.
func (p *onnxChoice) info(m *onnx.Model, channels, height, width int) (info data.Info, err error) {
	meta := m.Metadata()
	prepared := meta["preprocess"] != ""
	if prepared {
		if err := json.Unmarshal([]byte(meta["preprocess"]), &info.Preprocess); err != nil {
			return info, fmt.Errorf("%s: metadata preprocess: %w", *p.file, err)
		}
	}
	if names := meta["classes"]; names != "" {
		if err := json.Unmarshal([]byte(names), &info.Classes); err != nil {
			return info, fmt.Errorf("%s: metadata classes: %w", *p.file, err)
		}
	}
	if err := p.normalise(&info.Preprocess, prepared); err != nil {
		return info, err
	}
	if *p.classes != "" {
		if info.Classes, err = readClasses(*p.classes); err != nil {
			return info, err
		}
	}
	if height, width, err = p.resize(&info.Preprocess, height, width); err != nil {
		return info, err
	}
	info.Input, info.Target = shape.F32(shape.Dim(channels), shape.Dim(height), shape.Dim(width)), shape.I32()
	if err := info.Err(); err != nil {
		return info, fmt.Errorf("%s: %w", *p.file, err)
	}
	return info, nil
}

// normalise sets mean and standard deviation.
func (p *onnxChoice) normalise(pre *data.Preprocess, prepared bool) (err error) {
	switch {
	case *p.mean == "" && *p.std == "" && prepared:
		return nil
	case *p.mean == "" || *p.std == "":
		return usagef("%s does not say how images are prepared: give -mean and -std, such as those of ImageNet, -mean .485,.456,.406 -std .229,.224,.225, or -mean 0 -std 1", plain.Name(*p.file))
	}
	if pre.Mean, err = readNumbers("mean", *p.mean); err != nil {
		return err
	}
	pre.Std, err = readNumbers("std", *p.std)
	return err
}

func readNumbers(name, list string) (v []float32, err error) {
	for s := range strings.SplitSeq(list, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(s), 32)
		if err != nil {
			return nil, usagef("-%s %s: want numbers with commas between them", name, plain.Name(list))
		}
		v = append(v, float32(x))
	}
	return v, nil
}

// resize sets how pictures are scaled, and returns the extents of the input, which are -1 where the
// file leaves them open.
func (p *onnxChoice) resize(pre *data.Preprocess, height, width int) (h, w int, err error) {
	if *p.size == "" {
		if height < 0 || width < 0 {
			return 0, 0, usagef("%s leaves the size of images open: give it by -size, such as -size 256:224", plain.Name(*p.file))
		}
		if pre.Image == "" {
			pre.Image = picture.Shorter(max(height, width)).String()
		}
		return height, width, nil
	}
	first, second, both := strings.Cut(*p.size, ":")
	shorter, err := strconv.Atoi(first)
	crop := shorter
	if both && err == nil {
		crop, err = strconv.Atoi(second)
	}
	if err != nil || crop < 1 || shorter < crop {
		return 0, 0, usagef("-size %s: want SHORTER or SHORTER:CROP pixels, such as 256:224", plain.Name(*p.size))
	}
	pre.Image = picture.Shorter(shorter).String()
	if _, ok := picture.ParseShorter(pre.Image); !ok {
		return 0, 0, usagef("-size %s: that many pixels are too many", plain.Name(*p.size))
	}
	for _, extent := range []*int{&height, &width} {
		switch {
		case *extent < 0:
			*extent = crop
		case both && *extent != crop:
			return 0, 0, usagef("-size %s: the input of %s is of %d by %d pixels", *p.size, plain.Name(*p.file), height, width)
		}
	}
	return height, width, nil
}

// maxClasses bounds a file of names.
const maxClasses = 1 << 20

// readClasses reads the names of classes.
func readClasses(path string) ([]string, error) {
	if _, err := os.Stat(path); path == "imagenet" && errors.Is(err, os.ErrNotExist) {
		return imagenet.Classes(), nil
	}
	b, err := regular.ReadFile(path, maxClasses)
	if err != nil {
		return nil, err
	}
	names := strings.Split(strings.TrimRight(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n"), "\n")
	if slices.Contains(names, "") {
		return nil, fmt.Errorf("%s: want the name of a class in each line", path)
	}
	return names, nil
}

// named returns an error if the classes have no names, which a dataset could give.
func (w trained) named() error {
	if w.foreign && len(w.Info.Classes) == 0 {
		return usagef("%s does not name its classes: give -classes FILE, with a name in each line, or -classes imagenet", plain.Name(w.path))
	}
	return nil
}
