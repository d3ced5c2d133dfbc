package train

import "github.com/plexaura/plexaura/train/metrics"

// Metrics are the results on a number of examples. They are sums, so that adding and saving them
// loses no precision.
type Metrics struct {
	Examples int     `json:"examples"`
	LossSum  float64 `json:"loss_sum"`
	Correct  int     `json:"correct,omitempty"` // labels predicted correctly by the largest output
	Labels   int     `json:"labels,omitempty"`  // labels compared; 0 if targets are not class numbers

	// Values are those of the metrics that the [Config] names, over these examples. They are
	// computed at the end of an epoch, and nil before.
	Values metrics.Values `json:"values,omitempty"`
}

// Loss returns the mean loss over the examples.
func (m Metrics) Loss() float64 { return m.LossSum / float64(max(m.Examples, 1)) }

// Accuracy returns the fraction of the labels that were predicted correctly, from 0 to 1. It is 0
// if there are no labels.
func (m Metrics) Accuracy() float64 { return float64(m.Correct) / float64(max(m.Labels, 1)) }

// The names of what [Metrics] have without being asked.
const (
	lossName     = "loss"
	accuracyName = "accuracy"
)

// Value returns the metric of a name: "loss", "accuracy" if there are labels, or one of Values. ok is
// false if there is none.
func (m Metrics) Value(name string) (value float64, ok bool) {
	switch {
	case name == lossName:
		return m.Loss(), true
	case name == accuracyName && m.Labels > 0:
		return m.Accuracy(), true
	}
	return m.Values.Get(name)
}

func (m *Metrics) add(o Metrics) {
	m.Examples += o.Examples
	m.LossSum += o.LossSum
	m.Correct += o.Correct
	m.Labels += o.Labels
}

// Epoch is the record of an epoch.
type Epoch struct {
	Number     int      `json:"epoch"` // from 1
	Train      Metrics  `json:"train"` // each batch before its step, in training form
	Validation *Metrics `json:"validation,omitempty"`
	Rate       float64  `json:"rate"` // learning rate of the last step
	Seconds    float64  `json:"-"`    // spent on training, excluding validation; not in a checkpoint
	Waited     float64  `json:"-"`    // the part of Seconds that steps waited for data
	Timed      int      `json:"-"`    // number of examples in Seconds, without those before a resume
}

// ExamplesPerSecond returns the training speed.
func (e Epoch) ExamplesPerSecond() float64 {
	if e.Seconds == 0 {
		return 0
	}
	return float64(e.Timed) / e.Seconds
}

// WaitShare returns the fraction of the training time, from 0 to 1, that steps waited for data.
func (e Epoch) WaitShare() float64 {
	if e.Seconds == 0 {
		return 0
	}
	return e.Waited / e.Seconds
}
