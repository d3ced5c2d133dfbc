package lecture

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/fashion"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/vm"
)

func TestTransfer(t *testing.T) {
	b := trained(t, "transfer")
	at := func(move string, way int, column string) float64 { return b.value(t, move+", "+ways[way]+", "+column) }
	for _, move := range []string{"clothes", "digits 5 to 9"} {
		for way := range ways {
			require.Greater(t, at(move, way, "50"), .4, "%s, %s", move, ways[way])
			require.Greater(t, at(move, way, "1000"), at(move, way, "50")+.05, "%s, %s", move, ways[way])
		}
		require.Greater(t, at(move, 1, "1000"), at(move, 3, "1000")+.02, "convolutions that were trained on other images are better than untrained ones: %s", move)
		require.InDelta(t, 100*(at(move, 1, "1000")-at(move, 0, "1000")), at(move, 1, "gain, 1000"), 1e-9)
	}
	fast := "clothes, 1000 labels"
	require.Greater(t, at(fast, 1, "16"), at(fast, 0, "16")+.03, "with few steps, learnt convolutions are ahead of those that have yet to be learnt")
	if *long {
		require.Greater(t, at(fast, 1, "gain, 16"), 2*at(fast, 1, "±, 16"))
		for _, labels := range []string{"50", "100"} {
			require.Greater(t, at("digits 5 to 9", 1, "gain, "+labels), 2*at("digits 5 to 9", 1, "±, "+labels), "few labels, images of the same kind")
		}
		require.Less(t, at("clothes", 1, "gain, 1000"), -2*at("clothes", 1, "±, 1000"), "many labels, images of another kind")
		require.Greater(t, at("clothes", 2, "1000"), at("clothes", 1, "1000"))
	}
}

func TestVerdictsTakeTwoStandardErrorsForADifference(t *testing.T) {
	require.Equal(t, "head: better with 1 and 5 labels, worse with 2 labels, no clear difference with 3 and 4 labels",
		verdict("head", "labels", []int{1, 2, 3, 4, 5}, []float64{3, -3, 1, -2, .1}, []float64{1, 1, 1, 1, 0}))
	require.Equal(t, "a, b and c", joined([]string{"a", "b", "c"}))
	mean, doubt := gained([]float64{.75, .25}, []float64{.5, .25})
	require.Equal(t, []float64{12.5, 12.5}, []float64{mean, doubt})
}

// TestALessonLeavesTheValuesThatItStartsFrom, and what is frozen among them does not change in its
// copy.
func TestALessonLeavesTheValuesThatItStartsFrom(t *testing.T) {
	train, _, err := fashion.Sample()
	require.NoError(t, err)
	few := data.Limit(train, 64)
	r, err := teach(t.Context(), lesson{model: lenet.Model, learn: few, epochs: 1, seed: 1})
	require.NoError(t, err)
	source := r.Checkpoint.Store
	before := floatsOf(t, source, "conv2.weight")
	start := lesson{model: frozen(), learn: few, epochs: 2, seed: 2, start: source, partial: []string{"head.*", "fc?.*"}}
	head, err := teach(t.Context(), start)
	require.NoError(t, err)
	require.Equal(t, before, floatsOf(t, head.Checkpoint.Store, "conv2.weight"))
	start.model = headed
	all, err := teach(t.Context(), start)
	require.NoError(t, err)
	require.NotEqual(t, before, floatsOf(t, all.Checkpoint.Store, "conv2.weight"))
	require.Equal(t, before, floatsOf(t, source, "conv2.weight"))
	require.Contains(t, source.Names(), "fc3.weight")
}

func floatsOf(t *testing.T, s *vm.Store, name string) []float32 {
	t.Helper()
	v, err := s.Value(name)
	require.NoError(t, err)
	return append([]float32(nil), v.Data().([]float32)...)
}
