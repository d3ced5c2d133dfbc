package nn_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// decoder is a transformer.
type decoder struct{ width, blocks int }

const (
	cacheLength = 1024
	cacheVocab  = 11
)

// small is for tests; large has the widths of a language model, if a small one.
var small, large = decoder{32, 2}, decoder{256, 4}

// apply returns the scores of the next symbols, (N,L,cacheVocab).
func (d decoder) apply(s nn.Scope, symbols, places *graph.Node, cache *nn.KVCache) *graph.Node {
	x := nn.Embedding{Name: "symbols", Count: cacheVocab, Dim: d.width}.Apply(s, symbols)
	x = ops.Add(x, nn.Embedding{Name: "places", Count: cacheLength, Dim: d.width}.Apply(s, places))
	for b := range d.blocks {
		x = nn.Named(fmt.Sprint("block", b), nn.Sequential{
			nn.Residual{Body: nn.Sequential{nn.LayerNorm{}, nn.SelfAttention{Name: "attention", Heads: 4, Causal: true, Cache: cache}}},
			nn.Residual{Body: nn.Sequential{nn.LayerNorm{Name: "norm2"}, nn.Linear{Name: "up", Out: 4 * d.width}, nn.GELU{}, nn.Linear{Name: "down", Out: d.width}}},
		}).Apply(s, x)
	}
	return nn.Linear{Name: "head", Out: cacheVocab}.Apply(s, x)
}

// generator is a machine that takes count symbols of each of n sequences a step, and the position of
// the first.
func (d decoder) generator(t testing.TB, store *vm.Store, n, count int) (*vm.Machine, *vm.Program) {
	g := graph.New()
	var scores *graph.Node
	g.Inferring(func() {
		symbols, at := g.Input("symbols", shape.I32(shape.Dim(n), shape.Dim(count))), g.Input("at", shape.I32())
		places := make([]float64, count)
		for i := range places {
			places[i] = float64(i)
		}
		scores = d.apply(nn.Root(g), symbols, ops.Add(g.Const(shape.I32(shape.Dim(count)), places), at), &nn.KVCache{Length: cacheLength, At: at})
	})
	p, err := vm.Compile(cpu.New(), []*graph.Node{scores}, vm.Train)
	require.NoError(t, err)
	m, err := p.NewMachine(store)
	require.NoError(t, err)
	return m, p
}

func int32s(v []int32, dims ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(dims...), tensor.WithBacking(v))
}

// position is an input that a step can change.
func position(at int) *tensor.Dense { return tensor.New(tensor.FromScalar(int32(at))) }

// whole is a machine for all of so many positions at once.
func (d decoder) whole(t testing.TB, store *vm.Store, positions int) *vm.Machine {
	g := graph.New()
	places := make([]float64, positions)
	for i := range places {
		places[i] = float64(i)
	}
	scores := d.apply(nn.Root(g), g.Input("symbols", shape.I32(shape.N, shape.Dim(positions))), g.Const(shape.I32(shape.Dim(positions)), places), nil)
	p, err := vm.Compile(cpu.New(), graph.Inference(scores))
	require.NoError(t, err)
	m, err := p.NewMachine(store)
	require.NoError(t, err)
	return m
}

// fullPass returns the scores of all positions of two sequences, computed at once.
func fullPass(t testing.TB, store *vm.Store, symbols []int32) []float32 {
	outs, err := small.whole(t, store, cacheLength).Run(context.Background(), int32s(symbols, 2, cacheLength))
	require.NoError(t, err)
	return outs[0].Data().([]float32)
}

// randomSymbols are two sequences of the full length.
func randomSymbols() []int32 {
	r := rand.New(rand.NewPCG(52, 1))
	symbols := make([]int32, 2*cacheLength)
	for i := range symbols {
		symbols[i] = r.Int32N(cacheVocab)
	}
	return symbols
}

// TestGenerationWithACacheGivesTheScoresOfTheFullPass: by one position and by several, for every
// position up to 1,024.
func TestGenerationWithACacheGivesTheScoresOfTheFullPass(t *testing.T) {
	store, symbols := vm.NewStore(1), randomSymbols()
	want := fullPass(t, store, symbols)
	for _, count := range []int{1, 3, 64} {
		m, _ := small.generator(t, store, 2, count)
		for at := 0; at+count <= cacheLength; at += count {
			var step []int32
			for n := range 2 {
				step = append(step, symbols[n*cacheLength+at:][:count]...)
			}
			outs, err := m.Run(context.Background(), int32s(step, 2, count), position(at))
			require.NoError(t, err)
			got := outs[0].Data().([]float32)
			for n := range 2 {
				for i := range count * cacheVocab {
					require.InDelta(t, want[(n*cacheLength+at)*cacheVocab+i], got[n*count*cacheVocab+i], 2e-5, "sequence %d, position %d by %d", n, at+i/cacheVocab, count)
				}
			}
		}
	}
}

// TestAPositionBeyondTheCacheIsAnErrorAndNothingIsLost: the step changes nothing, and the next goes on
// as if there had been none.
func TestAPositionBeyondTheCacheIsAnErrorAndNothingIsLost(t *testing.T) {
	store, symbols := vm.NewStore(1), randomSymbols()
	m, p := small.generator(t, store, 2, 1)
	ctx, one := context.Background(), int32s([]int32{1, 2}, 2, 1)
	for at := range 5 {
		_, err := m.Run(ctx, int32s([]int32{symbols[at], symbols[cacheLength+at]}, 2, 1), position(at))
		require.NoError(t, err)
	}
	before, err := store.Snapshot()
	require.NoError(t, err)
	for _, at := range []int{-1, cacheLength, cacheLength + 7, 1 << 30} {
		_, err := m.Run(ctx, one, position(at))
		require.ErrorContains(t, err, fmt.Sprintf("id %d", at))
	}
	require.Contains(t, store.Names(), "block1.0.attention.keys")
	for _, name := range store.Names() {
		was, err := before.Value(name)
		require.NoError(t, err)
		now, err := store.Value(name)
		require.NoError(t, err)
		require.Equal(t, was.Data(), now.Data(), name)
	}
	outs, err := m.Run(ctx, int32s([]int32{symbols[5], symbols[cacheLength+5]}, 2, 1), position(5))
	require.NoError(t, err)
	require.InDelta(t, fullPass(t, store, symbols)[5*cacheVocab], outs[0].Data().([]float32)[0], 2e-5)

	memory, err := p.Memory(1)
	require.NoError(t, err)
	require.Less(t, memory.Arena, 2*cacheLength*small.width*4, "a cache is copied")
}

// What earlier sequences have left behind does not matter, not even NaN.
func TestWhatIsBehindThePositionDoesNotMatter(t *testing.T) {
	store, symbols := vm.NewStore(1), randomSymbols()
	m, _ := small.generator(t, store, 2, 1)
	_, err := m.Run(context.Background(), int32s([]int32{1, 2}, 2, 1), position(0))
	require.NoError(t, err)
	keys, err := store.Value("block0.0.attention.values")
	require.NoError(t, err)
	nan := make([]float32, keys.Size())
	for i := range nan {
		nan[i] = float32(math.NaN())
	}
	require.NoError(t, store.Set("block0.0.attention.values", tensor.New(tensor.WithShape(keys.Shape()...), tensor.WithBacking(nan))))
	want := fullPass(t, store, symbols)
	for at := range 3 {
		outs, err := m.Run(context.Background(), int32s([]int32{symbols[at], symbols[cacheLength+at]}, 2, 1), position(at))
		require.NoError(t, err)
		require.InDelta(t, want[at*cacheVocab], outs[0].Data().([]float32)[0], 2e-5)
	}
}

func TestAStepOfGenerationAllocatesNothing(t *testing.T) {
	m, _ := small.generator(t, vm.NewStore(1), 2, 1)
	one, at := int32s([]int32{1, 2}, 2, 1), position(0)
	where := 0
	run := func() {
		at.Set(0, int32(where))
		where++
		if _, err := m.Run(context.Background(), one, at); err != nil {
			t.Fatal(err)
		}
	}
	run()
	require.LessOrEqual(t, allocs.PerRun(20, run), 1., "more than the test's own") // at.Set takes an interface
}

// BenchmarkGeneration is the cost of a symbol at some positions, with the cache and by a pass over all
// symbols so far.
func BenchmarkGeneration(b *testing.B) {
	store := vm.NewStore(1)
	cached, _ := large.generator(b, store, 1, 1)
	one := int32s([]int32{1}, 1, 1)
	for _, at := range []int{1, 16, 64, 256, 512, 1024} {
		whole, all, where := large.whole(b, store, at), int32s(make([]int32, at), 1, at), position(at-1)
		for name, run := range map[string]func() error{
			"cache": func() error { _, err := cached.Run(context.Background(), one, where); return err },
			"whole": func() error { _, err := whole.Run(context.Background(), all); return err },
		} {
			b.Run(fmt.Sprintf("%s/position=%d", name, at), func(b *testing.B) {
				for b.Loop() {
					if err := run(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func ExampleSelfAttention() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 16, 64))
	y := nn.SelfAttention{Name: "attention", Heads: 4, Causal: true}.Apply(nn.Root(g), x)
	fmt.Println(y.Type(), len(g.Params()))
	// Output: float32(N,16,64) 8
}

// A step writes a position of the cache, and attends to those up to it.
func ExampleKVCache() {
	g := graph.New()
	at := g.Input("at", shape.I32())
	x := g.Input("x", shape.F32(1, 1, 64)) // one position of one sequence
	y := nn.SelfAttention{Name: "attention", Heads: 4, Cache: &nn.KVCache{Length: 1024, At: at}}.Apply(nn.Root(g), x)
	fmt.Println(y.Type())
	for _, u := range g.Updates() {
		fmt.Println(u.Leaf.Name(), u.Leaf.Type())
	}
	// Output:
	// float32(1,1,64)
	// attention.keys float32(1,4,1024,16)
	// attention.values float32(1,4,1024,16)
}
