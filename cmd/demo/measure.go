package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/train/callbacks"
	"github.com/plexaura/plexaura/train/metrics"
	"github.com/plexaura/plexaura/viz"
)

// measuring is what is measured in a run besides loss and accuracy, and what is made of it. The
// metrics, -best and -patience are settings of the run; the files are not.
type measuring struct {
	metrics          []metrics.Metric // those of the settings
	tensorboard, csv string           // a folder and a file; empty for none

	best     *callbacks.Best          // nil without -best
	stopping *callbacks.EarlyStopping // nil without -patience
}

// metricsUsage describes the -metrics flag.
func metricsUsage() string {
	return "measure these too, a `list` with commas: " + strings.Join(metrics.Names(), ", ") + "; with .class for each class, and f1.class.3 for one"
}

func (m *measuring) declare(c *call, s *settings) {
	c.StringVar(&s.Metrics, "metrics", "", metricsUsage())
	c.StringVar(&s.Best, "best", "", "keep the weights of the epoch that is best by this `metric` of the validation images in "+callbacks.BestFile+", and test those: loss, accuracy, or one of -metrics")
	c.IntVar(&s.Patience, "patience", 0, "stop when the metric of -best, or the loss, of the validation images has not improved for `N` epochs; 0 means never")
	c.StringVar(&m.tensorboard, "tensorboard", "", "write event files for TensorBoard into this `folder`")
	c.StringVar(&m.csv, "csv", "", "write a table of the epochs into this `file`")
}

// choose finds what the settings name.
func (m *measuring) choose(s settings) (err error) {
	if m.metrics, err = parseMetrics(s.Metrics); err != nil {
		return err
	}
	if s.Best != "" && !measured(s.Best, m.metrics) {
		return usagef("-best %s: that is not measured; there are %s, and those of -metrics", plain.Name(s.Best), strings.Join(measurable(m.metrics), ", "))
	}
	return nil
}

// parseMetrics returns the metrics of a -metrics flag.
func parseMetrics(list string) ([]metrics.Metric, error) {
	all, err := metrics.Parse(list)
	if err != nil {
		return nil, usagef("-metrics: %s", strings.TrimPrefix(err.Error(), "metrics: "))
	}
	seen := map[string]bool{}
	for _, m := range all {
		if seen[m.Name()] {
			return nil, usagef("-metrics: %s is there twice", m.Name())
		}
		seen[m.Name()] = true
	}
	return all, nil
}

// measurable lists the names of what is measured.
func measurable(all []metrics.Metric) []string {
	names := []string{"loss", "accuracy"}
	for _, m := range all {
		if !slices.Contains(names, m.Name()) {
			names = append(names, m.Name())
		}
	}
	return names
}

// measured reports whether name is one of what is measured, or of one class.
func measured(name string, all []metrics.Metric) bool {
	if slices.Contains(measurable(all), name) {
		return true
	}
	one, err := metrics.Named(name)
	if c, ok := one.(metrics.PerClass); err == nil && ok && c.Average == metrics.OfClass {
		return slices.Contains(all, metrics.Metric(metrics.PerClass{Of: c.Of, Average: metrics.EachClass}))
	}
	return false
}

// check says at once what cannot be written.
func (m *measuring) check() error {
	if m.csv == "" {
		return nil
	}
	return drawable(m.csv)
}

// attach adds to a run what the settings ask for. What ends the run comes last.
func (m *measuring) attach(c *train.Config, s settings) {
	c.Metrics = m.metrics
	if m.tensorboard != "" {
		c.Callbacks = append(c.Callbacks, &callbacks.TensorBoard{Dir: m.tensorboard, Examples: c.Validation})
	}
	if m.csv != "" {
		c.Callbacks = append(c.Callbacks, &callbacks.CSV{Path: m.csv})
	}
	if s.Best != "" {
		m.best = &callbacks.Best{Metric: s.Best}
		c.Callbacks = append(c.Callbacks, m.best)
	}
	if s.Schedule == onPlateau {
		c.Callbacks = append(c.Callbacks, &callbacks.ReduceOnPlateau{Metric: s.Best, Patience: s.Step, Factor: s.Gamma})
	}
	if s.Patience > 0 {
		m.stopping = &callbacks.EarlyStopping{Metric: s.Best, Patience: s.Patience}
		c.Callbacks = append(c.Callbacks, m.stopping)
	}
}

// onPlateau lowers the rate where a metric does not improve, by a factor that is in the store.
const onPlateau = "plateau"

// plateauEpochs is how long a plateau is if neither -step nor the model says.
const plateauEpochs = 3

func constant(settings, int) optim.Schedule { return optim.Constant{} }

// chosen returns the weights that a finished run is tested with, and says which they are.
func (r *trainRun) chosen(result *train.Result) (*train.Checkpoint, error) {
	m, s := r.measuring, r.settings
	if m.stopping != nil {
		if best, stopped := m.stopping.Stopped(); stopped {
			if err := r.printf("stopped early: the validation %s has not improved for %d epochs, since epoch %d\n", cmp.Or(s.Best, "loss"), s.Patience, best); err != nil {
				return nil, err
			}
		}
	}
	if m.best == nil {
		return result.Checkpoint, nil
	}
	epoch, value := m.best.Best()
	if epoch == 0 {
		return nil, fmt.Errorf("-best %s: it had no value in any epoch", s.Best)
	}
	if err := r.printf("best by validation %s: epoch %d, %.4f; tested with these weights, %s\n", s.Best, epoch, value, callbacks.BestFile); err != nil {
		return nil, err
	}
	return train.LoadCheckpoint(filepath.Join(r.folder, callbacks.BestFile))
}

// valuesLine is the values of further metrics for a line of text; those of single classes have no
// room there.
func valuesLine(m train.Metrics) string {
	var b strings.Builder
	for _, v := range m.Values {
		if v.Name != "accuracy" && !strings.Contains(v.Name, ".class.") {
			fmt.Fprintf(&b, ", %s %.4f", v.Name, v.Value)
		}
	}
	return b.String()
}

// printValues prints a line for each value.
func (c *call) printValues(values metrics.Values) (err error) {
	for _, v := range values {
		if v.Name != "accuracy" {
			_, e := fmt.Fprintf(c.stdout, "%s %.4f\n", v.Name, v.Value)
			err = errors.Join(err, e)
		}
	}
	return err
}

// maxPanels bounds the panels of curves besides loss and accuracy.
const maxPanels = 10

// morePanels are the panels of further metrics: training and validation or, for metrics of each class,
// the classes in validation.
func morePanels(epochs []train.Epoch) (panels []viz.Panel) {
	index := map[string]int{}
	add := func(name, series string, epoch int, value float64) {
		stem, class, ok := strings.Cut(name, ".class.")
		if ok {
			series = "class " + class
		}
		i, known := index[stem]
		if !known {
			if len(panels) == maxPanels {
				return
			}
			i = len(panels)
			index[stem] = i
			panels = append(panels, viz.Panel{Heading: stem, XLabel: "epoch", Bounds: [2]float64{0, 1}})
		}
		k := slices.IndexFunc(panels[i].Series, func(s viz.Series) bool { return s.Name == series })
		if k < 0 {
			k = len(panels[i].Series)
			panels[i].Series = append(panels[i].Series, viz.Series{Name: series})
		}
		s := &panels[i].Series[k]
		s.X, s.Y = append(s.X, float64(epoch)), append(s.Y, value)
	}
	for _, e := range epochs {
		for _, v := range e.Train.Values {
			if v.Name != "accuracy" && !(e.Validation != nil && strings.Contains(v.Name, ".class.")) {
				add(v.Name, "training", e.Number, v.Value)
			}
		}
		if e.Validation == nil {
			continue
		}
		for _, v := range e.Validation.Values {
			if v.Name != "accuracy" {
				add(v.Name, "validation", e.Number, v.Value)
			}
		}
	}
	return panels
}
