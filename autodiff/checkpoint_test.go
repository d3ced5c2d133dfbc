package autodiff_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// blocks builds a deep model with convolutions, batch normalisation, dropout and a residue, its
// loss and a training step; each block is a checkpoint or not.
func blocks(depth int, wrap func(f func(x ...*graph.Node) *graph.Node, x *graph.Node) *graph.Node) []*graph.Node {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 4, 8, 8))
	for i := range depth {
		block := func(x ...*graph.Node) *graph.Node {
			param := func(name string, init graph.Initializer, dims ...shape.Dim) *graph.Node {
				return g.Param(fmt.Sprint(name, i), shape.F32(dims...), init)
			}
			stat := func(name string) *graph.Node { return g.State(fmt.Sprint(name, i), shape.F32(4), graph.Fill(1)) }
			h := ops.Conv2D(x[0], param("w", graph.Fill(.1), 4, 4, 3, 3), ops.Conv2DOp{Pad: ops.SamePad(3)})
			h = ops.BatchNorm(h, param("gamma", graph.Fill(1), 4), param("beta", nil, 4), stat("mean"), stat("var"), ops.BatchNormOptions{})
			h = ops.Dropout(ops.Tanh(ops.ReLU(h)), .3)
			return ops.Sigmoid(ops.Add(h, x[0]))
		}
		x = wrap(block, x)
	}
	loss := ops.Mean(ops.Square(x))
	outs := append([]*graph.Node{loss}, autodiff.Grad(loss, g.Params()...)...)
	for i, w := range g.Params() {
		g.Update(w, ops.Sub(w, ops.MulScalar(outs[1+i], .5)))
	}
	return outs
}

func plainly(f func(x ...*graph.Node) *graph.Node, x *graph.Node) *graph.Node { return f(x) }

func checkpointed(f func(x ...*graph.Node) *graph.Node, x *graph.Node) *graph.Node {
	return autodiff.Checkpoint(f, x)
}

// train runs steps of a program and returns all that it gave, and its memory.
func train(t *testing.T, outs []*graph.Node, opts ...vm.Option) (got [][]float32, memory vm.Memory) {
	if len(outs[0].Graph().Updates()) > 0 {
		opts = append(opts, vm.Train)
	}
	p, err := vm.Compile(ref.Engine{}, outs, append(opts, vm.Checked)...)
	require.NoError(t, err)
	const batch = 3
	memory, err = p.Memory(batch)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(7))
	require.NoError(t, err)
	x := make([]float32, batch*4*8*8)
	for i, v := range wave(len(x), .3) {
		x[i] = float32(v)
	}
	for range 2 {
		out, err := m.Run(t.Context(), tensor.New(tensor.WithShape(batch, 4, 8, 8), tensor.WithBacking(x)))
		require.NoError(t, err)
		for _, o := range out {
			got = append(got, append([]float32(nil), o.Float32s()...))
		}
	}
	return got, memory
}

func TestACheckpointSavesMemoryAndChangesNothing(t *testing.T) {
	for _, opts := range [][]vm.Option{nil, {vm.Without("simplify")}, {vm.Without("cse", "fuse")}} {
		want, keeps := train(t, blocks(8, plainly), opts...)
		have, saves := train(t, blocks(8, checkpointed), opts...)
		require.Equal(t, want, have)
		require.Less(t, saves.Arena*4, keeps.Arena*3)
	}
}

func TestNestedCheckpointsSaveMore(t *testing.T) {
	nested := func(wrap func(f func(x ...*graph.Node) *graph.Node, x *graph.Node) *graph.Node) []*graph.Node {
		g := graph.New()
		x := g.Input("x", shape.F32(shape.N, 4, 8, 8))
		y := x
		for range 8 {
			y = wrap(func(in ...*graph.Node) *graph.Node {
				h := in[0]
				for range 8 {
					h = ops.Softmax(ops.Sin(h), 1)
				}
				return h
			}, y)
		}
		loss := ops.Mean(y)
		return append(autodiff.Grad(loss, x), loss)
	}
	twice := func(f func(x ...*graph.Node) *graph.Node, x *graph.Node) *graph.Node {
		return autodiff.Checkpoint(func(in ...*graph.Node) *graph.Node { return checkpointed(f, in[0]) }, x)
	}
	want, keeps := train(t, nested(plainly))
	once, saves := train(t, nested(checkpointed))
	again, _ := train(t, nested(twice))
	require.Equal(t, want, once)
	require.Equal(t, want, again)
	require.Less(t, saves.Arena*2, keeps.Arena)
}

func TestCheckpointsAgreeWithFiniteDifferences(t *testing.T) {
	gradcheck.Check(t, func(x ...*graph.Node) *graph.Node {
		y := autodiff.Checkpoint(func(in ...*graph.Node) *graph.Node {
			return ops.Tanh(ops.Mul(ops.Exp(in[0]), ops.Add(x[1], in[0]))) // x[1] is not listed
		}, ops.Sin(x[0]))
		return ops.Mul(y, x[1])
	}, shape.F64(2, 3), shape.F64(3))
}

func TestGradientsThroughCheckpoints(t *testing.T) {
	build := func(wrap func(f func(x ...*graph.Node) *graph.Node, x *graph.Node) *graph.Node) []float64 {
		x := scalar()
		a := ops.MulScalar(x, 2)
		var inner *graph.Node
		y := wrap(func(in ...*graph.Node) *graph.Node {
			inner = ops.Mul(in[0], ops.Square(x))
			return ops.Mul(inner, ops.StopGradient(ops.Exp(in[0])))
		}, a)
		y = ops.Mul(y, a)
		first := autodiff.Grad(y, x, a, inner)
		second := autodiff.Grad(first[0], x)
		jvp := autodiff.JVP(y, []*graph.Node{x}, []*graph.Node{ops.Scalar(x, 3)})
		return at(t, .7, append(append(first, second...), jvp)...)
	}
	require.InDeltaSlice(t, build(plainly), build(checkpointed), 1e-13)
}

func TestClonesKeepTheCheckpointForTraining(t *testing.T) {
	outs := blocks(2, checkpointed)
	marks := func(n *graph.Node) (count int) {
		for _, n := range graph.Reachable(n) {
			if n.Op().Name() == "Checkpoint" {
				count++
			}
		}
		return count
	}
	wide := graph.WithDType(shape.Float64, outs[0])[0]
	require.Equal(t, 2, marks(wide))
	require.True(t, autodiff.Grad(wide, wide.Graph().Params()...)[0].Valid())
	require.NoError(t, wide.Graph().Err())

	infer := graph.Inference(outs[0])[0]
	require.Zero(t, marks(infer))
	require.Nil(t, infer.Graph().Leaf("rng"), "only training draws numbers")
}

func TestExplainLooksIntoCheckpoints(t *testing.T) {
	g := graph.New()
	x, w := g.Input("x", shape.F64()), g.Param("w", shape.F64(), nil)
	y := autodiff.Checkpoint(func(in ...*graph.Node) *graph.Node { return ops.Mul(in[0], ops.StopGradient(w)) }, x)
	e, err := autodiff.Explain(y, w)
	require.NoError(t, err)
	require.False(t, e.Passes)
	require.Equal(t, "StopGradient", e.Stops[0].At.Op().Name())
	require.Equal(t, []float64{0}, values(t, map[string]*tensor.Dense{}, autodiff.Grad(y, w)...)[0])
}

func TestMistakesOfCheckpointAreOneErrorEach(t *testing.T) {
	for want, f := range map[string]func(x ...*graph.Node) *graph.Node{
		"the function is nil":              nil,
		"the function returns nil":         func(...*graph.Node) *graph.Node { return nil },
		"a node of another graph":          func(...*graph.Node) *graph.Node { return scalar() },
		"only floating point has gradient": func(x ...*graph.Node) *graph.Node { return ops.Less(x[0], x[0]) },
		"Reshape":                          func(x ...*graph.Node) *graph.Node { return ops.Reshape(x[0], 5) },
	} {
		x := scalar()
		require.False(t, autodiff.Checkpoint(f, x).Valid(), want)
		errs := x.Graph().Err().(graph.ErrorList)
		require.Len(t, errs, 1, want)
		require.ErrorContains(t, errs, want)
	}
	require.False(t, autodiff.Checkpoint(func(x ...*graph.Node) *graph.Node { return ops.Exp(x[0]) }, nil).Valid())
	x := scalar()
	same := autodiff.Checkpoint(func(...*graph.Node) *graph.Node { return x })
	require.Equal(t, []float64{1}, at(t, 3, autodiff.Grad(same, x)...))
}

// The plan shows what checkpoints save, before anything runs: the arena shrinks, and some
// instructions come twice.
func ExampleCheckpoint() {
	plan := func(wrap func(f func(x ...*graph.Node) *graph.Node, x *graph.Node) *graph.Node) {
		g := graph.New()
		x := g.Input("x", shape.F32(shape.N, 1000))
		y := x
		for range 4 {
			y = wrap(func(in ...*graph.Node) *graph.Node {
				h := in[0]
				for range 4 {
					h = ops.Softmax(ops.Sin(h), 1)
				}
				return h
			}, y)
		}
		p := vm.MustCompile(ref.Engine{}, autodiff.Grad(ops.Mean(y), x))
		m, err := p.Memory(1)
		if err != nil {
			panic(err)
		}
		list, err := p.Describe(1)
		if err != nil {
			panic(err)
		}
		fmt.Println(m.Arena, "bytes,", len(list), "instructions")
	}
	plan(plainly)
	plan(checkpointed)
	// Output:
	// 72640 bytes, 65 instructions
	// 36352 bytes, 93 instructions
}
