package vm_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func TestPassesStandAfterWhatTheyNeed(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range vm.Passes() {
		require.False(t, seen[p.Name], "%s stands twice", p.Name)
		for _, before := range p.After {
			require.True(t, seen[before], "%s must come after %s", p.Name, before)
		}
		seen[p.Name] = true
		first := p.Name == "validate" || p.Name == "lower"
		require.Equal(t, first, len(p.After) == 0, "%s says what it must come after", p.Name)
	}
}

// Shuffled would show nothing if the passes left it no choice.
func TestPassesHaveSeveralOrders(t *testing.T) {
	orders := vm.LoweringOrders(64)
	var usual []string
	at := slices.IndexFunc(vm.Passes(), func(p vm.PassInfo) bool { return p.Name == "lower" })
	for _, p := range vm.Passes()[at:] {
		usual = append(usual, p.Name)
	}
	different := map[string]bool{}
	for _, o := range orders {
		require.ElementsMatch(t, usual, o)
		different[o[len(o)-2]+o[len(o)-3]+o[len(o)-4]+o[len(o)-5]] = true
	}
	require.Greater(t, len(different), 2)
}

func TestShuffledWantsASeed(t *testing.T) {
	_, err := vm.Compile(ref.Engine{}, []*graph.Node{graph.New().Input("x", shape.F32())}, vm.Shuffled(0))
	require.EqualError(t, err, "vm: Shuffled: the seed is 0; want another number")
}
