package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

func TestALeafHasOneUpdateUnlessItsOwnersShareIt(t *testing.T) {
	a, b := graph.Owner{Name: "a"}, graph.Owner{Name: "b"}
	shares := graph.Owner{Name: "b", Shares: true}
	for _, tt := range []struct {
		name          string
		state         bool
		first, second *graph.Owner
		both          bool
	}{
		{"nobody's", false, nil, nil, false},
		{"nobody's and one that shares", false, nil, &shares, false},
		{"two owners", false, &a, &b, false},
		{"the second shares", false, &a, &shares, true},
		{"the first shares", false, &shares, &a, true},
		{"the same owner", false, &shares, &shares, false},
		{"a State is never shared", true, &a, &shares, false},
	} {
		g := graph.New()
		leaf := g.Param("w", shape.F32(), nil)
		if tt.state {
			leaf = g.State("s", shape.F32(), nil)
		}
		for _, o := range []*graph.Owner{tt.first, tt.second} {
			if o == nil {
				g.Update(leaf, leaf)
				continue
			}
			g.Owned(*o, func() { g.Update(leaf, leaf) })
		}
		if !tt.both {
			require.ErrorContains(t, g.Err(), "has an update already", tt.name)
			continue
		}
		require.NoError(t, g.Err(), tt.name)
		require.Len(t, g.Updates(), 2, tt.name)
		require.Equal(t, *tt.first, *g.Updates()[0].Owner)
		require.Equal(t, *tt.second, *g.Updates()[1].Owner)
	}
}
