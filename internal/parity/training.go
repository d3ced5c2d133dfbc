package parity

import (
	"context"
	"fmt"
	"iter"
	"math"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Step is the results of one step of a training, before it changes the parameters.
type Step struct {
	Loss    float64
	Correct int // number of correctly classified images of the batch
	Images  int // in the batch
}

// The training, as in pytorch/training.py.
const (
	epochs = 2
	batch  = 64
)

var rule = optim.SGD{LR: .05, Momentum: .9}

// PyTorchSteps returns the steps that PyTorch made with floating-point type d.
func PyTorchSteps(d shape.DType) ([]Step, error) {
	type training struct {
		DType   string
		Losses  Numbers
		Correct []int
	}
	all, err := read[training]("training.json.gz")
	if err != nil {
		return nil, err
	}
	images, err := mnist.Train()
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		if t.DType != d.String() {
			continue
		}
		steps := make([]Step, len(t.Losses))
		perEpoch := len(steps) / epochs
		for i, loss := range t.Losses {
			steps[i] = Step{loss, t.Correct[i], min(batch, images.Len()-i%perEpoch*batch)}
		}
		return steps, nil
	}
	return nil, fmt.Errorf("parity: PyTorch has not trained in %v", d)
}

// Train yields the steps of the same training on e: LeNet-5 learns MNIST from the same parameters
// and batches. It ends after an error.
func Train(ctx context.Context, e engine.Engine, d shape.DType) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		t, err := newTraining(e, d)
		if err != nil {
			yield(Step{}, fmt.Errorf("parity: %w", err))
			return
		}
		for epoch := range epochs {
			for b, err := range t.batches.Epoch(epoch) {
				var s Step
				if err == nil {
					s, err = t.step(ctx, b)
				}
				if !yield(s, err) || err != nil {
					return
				}
			}
		}
	}
}

// training is LeNet with its initial parameters.
type training struct {
	d       shape.DType
	machine *vm.Machine
	batches *data.Loader
}

func newTraining(e engine.Engine, d shape.DType) (*training, error) {
	images, err := mnist.Train()
	if err != nil {
		return nil, err
	}
	t := &training{d: d}
	if t.batches, err = data.NewLoader(images, data.Batching{Size: batch}); err != nil {
		return nil, err
	}
	g := graph.New()
	x, y := g.Input("x", shape.Make(d, shape.N, 1, mnist.Side, mnist.Side)), g.Input("y", shape.I32(shape.N))
	logits := lenet.Model.Apply(nn.Root(g), x)
	loss := ops.CrossEntropy(logits, y)
	correct := ops.Sum(ops.Cast(ops.Equal(ops.ArgMax(logits, 1), ops.Cast(y, shape.Int64)), shape.Int64))
	rule.Apply(g, autodiff.Grad(loss, g.Params()...))
	p, err := vm.Compile(e, []*graph.Node{loss, correct}, vm.Train)
	if err != nil {
		return nil, err
	}
	s := vm.NewStore(0)
	if err := scatter(s, g.Params()); err != nil {
		return nil, err
	}
	t.machine, err = p.NewMachine(s)
	return t, err
}

func (t *training) step(ctx context.Context, b data.Batch) (s Step, err error) {
	x := b.X
	if t.d == shape.Float64 {
		x = Dense(shape.Type{DType: t.d, Shape: shape.OfInts(x.Shape()...)}, Floats(x))
	}
	outs, err := t.machine.Run(ctx, x, b.Y)
	if err != nil {
		return s, err
	}
	return Step{Loss: number(outs[0]), Correct: int(number(outs[1])), Images: len(b.Examples)}, nil
}

func number(d *tensor.Dense) float64 { return Floats(d)[0] }

// scatter spreads weights and biases evenly up to 1/sqrt(fan-in).
func scatter(s *vm.Store, params []*graph.Node) error {
	for p, n := range params {
		weight := params[p-p%2].Type() // biases come after their weights
		scale := math.Sqrt(float64(weight.Int(0)) / float64(weight.Len()))
		if err := s.Set(n.Name(), Dense(n.Type(), scattered(p, n.Type().Len(), scale))); err != nil {
			return err
		}
	}
	return nil
}

// scattered is the function with that name in pytorch/training.py.
func scattered(p, n int, scale float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		h := uint32(i + 1000003*p)
		h = (h ^ h>>16) * 0x7feb352d
		h = (h ^ h>>15) * 0x846ca68b
		h ^= h >> 16
		v[i] = rounded((float64(h)/(1<<31) - 1) * scale)
	}
	return v
}
