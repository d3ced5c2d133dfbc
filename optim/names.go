package optim

import (
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
)

// The leaves that an optimiser counts in; those of one with a name have it before them.
const (
	stepName = "step"
	runsName = "accumulated.runs"
	sizeName = "accumulated.size"
)

// averageSuffix ends the name of the moving average of a parameter. It has one, so that it does
// not matter who keeps it.
const averageSuffix = ".ema"

// leafName is that of what the optimiser remembers of a parameter.
func leafName(param *graph.Node, optimizer, what string) string {
	return graph.Join(param.Name(), graph.Join(optimizer, what))
}

// Kept picks out of the names of a store's values those that optimisers keep besides the
// parameters themselves: counts of steps, and what is named after another value. It goes by the
// names and so is right for values from a file; a layer that has a parameter w and a part w
// deceives it.
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

// counts reports whether name is that of a counter.
func counts(name string) bool {
	return slices.ContainsFunc([]string{stepName, runsName, sizeName}, func(c string) bool {
		return name == c || strings.HasSuffix(name, "."+c)
	})
}

// follows reports whether a beginning of name is known.
func follows(name string, known map[string]bool) bool {
	for i, c := range name {
		if c == '.' && known[name[:i]] {
			return true
		}
	}
	return false
}
