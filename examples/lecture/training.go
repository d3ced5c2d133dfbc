package lecture

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// lesson is the part of [train.Config] that chapters set.
type lesson struct {
	model         nn.Layer
	learn, verify data.Dataset // verify may be nil; it is evaluated after each epoch
	epochs        int
	rule          optim.Optimizer // default: SGD of a rate of 0.05 with momentum, falling as a cosine
	augment       data.Augmentation
	loss          train.Loss
	seed          uint64
	start         *vm.Store // values to start from, which stay as they are; nil for initial ones
	partial       []string  // which of them may be missing or unused, as in [train.Config]
}

const batch = 64

// teach trains by lesson.
func teach(ctx context.Context, l lesson) (*train.Result, error) {
	if l.rule == nil {
		steps := l.epochs * ((l.learn.Len() + batch - 1) / batch)
		l.rule = optim.Recipe{Rule: optim.SGD{LR: .05, Momentum: .9}, Schedule: optim.Cosine{Steps: steps}}
	}
	if l.start != nil {
		var err error
		if l.start, err = l.start.Snapshot(); err != nil {
			return nil, err
		}
	}
	return train.Fit(ctx, train.Config{
		Store: l.start, Partial: l.partial,
		Model: l.model, Train: l.learn, Validation: l.verify, Engine: cpu.New(), Optimizer: l.rule, Loss: l.loss,
		Epochs: l.epochs, Batch: batch, Seed: l.seed, Augment: l.augment,
	})
}

// tested trains by lesson, and tests on images that neither training nor any choice has used.
func tested(ctx context.Context, l lesson, test data.Dataset) (train.Evaluation, error) {
	r, err := teach(ctx, l)
	if err != nil {
		return train.Evaluation{}, err
	}
	return evaluated(ctx, l.model, r.Checkpoint, test, l.loss)
}

func evaluated(ctx context.Context, model nn.Layer, w *train.Checkpoint, test data.Dataset, loss train.Loss) (train.Evaluation, error) {
	p, err := train.NewPredictor(model, w, cpu.New())
	if err != nil {
		return train.Evaluation{}, err
	}
	return p.Evaluate(ctx, test, loss)
}

// digitsFor returns all training images of MNIST, and that many test images.
func (b *Board) digitsFor(testing int) (learn, test data.Dataset, err error) {
	if learn, err = mnist.Train(); err != nil {
		return nil, nil, err
	}
	if test, err = mnist.Test(); err != nil {
		return nil, nil, err
	}
	test, err = some(test, testing, b.Seed)
	return learn, test, err
}

// imagesFor returns that many training and test images of MNIST.
func (b *Board) imagesFor(learning, testing int) (learn, test data.Dataset, err error) {
	if learn, test, err = b.digitsFor(testing); err != nil {
		return nil, nil, err
	}
	learn, err = some(learn, learning, b.Seed)
	return learn, test, err
}

// some returns n examples of a dataset, drawn by seed.
func some(ds data.Dataset, n int, seed uint64) (data.Dataset, error) {
	order := rand.New(rand.NewPCG(seed, 0)).Perm(ds.Len())
	return data.Subset(ds, order[:min(n, len(order))])
}

// parameterCount is the number of parameters of a model on inputs of a type.
func parameterCount(model nn.Layer, input shape.Type) (count int, err error) {
	g := graph.New()
	model.Apply(nn.Root(g), g.Input("x", input))
	for _, p := range g.Params() {
		count += p.Type().Len()
	}
	return count, g.Err()
}

// digits is the type of a batch of images of MNIST.
var digits = shape.F32(shape.N, 1, 28, 28)

// dense is a network of dense layers with ReLU between them, of which the last has ten outputs.
func dense(widths ...int) nn.Sequential {
	s := nn.Sequential{nn.Flatten{}}
	for _, w := range widths {
		s = append(s, nn.Linear{Out: w}, nn.ReLU{})
	}
	return append(s, nn.Linear{Out: 10})
}

// meanAndSpread are the mean of some values and their standard deviation (n-1).
func meanAndSpread(v []float64) (mean, spread float64) {
	mean = sum(v) / float64(len(v))
	for _, x := range v {
		spread += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(spread / float64(max(1, len(v)-1)))
}

// either is short where the chapter is to be short, else long.
func either[T any](b *Board, short, long T) T {
	if b.Short {
		return short
	}
	return long
}
