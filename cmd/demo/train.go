package main

import (
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
	Limit  int     `json:"limit,omitempty"` // images; 0 is all
	Engine string  `json:"engine"`
	VM     string  `json:"vm"` // what computes losses and gradients
}

func trainCommand(ctx context.Context, c *call) error {
	var s settings
	c.StringVar(&s.Model, "model", "lenet", "one of "+list(models()))
	c.StringVar(&s.Data, "data", "mnist", "mnist, or a `folder` with the four MNIST files")
	c.IntVar(&s.Epochs, "epochs", 8, "passes over the training images, in total")
	c.IntVar(&s.Batch, "batch", 64, "images a step")
	c.Float64Var(&s.LR, "lr", 0, "learning rate at the start; 0 is the model's own")
	c.Uint64Var(&s.Seed, "seed", 1, "fixes initialisation and shuffling")
	c.StringVar(&s.Engine, "engine", "cpu", "one of "+list(engines()))
	c.StringVar(&s.VM, "vm", "plexaura", "what computes losses and gradients: plexaura, or gorgonia, whose TapeMachine leaves the engine the updates")
	c.IntVar(&s.Limit, "limit", 0, "train on the first `N` images alone; 0 is all")
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
	if s.LR == 0 {
		s.LR = m.lr
	}
	ds, err := loadData(s.Data, m.image, m.preprocess)
	if err != nil {
		return err
	}
	if s.Limit > 0 {
		ds.train = data.Limit(ds.train, s.Limit)
	}
	r := trainRun{settings: s, model: m, engine: e, derive: derive, data: ds, folder: folder, from: from, out: c.stdout}
	if from == nil {
		if err := r.makeRoom(); err != nil {
			return err
		}
	}
	return r.train(ctx)
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
	case s.Limit < 0:
		return usagef("-limit %d: at least 1, or 0 for all", s.Limit)
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
	if old.VM == "" { // a run of an earlier version
		old.VM = given.VM
	}
	*s = old
	var conflict error
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "epochs":
			s.Epochs = given.Epochs
		case "engine":
			s.Engine = given.Engine
		case "vm":
			s.VM = given.VM
		case "model", "data", "batch", "lr", "seed", "limit":
			if given.value(f.Name) != old.value(f.Name) && conflict == nil {
				conflict = usagef("-resume: the run in %s has -%s %v, not %v; leave the flag out, or begin a new run", folder, f.Name, old.value(f.Name), given.value(f.Name))
			}
		}
	})
	return from, conflict
}

// value is the setting that a flag sets.
func (s settings) value(flag string) any {
	return map[string]any{"model": s.Model, "data": s.Data, "batch": s.Batch, "lr": s.LR, "seed": s.Seed, "limit": s.Limit}[flag]
}

// trainRun is one use of the train command, checked and loaded.
type trainRun struct {
	settings settings
	model    model
	engine   engine.Engine
	derive   train.Deriver // nil: our VM
	data     splits
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

// schedule halves the learning rate every second epoch; it does not depend on the total, so
// that a longer run goes on where a shorter one stopped.
func (r trainRun) schedule() optim.Schedule {
	perEpoch := (r.data.train.Len()-1)/r.settings.Batch + 1
	return optim.Step{Every: 2 * perEpoch, Gamma: .5}
}

func (r trainRun) train(ctx context.Context) error {
	s := r.settings
	fmt.Fprintf(r.out, "%s on %s: %d images to train on, %d for validation, seed %d, %sengine %s, into %s\n",
		s.Model, s.Data, r.data.train.Len(), r.data.validation.Len(), s.Seed, r.others(), r.engine.Name(), r.folder)
	show := newProgress(r.out, s.Epochs)
	start := time.Now()
	result, err := train.Fit(ctx, train.Config{
		Model: r.model.layer, Name: s.Model, Loss: r.model.loss,
		Train: r.data.train, Validation: r.data.validation,
		Engine: r.engine, Derive: r.derive,
		Optimizer: optim.Recipe{Rule: optim.SGD{LR: s.LR, Momentum: .9}, Schedule: r.schedule()},
		Epochs:    s.Epochs, Batch: s.Batch, Seed: s.Seed,
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
	p, err := train.NewPredictor(r.model.layer, result.Checkpoint, r.engine)
	if err != nil {
		return err
	}
	ev, err := p.Evaluate(ctx, r.data.test, r.model.loss)
	if err != nil {
		return err
	}
	if err := drawConfusion(filepath.Join(r.folder, "confusion.png"), r.settings.Model, p.Info().Classes, ev); err != nil {
		return err
	}
	fmt.Fprintf(r.out, "test: loss %.4f, %s, after %.1f s\n", ev.Loss(), accuracyLine(ev), took.Seconds())
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
