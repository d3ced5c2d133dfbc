package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/viz"
)

// settings are what decides the result of a run; they are kept in its folder.
type settings struct {
	Model  string  `json:"model"`
	Data   string  `json:"data"`
	Epochs int     `json:"epochs"` // in total
	Batch  int     `json:"batch"`
	LR     float64 `json:"lr"`
	Seed   uint64  `json:"seed"`
	// Schedule is the name of one; empty in runs from before there were any.
	Schedule string  `json:"schedule,omitempty"`
	Step     int     `json:"step,omitempty"` // epochs; 0 is the model's own
	Gamma    float64 `json:"gamma,omitempty"`
	Decay    float64 `json:"decay,omitempty"`
	Limit    int     `json:"limit,omitempty"` // images; 0 is all
	Test     int     `json:"test_limit,omitempty"`
	Engine   string  `json:"engine"`
	// Augment is the recipe's name; empty in runs from before there were any.
	Augment string `json:"augment,omitempty"`
	VM      string `json:"vm"` // what computes losses and gradients
}

func trainCommand(ctx context.Context, c *call) error {
	var s settings
	c.StringVar(&s.Model, "model", "lenet", "one of "+list(models()))
	c.StringVar(&s.Data, "data", "mnist", dataUsage)
	c.IntVar(&s.Epochs, "epochs", 8, "passes over the training images, in total")
	c.IntVar(&s.Batch, "batch", 64, "images a step")
	c.Float64Var(&s.LR, "lr", 0, "the largest learning rate of the schedule; 0 is the model's own")
	c.StringVar(&s.Schedule, "schedule", "", "how the learning rate changes: "+list(schedules())+"; empty is the model's own")
	c.IntVar(&s.Step, "step", 0, "with -schedule steps, multiply the learning rate by -gamma every `N` epochs; 0 is the model's own")
	c.Float64Var(&s.Gamma, "gamma", 0, "see -step; 0 is the model's own")
	c.Uint64Var(&s.Seed, "seed", 1, "fixes initialisation, shuffling and augmentation")
	c.StringVar(&s.Augment, "augment", "none", "how training images are changed at random: "+list(recipes()))
	workers := c.Int("workers", 1, "goroutines that load images ahead; 0 is none")
	c.StringVar(&s.Engine, "engine", "cpu", "one of "+list(engines()))
	c.StringVar(&s.VM, "vm", "plexaura", "what computes losses and gradients: plexaura, or gorgonia, whose TapeMachine leaves the engine the updates")
	c.IntVar(&s.Limit, "limit", 0, "train on the first `N` images alone; 0 is all")
	c.IntVar(&s.Test, "test-limit", 0, "validate and test on the first `N` images of each alone; 0 is all")
	c.Float64Var(&s.Decay, "decay", 0, "weight decay, such as 5e-4: adds so much of a parameter to its gradient")
	out := c.String("out", "", "run `folder` (default runs/MODEL)")
	resume := c.Bool("resume", false, "go on with the run in -out")
	if err := c.parse(false); err != nil {
		return err
	}
	folder := *out
	if folder == "" {
		folder = filepath.Join("runs", s.Model)
	}
	var from *train.Checkpoint
	if *resume {
		var err error
		if from, err = s.takeUp(c.FlagSet, folder); err != nil {
			return err
		}
	}
	if err := s.check(); err != nil {
		return err
	}
	if *workers < 0 {
		return usagef("-workers %d: at least 0", *workers)
	}
	m, err := findModel(s.Model)
	if err != nil {
		return err
	}
	e, err := findEngine(s.Engine)
	if err != nil {
		return err
	}
	derive, err := findVM(s.VM)
	if err != nil {
		return err
	}
	if err := s.fill(m); err != nil {
		return err
	}
	how, err := findRecipe(cmp.Or(s.Augment, "none"))
	if err != nil {
		return err
	}
	ds, err := loadData(s.Data, how.from(m.image), m.image, m.preprocess)
	if err != nil {
		return err
	}
	ds.limit(s.Limit, s.Test)
	r := trainRun{settings: s, model: m, engine: e, derive: derive, data: ds, folder: folder, from: from, out: c.stdout}
	r.augment, r.workers = how.augment(m.image.Int(1)), *workers
	if from == nil {
		if err := r.makeRoom(); err != nil {
			return err
		}
	}
	return r.train(ctx)
}

// fill puts the model's own settings where none are given.
func (s *settings) fill(m model) error {
	s.LR, s.Schedule = cmp.Or(s.LR, m.lr), cmp.Or(s.Schedule, m.schedule)
	if s.Schedule == bySteps {
		s.Step, s.Gamma = cmp.Or(s.Step, m.step), cmp.Or(s.Gamma, m.gamma)
		return nil
	}
	if s.Step != 0 || s.Gamma != 0 {
		return usagef("-step and -gamma are of -schedule %s, not of %s", bySteps, s.Schedule)
	}
	return nil
}

// check refuses settings that cannot be trained with.
func (s settings) check() error {
	switch {
	case s.Epochs < 1:
		return usagef("-epochs %d: at least 1", s.Epochs)
	case s.Batch < 1:
		return usagef("-batch %d: at least 1", s.Batch)
	case s.LR < 0 || math.IsNaN(s.LR) || math.IsInf(s.LR, 0):
		return usagef("-lr %v: a positive number", s.LR)
	case s.Schedule != "" && schedules()[s.Schedule] == nil:
		return usagef("no schedule %q; there are %s", s.Schedule, list(schedules()))
	case s.Step < 0:
		return usagef("-step %d: at least 1 epoch, or 0 for the model's own", s.Step)
	case s.Gamma < 0 || s.Gamma > 1 || math.IsNaN(s.Gamma):
		return usagef("-gamma %v: a number above 0 and up to 1", s.Gamma)
	case s.Decay < 0 || math.IsNaN(s.Decay) || math.IsInf(s.Decay, 0):
		return usagef("-decay %v: a positive number, or 0 for none", s.Decay)
	case s.Limit < 0:
		return usagef("-limit %d: at least 1, or 0 for all", s.Limit)
	case s.Test < 0:
		return usagef("-test-limit %d: at least 1, or 0 for all", s.Test)
	}
	return nil
}

// takeUp loads the checkpoint in folder and its settings. Flags may change the number of
// epochs, the engine and the VM; others that differ are an error, since the run would be another.
func (s *settings) takeUp(flags *flag.FlagSet, folder string) (*train.Checkpoint, error) {
	from, err := train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
	if err != nil {
		return nil, fmt.Errorf("-resume: %w", err)
	}
	var old settings
	if err := json.Unmarshal(from.Settings, &old); err != nil {
		return nil, fmt.Errorf("-resume: the settings in %s: %w", folder, err)
	}
	given := *s
	old.VM, old.Schedule = cmp.Or(old.VM, given.VM), cmp.Or(old.Schedule, bySteps) // a run of an earlier version has none
	*s = old
	var conflict error
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "epochs":
			if old.Schedule != bySteps && given.Epochs != old.Epochs && conflict == nil {
				conflict = usagef("-resume: the learning rate of the run in %s has its end after %d epochs, -schedule %s; leave -epochs out, or begin a new run", folder, old.Epochs, old.Schedule)
			}
			s.Epochs = given.Epochs
		case "engine":
			s.Engine = given.Engine
		case "vm":
			s.VM = given.VM
		case "model", "data", "batch", "lr", "schedule", "step", "gamma", "decay", "seed", "limit", "test-limit", "augment":
			if given.value(f.Name) != old.value(f.Name) && conflict == nil {
				conflict = usagef("-resume: the run in %s has -%s %v, not %v; leave the flag out, or begin a new run", folder, f.Name, old.value(f.Name), given.value(f.Name))
			}
		}
	})
	return from, conflict
}

// value is the setting that a flag sets.
func (s settings) value(flag string) any {
	return map[string]any{
		"model": s.Model, "data": s.Data, "batch": s.Batch, "lr": s.LR, "schedule": s.Schedule, "step": s.Step, "gamma": s.Gamma, "decay": s.Decay,
		"seed": s.Seed, "limit": s.Limit, "test-limit": s.Test, "augment": cmp.Or(s.Augment, "none"),
	}[flag]
}

// trainRun is one use of the train command, checked and loaded.
type trainRun struct {
	settings settings
	model    model
	engine   engine.Engine
	derive   train.Deriver // nil: our VM
	data     splits
	augment  data.Augmentation // nil for none
	workers  int
	folder   string
	from     *train.Checkpoint
	out      io.Writer
}

// makeRoom moves an earlier run in the folder aside, so that nothing is lost.
func (r trainRun) makeRoom() error {
	if _, err := os.Stat(filepath.Join(r.folder, train.CheckpointFile)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for i := 1; ; i++ {
		aside := fmt.Sprintf("%s-%d", filepath.Clean(r.folder), i)
		if _, err := os.Stat(aside); err == nil {
			continue
		}
		fmt.Fprintf(r.out, "moving the earlier run in %s to %s\n", r.folder, aside)
		return os.Rename(r.folder, aside)
	}
}

func (r trainRun) schedule() optim.Schedule {
	perEpoch := (r.data.train.Len()-1)/r.settings.Batch + 1
	return schedules()[r.settings.Schedule](r.settings, perEpoch)
}

func (r trainRun) train(ctx context.Context) error {
	s := r.settings
	fmt.Fprintf(r.out, "%s on %s: %d images to train on, %d for validation, seed %d, %sengine %s, into %s\n",
		s.Model, s.Data, r.data.train.Len(), r.data.validation.Len(), s.Seed, r.others(), r.engine.Name(), r.folder)
	workers := r.workers
	if workers == 0 {
		workers = -1
	}
	show := newProgress(r.out, s.Epochs)
	start := time.Now()
	result, err := train.Fit(ctx, train.Config{
		Model: r.model.layer(r.data.train.Info()), Name: s.Model, Loss: r.model.loss,
		Train: r.data.train, Validation: r.data.validation,
		Engine: r.engine, Derive: r.derive,
		Optimizer: optim.Recipe{Rule: optim.SGD{LR: s.LR, Momentum: .9, WeightDecay: s.Decay}, Schedule: r.schedule()},
		Epochs:    s.Epochs, Batch: s.Batch, Seed: s.Seed,
		Augment: r.augment, Workers: workers,
		Resume: r.from, Folder: r.folder, Settings: s,
		OnStep: show.step, OnEpoch: show.epoch,
	})
	show.end()
	if result != nil && len(result.Epochs) > 0 {
		if err := r.drawCurves(result.Epochs); err != nil {
			return err
		}
	}
	if errors.Is(err, context.Canceled) && result != nil {
		return fmt.Errorf("stopped at a whole step and saved; go on with: demo train -resume -out %s", r.folder)
	}
	if err != nil {
		return err
	}
	return r.finish(ctx, result, time.Since(start))
}

// others names what computes besides the engine.
func (r trainRun) others() string {
	if r.derive == nil {
		return ""
	}
	return "gradients by " + r.settings.VM + ", updates and the test by "
}

// finish tests the trained model, once.
func (r trainRun) finish(ctx context.Context, result *train.Result, took time.Duration) error {
	p, err := train.NewPredictor(r.model.layer(r.data.train.Info()), result.Checkpoint, r.engine)
	if err != nil {
		return err
	}
	ds, name := r.data.last()
	ev, err := p.Evaluate(ctx, ds, r.model.loss)
	if ctx.Err() != nil {
		return fmt.Errorf("stopped while testing; the trained weights are saved, test them with: demo eval -weights %s", filepath.Join(r.folder, train.CheckpointFile))
	}
	if err != nil {
		return err
	}
	if err := drawConfusion(filepath.Join(r.folder, "confusion.png"), r.settings.Model, p.Info().Classes, ev); err != nil {
		return err
	}
	fmt.Fprintf(r.out, "%s: loss %.4f, %s, after %.1f s\n", name, ev.Loss(), accuracyLine(ev), took.Seconds())
	fmt.Fprintf(r.out, "saved in %s: %s, %s, %s, curves.png, confusion.png\n", r.folder, train.CheckpointFile, train.MetricsFile, train.SettingsFile)
	return nil
}

func accuracyLine(e train.Evaluation) string {
	return fmt.Sprintf("accuracy %.4f (%d/%d)", e.Accuracy(), e.Correct, e.Labels)
}

func (r trainRun) drawCurves(epochs []train.Epoch) error {
	training, validation := curve{name: "training"}, curve{name: "validation"}
	for _, e := range epochs {
		training.add(e.Number, e.Train)
		if e.Validation != nil {
			validation.add(e.Number, *e.Validation)
		}
	}
	img, err := viz.Curves{
		Title:    r.settings.Model + " on " + r.settings.Data,
		Loss:     []viz.Series{training.series(training.loss), validation.series(validation.loss)},
		Accuracy: []viz.Series{training.series(training.accuracy), validation.series(validation.accuracy)},
	}.Render()
	if err != nil {
		return err
	}
	return viz.WritePNG(filepath.Join(r.folder, "curves.png"), img)
}

// curve collects the metrics of one part of the data.
type curve struct {
	name                   string
	epochs, loss, accuracy []float64
}

func (c *curve) add(epoch int, m train.Metrics) {
	c.epochs = append(c.epochs, float64(epoch))
	c.loss = append(c.loss, m.Loss())
	c.accuracy = append(c.accuracy, m.Accuracy())
}

func (c *curve) series(y []float64) viz.Series { return viz.Series{Name: c.name, X: c.epochs, Y: y} }

func drawConfusion(path, title string, classes []string, e train.Evaluation) error {
	img, err := viz.Confusion{Title: title, Classes: classes, Counts: e.Confusion}.Render()
	if err != nil {
		return err
	}
	return viz.WritePNG(path, img)
}
