package vm_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// deepStep is a training step whose activations wait for the backward sweep.
func deepStep(depth int) []*graph.Node {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3, 8, 8))
	y := x
	g.Within("body", func() {
		for range depth {
			w := g.Param(graph.Join("w", string(rune('a'+len(g.Params())))), shape.F32(3, 3, 3, 3), spread(len(g.Params())))
			y = ops.Dropout(ops.Sin(ops.Conv2D(y, w, ops.Conv2DOp{Pad: ops.SamePad(3)})), .2)
		}
	})
	loss := ops.Mean(ops.Square(y))
	for i, d := range autodiff.Grad(loss, g.Params()...) {
		w := g.Params()[i]
		g.Update(w, ops.Sub(w, ops.MulScalar(d, .1)))
	}
	return []*graph.Node{loss}
}

// after runs two steps and returns the losses and all leaves.
func after(t *testing.T, p *vm.Program) (got [][]float32) {
	s := vm.NewStore(3)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	x := make([]float32, 4*3*8*8)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	for range 2 {
		out, err := m.Run(t.Context(), tensor.New(tensor.WithShape(4, 3, 8, 8), tensor.WithBacking(x)))
		require.NoError(t, err)
		got = append(got, append([]float32(nil), out[0].Float32s()...))
	}
	for _, l := range p.Leaves() {
		if l.Type().IsFloat() {
			v, err := s.Value(l.Name())
			require.NoError(t, err)
			got = append(got, append([]float32(nil), v.Float32s()...))
		}
	}
	return got
}

func TestABudgetIsKeptAndChangesNothing(t *testing.T) {
	free, err := vm.Compile(ref.Engine{}, deepStep(8), vm.Train)
	require.NoError(t, err)
	all, err := free.Memory(4)
	require.NoError(t, err)
	want := after(t, free)
	for _, part := range []float64{1, .9, .75, .6, .5} {
		budget := int(part * float64(all.Arena))
		p, err := vm.Compile(ref.Engine{}, deepStep(8), vm.Train, vm.Checked, vm.WithMemory(budget))
		require.NoError(t, err)
		m, err := p.Memory(4)
		require.NoError(t, err, "%v of %d", part, all.Arena)
		require.LessOrEqual(t, m.Arena, budget)
		require.Equal(t, want, after(t, p))
		if part == 1 {
			require.Equal(t, describe(t, free), describe(t, p), "nothing is computed twice for no reason")
		}
	}
}

func describe(t *testing.T, p *vm.Program) (names []string) {
	list, err := p.Describe(4)
	require.NoError(t, err)
	for _, in := range list {
		names = append(names, in.Text)
	}
	return names
}

func TestABudgetGivesTheSamePlanEachTime(t *testing.T) {
	plan := func() []string {
		p, err := vm.Compile(ref.Engine{}, deepStep(6), vm.Train, vm.WithMemory(60_000))
		require.NoError(t, err)
		return describe(t, p)
	}
	first := plan()
	for range 5 {
		require.Equal(t, first, plan())
	}
}

func TestABudgetThatCannotBeKeptSaysWhatIsLarge(t *testing.T) {
	p, err := vm.Compile(ref.Engine{}, deepStep(6), vm.Train, vm.WithMemory(34_000))
	require.NoError(t, err)
	_, err = p.Memory(1)
	require.NoError(t, err, "it is a matter of the batch size")
	_, err = p.Memory(4)
	require.True(t, errors.Is(err, vm.ErrMemory))
	require.Regexp(t, `^vm: remat: not enough memory: at N=4 the values of a run need at least \d+ bytes, the budget is 34000; most are live at .* \(.*remat_test.go:\d+\), the largest:\n\t\d+ bytes: scratch of Fused \(.*\n\t3072 bytes: float32\(4,3,8,8\) of Conv2D \(layer body, remat_test.go:\d+\)`, err.Error())
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	_, err = m.Run(t.Context(), tensor.New(tensor.WithShape(4, 3, 8, 8), tensor.Of(tensor.Float32)))
	require.ErrorIs(t, err, vm.ErrMemory)

	_, err = vm.Compile(ref.Engine{}, deepStep(1), vm.WithMemory(0))
	require.ErrorContains(t, err, "a budget of 0 bytes; want at least 1")
}

// Random graphs within any budget give what they give without, bit by bit, or ErrMemory.
func TestRandomGraphsAreTheSameWithinABudget(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	kept, refused := 0, 0
	for range 60 {
		data := make([]byte, 60+r.IntN(150))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		c := choices(data)
		_, outs := randomModel(&c)
		p, err := vm.Compile(newSharingEngine(), outs, vm.Train)
		require.NoError(t, err)
		const batch = 99 // so that values outweigh scratch
		free, err := p.Memory(batch)
		require.NoError(t, err)
		budget := vm.WithMemory(max(1, free.Arena*(60+r.IntN(40))/100))
		tight, err := vm.Compile(newSharingEngine(), outs, vm.Train, budget)
		require.NoError(t, err)
		if _, err := tight.Memory(batch); err != nil {
			require.ErrorIs(t, err, vm.ErrMemory)
			refused++
			continue
		}
		kept++
		require.Equal(t, stepsOf(t, []int{batch, batch}, outs), stepsOf(t, []int{batch, batch}, outs, budget))
	}
	require.Positive(t, kept)
	t.Log(kept, "fit,", refused, "do not")
}

// A budget is kept by computing values again, or refused with the largest values and their lines.
func ExampleWithMemory() {
	for _, bytes := range []int{1 << 20, 65_000, 34_000} {
		p, err := vm.Compile(ref.Engine{}, deepStep(8), vm.Train, vm.WithMemory(bytes))
		if err != nil {
			panic(err)
		}
		list, err := p.Describe(4)
		if err != nil {
			fmt.Println(regexp.MustCompile(`(?s); most.*`).ReplaceAllString(err.Error(), "; ..."))
			continue
		}
		m, err := p.Memory(4)
		if err != nil {
			panic(err)
		}
		fmt.Println(m.Arena, "bytes,", len(list), "instructions")
	}
	// Output:
	// 83712 bytes, 57 instructions
	// 62208 bytes, 64 instructions
	// vm: remat: not enough memory: at N=4 the values of a run need at least 40768 bytes, the budget is 34000; ...
}
