// Gpt trains a small transformer that writes one symbol after another, as GPT does: given eight
// digits, it writes the same digits in order, the task of minGPT's demo. The training loop is
// written out: a graph, its gradients, an optimiser, a compiled program. At the end the network
// sorts new digits; each symbol that it writes is its next input, and a cache of keys and values spares
// it those before.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

const (
	digits = 8            // to be sorted
	length = 2*digits - 1 // of the input: all symbols but the last
	vocab  = 10
	width  = 64
	heads  = 4
	blocks = 2
	batch  = 64
)

// logits maps symbols (N,L), of which the first is at a position, to scores of the symbol that
// follows each, (N,L,vocab). With a cache they continue sequences; else they are whole ones.
func logits(g *graph.Graph, symbols *graph.Node, cache *nn.KVCache) *graph.Node {
	s := nn.Root(g)
	x := nn.Embedding{Name: "symbols", Count: vocab, Dim: width}.Apply(s, symbols)
	places := s.Param("places", shape.F32(length, width), nn.Normal{Std: 0.02})
	if cache != nil {
		places = ops.Gather(places, 0, cache.At)
	}
	x = ops.Add(x, places)
	for b := range blocks {
		attention := nn.SelfAttention{Name: "attention", Heads: heads, Causal: true, Cache: cache}
		x = nn.Named(fmt.Sprint("block", b), nn.Sequential{
			nn.Residual{Body: nn.Sequential{nn.LayerNorm{}, attention}},
			nn.Residual{Body: nn.Sequential{nn.LayerNorm{Name: "norm2"}, nn.Linear{Name: "up", Out: 4 * width}, nn.GELU{}, nn.Linear{Name: "down", Out: width}}},
		}).Apply(s, x)
	}
	return nn.Linear{Name: "head", Out: vocab}.Apply(s, nn.LayerNorm{Name: "norm"}.Apply(s, x))
}

func main() {
	steps := flag.Int("steps", 600, "training steps")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *steps); err != nil {
		fmt.Fprintln(os.Stderr, "gpt:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, steps int) error {
	store := vm.NewStore(1) // holds the parameters; both programs run on it
	if err := learn(ctx, store, steps); err != nil {
		return err
	}
	return test(ctx, store)
}

func learn(ctx context.Context, store *vm.Store, steps int) error {
	g := graph.New()
	scores := logits(g, g.Input("symbols", shape.I32(shape.N, length)), nil)
	written := ops.Slice(scores, ops.Whole(), ops.Range{Start: digits - 1, Stop: length}) // the answer
	loss := ops.CrossEntropy(ops.Transpose(written, 0, 2, 1), g.Input("target", shape.I32(shape.N, digits)))
	optim.Recipe{
		Rule:     optim.AdamW{LR: 0.003},
		Schedule: optim.OneCycle{Steps: max(steps, 2)},
		ClipNorm: 1,
	}.Apply(g, autodiff.Grad(loss, g.Params()...))
	program, err := vm.Compile(cpu.New(), []*graph.Node{loss}, vm.Train)
	if err != nil {
		return err
	}
	machine, err := program.NewMachine(store)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 1))
	for step := 1; step <= steps; step++ {
		symbols, target := examples(r, batch)
		outs, err := machine.Run(ctx, ids(symbols, length), ids(target, digits))
		if err != nil {
			return err
		}
		if step%100 == 0 {
			fmt.Printf("step %4d: loss %.4f\n", step, outs[0].ScalarValue())
		}
	}
	return nil
}

// examples draws n questions: symbols are the inputs, target the symbols to write.
func examples(r *rand.Rand, n int) (symbols, target []int32) {
	for range n {
		question := make([]int32, digits)
		for i := range question {
			question[i] = r.Int32N(vocab)
		}
		sorted := slices.Sorted(slices.Values(question))
		symbols = append(append(symbols, question...), sorted[:digits-1]...)
		target = append(target, sorted...)
	}
	return symbols, target
}

// ids returns rows of the given length as a tensor.
func ids(v []int32, row int) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(v)/row, row), tensor.WithBacking(v))
}

// test sorts 500 questions, symbol by symbol, and counts those without a mistake. A step takes one
// symbol of each; the keys and values of those before are in a cache.
func test(ctx context.Context, store *vm.Store) error {
	const questions = 500
	g := graph.New()
	var next *graph.Node
	g.Inferring(func() {
		symbol, at := g.Input("symbol", shape.I32(questions, 1)), g.Input("at", shape.I32())
		next = ops.ArgMax(logits(g, symbol, &nn.KVCache{Length: length, At: at}), 2)
	})
	program, err := vm.Compile(cpu.New(), []*graph.Node{next}, vm.Train) // which updates the cache
	if err != nil {
		return err
	}
	machine, err := program.NewMachine(store)
	if err != nil {
		return err
	}
	symbols, target := examples(rand.New(rand.NewPCG(2, 2)), questions)
	answers := make([]int32, questions*digits)
	symbol := make([]int32, questions)
	for at := range length {
		for q := range questions {
			if at < digits { // else the symbol that the network has written
				symbol[q] = symbols[q*length+at]
			}
		}
		outs, err := machine.Run(ctx, ids(symbol, 1), tensor.New(tensor.FromScalar(int32(at))))
		if err != nil {
			return err
		}
		if at < digits-1 {
			continue // the question is not over
		}
		for q, written := range outs[0].Data().([]int64) {
			symbol[q] = int32(written)
			answers[q*digits+at-digits+1] = symbol[q]
		}
	}
	right := 0
	for q := range questions {
		if slices.Equal(answers[q*digits:(q+1)*digits], target[q*digits:(q+1)*digits]) {
			right++
		}
	}
	fmt.Println(symbols[:digits], "sorted by the network:", answers[:digits])
	fmt.Printf("%.1f %% of %d new questions are sorted without a mistake\n", 100*float64(right)/questions, questions)
	return nil
}
