// Gpt is a small transformer of the decoder kind (Radford et al., 2018) that learns to sort:
// after six digits and an equals sign it writes them in order, one token after the other. It
// shows embeddings, causal attention with several heads, and a loss of one's own. The outcome is the
// share of sequences, not among those that it learnt from, that it sorts without a mistake.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if _, err := run(ctx, os.Stdout, 8); err != nil {
		log.Fatal(err)
	}
}

const (
	digits = 6
	length = 2 * digits // tokens that are read: all but the last
	equals = 10
	tokens = 11
	width  = 48
	heads  = 4
)

// GPT maps tokens (N,T) to logits (N,tokens,T) of the token that follows each.
type GPT struct{ Blocks int }

func (m GPT) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	y := nn.Embedding{Name: "token", Count: tokens, Dim: width}.Apply(s, ops.Cast(x, shape.Int32))
	y = ops.Add(y, s.Param("position", shape.F32(length, width), nn.Normal{Std: 0.1}))
	for i := range m.Blocks {
		y = s.Within(fmt.Sprintf("block%d", i), y, func(s nn.Scope) *graph.Node { return block(s, y) })
	}
	y = nn.LayerNorm{Name: "norm"}.Apply(s, y)
	return ops.Transpose(nn.Linear{Name: "next", Out: tokens}.Apply(s, y), 0, 2, 1)
}

// block is causal attention, then two dense layers, each added to its input.
func block(s nn.Scope, x *graph.Node) *graph.Node {
	y := nn.LayerNorm{Name: "norm1"}.Apply(s, x)
	split := func(name string) *graph.Node { // (N,heads,T,width/heads)
		z := nn.Linear{Name: name, Out: width}.Apply(s, y)
		return ops.Transpose(ops.Reshape(z, shape.N, length, heads, width/heads), 0, 2, 1, 3)
	}
	a := ops.Attention(split("query"), split("key"), split("value"), ops.AttentionOptions{Causal: true})
	a = ops.Reshape(ops.Transpose(a, 0, 2, 1, 3), shape.N, length, width)
	x = ops.Add(x, nn.Linear{Name: "project", Out: width}.Apply(s, a))
	dense := nn.Sequential{
		nn.LayerNorm{Name: "norm2"}, nn.Linear{Name: "up", Out: 4 * width}, nn.GELU{}, nn.Linear{Name: "down", Out: width},
	}
	return ops.Add(x, dense.Apply(s, x))
}

// answer is the loss of the sorted half only: nobody can foretell the digits.
func answer(logits, target *graph.Node) *graph.Node {
	sorted := ops.Range{Start: digits, Stop: length}
	return ops.CrossEntropy(ops.Slice(logits, ops.Whole(), ops.Whole(), sorted), ops.Slice(target, ops.Whole(), sorted))
}

// run returns the share of sequences that are sorted right.
func run(ctx context.Context, w io.Writer, epochs int) (float64, error) {
	r := rand.New(rand.NewPCG(1, 1))
	seen := map[[digits]int]bool{}
	var x []float32
	var y []int32
	for range 8000 {
		s := sequence(r)
		seen[[digits]int(s[:digits])] = true
		for t := range length {
			x, y = append(x, float32(s[t])), append(y, int32(s[t+1]))
		}
	}
	training, err := data.New(x, y, data.Info{Input: shape.F32(length), Target: shape.I32(length)})
	if err != nil {
		return 0, err
	}
	model := GPT{Blocks: 2}
	steps := epochs * training.Len() / 64
	result, err := train.Fit(ctx, train.Config{
		Model: model, Train: training, Loss: answer, Engine: cpu.New(), Epochs: epochs, Batch: 64, Seed: 1,
		Optimizer: optim.Recipe{Rule: optim.AdamW{LR: 0.003}, Schedule: optim.Cosine{Steps: steps}},
		OnEpoch: func(e train.Epoch) error {
			_, err := fmt.Fprintf(w, "epoch %d of %d: loss %.4f\n", e.Number, epochs, e.Train.Loss())
			return err
		},
	})
	if err != nil {
		return 0, err
	}
	predictor, err := train.NewPredictor(model, result.Checkpoint, cpu.New())
	if err != nil {
		return 0, err
	}
	return test(ctx, w, predictor, r, seen)
}

// test has it sort sequences that it has not seen.
func test(ctx context.Context, w io.Writer, p *train.Predictor, r *rand.Rand, seen map[[digits]int]bool) (float64, error) {
	const trials = 500
	right := 0
	for n := 0; n < trials; {
		s := sequence(r)
		if seen[[digits]int(s[:digits])] {
			continue
		}
		n++
		have, err := generate(ctx, p, s[:digits+1])
		if err != nil {
			return 0, err
		}
		if n == 1 {
			if _, err := fmt.Fprintf(w, "%v sorted is %v\n", have[:digits], have[digits+1:]); err != nil {
				return 0, err
			}
		}
		if slices.Equal(have, s) {
			right++
		}
	}
	share := float64(right) / trials
	_, err := fmt.Fprintf(w, "%.1f %% of %d unseen sequences sorted without a mistake\n", 100*share, trials)
	return share, err
}

// generate continues a sequence to its end, each time by the most probable token.
func generate(ctx context.Context, p *train.Predictor, begun []int) ([]int, error) {
	s := slices.Clone(begun)
	x := make([]float32, length) // attention is causal: what follows makes no difference
	for len(s) <= length {
		for t, token := range s {
			x[t] = float32(token)
		}
		logits, err := p.Outputs(ctx, x) // (tokens,length)
		if err != nil {
			return nil, err
		}
		best, at := 0, len(s)-1
		for token := range tokens {
			if logits[token*length+at] > logits[best*length+at] {
				best = token
			}
		}
		s = append(s, best)
	}
	return s, nil
}

// sequence is six digits, the equals sign, and the digits in order.
func sequence(r *rand.Rand) []int {
	s := make([]int, digits)
	for i := range s {
		s[i] = r.IntN(10)
	}
	return append(append(slices.Clone(s), equals), slices.Sorted(slices.Values(s))...)
}
