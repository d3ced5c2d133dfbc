package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/plexaura/plexaura/internal/atomicfile"
)

// The files of a run's folder.
const (
	// CheckpointFile holds all values, and in its metadata what [Checkpoint] has besides.
	CheckpointFile = "model.safetensors"
	// MetricsFile holds one line of JSON for each epoch of the checkpoint.
	MetricsFile = "metrics.jsonl"
	// SettingsFile holds the settings as JSON.
	SettingsFile = "settings.json"
)

// folder keeps a run on disk; the empty one keeps nothing.
type folder string

// begin writes the settings, and the metrics of the epochs done so far: those that an earlier
// run wrote beyond them go.
func (f folder) begin(c *Checkpoint) error {
	if f == "" {
		return nil
	}
	if err := os.MkdirAll(string(f), 0o777); err != nil {
		return err
	}
	old, err := f.lines()
	if err != nil {
		return err
	}
	var settings, metrics bytes.Buffer
	if err := json.Indent(&settings, c.Settings, "", "  "); err != nil {
		return err
	}
	settings.WriteByte('\n')
	for i, e := range c.Progress.Epochs {
		line, err := lineOf(e)
		if err != nil {
			return err
		}
		if i < len(old) && describes(old[i], e) { // with the times, which the checkpoint has not
			line = old[i]
		}
		metrics.Write(line)
	}
	if err := f.replace(SettingsFile, settings.Bytes()); err != nil {
		return err
	}
	return f.replace(MetricsFile, metrics.Bytes())
}

// describes reports whether b is the line of epoch e, whatever times it has.
func describes(b []byte, e Epoch) bool {
	var l line
	return json.Unmarshal(b, &l) == nil && bytes.HasSuffix(b, []byte("\n")) && l.Epoch == e.Number && l.Loss == e.Train.Loss()
}

// lines returns the lines of the metrics that are there.
func (f folder) lines() ([][]byte, error) {
	content, err := os.ReadFile(filepath.Join(string(f), MetricsFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return bytes.SplitAfter(content, []byte("\n")), err
}

func (f folder) replace(name string, content []byte) error {
	return atomicfile.Write(filepath.Join(string(f), name), func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// save replaces the checkpoint.
func (f folder) save(c *Checkpoint) error {
	if f == "" {
		return nil
	}
	return c.Save(filepath.Join(string(f), CheckpointFile))
}

// append adds the line of an epoch to the metrics.
func (f folder) append(e Epoch) (err error) {
	if f == "" {
		return nil
	}
	line, err := lineOf(e)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(string(f), MetricsFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	_, err = file.Write(line)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// line is an epoch as tools like to read it: flat, with the accuracies computed.
type line struct {
	Epoch              int      `json:"epoch"`
	Loss               float64  `json:"loss"`
	Accuracy           *float64 `json:"accuracy,omitempty"`
	ValidationLoss     *float64 `json:"validation_loss,omitempty"`
	ValidationAccuracy *float64 `json:"validation_accuracy,omitempty"`
	LearningRate       float64  `json:"learning_rate"`
	Seconds            float64  `json:"seconds"`
	ExamplesPerSecond  float64  `json:"examples_per_second"`
	WaitShare          float64  `json:"wait_share"` // of the seconds, waiting for data
}

func lineOf(e Epoch) ([]byte, error) {
	l := line{
		Epoch: e.Number, Loss: e.Train.Loss(), Accuracy: accuracy(e.Train),
		LearningRate: e.Rate, Seconds: e.Seconds, ExamplesPerSecond: e.ExamplesPerSecond(), WaitShare: e.WaitShare(),
	}
	if v := e.Validation; v != nil {
		loss := v.Loss()
		l.ValidationLoss, l.ValidationAccuracy = &loss, accuracy(*v)
	}
	b, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("metrics of epoch %d: %w", e.Number, err)
	}
	return append(b, '\n'), nil
}

// accuracy is nil where there are no labels.
func accuracy(m Metrics) *float64 {
	if m.Labels == 0 {
		return nil
	}
	a := m.Accuracy()
	return &a
}
