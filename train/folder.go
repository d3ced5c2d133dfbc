package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/plexaura/plexaura/internal/atomicfile"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/train/metrics"
)

// The files in a run's folder.
const (
	// CheckpointFile holds all values and, as metadata, the other fields of [Checkpoint].
	CheckpointFile = "model.safetensors"
	// MetricsFile holds one line of JSON per epoch of the checkpoint.
	MetricsFile = "metrics.jsonl"
	// SettingsFile holds the settings as JSON.
	SettingsFile = "settings.json"
)

// nextFile is the first checkpoint of a run, until an earlier run has been moved away.
const nextFile = ".next." + CheckpointFile

// folder keeps a run on disk. It changes nothing before there is a checkpoint to keep.
type folder struct {
	lock    *FolderLock // if nil, nothing is kept
	ours    bool        // the lock was taken by Fit, not by the caller
	resumed string      // the file of the checkpoint that is resumed; empty if none
	begun   bool        // the folder contains this run
	current bool        // the checkpoint in the folder is the run's last state
	earlier string      // the folder to which an earlier run was moved
	lines   int         // number of lines in the metrics
}

// openFolder opens the folder of a run, and locks it unless the caller has the lock.
func openFolder(c Config) (folder, error) {
	f := folder{lock: c.Lock, ours: c.Lock == nil}
	if c.Folder == "" && c.Lock == nil {
		return f, nil
	}
	var err error
	switch {
	case c.Lock == nil:
		f.lock, err = lockFolder(c.Folder)
	case c.Lock.lock == nil:
		err = errors.New("the Lock of the Config has been closed")
	}
	if err != nil {
		return folder{}, err
	}
	if c.Resume != nil && c.Resume.file != "" && regular.Same(c.Resume.file, f.path(CheckpointFile)) {
		f.resumed, f.current = c.Resume.file, true
		err = f.replaceable()
	}
	if err != nil {
		return folder{}, errors.Join(err, f.close())
	}
	return f, nil
}

// replaceable returns an error, before any training, if a file of the resumed run cannot be
// replaced.
func (f *folder) replaceable() error {
	for _, name := range []string{CheckpointFile, MetricsFile, SettingsFile} {
		if err := regular.Replaceable(f.path(name)); err != nil {
			return err
		}
	}
	return nil
}

// close unlocks the folder.
func (f *folder) close() error {
	if f.lock == nil || !f.ours {
		return nil
	}
	return f.lock.Close()
}

func (f *folder) path(name string) string { return filepath.Join(f.lock.path, name) }

// save replaces the checkpoint. The first call moves an earlier run away.
func (f *folder) save(c *Checkpoint) (err error) {
	if f.lock == nil {
		return nil
	}
	if !f.begun {
		err = f.begin(c)
	} else {
		err = c.save(f.path(CheckpointFile))
	}
	f.current = err == nil
	return err
}

// begin puts the first checkpoint of a run into the folder, with its settings and the metrics of
// the epochs so far. It drops metrics of later epochs, which an earlier attempt of the run wrote.
// It moves an earlier run away once the checkpoint is on disk.
func (f *folder) begin(c *Checkpoint) error {
	next := f.path(nextFile)
	if err := c.save(next); err != nil {
		return err
	}
	if err := f.install(next); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	f.begun, c.file = true, f.path(CheckpointFile)
	if err := f.writeSettings(c); err != nil {
		return err
	}
	return f.writeMetrics(c.Progress.Epochs)
}

// install renames the first checkpoint to its final name.
func (f *folder) install(next string) error {
	if f.resumed == "" {
		m, err := f.lock.makeRoom()
		if err != nil {
			return err
		}
		if err := os.Rename(next, f.path(CheckpointFile)); err != nil {
			return errors.Join(err, m.undo())
		}
		f.earlier = m.to
		return nil
	}
	return os.Rename(next, f.path(CheckpointFile))
}

func (f *folder) writeSettings(c *Checkpoint) error {
	var b bytes.Buffer
	if err := json.Indent(&b, c.Settings, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	return f.replace(SettingsFile, b.Bytes())
}

// writeMetrics writes a line for each epoch: the line that is already there, since it has the
// times, which the checkpoint does not have, or else a new one.
func (f *folder) writeMetrics(epochs []Epoch) error {
	old := [][]byte{}
	if f.resumed != "" {
		var err error
		if old, err = f.oldLines(len(epochs)); err != nil {
			return err
		}
	}
	var text bytes.Buffer
	for i, e := range epochs {
		line, err := lineOf(e)
		if err != nil {
			return err
		}
		if e.Timed == 0 && i < len(old) && describes(old[i], e) {
			line = old[i]
		}
		text.Write(line)
	}
	f.lines = len(epochs)
	return f.replace(MetricsFile, text.Bytes())
}

// describes reports whether b is the line of epoch e, with any times.
func describes(b []byte, e Epoch) bool {
	var l line
	return json.Unmarshal(b, &l) == nil && bytes.HasSuffix(b, []byte("\n")) && l.Epoch == e.Number && l.Loss == e.Train.Loss()
}

// longestLine is the maximum number of bytes read of a line of the metrics. Lines that we write are
// much shorter.
const longestLine = 1 << 20

// oldLines returns at most n lines from the start of the existing metrics, up to the first line
// that this package did not write.
func (f *folder) oldLines(n int) (lines [][]byte, err error) {
	file, err := regular.Open(f.path(MetricsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, longestLine)
	for range n {
		b, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
			break
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, bytes.Clone(b))
	}
	return lines, nil
}

func (f *folder) replace(name string, content []byte) error {
	return atomicfile.Write(f.path(name), func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// append adds the line of an epoch to the metrics, unless it is already there.
func (f *folder) append(e Epoch) (err error) {
	if f.lock == nil || e.Number <= f.lines {
		return nil
	}
	line, err := lineOf(e)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(f.path(MetricsFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	_, err = file.Write(line)
	f.lines = e.Number
	return errors.Join(err, file.Close())
}

// line begins the record of an epoch in a form that is easy to read for tools: flat, with the
// accuracies computed. The metrics of the Config follow, then measures.
type line struct {
	Epoch              int      `json:"epoch"`
	Loss               float64  `json:"loss"`
	Accuracy           *float64 `json:"accuracy,omitempty"`
	ValidationLoss     *float64 `json:"validation_loss,omitempty"`
	ValidationAccuracy *float64 `json:"validation_accuracy,omitempty"`
}

// measures is the part of a line about speed, which differs from run to run.
type measures struct {
	LearningRate      float64 `json:"learning_rate"`
	Seconds           float64 `json:"seconds"`
	ExamplesPerSecond float64 `json:"examples_per_second"`
	WaitShare         float64 `json:"wait_share"` // the fraction of seconds spent waiting for data
}

// validationPrefix begins the names of what is measured on validation data.
const validationPrefix = "validation_"

func lineOf(e Epoch) ([]byte, error) {
	l := line{Epoch: e.Number, Loss: e.Train.Loss(), Accuracy: accuracy(e.Train)}
	values := named("", e.Train)
	if v := e.Validation; v != nil {
		loss := v.Loss()
		l.ValidationLoss, l.ValidationAccuracy = &loss, accuracy(*v)
		values = append(values, named(validationPrefix, *v)...)
	}
	var parts []byte
	for _, part := range []any{l, values, measures{e.Rate, e.Seconds, e.ExamplesPerSecond(), e.WaitShare()}} {
		b, err := json.Marshal(part)
		if err != nil {
			return nil, fmt.Errorf("metrics of epoch %d: %w", e.Number, err)
		}
		if fields := bytes.Trim(b, "{}"); len(fields) > 0 {
			parts = append(append(parts, ','), fields...)
		}
	}
	parts[0] = '{'
	return append(parts, "}\n"...), nil
}

// named returns the values of m with names that begin with prefix. The accuracy of labels is in the
// line already.
func named(prefix string, m Metrics) metrics.Values {
	all := metrics.Values{}
	for _, v := range m.Values {
		if v.Name != accuracyName || m.Labels == 0 {
			all = append(all, metrics.Value{Name: prefix + v.Name, Value: v.Value})
		}
	}
	return all
}

// accuracy returns nil if there are no labels.
func accuracy(m Metrics) *float64 {
	if m.Labels == 0 {
		return nil
	}
	a := m.Accuracy()
	return &a
}
