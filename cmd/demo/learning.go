package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/data/imagefolder"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

// learning are the settings that say what is minimised, by which rule, and from which examples. Empty
// ones are those of runs from before there were any.
type learning struct {
	Optimizer    string  `json:"optimizer,omitempty"`
	Loss         string  `json:"loss,omitempty"`
	ClassWeights string  `json:"class_weights,omitempty"`
	IgnoreLabel  string  `json:"ignore_label,omitempty"`
	Balance      bool    `json:"balance,omitempty"`
	DropLast     bool    `json:"drop_last,omitempty"`
	Mix          string  `json:"mix,omitempty"`
	Split        float64 `json:"split,omitempty"`
	SkipDamaged  bool    `json:"skip_damaged,omitempty"`
	TTA          string  `json:"tta,omitempty"` // of the test at the end
}

func (l *learning) declare(c *call) {
	c.StringVar(&l.Optimizer, "optimizer", defaultRule, "the update rule: "+list(rules())+"; of those but sgd, -lr 0 means the rule's default")
	c.StringVar(&l.Loss, "loss", "", "what is minimised: "+list(lossesByName())+"; empty means the model's own")
	c.StringVar(&l.ClassWeights, "class-weights", "", "with cross-entropy, the weight of each class, a `list` with commas, or balanced: the rarer a class, the more its images count")
	c.StringVar(&l.IgnoreLabel, "ignore-label", "", "with cross-entropy, a `class`, by its name or number, whose images do not count in the loss; the accuracy counts them")
	c.BoolVar(&l.Balance, "balance", false, "draw the training images, with repetition, such that all classes come equally often")
	c.BoolVar(&l.DropLast, "drop-last", false, "leave the last batch of an epoch out if it is smaller than -batch")
	c.StringVar(&l.Mix, "mix", noMix, "combine the images of a batch: "+list(mixers()))
	c.Float64Var(&l.Split, "split", 0, splitUsage)
	c.BoolVar(&l.SkipDamaged, "skip-damaged", false, "read all images first, and leave out those that cannot be read, which are listed; without it such an image ends the run")
	c.StringVar(&l.TTA, "tta", noViews, "in the test at the end, "+ttaUsage())
}

const splitUsage = "-data is a folder of pictures in CLASS/..., of which this `fraction` is kept for validation; which ones depends on their names only"

const (
	defaultRule  = "sgd"
	noMix        = "none"
	noViews      = "none"
	crossEntropy = "cross-entropy"
	balanced     = "balanced"
)

// rule is an update rule that the -optimizer flag knows by name.
type rule struct {
	lr   float64 // that -lr 0 means; 0 is the model's own
	make func(lr, decay float64) optim.Rule
}

func rules() map[string]rule {
	return map[string]rule{
		defaultRule: {0, func(lr, decay float64) optim.Rule { return optim.SGD{LR: lr, Momentum: .9, WeightDecay: decay} }},
		"adam":      {1e-3, func(lr, decay float64) optim.Rule { return optim.Adam{LR: lr, WeightDecay: decay} }},
		"adamw":     {1e-3, adamW},
		"rmsprop":   {1e-3, func(lr, decay float64) optim.Rule { return optim.RMSProp{LR: lr, WeightDecay: decay} }},
		"muon":      {.02, func(lr, decay float64) optim.Rule { return optim.Muon{LR: lr, WeightDecay: decay} }},
		"lion":      {1e-4, func(lr, decay float64) optim.Rule { return optim.Lion{LR: lr, WeightDecay: decay} }},
		"lamb":      {5e-3, func(lr, decay float64) optim.Rule { return optim.LAMB{LR: lr, WeightDecay: decay} }},
	}
}

// adamW without decay is Adam, since 0 means a default there.
func adamW(lr, decay float64) optim.Rule {
	if decay == 0 {
		return optim.Adam{LR: lr}
	}
	return optim.AdamW{LR: lr, WeightDecay: decay}
}

// rule returns the one of the settings.
func (l learning) rule() rule { return rules()[cmp.Or(l.Optimizer, defaultRule)] }

func lossesByName() map[string]train.Loss {
	return map[string]train.Loss{
		crossEntropy: func(logits, target *graph.Node) *graph.Node { return ops.CrossEntropy(logits, target) },
		"focal":      func(logits, target *graph.Node) *graph.Node { return ops.FocalLoss(logits, target) },
	}
}

func mixers() map[string]func(classes int) data.Mixer {
	return map[string]func(classes int) data.Mixer{
		noMix:    func(int) data.Mixer { return nil },
		"mixup":  func(int) data.Mixer { return augment.MixUp{} },
		"cutmix": func(int) data.Mixer { return augment.CutMix{} },
	}
}

func (l learning) mixer() data.Mixer { return mixers()[cmp.Or(l.Mix, noMix)](0) }

// check refuses what is known to be wrong before data are read.
func (l learning) check() error {
	plainLoss := l.Loss == "" || l.Loss == crossEntropy
	switch _, known := rules()[cmp.Or(l.Optimizer, defaultRule)]; {
	case !known:
		return usagef("no optimizer %q; there are %s", l.Optimizer, list(rules()))
	case l.Loss != "" && lossesByName()[l.Loss] == nil:
		return usagef("no loss %q; there are %s", l.Loss, list(lossesByName()))
	case mixers()[cmp.Or(l.Mix, noMix)] == nil:
		return usagef("-mix %q is none; there are %s", l.Mix, list(mixers()))
	case views()[cmp.Or(l.TTA, noViews)] == nil:
		return noSuchViews(l.TTA)
	case !plainLoss && l.ClassWeights != "":
		return usagef("-class-weights are of the loss %s, not of %s", crossEntropy, l.Loss)
	case !plainLoss && l.IgnoreLabel != "":
		return usagef("-ignore-label is of the loss %s, not of %s", crossEntropy, l.Loss)
	case l.IgnoreLabel != "" && l.mixer() != nil:
		return usagef("-ignore-label: mixed images have several labels; leave -mix or -ignore-label out")
	}
	if l.ClassWeights == "" || l.ClassWeights == balanced {
		return nil
	}
	_, err := parseWeights(l.ClassWeights)
	return err
}

func parseWeights(list string) (weights []float64, err error) {
	for part := range strings.SplitSeq(list, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || !(v >= 0) || math.IsInf(v, 1) {
			return nil, usagef("-class-weights: %q is no number from 0; want one for each class, with commas, or %s", part, balanced)
		}
		weights = append(weights, v)
	}
	return weights, nil
}

// value is the setting that a flag sets.
func (l learning) value(flag string) (v any, ok bool) {
	v, ok = map[string]any{
		"optimizer": cmp.Or(l.Optimizer, defaultRule), "loss": l.Loss, "class-weights": l.ClassWeights, "ignore-label": l.IgnoreLabel,
		"balance": l.Balance, "drop-last": l.DropLast, "mix": cmp.Or(l.Mix, noMix), "split": l.Split, "skip-damaged": l.SkipDamaged, "tta": cmp.Or(l.TTA, noViews),
	}[flag]
	return v, ok
}

// loss returns what is minimised, for training data with these classes and labels; nil for the model's own.
func (l learning) loss(classes []string, labels func() ([]int32, error)) (train.Loss, error) {
	if l.ClassWeights == "" && l.IgnoreLabel == "" {
		return lossesByName()[l.Loss], nil
	}
	var o ops.CrossEntropyOptions
	if l.IgnoreLabel != "" {
		class, err := data.NewClassIndex(classes).Number(l.IgnoreLabel)
		if err != nil {
			return nil, usagef("-ignore-label: %v", err)
		}
		o.Ignore = []int{int(class)}
	}
	var err error
	switch l.ClassWeights {
	case "":
	case balanced:
		o.Weights, err = balancedWeights(classes, labels)
	default:
		o.Weights, err = parseWeights(l.ClassWeights)
		if err == nil && len(o.Weights) != len(classes) {
			err = usagef("-class-weights has %d numbers; the data have %d classes", len(o.Weights), len(classes))
		}
	}
	return func(logits, target *graph.Node) *graph.Node { return ops.CrossEntropy(logits, target, o) }, err
}

// attach sets what the settings say about the examples and the rule.
func (l learning) attach(c *train.Config, lr, decay float64, schedule optim.Schedule, scaled bool, draw []float64, groups []optim.Group) {
	c.Optimizer = optim.Recipe{Rule: l.rule().make(lr, decay), Schedule: schedule, Scaled: scaled, Groups: groups}
	c.DropLast, c.Mix, c.Weights = l.DropLast, l.mixer(), draw
}

// learn finds what depends on the data: damaged images, the loss, and weights to draw by.
func (r *trainRun) learn(ctx context.Context) error {
	l := r.settings.learning
	if l.SkipDamaged {
		if _, err := await(ctx, func() (struct{}, error) { return struct{}{}, r.data.skipDamaged(ctx, r.call.stdout, r.workers) }); err != nil {
			return err
		}
	}
	classes := r.data.info().Classes
	labels := sync.OnceValues(func() ([]int32, error) { return data.Labels(r.data.train) })
	loss, err := l.loss(classes, labels)
	if err != nil {
		return err
	}
	if loss != nil {
		r.model.loss = loss
	}
	if !l.Balance {
		return nil
	}
	byClass, err := balancedWeights(classes, labels)
	if err != nil {
		return err
	}
	all, err := labels()
	r.draw = data.ExampleWeights(all, byClass)
	return err
}

// balancedWeights returns the weights that make all classes count the same.
func balancedWeights(classes []string, labels func() ([]int32, error)) ([]float64, error) {
	all, err := labels()
	if err != nil {
		return nil, err
	}
	return data.BalancedWeights(all, len(classes))
}

// loadSplit reads a folder of pictures that has no part for validation.
func loadSplit(ctx context.Context, dir string, wide, input shape.Shape, p data.Preprocess, fraction float64) (s splits, err error) {
	switch {
	case isPictures(dir):
		return s, usagef("-split: %s has a folder %s already; leave -split out, or name the folder with the classes", plain.Name(dir), imagefolder.TrainFolder)
	case !takesPictures(p):
		return s, fmt.Errorf("%s holds pictures, the model takes images %v of a dataset", dir, input)
	}
	training, validation, err := imagefolder.Split(ctx, dir, wide, input, p, fraction)
	if err != nil {
		return s, err
	}
	if classes := training.Info().Classes; len(classes) == 1 {
		return s, fmt.Errorf("%s has pictures of only one class, %q", dir, classes)
	}
	return splits{train: training, validation: validation, leftOut: leftOut(training)}, nil
}

// skipDamaged leaves out what cannot be read, and lists it.
func (s *splits) skipDamaged(ctx context.Context, w io.Writer, workers int) error {
	for _, part := range []struct {
		ds   *data.Dataset
		name string
	}{{&s.train, "training"}, {&s.validation, "validation"}, {&s.test, "test"}} {
		if *part.ds == nil {
			continue
		}
		rest, bad, err := data.Undamaged(ctx, *part.ds, max(workers, 1))
		if err != nil {
			return fmt.Errorf("%s images: %w", part.name, err)
		}
		*part.ds = rest
		if err := tellDamaged(w, part.name, bad); err != nil {
			return err
		}
	}
	return nil
}

func tellDamaged(w io.Writer, part string, bad []data.Damaged) error {
	if len(bad) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "%d damaged %s images are left out:\n", len(bad), part)
	for _, d := range bad {
		_, e := fmt.Fprintf(w, "  %s: %s\n", plain.Name(cmp.Or(d.Path, fmt.Sprint("image ", d.Example))), plain.Line(d.Err.Error()))
		err = cmp.Or(err, e)
	}
	return err
}

// views are the ways of test-time augmentation that the -tta flag knows by name.
func views() map[string]func(l nn.Layer, side int) nn.Layer {
	shift := func(side int) int { return max(1, side/16) }
	return map[string]func(l nn.Layer, side int) nn.Layer{
		noViews: func(l nn.Layer, _ int) nn.Layer { return l },
		"flip":  func(l nn.Layer, _ int) nn.Layer { return nn.Views{Layer: l, Flip: true, Probabilities: true} },
		"shift": func(l nn.Layer, side int) nn.Layer {
			return nn.Views{Layer: l, Shift: shift(side), Probabilities: true}
		},
		"all": func(l nn.Layer, side int) nn.Layer {
			return nn.Views{Layer: l, Flip: true, Shift: shift(side), Probabilities: true}
		},
	}
}

func ttaUsage() string {
	return "average the probabilities over views of each image: flip (and its mirror image), shift (by a sixteenth in four directions), all, none"
}

// seen makes w answer by several views of each image.
func (w *trained) seen(tta string) (err error) {
	w.model, err = w.model.seen(tta, w.Info.Input)
	return err
}

// seen returns the model that answers by several views of each image, which has type input.
func (m model) seen(tta string, input shape.Type) (model, error) {
	view, ok := views()[cmp.Or(tta, noViews)]
	switch {
	case !ok:
		return m, noSuchViews(tta)
	case cmp.Or(tta, noViews) == noViews:
		return m, nil
	case input.Rank() != 3:
		return m, errors.New("-tta: the inputs are no images")
	}
	build := m.build
	m.build = func(classes int) nn.Layer { return view(build(classes), min(input.Int(1), input.Int(2))) }
	return m, nil
}

func noSuchViews(tta string) error {
	return usagef("-tta %q is none; there are %s", tta, list(views()))
}
