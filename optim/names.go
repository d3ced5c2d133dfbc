package optim

import (
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
)

// The leaves with the counters of an optimiser. If it has a Name, that comes first.
const (
	stepName = "step"
	runsName = "accumulated.runs"
	sizeName = "accumulated.size"
)

// RateScale is the name of the State with the factor of a [Recipe] that is Scaled, a float64 scalar.
// A Name of the recipe comes first: "generator.rate.scale".
const RateScale = "rate.scale"

// averageSuffix ends the name of the moving average of a parameter. It does not contain the name of
// the optimiser, so that readers need not know which optimiser keeps the average.
const averageSuffix = ".ema"

// leafName returns the name of the leaf with a part of the optimiser's state for a parameter.
func leafName(param *graph.Node, optimizer, what string) string {
	return graph.Join(param.Name(), graph.Join(optimizer, what))
}

// Kept returns those of names, the names of a store's values, that optimisers keep besides the
// parameters: counters of steps, factors, and values named after another value. It looks only at the names,
// and so works for values read from a file. It is wrong for a layer that has both a parameter w and
// a part w.
func Kept(names []string) (kept []string) {
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
	}
	for _, name := range names {
		if counts(name) || follows(name, known) {
			kept = append(kept, name)
		}
	}
	return kept
}

// counts reports whether name is the name of a counter.
func counts(name string) bool {
	return slices.ContainsFunc([]string{stepName, runsName, sizeName, RateScale}, func(c string) bool {
		return name == c || strings.HasSuffix(name, "."+c)
	})
}

// follows reports whether known contains a prefix of name that ends before a dot.
func follows(name string, known map[string]bool) bool {
	for i, c := range name {
		if c == '.' && known[name[:i]] {
			return true
		}
	}
	return false
}
