package metrics

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/internal/frames"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/rescue"
)

// A Set is the metrics of a model with the states that they are computed from, of which metrics with
// equal Statistics share one. A nil Set has none, and does nothing.
type Set struct {
	metrics []Metric
	of      []int // for each metric the index of its state
	names   []string
	kinds   []Statistic
	states  []State
}

// NewSet returns a Set of the metrics, with a metric of each class where one stands for them. The
// error says which of them does not fit the data, and why. Without metrics the Set is nil.
func NewSet(d Data, all ...Metric) (*Set, error) {
	if len(all) == 0 {
		return nil, nil
	}
	s := &Set{}
	for _, m := range all {
		if err := s.add(d, m); err != nil {
			return nil, err
		}
	}
	if err := s.distinct(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Set) add(d Data, m Metric) error {
	if isnil.Of(m) || !reflect.TypeOf(m).Comparable() {
		return fmt.Errorf("metrics: %T is nil or cannot be compared; want a value of comparable fields, or a pointer", m)
	}
	name := ""
	err := rescue.Do(func() (err error) {
		name = m.Name()
		members, err := expanded(d, m)
		for _, m := range members {
			if err == nil {
				err = s.place(d, m)
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("metrics: %.40s: %w", name, err)
	}
	return nil
}

// expanded returns the metrics that m stands for, which fit d.
func expanded(d Data, m Metric) ([]Metric, error) {
	c, ok := m.(PerClass)
	if !ok {
		return []Metric{m}, nil
	}
	q, err := questionsOf(d)
	if err != nil {
		return nil, err
	}
	if n := q.classes(); n > maxClasses {
		return nil, fmt.Errorf("%d classes; at most %d are counted", n, maxClasses)
	}
	return c.expand(q.classes()), c.fits(q.classes())
}

// place adds a metric, with a new state if none is that of its statistic.
func (s *Set) place(d Data, m Metric) error {
	kind := m.Statistic()
	if isnil.Of(kind) || !reflect.TypeOf(kind).Comparable() {
		return fmt.Errorf("its Statistic %T is nil or cannot be compared", kind)
	}
	i := slices.Index(s.kinds, kind)
	if i < 0 {
		state, err := kind.New(d)
		if err != nil {
			return err
		}
		if isnil.Of(state) {
			return errors.New("its Statistic made no State")
		}
		i = len(s.kinds)
		s.kinds, s.states = append(s.kinds, kind), append(s.states, state)
	}
	s.metrics, s.of, s.names = append(s.metrics, m), append(s.of, i), append(s.names, m.Name())
	return nil
}

// distinct returns an error if a name is not one, or is there twice.
func (s *Set) distinct() error {
	seen := map[string]bool{}
	for _, name := range s.names {
		if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(c rune) bool { return !inName(c) }) {
			return fmt.Errorf("metrics: the name %.80q; want up to 64 letters, digits, '.', '_' or '-'", name)
		}
		if seen[name] {
			return fmt.Errorf("metrics: %s is there twice", name)
		}
		seen[name] = true
	}
	return nil
}

func inName(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

// Metrics lists the metrics of s, in order.
func (s *Set) Metrics() []Metric {
	if s == nil {
		return nil
	}
	return slices.Clone(s.metrics)
}

// Reset makes all states those of no examples.
func (s *Set) Reset() {
	if s == nil {
		return
	}
	for _, state := range s.states {
		state.Reset()
	}
}

// Add adds the examples of a batch to all states.
func (s *Set) Add(output, target *tensor.Dense) error {
	if s == nil {
		return nil
	}
	for i, state := range s.states {
		if err := rescue.Do(func() error { return state.Add(output, target) }); err != nil {
			return fmt.Errorf("metrics: %s: %w", s.first(i), err)
		}
	}
	return nil
}

// first returns the name of the first metric of state i.
func (s *Set) first(i int) string { return s.names[slices.Index(s.of, i)] }

// Merge adds the examples of another Set, of the same metrics and data, after those of s.
func (s *Set) Merge(o *Set) error {
	if s == nil && o == nil {
		return nil
	}
	if s == nil || o == nil || !slices.Equal(s.names, o.names) || !slices.Equal(s.kinds, o.kinds) {
		return errors.New("metrics: the sets are of other metrics")
	}
	for i, state := range s.states {
		if err := rescue.Do(func() error { return state.Merge(o.states[i]) }); err != nil {
			return fmt.Errorf("metrics: %s: %w", s.first(i), err)
		}
	}
	return nil
}

// Values computes all metrics.
func (s *Set) Values() (all Values, err error) {
	if s == nil {
		return nil, nil
	}
	err = rescue.Do(func() error {
		for i, m := range s.metrics {
			all = append(all, Value{s.names[i], m.Value(s.states[s.of[i]])})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("metrics: %s: %w", s.names[len(all)], err)
	}
	return all, nil
}

// AppendBinary appends the states to b.
func (s *Set) AppendBinary(b []byte) (_ []byte, err error) {
	if s == nil {
		return b, nil
	}
	b = frames.Append(b, s.key())
	for i, state := range s.states {
		var one []byte
		err := rescue.Do(func() (err error) { one, err = state.AppendBinary(nil); return err })
		if err != nil {
			return nil, fmt.Errorf("metrics: %s: %w", s.first(i), err)
		}
		b = frames.Append(b, one)
	}
	return b, nil
}

// key tells sets apart.
func (s *Set) key() string { return strings.Join(s.names, ",") }

// UnmarshalBinary sets the states to those that AppendBinary encoded, of a Set of the same metrics
// and data.
func (s *Set) UnmarshalBinary(data []byte) error {
	if s == nil {
		if len(data) > 0 {
			return errors.New("metrics: the encoded states are of metrics, and there are none")
		}
		return nil
	}
	key, data, err := takeBytes(data)
	if err == nil && string(key) != s.key() {
		err = fmt.Errorf("the encoded states are of %.200q, not of %.200q", key, s.key())
	}
	for i, state := range s.states {
		var one []byte
		if err == nil {
			one, data, err = takeBytes(data)
		}
		if err == nil {
			err = rescue.Do(func() error { return state.UnmarshalBinary(one) })
		}
		if err != nil {
			return fmt.Errorf("metrics: %s: %w", s.first(i), err)
		}
	}
	return ended(data)
}

// takeBytes reads a string from the start of data, and returns what follows.
func takeBytes(data []byte) (v, rest []byte, err error) {
	v, rest, ok := frames.Cut(data)
	if !ok {
		return nil, nil, errFewer
	}
	return v, rest, nil
}
