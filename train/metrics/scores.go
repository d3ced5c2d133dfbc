package metrics

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// scores keeps outputs and targets.
type scores struct{}

// kept is the State of scores: for each target, the logits of its classes.
type kept struct {
	questions
	capacity int // of targets
	double   bool
	wide     []float64
	narrow   []float32
	labels   []int32
	memory   []int32 // of Add
}

func (scores) New(d Data) (State, error) {
	q, err := questionsOf(d)
	if err != nil {
		return nil, err
	}
	k := &kept{questions: q, double: d.Output.DType == shape.Float64}
	each := 4 + 4*q.Count
	if k.double {
		each = 4 + 8*q.Count
	}
	if d.Examples > d.limit()/each/q.Inner {
		return nil, fmt.Errorf("it keeps %d bytes for each of %d targets, and may keep %d in all", each, d.Examples*q.Inner, d.limit())
	}
	k.capacity = d.Examples * q.Inner
	return k, nil
}

func (k *kept) Reset() {
	k.narrow, k.wide, k.labels = k.narrow[:0], k.wide[:0], k.labels[:0]
}

// grow makes room for all targets once.
func (k *kept) grow(more int) error {
	if len(k.labels)+more > k.capacity {
		return fmt.Errorf("more than %d targets", k.capacity)
	}
	if cap(k.labels) >= k.capacity {
		return nil
	}
	k.labels = slices.Grow(k.labels, k.capacity-len(k.labels))
	if k.double {
		k.wide = slices.Grow(k.wide, k.capacity*k.Count-len(k.wide))
	} else {
		k.narrow = slices.Grow(k.narrow, k.capacity*k.Count-len(k.narrow))
	}
	return nil
}

func (k *kept) Add(output, target *tensor.Dense) error {
	n, err := k.check(output, target)
	if err != nil {
		return err
	}
	if err := k.grow(n); err != nil {
		return err
	}
	labels, err := k.labelsOf(target, k.memory)
	if err != nil {
		return err
	}
	if k.yes() {
		k.memory = labels
	}
	single, double, err := numbers(output)
	if err != nil || k.double != (double != nil) {
		return cmp.Or(err, errOther)
	}
	k.narrow = keep(k, k.narrow, single, labels)
	k.wide = keep(k, k.wide, double, labels)
	for _, label := range labels {
		if k.isClass(label) {
			k.labels = append(k.labels, label)
		}
	}
	return nil
}

func (k *kept) isClass(label int32) bool { return label >= 0 && int(label) < k.classes() }

// keep appends the logits of the targets that are classes.
func keep[T number](k *kept, into, output []T, labels []int32) []T {
	if len(output) == 0 {
		return into
	}
	for i, label := range labels {
		if !k.isClass(label) {
			continue
		}
		for c := range k.Count {
			into = append(into, output[k.at(i)+c*k.Inner])
		}
	}
	return into
}

func (k *kept) Merge(other State) error {
	from, ok := other.(*kept)
	if !ok || from == nil || from.questions != k.questions || from.double != k.double {
		return errOther
	}
	if err := k.grow(len(from.labels)); err != nil {
		return err
	}
	k.labels = append(k.labels, from.labels...)
	k.narrow = append(k.narrow, from.narrow...)
	k.wide = append(k.wide, from.wide...)
	return nil
}

func (k *kept) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(len(k.labels)))
	for _, label := range k.labels {
		b = binary.AppendUvarint(b, uint64(label))
	}
	for _, v := range k.narrow {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	for _, v := range k.wide {
		b = appendFloat(b, v)
	}
	return b, nil
}

func (k *kept) UnmarshalBinary(data []byte) (err error) {
	var n int64
	if data, err = takeCount(data, &n); err != nil {
		return err
	}
	if n > int64(k.capacity) || n > int64(len(data)) {
		return fmt.Errorf("the encoded state has %d targets in %d bytes; want at most %d", n, len(data), k.capacity)
	}
	k.Reset()
	for range n {
		var label int64
		if data, err = takeCount(data, &label); err != nil {
			return err
		}
		if label >= int64(k.classes()) {
			return fmt.Errorf("the encoded state has class %d of %d", label, k.classes())
		}
		k.labels = append(k.labels, int32(label))
	}
	for range int(n) * k.Count {
		if k.double {
			var v float64
			if data, err = takeFloats(data, &v); err != nil {
				return err
			}
			k.wide = append(k.wide, v)
			continue
		}
		if len(data) < 4 {
			return errFewer
		}
		k.narrow, data = append(k.narrow, math.Float32frombits(binary.LittleEndian.Uint32(data))), data[4:]
	}
	return ended(data)
}

// logits copies those of target i into z.
func (k *kept) logits(i int, z []float64) {
	for c := range z {
		if k.double {
			z[c] = k.wide[i*k.Count+c]
		} else {
			z[c] = float64(k.narrow[i*k.Count+c])
		}
	}
}

// score returns a number that orders targets as the probability of a class does, given logits: the
// logarithm of the probability or, of two classes, of the odds.
func score(z []float64, class int) float64 {
	switch len(z) {
	case 1:
		return float64(2*class-1) * z[0]
	case 2:
		return z[class] - z[1-class]
	}
	return z[class] - logSumExp(z)
}

// logSumExp returns the logarithm of the sum of exponentials.
func logSumExp(z []float64) float64 {
	most := slices.Max(z)
	sum := 0.
	for _, v := range z {
		sum += math.Exp(v - most)
	}
	return most + math.Log(sum)
}

func (k *kept) one(of Kind, class int) float64 {
	all, z := make(ranked, len(k.labels)), make([]float64, k.Count)
	for i, label := range k.labels {
		k.logits(i, z)
		all[i] = scored{score(z, class), int(label) == class}
	}
	slices.SortFunc(all, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	return kinds[of].area(all)
}

func (*kept) sums(Kind) float64 { return undefined }

func (k *kept) targets(class int) (n float64) {
	for _, label := range k.labels {
		if int(label) == class {
			n++
		}
	}
	return n
}

func (*kept) occurs(int) bool { return true }

// scored is the score of an example for a class, and whether it is of the class.
type scored struct {
	score float64
	is    bool
}

// ranked are examples in the order of falling scores.
type ranked []scored

// groups calls see with the number of examples, of the class and not, that have the same score.
func (r ranked) groups(see func(is, not float64)) {
	for i := 0; i < len(r); {
		from, is := i, 0
		for i == from || i < len(r) && r[i].score == r[from].score {
			if r[i].is {
				is++
			}
			i++
		}
		see(float64(is), float64(i-from-is))
	}
}

func (r ranked) rocAUC() float64 {
	above, pairs, others := 0., 0., 0. // of the class so far; ordered pairs, twice; not of the class
	r.groups(func(is, not float64) {
		pairs += not * (2*above + is)
		above += is
		others += not
	})
	if above == 0 || others == 0 {
		return undefined
	}
	return pairs / 2 / above / others
}

func (r ranked) averagePrecision() float64 {
	found, seen, sum := 0., 0., 0.
	r.groups(func(is, not float64) {
		found += is
		seen += is + not
		sum += is * found / seen
	})
	return ratio(sum, found)
}
