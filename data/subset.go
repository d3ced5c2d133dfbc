package data

import (
	"fmt"
	"slices"
)

type subset struct {
	Dataset
	examples []int
}

func (s subset) Len() int { return len(s.examples) }

func (s subset) Read(i int, e Example) error {
	if i < 0 || i >= len(s.examples) {
		return fmt.Errorf("data: no example %d among %d", i, len(s.examples))
	}
	return s.Dataset.Read(s.examples[i], e)
}

// Path implements [Filed].
func (s subset) Path(i int) string {
	if i < 0 || i >= len(s.examples) {
		return ""
	}
	return Path(s.Dataset, s.examples[i])
}

// Label implements [Labelled].
func (s subset) Label(i int) (int32, bool) {
	if i < 0 || i >= len(s.examples) {
		return 0, false
	}
	return label(s.Dataset, s.examples[i])
}

// Subset returns the dataset of the given examples of ds, in the given order. An example may occur
// more than once.
func Subset(ds Dataset, examples []int) (Dataset, error) {
	n, err := count(ds)
	if err != nil {
		return nil, prefixed(err)
	}
	for _, i := range examples {
		if i < 0 || i >= n {
			return nil, fmt.Errorf("data: no example %d among %d", i, n)
		}
	}
	return subset{ds, slices.Clone(examples)}, nil
}

// Limit returns the first n examples of ds, or ds if it has no more than n or is nil.
func Limit(ds Dataset, n int) Dataset {
	if ds == nil || n >= ds.Len() {
		return ds
	}
	return subset{ds, sequence(max(n, 0))}
}

// Split chooses n examples of ds at random, for example for validation, and returns them and the
// rest, each in the order of ds. The choice depends only on seed, n and ds.Len().
func Split(ds Dataset, n int, seed uint64) (rest, chosen Dataset, err error) {
	all, err := count(ds)
	switch {
	case err != nil:
		return nil, nil, prefixed(err)
	case n < 0 || n > all || all > maxExamples:
		return nil, nil, fmt.Errorf("data: cannot choose %d of %d examples", n, all)
	}
	order := shuffledFirst(all, seed)
	return sorted(ds, order[n:]), sorted(ds, order[:n]), nil
}

func sequence(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}
