package lecture

import (
	"context"
	"fmt"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/viz"
)

// overfit trains on few images, with and without remedies against memorising them.
func overfit(ctx context.Context, b *Board) error {
	all, test, err := b.digitsFor(either(b, 1000, 10000))
	if err != nil {
		return err
	}
	few := either(b, 300, 1000)
	rest, learn, err := data.Split(all, few, b.Seed)
	if err != nil {
		return err
	}
	verify, err := some(rest, either(b, 500, 2000), b.Seed)
	if err != nil {
		return err
	}
	epochs := either(b, 25, 60)
	plain := lesson{model: dense(300, 300), learn: learn, verify: verify, epochs: epochs, seed: b.Seed, rule: optim.SGD{LR: .01, Momentum: .9}}
	remedies := []remedy{
		{"nothing", func(*lesson) {}},
		{"dropout", func(l *lesson) { l.model = dropping(300, 300) }},
		{"weight decay", func(l *lesson) { l.rule = optim.SGD{LR: .01, Momentum: .9, WeightDecay: .01} }},
		{"augmentation", func(l *lesson) { l.augment = augment.MNIST() }},
	}
	return b.remedies(ctx, plain, remedies, test)
}

// remedy changes a lesson.
type remedy struct {
	name  string
	apply func(*lesson)
}

// dropping is a dense network with dropout.
func dropping(widths ...int) nn.Sequential {
	s := nn.Sequential{nn.Flatten{}}
	for _, w := range widths {
		s = append(s, nn.Linear{Out: w}, nn.ReLU{}, nn.Dropout{P: .5})
	}
	return append(s, nn.Linear{Out: 10})
}

func (b *Board) remedies(ctx context.Context, plain lesson, all []remedy, test data.Dataset) error {
	var rows []string
	var values [][]float64
	panels := []viz.Panel{
		{Heading: "Training loss", XLabel: "epoch", LogY: true}, {Heading: "Validation loss", XLabel: "epoch", LogY: true},
	}
	best := 0
	row := func(name string, r *train.Result, l lesson) error {
		e, err := evaluated(ctx, l.model, r.Checkpoint, test, nil)
		if err != nil {
			return err
		}
		last := r.Epochs[len(r.Epochs)-1]
		rows = append(rows, name)
		values = append(values, []float64{float64(last.Number), last.Train.Loss(), e.Loss(), e.Accuracy()})
		return nil
	}
	for i, remedy := range all {
		b.doing("training: %s", remedy.name)
		l := plain
		remedy.apply(&l)
		r, err := teach(ctx, l)
		if err != nil {
			return err
		}
		learnt, verified := curvesOf(remedy.name, r)
		panels[0].Series, panels[1].Series = append(panels[0].Series, learnt), append(panels[1].Series, verified)
		if i == 0 {
			best = 1 + lowest(verified.Y)
		}
		if err := row(remedy.name, r, l); err != nil {
			return err
		}
	}
	// The same run again, which has the same bits, as far as the epoch whose validation loss was least.
	b.doing("training: early stopping")
	early := plain
	early.epochs = best
	r, err := teach(ctx, early)
	if err != nil {
		return err
	}
	if err := row("early stopping", r, early); err != nil {
		return err
	}
	b.say("A dense network of two hidden layers of 300 units, %d parameters for %d images of MNIST. Left to itself it learns them by heart: the training loss goes to 0 "+
		"while the validation loss, on %d other images, is least after epoch %d and grows from there on. The test is on %d more, which nothing was chosen by.",
		300*785+300*301+10*301, plain.learn.Len(), plain.verify.Len(), best, test.Len())
	b.table("against it", []string{"epochs", "training loss", "test loss", "test accuracy"}, rows, values, "%.4g")
	b.numbers(number{"validation loss of nothing, last over least", over(panels[1].Series[0].Y), "%.2f"})
	return b.draw("overfit", fmt.Sprintf("training and validation loss by epoch, with %d remedies", len(all)-1), viz.Plot{Title: "Learning by heart", Panels: panels})
}

// curvesOf are the losses of a run on what it learnt from and on what it was validated by.
func curvesOf(name string, r *train.Result) (learnt, verified viz.Series) {
	learnt.Name, verified.Name = name, name
	for _, e := range r.Epochs {
		learnt.Y, verified.Y = append(learnt.Y, e.Train.Loss()), append(verified.Y, e.Validation.Loss())
	}
	return learnt, verified
}

// lowest is the place of the least value.
func lowest(v []float64) (at int) {
	for i := range v {
		if v[i] < v[at] {
			at = i
		}
	}
	return at
}

// over is the last value over the least.
func over(v []float64) float64 { return v[len(v)-1] / v[lowest(v)] }
