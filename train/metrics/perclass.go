package metrics

import (
	"fmt"
	"strconv"
	"strings"
)

// A Kind is a metric of one class against all others. TP are the targets of the class that are
// predicted, FP the predictions of it that are wrong, FN the targets of it that are missed. A ratio
// is 0 where it would be 0/0.
type Kind int

const (
	Precision Kind = iota // TP/(TP+FP)
	Recall                // TP/(TP+FN)
	F1                    // 2TP/(2TP+FP+FN), the harmonic mean of precision and recall
	IoU                   // TP/(TP+FP+FN), intersection over union, the Jaccard index

	// ROCAUC is the area under the curve of the true over the false positive rate: the probability
	// that an example of the class has a higher score than one of another class, where equal scores
	// count half (Fawcett 2006). It is undefined, NaN, if either kind of example is missing. All
	// scores are kept until Reset: 4 or 8 bytes each, as the outputs, and 4 for the target.
	ROCAUC
	// AveragePrecision is the sum of precisions, weighted by how much each threshold adds to the
	// recall, without interpolation; 0 if no example is of the class. Scores are kept as for ROCAUC.
	AveragePrecision
)

// kinds describes each Kind: a ratio of counts, or the area of a curve of scores.
var kinds = []struct {
	name  string
	ratio func(tp, fp, fn float64) float64
	area  func(ranked) float64
}{
	Precision:        {"precision", func(tp, fp, _ float64) float64 { return ratio(tp, tp+fp) }, nil},
	Recall:           {"recall", func(tp, _, fn float64) float64 { return ratio(tp, tp+fn) }, nil},
	F1:               {"f1", func(tp, fp, fn float64) float64 { return ratio(2*tp, 2*tp+fp+fn) }, nil},
	IoU:              {"iou", func(tp, fp, fn float64) float64 { return ratio(tp, tp+fp+fn) }, nil},
	ROCAUC:           {"roc_auc", nil, ranked.rocAUC},
	AveragePrecision: {"average_precision", nil, ranked.averagePrecision},
}

// An Average says how the metrics of single classes become one number.
type Average int

const (
	Binary    Average = iota // that of class 1; there must be two classes
	Macro                    // the mean over the classes, of ratios over those that occur among targets or predictions
	Micro                    // that of the sums of TP, FP and FN over all classes; of ratios only
	Weighted                 // the mean over the classes, weighted by how many targets each has
	OfClass                  // that of one class
	EachClass                // stands for one metric of each class
)

var suffixes = []string{Binary: "", Macro: ".macro", Micro: ".micro", Weighted: ".weighted", OfClass: ".class.", EachClass: ".class"}

// PerClass is a metric of classes, from 0 to 1. Its name is "f1" for two classes, and "f1.macro",
// "f1.micro", "f1.weighted" or, of class 3, "f1.class.3" for any number; "f1.class" stands for one
// of each class. Of images (N,C,H,W) it is that of the pixels of all images together. The scores of
// ROCAUC and AveragePrecision are the probabilities of the classes, one class against the rest.
type PerClass struct {
	Of      Kind
	Average Average
	Class   int // with OfClass, from 0
}

// known reports whether m has constants of this package.
func (m PerClass) known() bool {
	return m.Of >= 0 && int(m.Of) < len(kinds) && m.Average >= 0 && int(m.Average) < len(suffixes) &&
		(m.Average != Micro || kinds[m.Of].ratio != nil)
}

// Name implements [Metric].
func (m PerClass) Name() string {
	switch {
	case !m.known():
		return fmt.Sprintf("kind%d.average%d", m.Of, m.Average)
	case m.Average == OfClass:
		return kinds[m.Of].name + suffixes[OfClass] + strconv.Itoa(m.Class)
	}
	return kinds[m.Of].name + suffixes[m.Average]
}

// Lower implements [Metric].
func (PerClass) Lower() bool { return false }

// Statistic implements [Metric].
func (m PerClass) Statistic() Statistic {
	if m.known() && kinds[m.Of].ratio == nil {
		return scores{}
	}
	return counts{}
}

// fits returns an error if m is no metric of so many classes.
func (m PerClass) fits(classes int) error {
	switch {
	case !m.known():
		return fmt.Errorf("there is no Kind %d with Average %d", m.Of, m.Average)
	case m.Average == Binary && classes != 2:
		return fmt.Errorf("it is that of class 1 of two, and there are %d classes; take %s", classes, strings.Join(averages(m.Of), ", "))
	case m.Average == OfClass && (m.Class < 0 || m.Class >= classes):
		return fmt.Errorf("there is no class %d: there are %d, counted from 0", m.Class, classes)
	}
	return nil
}

// averages lists the names of the metrics of a kind for any number of classes.
func averages(k Kind) (names []string) {
	for _, a := range []Average{Macro, Micro, Weighted, EachClass} {
		if m := (PerClass{Of: k, Average: a}); m.known() {
			names = append(names, m.Name())
		}
	}
	return names
}

// expand returns the metrics that m stands for.
func (m PerClass) expand(classes int) []Metric {
	if m.Average != EachClass {
		return []Metric{m}
	}
	all := make([]Metric, classes)
	for c := range all {
		all[c] = PerClass{m.Of, OfClass, c}
	}
	return all
}

// classState is a state of which each class has a value.
type classState interface {
	classes() int
	one(k Kind, class int) float64
	sums(k Kind) float64
	targets(class int) float64
	occurs(class int) bool
}

// Value implements [Metric].
func (m PerClass) Value(s State) float64 {
	t, ok := s.(classState)
	if !ok || m.Average == EachClass || m.fits(t.classes()) != nil || !m.of(s) {
		return undefined
	}
	switch m.Average {
	case Binary:
		return t.one(m.Of, 1)
	case OfClass:
		return t.one(m.Of, m.Class)
	case Micro:
		return t.sums(m.Of)
	}
	sum, weights := 0., 0.
	for c := range t.classes() {
		weight := t.targets(c)
		if m.Average == Macro {
			weight = 1
		}
		if weight > 0 && t.occurs(c) {
			sum += weight * t.one(m.Of, c)
			weights += weight
		}
	}
	return ratio(sum, weights)
}

// of reports whether s is of m's statistic.
func (m PerClass) of(s State) bool {
	_, counted := s.(*tally)
	return counted == (kinds[m.Of].ratio != nil)
}
