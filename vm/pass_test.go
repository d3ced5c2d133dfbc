package vm_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/vm"
)

func TestEveryPassHasAFileOfItsName(t *testing.T) {
	files := vm.PassFiles()
	require.Len(t, files, len(vm.Passes()))
	for name, file := range files {
		require.Equal(t, name+".go", file)
	}
}

func TestTheOrderOfPassesIsWhatTheyNeed(t *testing.T) {
	require.NoError(t, vm.CheckPassOrder("", ""))
	follows := map[string]bool{"validate": true, "lower": true} // the first of each list
	for _, pair := range vm.PassOrder() {
		follows[pair[1]] = true
		require.Error(t, vm.CheckPassOrder(pair[0], pair[1]), "%s after %s", pair[0], pair[1])
	}
	for _, p := range vm.Passes() {
		require.True(t, follows[p.Name], "nothing says what %s comes after", p.Name)
	}
}

// Instructions that are ready may run in any order: where schedule is off, Checked shuffles them.
func TestTheOrderOfReadyInstructionsChangesNoBits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	moved := 0
	for range 20 {
		data := make([]byte, 20+r.IntN(150))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		c := choices(data)
		_, outs := randomModel(&c)
		want, have := steps(t, outs), steps(t, outs, vm.Without("schedule"))
		require.Len(t, have, len(want))
		for i := range want {
			require.Equal(t, math.Float64bits(want[i]), math.Float64bits(have[i]), "value %d of data %v", i, data)
		}
		if instructions(t, outs, vm.Checked) != instructions(t, outs) {
			moved++
		}
	}
	require.Greater(t, moved, 10, "graphs whose instructions are shuffled")
}

// instructions lists those of a program without schedule, in the order they run.
func instructions(t *testing.T, outs []*graph.Node, opts ...vm.Option) (text string) {
	p, err := vm.Compile(newSharingEngine(), outs, append(opts, vm.Train, vm.Without("schedule", "group"))...)
	require.NoError(t, err)
	list, err := p.Describe(3)
	require.NoError(t, err)
	for _, in := range list {
		text += in.Text + "\n"
	}
	return text
}
