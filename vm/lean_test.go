package vm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// roomy is [reversing], whose packed form has so many copies of the weights, or one copy by an algorithm
// that takes longer.
type roomy struct {
	reversing
	Copies, Slower int
}

func (roomy) Name() string { return "Roomy" }

func (o roomy) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	lean, err := o.reversing.Bind(e, in, out)
	if err != nil {
		return lean, err
	}
	lean.Alg, lean.Choice = "lean", []engine.Candidate{{Alg: "roomy", Work: 100}, {Alg: "lean", Work: 100 + o.Slower}}
	b := lean
	b.Alg, b.Packing.Bytes = "roomy", o.Copies*lean.Packing.Bytes
	b.Packing.Kernel = func(c *engine.Call) error {
		of := *c
		of.Out = []engine.Buffer{c.Out[0].At(0, shape.Uint8, lean.Packing.Bytes)}
		return lean.Packing.Kernel(&of)
	}
	b.Lean = func() engine.Bound { return lean }
	return b, nil
}

// rooms multiplies x by weights, with the given numbers of copies and work beside.
func rooms(cases ...[2]int) []*graph.Node {
	g := graph.New()
	y := g.Input("x", shape.F32(shape.N, 2))
	for i, c := range cases {
		w := g.Param(string(rune('a'+i)), shape.F32(2), graph.Fill(3))
		y = graph.Apply(roomy{reversing{&packLog{}}, c[0], c[1]}, y, w)
	}
	return []*graph.Node{y}
}

// Packed forms take at most twice the weights, and what is given up costs the least for its memory.
func TestPackedFormsTakeTwiceTheWeights(t *testing.T) {
	defer vm.SetPackedFree(0)()
	for _, c := range []struct {
		cases [][2]int
		want  []string
	}{
		{[][2]int{{2, 5}}, []string{"roomy"}},
		{[][2]int{{3, 5}}, []string{"lean"}},
		{[][2]int{{3, 5}, {1, 5}}, []string{"roomy", "roomy"}},
		{[][2]int{{3, 5}, {3, 4}}, []string{"roomy", "lean"}},
		{[][2]int{{4, 90}, {4, 1}, {4, 60}, {2, 1}}, []string{"roomy", "lean", "lean", "roomy"}},
		{[][2]int{{9, 1}, {3, 1}, {3, 1}}, []string{"lean", "lean", "roomy"}},
	} {
		outs := rooms(c.cases...)
		p := vm.MustCompile(ref.Engine{}, outs, vm.Checked)
		list, err := p.Describe(1)
		require.NoError(t, err)
		var have []string
		for _, in := range list {
			have = append(have, in.Alg)
		}
		require.Equal(t, c.want, have, "%v", c.cases)
		mem, err := p.Memory(1)
		require.NoError(t, err)
		require.LessOrEqual(t, mem.Packed, 2*mem.Leaves, "%v", c.cases)
		s := vm.NewStore(1)
		all := hoisting(t, ref.Engine{}, s, outs, vm.Without("lean"))
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		require.Equal(t, run(t, all, f32([]float32{1, 2}, 1, 2)), run(t, m, f32([]float32{1, 2}, 1, 2)))
	}
}

// The engine's own kernels have one.
func TestWinogradGivesWayWhereItsFiltersTakeTooMuch(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 64, 28, 28))
	y := x
	for _, name := range []string{"a", "b"} {
		y = ops.Conv2D(y, g.Param(name, shape.F32(64, 64, 3, 3), aroundOne{}), ops.Conv2DOp{Pad: ops.SamePad(3)})
	}
	roomy := func(without ...string) (algs int, mem vm.Memory) {
		p := vm.MustCompile(cpu.New(), []*graph.Node{y}, vm.Checked, vm.Without(without...))
		list, err := p.Describe(4)
		require.NoError(t, err)
		for _, in := range list {
			if in.Alg == "nhwc winograd" {
				algs++
			}
		}
		mem, err = p.Memory(4)
		require.NoError(t, err)
		return algs, mem
	}
	all, more := roomy("lean")
	kept, mem := roomy()
	require.Equal(t, all, kept, "two convolutions take less than is always theirs")
	require.Equal(t, more, mem)
	defer vm.SetPackedFree(0)()
	kept, mem = roomy()
	require.LessOrEqual(t, mem.Packed, 2*mem.Leaves)
	if all > 0 { // kernels for channels last
		require.Equal(t, 2, all)
		require.Zero(t, kept)
		require.InEpsilon(t, 8*more.Leaves/2, more.Packed, .02) // a cache line lies between the transformed values
	}
}
