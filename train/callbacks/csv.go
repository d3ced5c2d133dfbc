package callbacks

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/plexaura/plexaura/internal/atomicfile"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/train"
)

// CSV writes a table of the epochs as comma-separated values, as spreadsheets and pandas read them:
// epoch, learning_rate, loss, accuracy, ..., and what is measured on validation data with
// "validation_" in front. A value that is undefined is empty. The file is replaced after each epoch,
// so that it has those of the checkpoint, no more; times are left out, and equal runs write equal
// files.
type CSV struct {
	train.NoCallback
	Path string // of the file

	checkpoint *train.Checkpoint
	columns    []string
	validated  []string // of these, those of validation data, without the prefix
}

// Start implements [train.Callback].
func (c *CSV) Start(s train.Start) error {
	if c.Path == "" {
		return errors.New("CSV: no Path to write to")
	}
	if err := regular.Replaceable(c.Path); err != nil {
		return fmt.Errorf("CSV: %w", err)
	}
	c.checkpoint = s.Checkpoint
	c.columns = []string{lossName}
	if s.Labelled {
		c.columns = append(c.columns, accuracyName)
	}
	for _, m := range s.Metrics {
		if m.Name() != accuracyName || !s.Labelled {
			c.columns = append(c.columns, m.Name())
		}
	}
	if s.Validated {
		c.validated = c.columns
	}
	return nil
}

// Saved implements [train.Callback].
func (c *CSV) Saved(train.Epoch) error {
	err := atomicfile.Write(c.Path, func(w io.Writer) error { return c.write(csv.NewWriter(w)) })
	if err != nil {
		return fmt.Errorf("CSV: %w", err)
	}
	return nil
}

func (c *CSV) write(w *csv.Writer) error {
	header := append([]string{"epoch", "learning_rate"}, c.columns...)
	for _, name := range c.validated {
		header = append(header, "validation_"+name)
	}
	if err := w.Write(header); err != nil {
		return err
	}
	for _, e := range c.checkpoint.Progress.Epochs {
		row := append([]string{strconv.Itoa(e.Number), cell(e.Rate)}, cells(&e.Train, c.columns)...)
		if err := w.Write(append(row, cells(e.Validation, c.validated)...)); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func cells(m *train.Metrics, names []string) []string {
	row := make([]string, len(names))
	for i, name := range names {
		if m == nil {
			continue
		}
		if v, ok := m.Value(name); ok && v == v {
			row[i] = cell(v)
		}
	}
	return row
}

func cell(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
