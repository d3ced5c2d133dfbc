package metrics

import (
	"fmt"
	"math"
)

// undefined is the value of a metric that has none.
var undefined = math.NaN()

// Accuracy is the fraction of the targets that are predicted: from 0 to 1.
type Accuracy struct{}

// Name implements [Metric].
func (Accuracy) Name() string { return "accuracy" }

// Lower implements [Metric].
func (Accuracy) Lower() bool { return false }

// Statistic implements [Metric].
func (Accuracy) Statistic() Statistic { return counts{} }

// Value implements [Metric].
func (Accuracy) Value(s State) float64 {
	t, ok := s.(*tally)
	if !ok {
		return undefined
	}
	return ratio(float64(total(t.right)), float64(total(t.actual)))
}

// BalancedAccuracy is the mean of the recalls of the classes that occur among the targets: from 0
// to 1.
type BalancedAccuracy struct{}

// Name implements [Metric].
func (BalancedAccuracy) Name() string { return "balanced_accuracy" }

// Lower implements [Metric].
func (BalancedAccuracy) Lower() bool { return false }

// Statistic implements [Metric].
func (BalancedAccuracy) Statistic() Statistic { return counts{} }

// Value implements [Metric].
func (BalancedAccuracy) Value(s State) float64 {
	t, ok := s.(*tally)
	if !ok {
		return undefined
	}
	sum, classes := 0., 0.
	for c, n := range t.actual {
		if n > 0 {
			sum += float64(t.right[c]) / float64(n)
			classes++
		}
	}
	return ratio(sum, classes)
}

// TopK is the fraction of the targets that are among the K largest outputs: from 0 to 1. Of equal
// outputs, those of smaller class numbers come first. There must be more than K classes.
type TopK struct{ K int }

// Name implements [Metric].
func (m TopK) Name() string { return fmt.Sprintf("top%d", m.K) }

// Lower implements [Metric].
func (TopK) Lower() bool { return false }

// Statistic implements [Metric].
func (m TopK) Statistic() Statistic { return topK(m) }

// Value implements [Metric].
func (m TopK) Value(s State) float64 {
	h, ok := s.(*hits)
	if !ok || h.k != m.K {
		return undefined
	}
	return ratio(float64(h.right), float64(h.all))
}
