package callbacks

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/plexaura/plexaura/train"
)

// Names of metrics that every validation has, or that of class numbers.
const (
	lossName     = "loss"
	accuracyName = "accuracy"
)

// monitor follows a metric on validation data.
type monitor struct {
	metric string
	lower  bool
	delta  float64 // what improves the best by not more does not count
	best   record
	// restored reports that best is that of the run that is about to begin. A callback may serve
	// several runs in turn.
	restored bool
}

// record is the best value so far.
type record struct {
	Value  float64 `json:"value"`
	Epoch  int     `json:"epoch"`  // in which it was measured; 0 if there is none
	Waited int     `json:"waited"` // epochs since then, without those after which something was done
}

// begin checks that the metric is measured.
func (m *monitor) begin(who, metric string, delta float64, s train.Start) error {
	m.metric, m.delta = metric, delta
	if !m.restored {
		m.best = record{}
	}
	m.restored = false
	if m.metric == "" {
		m.metric = lossName
	}
	if !s.Validated {
		return fmt.Errorf("%s: the Config has no Validation on which %s could be measured", who, m.metric)
	}
	if !(delta >= 0) || math.IsInf(delta, 0) {
		return fmt.Errorf("%s: MinDelta is %v; want a number that is not negative", who, delta)
	}
	names := []string{lossName}
	if s.Labelled {
		names = append(names, accuracyName)
	}
	m.lower = m.metric == lossName
	found := m.lower || m.metric == accuracyName && s.Labelled
	for _, one := range s.Metrics {
		names = append(names, one.Name())
		if one.Name() == m.metric {
			found, m.lower = true, one.Lower()
		}
	}
	if !found {
		return fmt.Errorf("%s: %q is not measured in validation; there are %s, and those that Config.Metrics adds", who, m.metric, strings.Join(names, ", "))
	}
	return nil
}

// see takes the value of an epoch, and reports whether it is the best. NaN never is.
func (m *monitor) see(e train.Epoch) (better bool, err error) {
	if e.Validation == nil {
		return false, fmt.Errorf("epoch %d has no validation", e.Number)
	}
	v, ok := e.Validation.Value(m.metric)
	if !ok {
		return false, fmt.Errorf("epoch %d has no value of %s", e.Number, m.metric)
	}
	m.best.Waited++
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return false, nil
	case m.best.Epoch == 0:
		better = true
	case m.lower:
		better = v < m.best.Value-m.delta
	default:
		better = v > m.best.Value+m.delta
	}
	if better {
		m.best = record{Value: v, Epoch: e.Number}
	}
	return better, nil
}

// check returns an error if a record that was read cannot be one.
func (r record) check() error {
	if r.Epoch < 0 || r.Waited < 0 || math.IsNaN(r.Value) {
		return fmt.Errorf("epoch %d, %d epochs ago, is not the best of a run", r.Epoch, r.Waited)
	}
	return nil
}

// restore reads the best of a checkpoint.
func (m *monitor) restore(raw json.RawMessage) error {
	if err := json.Unmarshal(raw, &m.best); err != nil {
		return err
	}
	m.restored = true
	return m.best.check()
}
