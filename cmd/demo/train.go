package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/viz"
	"github.com/plexaura/plexaura/vm"
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
	// Metrics are the names of further metrics, with commas; Best is the one that decides.
	Metrics  string `json:"metrics,omitempty"`
	Best     string `json:"best,omitempty"`
	Patience int    `json:"patience,omitempty"` // epochs; 0 is without end
	// Shards is the number of parts of a batch; 0 in runs that compute it whole.
	Shards int  `json:"shards,omitempty"`
	Local  bool `json:"local_batchnorm,omitempty"`

	transferring
	learning
	streaming
}

func trainCommand(ctx context.Context, c *call) (err error) {
	r := trainRun{call: c}
	resume := r.declare()
	if err := c.parse(false); err != nil {
		return alike(err)
	}
	if r.followed, err = c.follow(r.followed); err != nil {
		return alike(err)
	}
	if *resume && r.followed != "" {
		return alike(usagef("-resume: the run has its settings; leave -recipe out"))
	}
	if err := cmp.Or(r.recording.check(), r.checkPage(), r.measuring.check(), r.checkSearch(*resume)); err != nil {
		return alike(err)
	}
	if err := r.sharding.begin(); err != nil {
		return err
	}
	defer func() { err = r.sharding.end(err) }()
	if r.sharding.rank() > 0 {
		c.stdout.mute()
		r.ui, r.recording = "", recording{}
	}
	r.settings.shareAmong(r.sharding.group.Size())
	if err := r.printf("%s", r.followed); err != nil {
		return err
	}
	return r.run(ctx, *resume)
}

// run takes the data and the folder, and trains.
func (r *trainRun) run(ctx context.Context, resume bool) (err error) {
	if r.folder == "" {
		r.folder = filepath.Join("runs", r.settings.Model)
	}
	if err := r.take(ctx, resume); err != nil {
		return err
	}
	defer r.lock.Close()
	if r.window, err = r.openWindow(r.ui, r.stay); err != nil {
		return err
	}
	defer r.window.close()
	ds, err := await(ctx, func() (splits, error) {
		if r.settings.Stream {
			return r.loadStream(ctx)
		}
		return loadData(ctx, r.settings.Data, r.recipe.from(r.model.image), r.model.image, r.model.preprocess, r.settings.Split)
	})
	if err != nil {
		return err
	}
	if ds.train == nil && !r.settings.Stream {
		return usagef("-data: the archives in %s are compressed, so that they cannot be indexed; give -stream, or unpack them", plain.Name(r.settings.Data))
	}
	r.data = ds
	if err := ds.tell(r.call.stdout); err != nil {
		return err
	}
	r.data.limit(r.settings.Limit, r.settings.Test)
	if err := r.learn(ctx); err != nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	if r.search {
		return r.findRate(ctx)
	}
	return r.train(ctx)
}

// declare declares the flags.
func (r *trainRun) declare() (resume *bool) {
	c, s := r.call, &r.settings
	c.StringVar(&r.followed, "recipe", "", recipeUsage())
	c.StringVar(&s.Model, "model", "lenet", "one of "+list(models()))
	c.StringVar(&s.Data, "data", "mnist", dataUsage)
	c.IntVar(&s.Epochs, "epochs", 8, "passes over the training images, in total")
	c.IntVar(&s.Batch, "batch", 64, "images in a step")
	c.Float64Var(&s.LR, "lr", 0, "largest learning rate of the schedule; 0 means the model's default")
	c.StringVar(&s.Schedule, "schedule", "", "how the learning rate changes: "+list(schedules())+"; empty means the model's default")
	c.IntVar(&s.Step, "step", 0, "with -schedule steps, multiply the learning rate by -gamma every `N` epochs, with plateau after N epochs without improvement of -best, or of the loss; 0 means the model's default")
	c.Float64Var(&s.Gamma, "gamma", 0, "see -step; 0 means the model's default")
	c.Uint64Var(&s.Seed, "seed", 1, "fixes initialisation, shuffling and augmentation")
	c.StringVar(&s.Augment, "augment", "none", "random changes of the training images: "+list(recipes()))
	c.IntVar(&r.workers, "workers", 1, "goroutines that load images ahead; 0 means none")
	c.StringVar(&s.Engine, "engine", "cpu", "one of "+list(engines()))
	c.StringVar(&s.VM, "vm", "plexaura", "what computes losses and gradients: plexaura, or gorgonia's TapeMachine, with which -engine computes only the updates")
	c.IntVar(&s.Limit, "limit", 0, "train on only the first `N` images; 0 means all")
	c.IntVar(&s.Test, "test-limit", 0, "validate and test on only the first `N` images of each; 0 means all")
	c.Float64Var(&s.Decay, "decay", 0, "weight decay, such as 5e-4: this multiple of each parameter is added to its gradient")
	s.learning.declare(c)
	s.streaming.declare(c)
	r.measuring.declare(c, s)
	c.BoolVar(&r.search, "find-lr", false, findUsage)
	r.recording.declare(c)
	r.sharding.declare(c, &s.Shards, &s.Local)
	s.transferring.declare(c)
	c.StringVar(&r.folder, "out", "", "run `folder` (default runs/MODEL)")
	c.StringVar(&r.ui, "ui", "", uiUsage+", on which the run can be watched and stopped; empty means no page")
	c.BoolVar(&r.stay, "stay", true, "with -ui, keep serving the page after training, until Ctrl-C, to draw digits")
	return c.Bool("resume", false, "continue the run in -out")
}

// take checks the settings and takes the folder, with the checkpoint in it where that is to go on.
func (r *trainRun) take(ctx context.Context, resume bool) (err error) {
	if !resume {
		if err := r.choose(); err != nil {
			return err
		}
		return r.lockFolder()
	}
	file := filepath.Join(r.folder, train.CheckpointFile)
	if _, err := os.Stat(file); err != nil { // nor is the folder made then
		return fmt.Errorf("-resume: %w", err)
	}
	for _, picture := range []string{curvesFile, confusionFile} {
		if err := drawable(filepath.Join(r.folder, picture)); err != nil {
			return fmt.Errorf("-resume: %w", err)
		}
	}
	if err := r.lockFolder(); err != nil {
		return err
	}
	r.from, err = await(ctx, func() (*train.Checkpoint, error) { return train.LoadCheckpoint(file) })
	if err == nil {
		err = r.takeUp()
	}
	if err == nil {
		err = r.choose()
	}
	if err != nil {
		r.lock.Close()
	}
	return err
}

// lockFolder locks the folder of the run, on the rank that writes there.
func (r *trainRun) lockFolder() (err error) {
	if r.sharding.rank() > 0 {
		return nil
	}
	r.lock, err = train.LockFolder(r.folder)
	return err
}

// choose finds what the settings name.
func (r *trainRun) choose() (err error) {
	s := &r.settings
	if err := s.check(); err != nil {
		return err
	}
	if r.model, err = findModel(s.Model); err != nil {
		return err
	}
	if r.engine, err = findEngine(s.Engine); err != nil {
		return err
	}
	if r.gradients, err = findVM(s.VM); err != nil {
		return err
	}
	if err := cmp.Or(s.fill(r.model), r.measuring.choose(*s)); err != nil {
		return err
	}
	r.recipe, err = findRecipe(cmp.Or(s.Augment, "none"))
	return err
}

// fill puts the model's own settings where none are given.
func (s *settings) fill(m model) error {
	if err := s.fillStream(); err != nil {
		return err
	}
	s.LR, s.Schedule = cmp.Or(s.LR, s.rule().lr, m.lr), cmp.Or(s.Schedule, m.schedule)
	if s.Schedule == bySteps || s.Schedule == onPlateau {
		s.Step, s.Gamma = cmp.Or(s.Step, m.step), cmp.Or(s.Gamma, m.gamma)
		if s.Schedule == onPlateau {
			s.Step = cmp.Or(s.Step, plateauEpochs)
		}
		return nil
	}
	if s.Step != 0 || s.Gamma != 0 {
		return usagef("-step and -gamma are of -schedule %s and %s, not of %s", bySteps, onPlateau, s.Schedule)
	}
	return nil
}

// check refuses settings that cannot be trained with; those of a run may be from anywhere.
func (s settings) check() error {
	for _, name := range slices.Sorted(maps.Keys(spans())) {
		if err := checkNumber(name, s.value(name)); err != nil {
			return err
		}
	}
	if s.Schedule != "" && schedules()[s.Schedule] == nil {
		return usagef("no schedule %q; there are %s", s.Schedule, list(schedules()))
	}
	return cmp.Or(s.transferring.check(), s.learning.check(), s.streaming.check(s))
}

// shareAmong sets the number of shards where it is not given.
func (s *settings) shareAmong(ranks int) {
	if s.Shards == 0 && ranks > 1 {
		s.Shards = ranks
	}
}

// takeUp takes up the settings of the checkpoint. Flags may change the number of epochs, the
// engine and the VM; others that differ are an error, since the run would be another.
func (r *trainRun) takeUp() error {
	var old settings
	if err := json.Unmarshal(r.from.Settings, &old); err != nil {
		return fmt.Errorf("-resume: the settings in %s: %w", r.folder, err)
	}
	given := r.settings
	old.VM, old.Schedule = cmp.Or(old.VM, given.VM), cmp.Or(old.Schedule, bySteps) // a run of an earlier version has none
	if err := old.check(); err != nil {
		return fmt.Errorf("-resume: the settings in %s: %v", r.folder, err)
	}
	r.settings = old
	var conflict error
	r.call.Visit(func(f *flag.Flag) {
		name := f.Name
		_, learns := old.learning.value(name)
		if _, streams := old.streaming.value(name); learns || streams {
			name = "augment" // is refused in the same way
		}
		switch name {
		case "epochs":
			r.settings.Epochs = given.Epochs
			conflict = cmp.Or(conflict, r.epochsOf(old, given.Epochs))
		case "engine":
			r.settings.Engine = given.Engine
		case "vm":
			r.settings.VM = given.VM
		case "patience":
			r.settings.Patience = given.Patience
		case "metrics", "best", "model", "data", "batch", "lr", "schedule", "step", "gamma", "decay", "seed", "limit", "test-limit", "augment", "shards", "local-batchnorm",
			"from", "partial", "replace", "head", "freeze", "unfreeze-at", "lr-scale":
			if given.value(f.Name) != old.value(f.Name) && conflict == nil {
				conflict = usagef("-resume: the run in %s has -%s %v, not %v; leave the flag out, or begin a new run", r.folder, f.Name, old.value(f.Name), given.value(f.Name))
			}
		}
	})
	return conflict
}

// epochsOf refuses another number of epochs where the run cannot have it.
func (r *trainRun) epochsOf(old settings, epochs int) error {
	done := len(r.from.Progress.Epochs)
	switch begun := r.from.Progress.Batch > 0; {
	case old.Schedule != bySteps && old.Schedule != onPlateau && epochs != old.Epochs:
		return usagef("-resume: the learning rate of the run in %s has its end after %d epochs, -schedule %s; leave -epochs out, or begin a new run", r.folder, old.Epochs, old.Schedule)
	case epochs < done:
		return usagef("-resume: the run in %s has %d epochs already, and -epochs %d is the total; give more, or leave it out", r.folder, done, epochs)
	case epochs == done && begun:
		return usagef("-resume: the run in %s is in epoch %d already, and -epochs %d is the total; give more, or leave it out", r.folder, done+1, epochs)
	}
	return nil
}

// value is the setting that a flag sets; nil for a flag that sets none.
func (s settings) value(flag string) any {
	if v, ok := s.transferring.values()[flag]; ok {
		return v
	}
	if v, ok := s.learning.value(flag); ok {
		return v
	}
	if v, ok := s.streaming.value(flag); ok {
		return v
	}
	return map[string]any{
		"model": s.Model, "data": s.Data, "batch": s.Batch, "lr": s.LR, "schedule": s.Schedule, "step": s.Step, "gamma": s.Gamma, "decay": s.Decay,
		"seed": s.Seed, "limit": s.Limit, "test-limit": s.Test, "augment": cmp.Or(s.Augment, "none"), "epochs": s.Epochs,
		"metrics": s.Metrics, "best": s.Best, "patience": s.Patience, "shards": s.Shards, "local-batchnorm": s.Local,
	}[flag]
}

// trainRun is one use of the train command.
type trainRun struct {
	call      *call
	settings  settings
	model     model
	engine    engine.Engine
	gradients train.GradientsFunc // nil: our VM
	recipe    recipe
	workers   int
	data      splits
	folder    string
	lock      *train.FolderLock // of the folder, until the command ends
	from      *train.Checkpoint // to be resumed
	initial   *vm.Store         // the weights of -from; nil if there are none
	ui        string            // where the page is to be; empty is nowhere
	stay      bool              // the page stays after training
	window    *window           // the page; nil where there is none

	recording recording
	measuring measuring
	search    bool // for a learning rate, instead of training
	sharding  sharding
	draw      []float64 // the weights of the training images; nil without -balance
	followed  string    // the recipe's name, then the line that tells of it
}

func (r *trainRun) schedule() optim.Schedule {
	perEpoch := r.settings.Steps
	if r.data.train != nil {
		perEpoch = data.Batching{Size: r.settings.Batch, DropLast: r.settings.DropLast}.Batches(r.data.train.Len())
	}
	return schedules()[r.settings.Schedule](r.settings, perEpoch)
}

// printf prints to the standard output.
func (r *trainRun) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(r.call.stdout, format, args...)
	return err
}

func (r *trainRun) train(ctx context.Context) error {
	s := r.settings
	err := r.printf("%s on %s: %s to train on, %d for validation, seed %d, %sengine %s, into %s\n",
		s.Model, plain.Name(s.Data), r.data.source(), r.data.validation.Len(), s.Seed, r.others(), r.engine.Name(), plain.Name(r.folder))
	if err != nil {
		return err
	}
	show := newProgress(r.call.stdout, s.Epochs)
	start := time.Now()
	config := r.config(show)
	if config.Observe, err = r.recording.begin(); err != nil {
		return err
	}
	r.window.attach(&config)
	result, err := train.Fit(ctx, config)
	r.sharding.ended(err)
	r.window.finish(result, err)
	show.end()
	if recorded := r.recording.end(r.call.stdout); err == nil {
		err = recorded
	}
	if result == nil || r.sharding.rank() > 0 {
		return err
	}
	if result.Earlier != "" {
		if err := r.printf("the earlier run in %s has been moved to %s\n", plain.Name(r.folder), plain.Name(result.Earlier)); err != nil {
			return err
		}
	}
	if len(result.Epochs) > 0 && (result.Saved || errors.Is(err, vm.ErrNotFinite)) {
		if err := r.drawCurves(result.Epochs); err != nil {
			return err
		}
	}
	if errors.Is(err, context.Canceled) {
		return r.stopped(result, err)
	}
	if err != nil {
		return err
	}
	if r.window.stopped() && len(result.Epochs) < s.Epochs {
		err = r.printf("%v\n", r.stopped(result, nil))
	} else {
		err = r.finish(ctx, result, time.Since(start))
	}
	return cmp.Or(err, r.window.linger(ctx))
}

func (r *trainRun) config(show *progress) train.Config {
	s, side := r.settings, r.model.image.Int(1)
	workers := r.workers
	if workers == 0 {
		workers = -1
	}
	c := train.Config{
		Model: r.model.layer(r.data.info()), Name: s.Model, Loss: r.model.loss,
		Train: r.data.train, Validation: r.data.validation,
		Engine: r.engine, Gradients: r.gradients,
		Epochs: s.Epochs, Batch: s.Batch, Seed: s.Seed,
		Augment: r.recipe.augment(side), Workers: workers,
		Resume: r.from, Lock: r.lock, Settings: s,
		Store: r.initial, Freeze: parts(s.Freeze), UnfreezeAt: s.UnfreezeAt,
		OnStep: show.step, OnEpoch: show.epoch,
		Parallel: r.sharding.config(s.Shards, s.Local),
	}
	s.streaming.attach(&c, r.data.stream)
	s.learning.attach(&c, s.LR, s.Decay, r.schedule(), s.Schedule == onPlateau, r.draw, s.groups(s.LR))
	r.measuring.attach(&c, s)
	return c
}

// stopped says what an interrupted run leaves in its folder.
func (r *trainRun) stopped(result *train.Result, err error) error {
	p := result.Checkpoint.Progress
	switch {
	case result.Saved:
		return fmt.Errorf("stopped at a whole step and saved; go on with: %s", r.call.line("train", "-resume", "-out", r.folder))
	case len(p.Epochs) == 0 && p.Batch == 0:
		return fmt.Errorf("stopped before the first step; nothing is saved, and %s is as it was", r.folder)
	}
	return err // it could not be saved
}

// others names what computes besides the engine.
func (r *trainRun) others() string {
	if r.gradients == nil {
		return ""
	}
	return "gradients by " + r.settings.VM + ", updates and the test by "
}

// finish tests the trained model, once.
func (r *trainRun) finish(ctx context.Context, result *train.Result, took time.Duration) error {
	weights, err := r.chosen(result)
	if err != nil {
		return err
	}
	m, err := r.model.seen(r.settings.TTA, r.data.info().Input)
	if err != nil {
		return err
	}
	p, err := train.NewPredictor(m.layer(r.data.info()), weights, r.engine)
	if err != nil {
		return err
	}
	ds, name := r.data.last()
	ev, err := await(ctx, func() (train.Evaluation, error) { return p.Evaluate(ctx, ds, r.model.loss, r.measuring.metrics...) })
	if errors.Is(err, errInterrupted) {
		return fmt.Errorf("stopped while testing; the trained weights are saved, test them with: %s",
			r.call.line("eval", "-tta", cmp.Or(r.settings.TTA, noViews), "-weights", filepath.Join(r.folder, train.CheckpointFile)))
	}
	if err != nil {
		return err
	}
	if err := drawConfusion(filepath.Join(r.folder, confusionFile), r.settings.Model, p.Info().Classes, ev); err != nil {
		return err
	}
	if err := r.printf("%s: loss %.4f, %s%s, after %.1f s\n", name, ev.Loss(), accuracyLine(ev), valuesLine(ev.Metrics), took.Seconds()); err != nil {
		return err
	}
	return r.printf("saved in %s: %s\n", plain.Name(r.folder),
		strings.Join([]string{train.CheckpointFile, train.MetricsFile, train.SettingsFile, curvesFile, confusionFile}, ", "))
}

func accuracyLine(e train.Evaluation) string {
	return fmt.Sprintf("accuracy %.4f (%d/%d)", e.Accuracy(), e.Correct, e.Labels)
}

func (r *trainRun) drawCurves(epochs []train.Epoch) error {
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
		More:     morePanels(epochs),
	}.Render()
	if err != nil {
		return err
	}
	return viz.WritePNG(filepath.Join(r.folder, curvesFile), img)
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

// The pictures that a run has in its folder.
const curvesFile, confusionFile = "curves.png", "confusion.png"

// drawable says at once, rather than after hours, that no picture can be written to path, which is
// empty where none is asked for.
func drawable(path string) error {
	if path == "" {
		return nil
	}
	return regular.Replaceable(path)
}

func drawConfusion(path, title string, classes []string, e train.Evaluation) error {
	img, err := viz.Confusion{Title: title, Classes: classes, Counts: e.Confusion}.Render()
	if err != nil {
		return err
	}
	return viz.WritePNG(path, img)
}
