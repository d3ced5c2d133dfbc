package metrics

import (
	"encoding/binary"
	"fmt"
	"math"

	"gorgonia.org/tensor"
)

// MAE is the mean absolute error, |output-target|: 0 or more.
type MAE struct{}

// MSE is the mean squared error, (output-target)²: 0 or more.
type MSE struct{}

// RMSE is the root of the mean squared error: 0 or more. With several outputs an example it is the
// mean of their roots, as in scikit-learn.
type RMSE struct{}

// R2 is the coefficient of determination, 1 - Σ(output-target)²/Σ(target-mean)²: at most 1, and 0 for
// a model that always says the mean. With several outputs an example it is the mean of theirs. Where
// all targets are the same it is 1 if they are predicted exactly, otherwise 0. It is undefined, NaN,
// for less than two examples.
type R2 struct{}

// Name implements [Metric].
func (MAE) Name() string { return "mae" }

// Name implements [Metric].
func (MSE) Name() string { return "mse" }

// Name implements [Metric].
func (RMSE) Name() string { return "rmse" }

// Name implements [Metric].
func (R2) Name() string { return "r2" }

// Lower implements [Metric].
func (MAE) Lower() bool { return true }

// Lower implements [Metric].
func (MSE) Lower() bool { return true }

// Lower implements [Metric].
func (RMSE) Lower() bool { return true }

// Lower implements [Metric].
func (R2) Lower() bool { return false }

// Statistic implements [Metric].
func (MAE) Statistic() Statistic { return differences{} }

// Statistic implements [Metric].
func (MSE) Statistic() Statistic { return differences{} }

// Statistic implements [Metric].
func (RMSE) Statistic() Statistic { return differences{} }

// Statistic implements [Metric].
func (R2) Statistic() Statistic { return differences{} }

// Value implements [Metric].
func (MAE) Value(s State) float64 {
	return columnMean(s, func(c column, n float64) float64 { return ratio(c.abs, n) })
}

// Value implements [Metric].
func (MSE) Value(s State) float64 {
	return columnMean(s, func(c column, n float64) float64 { return ratio(c.square, n) })
}

// Value implements [Metric].
func (RMSE) Value(s State) float64 {
	return columnMean(s, func(c column, n float64) float64 { return math.Sqrt(ratio(c.square, n)) })
}

// Value implements [Metric].
func (R2) Value(s State) float64 {
	return columnMean(s, func(c column, n float64) float64 {
		switch {
		case n < 2:
			return undefined
		case c.spread != 0:
			return 1 - c.square/c.spread
		case c.square == 0:
			return 1
		}
		return 0
	})
}

// columnMean returns the mean of f over the outputs of an example.
func columnMean(s State, f func(c column, n float64) float64) float64 {
	e, ok := s.(*deviations)
	if !ok {
		return undefined
	}
	sum := 0.
	for _, c := range e.columns {
		sum += f(c, float64(e.n))
	}
	return ratio(sum, float64(len(e.columns)))
}

// differences adds up how outputs differ from floating-point targets.
type differences struct{}

// deviations is the State of differences.
type deviations struct {
	n       int64    // examples
	columns []column // one for each output of an example
}

// column is about one output of an example.
type column struct {
	abs, square  float64 // Σ|output-target|, Σ(output-target)²
	mean, spread float64 // of the targets, and Σ(target-mean)²
}

func (differences) New(d Data) (State, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.Output.Shape != d.Target.Shape || !d.Target.IsFloat() {
		return nil, fmt.Errorf("the output is %v and the target %v; want floating point of the same shape", d.Output, d.Target)
	}
	n := d.Output.Of(d.Output.Drop(0)).Len()
	if n > d.limit()/columnBytes {
		return nil, fmt.Errorf("it keeps %d bytes for each of the %d outputs of an example, and may keep %d in all", columnBytes, n, d.limit())
	}
	return &deviations{columns: make([]column, n)}, nil
}

const columnBytes = 32

func (e *deviations) Reset() {
	e.n = 0
	clear(e.columns)
}

func (e *deviations) Add(output, target *tensor.Dense) error {
	if output == nil || target == nil || output.DataSize() != target.DataSize() || output.DataSize()%max(1, len(e.columns)) != 0 {
		return unequal(output, target)
	}
	a, b, err := numbers(output)
	if err != nil {
		return err
	}
	c, d, err := numbers(target)
	switch {
	case err != nil:
		return err
	case a != nil && c != nil:
		differ(e, a, c)
	case a != nil:
		differ(e, a, d)
	case c != nil:
		differ(e, b, c)
	default:
		differ(e, b, d)
	}
	return nil
}

func unequal(output, target *tensor.Dense) error {
	if output == nil || target == nil {
		return errNil
	}
	return fmt.Errorf("%d outputs and %d targets do not belong together", output.DataSize(), target.DataSize())
}

func differ[A, B number](e *deviations, output []A, target []B) {
	width := len(e.columns)
	if width == 0 {
		return
	}
	for i := 0; i < len(output); i += width {
		e.n++
		for j := range width {
			c, y := &e.columns[j], float64(target[i+j])
			d := float64(output[i+j]) - y
			c.abs += math.Abs(d)
			c.square += d * d
			away := y - c.mean // Welford 1962
			c.mean += away / float64(e.n)
			c.spread += away * (y - c.mean)
		}
	}
}

func (e *deviations) Merge(other State) error {
	from, ok := other.(*deviations)
	if !ok || from == nil || len(from.columns) != len(e.columns) {
		return errOther
	}
	if from.n == 0 {
		return nil
	}
	a, b := float64(e.n), float64(from.n)
	e.n += from.n
	for i := range e.columns {
		c, d := &e.columns[i], from.columns[i]
		c.abs += d.abs
		c.square += d.square
		away := d.mean - c.mean // Chan, Golub and LeVeque 1979
		c.mean += away * (b / (a + b))
		c.spread += d.spread + away*away*(a*b/(a+b))
	}
	return nil
}

func (e *deviations) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(e.n))
	for _, c := range e.columns {
		for _, v := range []float64{c.abs, c.square, c.mean, c.spread} {
			b = appendFloat(b, v)
		}
	}
	return b, nil
}

func (e *deviations) UnmarshalBinary(data []byte) (err error) {
	if data, err = takeCount(data, &e.n); err != nil {
		return err
	}
	for i := range e.columns {
		c := &e.columns[i]
		if data, err = takeFloats(data, &c.abs, &c.square, &c.mean, &c.spread); err != nil {
			return err
		}
	}
	return ended(data)
}
