package train

import (
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// Metrics are the results on a number of examples. They are sums, so that adding and saving them
// loses no precision.
type Metrics struct {
	Examples int     `json:"examples"`
	LossSum  float64 `json:"loss_sum"`
	Correct  int     `json:"correct,omitempty"` // labels predicted correctly by the largest output
	Labels   int     `json:"labels,omitempty"`  // labels compared; 0 if targets are not class numbers
}

// Loss returns the mean loss over the examples.
func (m Metrics) Loss() float64 { return m.LossSum / float64(max(m.Examples, 1)) }

// Accuracy returns the fraction of the labels that were predicted correctly, from 0 to 1. It is 0
// if there are no labels.
func (m Metrics) Accuracy() float64 { return float64(m.Correct) / float64(max(m.Labels, 1)) }

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

// classes describes the position of the classes in an output: along axis 1, with a stride of inner
// elements.
type classes struct{ count, inner int }

// classesOf returns the classes of outputs for targets, given the types for one example. It returns
// false if the output does not choose among classes.
func classesOf(output, target shape.Type) (c classes, ok bool) {
	if target.DType != shape.Int32 || output.Rank() != target.Rank()+2 || !output.IsFloat() {
		return c, false
	}
	count, known := output.Dim(1).Int()
	if !known || count < 2 || output.Drop(1) != batched(target).Shape {
		return c, false
	}
	return classes{count, target.Len()}, true
}

// compare compares outputs with labels. If confusion is not nil, it counts there how often each
// class (row) was predicted as each class (column). Labels that are not a class are ignored.
func (c classes) compare(output *tensor.Dense, labels []int32, confusion [][]int) (correct, seen int) {
	if output.Dtype() == tensor.Float64 {
		return compare(c, output.Float64s(), labels, confusion)
	}
	return compare(c, output.Float32s(), labels, confusion)
}

func compare[T shape.Float](c classes, output []T, labels []int32, confusion [][]int) (correct, seen int) {
	for i, label := range labels {
		if label < 0 || int(label) >= c.count {
			continue
		}
		n, j := i/c.inner, i%c.inner
		best := largest(output[n*c.count*c.inner+j:], c.count, c.inner)
		seen++
		if best == int(label) {
			correct++
		}
		if confusion != nil {
			confusion[label][best]++
		}
	}
	return correct, seen
}

// largest returns the index of the largest of count numbers at a stride of step. Of equal numbers
// it returns the first.
func largest[T shape.Float](v []T, count, step int) int {
	best := 0
	for i := 1; i < count; i++ {
		if v[i*step] > v[best*step] {
			best = i
		}
	}
	return best
}
