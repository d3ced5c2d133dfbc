package data

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/shape"
)

// A Labelled dataset knows the class of an example without reading its input.
type Labelled interface {
	// Label returns the class number of example i, or false if it is not known.
	Label(i int) (class int32, ok bool)
}

// label returns the class number of example i of ds, or false if ds does not know it.
func label(ds Dataset, i int) (int32, bool) {
	if l, ok := ds.(Labelled); ok && !isnil.Of(ds) {
		return l.Label(i)
	}
	return 0, false
}

// Labels returns the class number of every example of ds, whose targets must be one class number
// each. It reads the examples of which ds, if it is [Labelled], does not know it otherwise.
func Labels(ds Dataset) (labels []int32, err error) {
	n, err := count(ds)
	if err != nil {
		return nil, prefixed(err)
	}
	defer func() { err = prefixed(err) }()
	defer rescue(&err)
	info := ds.Info()
	if err := info.Err(); err != nil {
		return nil, err
	}
	if info.Target != shape.I32() {
		return nil, fmt.Errorf("the target is %v; want one class number for each example", info.Target)
	}
	if n < 0 || n > maxExamples {
		return nil, fmt.Errorf("a dataset of %d examples; want 0 to %d", n, maxExamples)
	}
	var e Example
	labels = make([]int32, n)
	for i := range labels {
		class, known := label(ds, i)
		if known {
			labels[i] = class
			continue
		}
		if e.X == nil {
			e.X = make([]float32, info.Input.Len())
		}
		e.Labels = labels[i : i+1 : i+1]
		if err := ds.Read(i, e); err != nil {
			return nil, fmt.Errorf("example %d: %w", i, err)
		}
	}
	return labels, nil
}

// BalancedWeights returns for each of the classes, whose numbers are 0 to classes-1, the weight that
// makes all count the same: the number of labels divided by the number of classes and by how often it
// occurs, 0 if it never does. Labels outside that range, such as those that a loss ignores, are not
// counted. The weights may be those of ops.CrossEntropyOptions or, by [ExampleWeights], of
// [Batching.Weights].
func BalancedWeights(labels []int32, classes int) ([]float64, error) {
	if classes < 1 || classes > maxExamples {
		return nil, fmt.Errorf("data: %d classes; want at least 1", classes)
	}
	n, weights := 0, make([]float64, classes)
	for _, c := range labels {
		if c >= 0 && int(c) < classes {
			weights[c]++
			n++
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("data: no label is one of the %d classes", classes)
	}
	for c, k := range weights {
		if k > 0 {
			weights[c] = float64(n) / float64(classes) / k
		}
	}
	return weights, nil
}

// ExampleWeights returns for each example the weight of its class, for [Batching.Weights]. A label
// that is not among the classes has the weight 0.
func ExampleWeights(labels []int32, byClass []float64) []float64 {
	weights := make([]float64, len(labels))
	for i, c := range labels {
		if c >= 0 && int(c) < len(byClass) {
			weights[i] = byClass[c]
		}
	}
	return weights
}

// draws draws examples with replacement.
type draws struct {
	below []float64 // the sum of the weights up to and including that of each example
}

// newDraws returns nil if there are no weights.
func newDraws(weights []float64, n int) (*draws, error) {
	if weights == nil {
		return nil, nil
	}
	if len(weights) != n {
		return nil, fmt.Errorf("%d Weights for %d examples", len(weights), n)
	}
	d, sum := &draws{make([]float64, n)}, 0.
	for i, w := range weights {
		if !(w >= 0) {
			return nil, fmt.Errorf("the weight of example %d is %v; want a number from 0", i, w)
		}
		sum += w
		d.below[i] = sum
	}
	switch {
	case sum == 0:
		return nil, errors.New("all Weights are 0; want an example to draw")
	case math.IsInf(sum, 1):
		return nil, errors.New("the sum of the Weights is infinite")
	}
	return d, nil
}

// fill fills order with examples. Each depends only on its position and the stream.
func (d *draws) fill(order []int, stream philox.Stream) {
	for i := range order {
		b := stream.Block(uint64(i))
		order[i] = d.at(float64((uint64(b[1])<<32|uint64(b[0]))>>11) * 0x1p-53)
	}
}

// at returns the example that is drawn by a number u from 0 to 1, without 1: one of a weight above 0.
func (d *draws) at(u float64) int {
	u *= d.below[len(d.below)-1]
	return sort.Search(len(d.below)-1, func(k int) bool { return d.below[k] > u })
}

// SplitFractions divides ds at random into parts with the given fractions of its examples, each in
// the order of ds. Fractions are positive and have a sum of at most 1; what is left over is in no
// part. If labels is not nil it is the class of every example, see [Labels], and each part has about
// the same fraction of each class. The choice depends only on seed, labels, the fractions and
// ds.Len().
func SplitFractions(ds Dataset, seed uint64, labels []int32, fractions ...float64) ([]Dataset, error) {
	order, err := mixed(ds, seed, labels)
	if err != nil {
		return nil, prefixed(err)
	}
	sum, from := 0., 0
	var parts []Dataset
	for i, f := range fractions {
		if !(f > 0) {
			return nil, fmt.Errorf("data: fraction %d is %v; want a positive number", i, f)
		}
		const rounding = 1e-9
		if sum += f; sum > 1+rounding {
			return nil, fmt.Errorf("data: fractions have a sum of %v; want at most 1", sum)
		}
		to := min(int(math.Round(sum*float64(len(order)))), len(order))
		if to == from {
			return nil, fmt.Errorf("data: fraction %d, %v of %d examples, is none", i, f, len(order))
		}
		parts = append(parts, sorted(ds, order[from:to]))
		from = to
	}
	return parts, nil
}

// Fold is one of the divisions of [KFold].
type Fold struct{ Train, Validation Dataset }

// KFold divides ds at random into k parts, whose sizes differ by at most 1, and returns k folds: in
// each another part is for validation, and the others are for training. If labels is not nil it is
// the class of every example, and the numbers of each class in the parts differ by at most 1. The
// choice depends only on seed, labels, k and ds.Len().
func KFold(ds Dataset, k int, seed uint64, labels []int32) ([]Fold, error) {
	order, err := shuffled(ds, seed, labels)
	if err != nil {
		return nil, prefixed(err)
	}
	if k < 2 || k > len(order) {
		return nil, fmt.Errorf("data: %d folds of %d examples; want 2 to %d", k, len(order), len(order))
	}
	if labels != nil {
		slices.SortStableFunc(order, func(a, b int) int { return int(labels[a]) - int(labels[b]) })
	}
	folds := make([]Fold, k)
	for f := range folds {
		var in, out []int
		for at, i := range order {
			if at%k == f {
				out = append(out, i)
			} else {
				in = append(in, i)
			}
		}
		folds[f] = Fold{sorted(ds, in), sorted(ds, out)}
	}
	return folds, nil
}

// sorted is the subset of examples, in the order of ds.
func sorted(ds Dataset, examples []int) Dataset {
	s := slices.Clone(examples)
	slices.Sort(s)
	return subset{ds, s}
}

// shuffled returns the examples of ds in random order.
func shuffled(ds Dataset, seed uint64, labels []int32) ([]int, error) {
	n, err := count(ds)
	switch {
	case err != nil:
		return nil, err
	case n < 0 || n > maxExamples:
		return nil, fmt.Errorf("cannot divide %d examples", n)
	case labels != nil && len(labels) != n:
		return nil, fmt.Errorf("%d labels for %d examples", len(labels), n)
	}
	return shuffledFirst(n, seed), nil
}

// shuffledFirst returns the first n numbers in the random order by which datasets are divided.
func shuffledFirst(n int, seed uint64) []int {
	order := sequence(n)
	philox.Stream{Seed: seed, ID: philox.ID("data.split")}.Shuffle(order)
	return order
}

// mixed is shuffled in an order of which every part has about as much of each class as the whole.
func mixed(ds Dataset, seed uint64, labels []int32) ([]int, error) {
	order, err := shuffled(ds, seed, labels)
	if err != nil || labels == nil {
		return order, err
	}
	total, seen := map[int32]int{}, map[int32]int{}
	for _, c := range labels {
		total[c]++
	}
	place := make([]float64, len(order)) // of an example among those of its class, from 0 to 1
	for _, i := range order {
		c := labels[i]
		place[i] = (float64(seen[c]) + .5) / float64(total[c])
		seen[c]++
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case place[a] < place[b]:
			return -1
		case place[a] > place[b]:
			return 1
		}
		return int(labels[a]) - int(labels[b])
	})
	return order, nil
}
