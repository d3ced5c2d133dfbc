package metrics

import (
	"fmt"
	"strconv"
	"strings"
)

// table lists the metrics that have a name of their own.
func table() []Metric {
	all := []Metric{Accuracy{}, BalancedAccuracy{}}
	for k := range kinds {
		for a := range suffixes {
			if m := (PerClass{Of: Kind(k), Average: Average(a)}); m.known() && m.Average != OfClass {
				all = append(all, m)
			}
		}
	}
	return append(all, LogLoss{}, MAE{}, MSE{}, RMSE{}, R2{})
}

// Names lists the names that [Named] knows. Besides these it knows top2, top3, ... and, of any
// metric that is named with ".class", that of one class: f1.class.0, ...
func Names() (names []string) {
	for _, m := range table() {
		names = append(names, m.Name())
	}
	return append(names, "topK")
}

// Named returns the metric of a name, such as "f1.macro" or "top5". The error names those that there
// are.
func Named(name string) (Metric, error) {
	for _, m := range table() {
		if m.Name() == name {
			return m, nil
		}
	}
	if k, ok := strings.CutPrefix(name, "top"); ok {
		if n, err := strconv.Atoi(k); err == nil && n > 0 && (TopK{n}).Name() == name {
			return TopK{n}, nil
		}
	}
	if stem, class, ok := strings.Cut(name, suffixes[OfClass]); ok {
		n, err := strconv.Atoi(class)
		for k, kind := range kinds {
			if m := (PerClass{Kind(k), OfClass, n}); err == nil && n >= 0 && kind.name == stem && m.Name() == name {
				return m, nil
			}
		}
	}
	return nil, fmt.Errorf("metrics: no metric %.40q; there are %s", name, strings.Join(Names(), ", "))
}

// Parse returns the metrics of names that are separated by commas, as in "f1.macro,top5". There are
// none in an empty list.
func Parse(list string) (all []Metric, err error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	for name := range strings.SplitSeq(list, ",") {
		m, err := Named(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}
