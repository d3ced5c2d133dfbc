package main

import (
	"maps"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/cifar"
	"github.com/plexaura/plexaura/data/fashion"
	"github.com/plexaura/plexaura/data/imagenet"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/engine/std"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/alexnet"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/models/mnistnet"
	"github.com/plexaura/plexaura/models/mobilenet"
	"github.com/plexaura/plexaura/models/resnet"
	"github.com/plexaura/plexaura/models/squeezenet"
	"github.com/plexaura/plexaura/models/vgg"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
)

// model is one that the commands know by name.
type model struct {
	build      func(classes int) nn.Layer
	image      shape.Shape // (C,H,W)
	classes    []string    // of the data it was published for
	loss       func(logits, target *graph.Node) *graph.Node
	preprocess data.Preprocess
	lr         float64 // that works well with the defaults of train
	schedule   string
	step       int // epochs after which the learning rate is multiplied by gamma
	gamma      float64
}

func models() map[string]model {
	crossEntropy := func(logits, target *graph.Node) *graph.Node { return ops.CrossEntropy(logits, target) }
	always := func(l nn.Layer) func(int) nn.Layer { return func(int) nn.Layer { return l } }
	all := map[string]model{
		"lenet": {
			build: always(lenet.Model), image: shape.Of(1, 28, 28), classes: mnist.Info().Classes,
			loss: crossEntropy, preprocess: mnist.Info().Preprocess, lr: .05, schedule: bySteps, step: 2, gamma: .5,
		},
		"lenet1998": {
			build: always(lenet.Model1998), image: shape.Of(1, 28, 28), classes: mnist.Info().Classes,
			loss: lenet.Loss1998, preprocess: preprocess1998(), lr: .002, schedule: bySteps, step: 2, gamma: .5,
		},
		"mnistnet": {
			build: func(n int) nn.Layer { return mnistnet.New(n, .3) }, image: shape.Of(1, 28, 28), classes: mnist.Info().Classes,
			loss: crossEntropy, preprocess: mnist.Info().Preprocess, lr: .1, schedule: "onecycle",
		},
		"mnistnet-dense": {
			build: mnistnet.NewDense, image: shape.Of(1, 28, 28), classes: mnist.Info().Classes,
			loss: crossEntropy, preprocess: mnist.Info().Preprocess, lr: .1, schedule: "onecycle",
		},
		"mnistnet-wide": {
			build: mnistnet.NewWide, image: shape.Of(1, 28, 28), classes: fashion.Info().Classes,
			loss: crossEntropy, preprocess: fashion.Info().Preprocess, lr: .1, schedule: "onecycle",
		},
	}
	for name, build := range map[string]func(classes int) nn.Layer{
		"alexnet":     func(n int) nn.Layer { return alexnet.New(n, .5) },
		"alexnet-bn":  func(n int) nn.Layer { return alexnet.NewBatchNorm(n, .5) },
		"alexnet2012": func(n int) nn.Layer { return alexnet.New2012(n, .5) },
		"vgg11":       func(n int) nn.Layer { return vgg.New(vgg.Plan11, n, .5) },
		"vgg16":       func(n int) nn.Layer { return vgg.New(vgg.Plan16, n, .5) },
		"resnet18":    func(n int) nn.Layer { return resnet.New(resnet.Basic, [4]int{2, 2, 2, 2}, n) },
		"resnet50":    func(n int) nn.Layer { return resnet.New(resnet.Bottleneck, [4]int{3, 4, 6, 3}, n) },
		"squeezenet":  func(n int) nn.Layer { return squeezenet.New(n, .5) },
		"mobilenetv2": func(n int) nn.Layer { return mobilenet.NewV2(n, .2) },
	} {
		all[name] = model{
			build: build, image: shape.Of(3, 224, 224), classes: imagenet.Classes(),
			loss: crossEntropy, preprocess: picture.ImageNet(), lr: .01, schedule: bySteps, step: 30, gamma: .1,
		}
	}
	all["resnet18-cifar"] = model{
		build: func(n int) nn.Layer { return resnet.NewSmall(resnet.Basic, [4]int{2, 2, 2, 2}, n) }, image: shape.Of(3, 32, 32),
		classes: cifar.Info().Classes, loss: crossEntropy, preprocess: cifar.Info().Preprocess, lr: .1, schedule: "onecycle",
	}
	published := all["alexnet2012"]
	published.preprocess.Std = []float32{alexnet.Std2012, alexnet.Std2012, alexnet.Std2012}
	all["alexnet2012"] = published
	return all
}

// info describes the data that the model was published for.
func (m model) info() data.Info {
	return data.Info{
		Input: shape.Type{DType: shape.Float32, Shape: m.image}, Target: shape.I32(),
		Classes: m.classes, Preprocess: m.preprocess,
	}
}

// layer is the model for as many classes as the data have.
func (m model) layer(info data.Info) nn.Layer { return m.build(len(info.Classes)) }

// preprocess1998 scales pixels as the paper does.
func preprocess1998() data.Preprocess {
	p := mnist.Info().Preprocess
	p.Mean, p.Std = []float32{lenet.Mean1998}, []float32{lenet.Std1998}
	return p
}

func findModel(name string) (model, error) {
	m, ok := models()[name]
	if !ok {
		return m, usagef("no model %q; there are %s", name, list(models()))
	}
	return m, nil
}

func engines() map[string]func() engine.Engine {
	return map[string]func() engine.Engine{
		"cpu":       func() engine.Engine { return cpu.New() },
		"cpu-exact": func() engine.Engine { return cpu.New(cpu.ExactConv) },
		"std":       func() engine.Engine { return std.New(tensor.StdEng{}) },
		"ref":       func() engine.Engine { return ref.Engine{} },
	}
}

func findEngine(name string) (engine.Engine, error) {
	e, ok := engines()[name]
	if !ok {
		return nil, usagef("no engine %q; there are %s", name, list(engines()))
	}
	return e(), nil
}

// subject is what a command looks at: a model on an engine at a batch size.
type subject struct {
	name   string
	model  model
	engine engine.Engine
	batch  int
}

// choice is the flags that pick a subject.
type choice struct {
	model, engine *string
	batch         *int
}

// pick declares them, with the default batch size.
func (c *call) pick(batch int) choice {
	return choice{
		model:  c.String("model", "lenet", "one of "+list(models())),
		engine: c.String("engine", "cpu", "one of "+list(engines())),
		batch:  c.Int("batch", batch, "batch size"),
	}
}

// subject checks the flags, which have been parsed.
func (p choice) subject() (s subject, err error) {
	s.name, s.batch = *p.model, *p.batch
	if s.model, err = findModel(s.name); err != nil {
		return s, err
	}
	if s.engine, err = findEngine(*p.engine); err != nil {
		return s, err
	}
	return s, nil
}

// list names the keys of a table.
func list[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// built is the graph of a model, for inference or for training.
type built struct {
	logits *graph.Node
	outs   []*graph.Node
}

// infer builds the inference graph.
func (m model) infer() built {
	g := graph.New()
	logits := graph.Inference(m.layer(m.info()).Apply(nn.Root(g), g.Input("x", m.input())))[0]
	return built{logits: logits, outs: []*graph.Node{logits}}
}

// train builds the graph of a training step.
func (m model) train(rule optim.Optimizer) built {
	g := graph.New()
	x := g.Input("x", m.input())
	y := g.Input("y", shape.I32(shape.N))
	logits := m.layer(m.info()).Apply(nn.Root(g), x)
	loss := m.loss(logits, y)
	rule.Apply(g, autodiff.Grad(loss, g.Params()...))
	return built{logits: logits, outs: []*graph.Node{loss}}
}

// input is the type of a batch of images.
func (m model) input() shape.Type {
	return shape.Type{DType: shape.Float32, Shape: m.image.Insert(0, shape.N)}
}
