package metrics

import (
	"encoding/binary"
	"fmt"

	"gorgonia.org/tensor"
)

// counts counts labels and predictions of each class.
type counts struct{}

// tally is the State of counts.
type tally struct {
	questions
	right, predicted, actual []int64 // for each class
	labels                   []int32 // memory of Add
}

// maxClasses bounds the memory of a tally, and the number of values of a metric for each class.
const maxClasses = 1 << 20

func (counts) New(d Data) (State, error) {
	q, err := questionsOf(d)
	if err != nil {
		return nil, err
	}
	n := q.classes()
	if n > maxClasses {
		return nil, fmt.Errorf("%d classes; at most %d are counted", n, maxClasses)
	}
	all := make([]int64, 3*n)
	return &tally{questions: q, right: all[:n:n], predicted: all[n : 2*n : 2*n], actual: all[2*n:]}, nil
}

func (t *tally) Reset() {
	for _, v := range t.all() {
		clear(v)
	}
}

func (t *tally) all() [3][]int64 { return [3][]int64{t.right, t.predicted, t.actual} }

func (t *tally) Add(output, target *tensor.Dense) error {
	if _, err := t.check(output, target); err != nil {
		return err
	}
	labels, err := t.labelsOf(target, t.labels)
	if err != nil {
		return err
	}
	if !t.yes() {
		t.Each(output, labels, t.count)
		return nil
	}
	t.labels = labels
	single, double, err := numbers(output)
	answers(t, single)
	answers(t, double)
	return err
}

// answers counts the answers yes and no.
func answers[T number](t *tally, output []T) {
	for i, v := range output {
		predicted := 0
		if v > 0 {
			predicted = 1
		}
		t.count(int(t.labels[i]), predicted)
	}
}

func (t *tally) count(label, predicted int) {
	t.actual[label]++
	t.predicted[predicted]++
	if label == predicted {
		t.right[label]++
	}
}

func (t *tally) Merge(other State) error {
	from, ok := other.(*tally)
	if !ok || from == nil || from.questions != t.questions {
		return errOther
	}
	more := from.all()
	for k, v := range t.all() {
		for i, n := range more[k] {
			v[i] += n
		}
	}
	return nil
}

func (t *tally) AppendBinary(b []byte) ([]byte, error) {
	for _, v := range t.all() {
		for _, n := range v {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	return b, nil
}

func (t *tally) UnmarshalBinary(data []byte) (err error) {
	for _, v := range t.all() {
		for i := range v {
			if data, err = takeCount(data, &v[i]); err != nil {
				return err
			}
		}
	}
	return ended(data)
}

// one returns the value of k for class c.
func (t *tally) one(k Kind, c int) float64 {
	tp := float64(t.right[c])
	return kinds[k].ratio(tp, float64(t.predicted[c])-tp, float64(t.actual[c])-tp)
}

// sums returns the value of k for the sums of the counts over all classes.
func (t *tally) sums(k Kind) float64 {
	tp := float64(total(t.right))
	return kinds[k].ratio(tp, float64(total(t.predicted))-tp, float64(total(t.actual))-tp)
}

func (t *tally) targets(c int) float64 { return float64(t.actual[c]) }

func (t *tally) occurs(c int) bool { return t.actual[c]+t.predicted[c] > 0 }

func total(v []int64) (sum int64) {
	for _, n := range v {
		sum += n
	}
	return sum
}

// ratio returns a/b, or 0 if b is 0, as scikit-learn does by default.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
