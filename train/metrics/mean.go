package metrics

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// LogLoss is the mean of -log(probability of the target), where the probabilities are the softmax of
// the outputs, or their logistic function where they answer yes or no: 0 or more. It is that of
// ops.CrossEntropy without class weights or smoothing. Probabilities are not clipped.
type LogLoss struct{}

// Name implements [Metric].
func (LogLoss) Name() string { return "log_loss" }

// Lower implements [Metric].
func (LogLoss) Lower() bool { return true }

// Statistic implements [Metric].
func (LogLoss) Statistic() Statistic { return surprise{} }

// Value implements [Metric].
func (LogLoss) Value(s State) float64 {
	m, ok := s.(*mean)
	if !ok || m.of != nil {
		return undefined
	}
	return ratio(m.sum, float64(m.n))
}

// surprise adds up -log(probability of the target).
type surprise struct{}

func (surprise) New(d Data) (State, error) {
	q, err := questionsOf(d)
	if err != nil {
		return nil, err
	}
	l := &logs{questions: q, z: make([]float64, q.Count)}
	return &mean{add: l.add}, nil
}

// logs computes the logarithms of a batch.
type logs struct {
	questions
	z      []float64 // the logits of a target
	memory []int32
}

func (l *logs) add(m *mean, output, target *tensor.Dense) error {
	if _, err := l.check(output, target); err != nil {
		return err
	}
	labels, err := l.labelsOf(target, l.memory)
	if err != nil {
		return err
	}
	if l.yes() {
		l.memory = labels
	}
	single, double, err := numbers(output)
	addLogs(l, m, single, labels)
	addLogs(l, m, double, labels)
	return err
}

func addLogs[T number](l *logs, m *mean, output []T, labels []int32) {
	if len(output) == 0 {
		return
	}
	for i, label := range labels {
		if label < 0 || int(label) >= l.classes() {
			continue
		}
		m.n++
		if l.yes() {
			v := float64(1-2*label) * float64(output[i])
			m.sum += max(v, 0) + math.Log1p(math.Exp(-math.Abs(v)))
			continue
		}
		for c := range l.z {
			l.z[c] = float64(output[l.at(i)+c*l.Inner])
		}
		m.sum += logSumExp(l.z) - l.z[label]
	}
}

// Mean returns a metric of a user's own: the mean over the examples of each(output, target), which
// is given the elements of one example; class numbers are among them as they are. lower says whether
// lower values are better. each must keep neither argument.
func Mean(name string, lower bool, each func(output, target []float64) float64) Metric {
	return &own{name, lower, each}
}

// own is a metric of Mean, and its Statistic.
type own struct {
	name  string
	lower bool
	each  func(output, target []float64) float64
}

func (o *own) Name() string         { return o.name }
func (o *own) Lower() bool          { return o.lower }
func (o *own) Statistic() Statistic { return o }

func (o *own) Value(s State) float64 {
	m, ok := s.(*mean)
	if !ok || m.of != o {
		return undefined
	}
	return ratio(m.sum, float64(m.n))
}

func (o *own) New(d Data) (State, error) {
	if o.each == nil {
		return nil, errors.New("its function is nil")
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if dt := d.Target.DType; !d.Target.IsFloat() && dt != shape.Int32 {
		return nil, fmt.Errorf("the target is %v; want floating point or int32", d.Target)
	}
	x, y := make([]float64, d.Output.Of(d.Output.Drop(0)).Len()), make([]float64, d.Target.Of(d.Target.Drop(0)).Len())
	return &mean{of: o, add: func(m *mean, output, target *tensor.Dense) error { return o.add(m, x, y, output, target) }}, nil
}

func (o *own) add(m *mean, x, y []float64, output, target *tensor.Dense) error {
	if output == nil || target == nil || len(x) == 0 || len(y) == 0 || output.DataSize()/len(x) != target.DataSize()/len(y) {
		return unequal(output, target)
	}
	for i := range output.DataSize() / len(x) {
		if err := copyExample(x, output, i); err != nil {
			return err
		}
		if err := copyExample(y, target, i); err != nil {
			return err
		}
		m.sum += o.each(x, y)
		m.n++
	}
	return nil
}

// copyExample copies the elements of example i.
func copyExample(into []float64, from *tensor.Dense, i int) error {
	if from.Dtype() == tensor.Int32 {
		labels := from.Int32s()
		for j := range into {
			into[j] = float64(labels[i*len(into)+j])
		}
		return nil
	}
	single, double, err := numbers(from)
	for j := range into {
		switch {
		case single != nil:
			into[j] = float64(single[i*len(into)+j])
		case double != nil:
			into[j] = double[i*len(into)+j]
		}
	}
	return err
}

// mean is the State of a mean.
type mean struct {
	of  *own // nil: of LogLoss
	add func(m *mean, output, target *tensor.Dense) error
	sum float64
	n   int64
}

func (m *mean) Reset() { m.sum, m.n = 0, 0 }

func (m *mean) Add(output, target *tensor.Dense) error { return m.add(m, output, target) }

func (m *mean) Merge(other State) error {
	from, ok := other.(*mean)
	if !ok || from == nil || from.of != m.of {
		return errOther
	}
	m.sum += from.sum
	m.n += from.n
	return nil
}

func (m *mean) AppendBinary(b []byte) ([]byte, error) {
	return appendFloat(binary.AppendUvarint(b, uint64(m.n)), m.sum), nil
}

func (m *mean) UnmarshalBinary(data []byte) (err error) {
	if data, err = takeCount(data, &m.n); err != nil {
		return err
	}
	if data, err = takeFloats(data, &m.sum); err != nil {
		return err
	}
	return ended(data)
}
