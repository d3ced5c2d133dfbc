package autodiff_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// squares is a loss for each example of y: the mean of its squares.
func squares(y *graph.Node) *graph.Node { return ops.Mean(ops.Square(ops.Flatten(y)), 1) }

// crossEntropy is a loss for each example, of the last class.
func crossEntropy(logits *graph.Node) *graph.Node {
	ids := ops.Cast(ops.Full(logits, shape.Of(shape.N), float64(logits.Type().Int(1)-1)), shape.Int32)
	return ops.CrossEntropy(logits, ids, ops.CrossEntropyOptions{PerExample: true})
}

// sampled are models with a loss for each example.
var sampled = map[string]struct {
	x    shape.Type
	loss func(g *graph.Graph, x *graph.Node) *graph.Node
}{
	"LeNet": {shape.F64(shape.N, 1, 12, 12), func(g *graph.Graph, x *graph.Node) *graph.Node {
		return crossEntropy(nn.Sequential{
			nn.Conv2D{Out: 3, Kernel: 3, Pad: 1}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
			nn.Conv2D{Out: 4, Kernel: 3}, nn.Tanh{}, nn.AvgPool2D{Kernel: 2},
			nn.Flatten{}, nn.Linear{Out: 5}, nn.ReLU{}, nn.Linear{Out: 3},
		}.Apply(nn.Root(g), x))
	}},
	"convolutions": {shape.F64(shape.N, 4, 7, 6), func(g *graph.Graph, x *graph.Node) *graph.Node {
		return squares(nn.Sequential{
			nn.Conv2D{Out: 6, Kernel: nn.Rect(3, 2), Stride: nn.Rect(2, 1), Pad: nn.Sides(0, 1, 2, 0), Dilation: nn.Rect(1, 2), Groups: 2},
			nn.PReLU{PerChannel: true}, nn.ConvTranspose2D{Out: 4, Kernel: 3, Stride: 2, Extra: 1, Groups: 2}, nn.LRN{Alpha: 1}, nn.PReLU{},
		}.Apply(nn.Root(g), x))
	}},
	"lines": {shape.F64(shape.N, 2, 8), func(g *graph.Graph, x *graph.Node) *graph.Node {
		return squares(nn.Sequential{nn.Conv1D{Out: 3, Kernel: 3}, nn.ConvTranspose1D{Out: 2, Kernel: 2}, nn.MaxPool1D{Kernel: 2}}.Apply(nn.Root(g), x))
	}},
	"volumes": {shape.F64(shape.N, 2, 4, 3, 4), func(g *graph.Graph, x *graph.Node) *graph.Node {
		return squares(nn.Sequential{
			nn.Conv3D{Out: 3, Kernel: [3]int{2, 2, 2}, Pad: [3][2]int{{1, 0}}}, nn.Tanh{}, nn.ConvTranspose3D{Out: 2, Kernel: [3]int{2, 1, 2}}, nn.AvgPool3D{Kernel: [3]int{2, 1, 1}},
		}.Apply(nn.Root(g), x))
	}},
	"normalisations": {shape.F64(shape.N, 4, 4, 3), func(g *graph.Graph, x *graph.Node) *graph.Node {
		return squares(nn.Sequential{
			nn.Conv2D{Out: 4, Kernel: 2}, nn.LayerNorm{}, nn.GroupNorm{Groups: 2}, nn.InstanceNorm{}, nn.LayerNorm{Axes: 3}, nn.Dropout{P: .4}, nn.GELU{},
			nn.Upsample{Scale: 2, Bilinear: true}, nn.Upsample{Scale: 2}, nn.AdaptiveMaxPool2D{Size: 3}, nn.Conv2D{Out: 1, Kernel: 1},
		}.Apply(nn.Root(g), x))
	}},
	"batch normalisation in inference": {shape.F64(shape.N, 3), func(g *graph.Graph, x *graph.Node) *graph.Node {
		h := graph.New()
		y := nn.Sequential{nn.Linear{Out: 4}, nn.BatchNorm{}, nn.Linear{Out: 2}}.Apply(nn.Root(h), h.Input("x", x.Type()))
		return graph.Inference(squares(y))[0]
	}},
	"words": {shape.I32(shape.N, 5), func(g *graph.Graph, x *graph.Node) *graph.Node {
		s := nn.Root(g)
		words := nn.Embedding{Name: "words", Count: 4, Dim: 3, DType: shape.Float64}
		y := nn.Sequential{words, nn.LSTM{Hidden: 2, Whole: true}, nn.GRU{Hidden: 3}}.Apply(s, x)
		return crossEntropy(ops.MatMul(y, g.Leaf("words.weight"), ops.MatMulOp{TransB: true})) // the weights twice
	}},
	"a sequence that examples share": {shape.F64(shape.N, 3), func(g *graph.Graph, x *graph.Node) *graph.Node {
		param := func(name string, dims ...shape.Dim) *graph.Node {
			return g.Param(name, shape.F64(dims...), nn.Normal{Std: 1})
		}
		of := func(name string, gates, in shape.Dim) ops.Recurrence {
			return ops.Recurrence{WeightIH: param(name+".ih", 3*gates, in), WeightHH: param(name+".hh", 3*gates, 3),
				BiasIH: param(name+".bi", 3*gates), BiasHH: param(name+".bh", 3*gates)}
		}
		s, h := param("sequence", 1, 4, 2), param("state", 1, 3)
		all, _, c := ops.LSTM(s, h, g.Const(shape.F64(1, 3), []float64{1, 2, 3}), of("lstm", 4, 2))
		_, last := ops.GRU(all, c, of("gru", 3, 3))
		return squares(ops.Mul(x, last))
	}},
	"a penalty of the gradient of sequences": {shape.F64(shape.N, 3, 2), func(g *graph.Graph, x *graph.Node) *graph.Node {
		s := nn.Root(g)
		y := nn.GRU{Name: "gru", Hidden: 2}.Apply(s, nn.LSTM{Name: "lstm", Hidden: 3, Whole: true}.Apply(s, x))
		return squares(autodiff.Grad(ops.Sum(ops.Square(y)), x)[0])
	}},
	"attention": {shape.F64(shape.N, 4, 6), func(g *graph.Graph, x *graph.Node) *graph.Node {
		heads := func(name string) *graph.Node {
			y := nn.Linear{Name: name, Out: 4}.Apply(nn.Root(g), x)
			return ops.Transpose(ops.Reshape(y, shape.N, 4, 2, 2), 0, 2, 1, 3)
		}
		y := ops.Attention(heads("q"), heads("k"), heads("v"), ops.AttentionOptions{Causal: true})
		bias := g.Param("position", shape.F64(2, 4, 4), nn.Normal{Std: 1})
		y = ops.MatMul(ops.Softmax(ops.Add(ops.MatMul(y, y, ops.MatMulOp{TransB: true}), bias), -1), g.Param("table", shape.F64(4, 3), nn.Normal{Std: 1}))
		return squares(ops.MatMul(g.Param("front", shape.F64(2, 4), nn.Normal{Std: 1}), y))
	}},
	"what examples share is computed": {shape.F64(shape.N, 4), func(g *graph.Graph, x *graph.Node) *graph.Node {
		w, v := g.Param("w", shape.F64(4, 3), nn.Normal{Std: 1}), g.Param("v", shape.F64(3), nn.Normal{Std: 1})
		unit := ops.Div(w, ops.Sqrt(ops.SumKeep(ops.Square(w), 0)))     // weight normalisation
		mixed := ops.MatMul(unit, ops.Reshape(ops.Softmax(v, 0), 3, 1)) // (4,1)
		both := ops.Concat(1, unit, mixed, ops.OnesLike(mixed), ops.Transpose(ops.MatMul(g.Const(shape.F64(1, 4), []float64{1, 2, 3, 4}), ops.MatMul(w, w, ops.MatMulOp{TransB: true}))))
		both = ops.Slice(ops.CumSum(both, 1), ops.Whole(), ops.Range{Start: 1, Stop: ops.End})
		both = ops.Pad(both, ops.PadOp{Before: [shape.MaxRank]int{0, 1}})
		ids := g.Const(shape.I32(3), []float64{4, 1, 2})
		both = ops.Add(ops.Gather(both, 1, ids), ops.GatherAlong(both, 1, g.Const(shape.I32(4, 3), []float64{0, 1, 2, 1, 1, 3, 4, 0, 0, 1, 2, 3})))
		both = ops.Add(both, ops.BroadcastTo(v, both.Type().Shape))
		penalty := ops.Add(ops.Sum(ops.Square(w)), ops.MulScalar(ops.Max(v), 2))
		y := ops.Add(ops.MatMul(x, both), ops.BroadcastTo(ops.StopGradient(v), shape.Of(shape.N, 3)))
		return ops.Add(squares(y), ops.BroadcastTo(penalty, shape.Of(shape.N)))
	}},
	"a row of the table for each": {shape.I32(shape.N, 2), func(g *graph.Graph, x *graph.Node) *graph.Node {
		table := g.Param("table", shape.F64(4, 2), nn.Normal{Std: 1})
		y := ops.Mul(ops.GatherAlong(table, 0, x), g.Param("row", shape.F64(1, 2), nn.Normal{Std: 1}))
		token := ops.BroadcastTo(g.Param("token", shape.F64(1, 1, 2), nn.Normal{Std: 1}), shape.Of(shape.N, 1, 2))
		return squares(ops.Concat(1, token, ops.Unsqueeze(y, 1)))
	}},
	"a checkpoint": {shape.F64(shape.N, 3), func(g *graph.Graph, x *graph.Node) *graph.Node {
		return squares(autodiff.Checkpoint(func(in ...*graph.Node) *graph.Node {
			return nn.Sequential{nn.Linear{Out: 3}, nn.SiLU{}, nn.Linear{Out: 2}}.Apply(nn.Root(g), in[0])
		}, x))
	}},
	"a penalty of the gradient": {shape.F64(shape.N, 1, 6, 6), func(g *graph.Graph, x *graph.Node) *graph.Node {
		y := nn.Sequential{
			nn.Conv2D{Out: 2, Kernel: 3}, nn.Tanh{}, nn.MaxPool2D{Kernel: 2}, nn.Conv2D{Out: 2, Kernel: 1}, nn.Sigmoid{}, nn.AvgPool2D{Kernel: 2}, nn.Flatten{}, nn.Linear{Out: 1, NoBias: true},
		}.Apply(nn.Root(g), x)
		return squares(autodiff.Grad(ops.Sum(y), x)[0])
	}},
	"a penalty of the gradient of a slice": {shape.F64(shape.N, 4), func(g *graph.Graph, x *graph.Node) *graph.Node {
		w := g.Param("w", shape.F64(4), nn.Normal{Std: 1})
		y := ops.Softmax(ops.Slice(ops.Mul(ops.Square(x), w), ops.Whole(), ops.Range{Start: 1, Stop: 4}), 1)
		y = ops.Mul(ops.Pad(y, ops.PadOp{After: [shape.MaxRank]int{1: 1}}), ops.Slice(w, ops.Range{Start: -1, Stop: ops.End, Step: -1}))
		spread := ops.BroadcastTo(ops.SumKeep(ops.Square(y), 1), shape.Of(shape.N, 3))
		return squares(autodiff.Grad(ops.Sum(spread), x)[0])
	}},
	"a penalty of the gradient of what is picked": {shape.F64(shape.N, 4), func(g *graph.Graph, x *graph.Node) *graph.Node {
		w, ids := g.Param("w", shape.F64(3), nn.Normal{Std: 1}), g.Const(shape.I32(3), []float64{0, 3, 3})
		y := ops.Mul(ops.Square(ops.Gather(x, 1, ids)), w)
		hot := ops.OneHot(g.Const(shape.I32(), []float64{1}), 3, w)
		return squares(ops.Mul(autodiff.Grad(ops.Sum(ops.LogSoftmax(ops.MulScalar(y, .1), 1)), x)[0], ops.Sum(ops.Mul(hot, w))))
	}},
}

// Row i is what the gradient of loss[i] alone is.
func TestEachRowIsTheGradientOfItsLoss(t *testing.T) {
	const batch = 3
	for name, m := range sampled {
		t.Run(name, func(t *testing.T) {
			g := graph.New()
			loss := m.loss(g, g.Input("x", m.x))
			g = loss.Graph()
			wrt := g.Params()
			if x := g.Leaf("x"); x.Type().IsFloat() {
				wrt = append(wrt, x)
			}
			require.NotEmpty(t, wrt)
			rows := autodiff.PerSample(loss, wrt...)
			which := g.Input("which", loss.Type())
			want := autodiff.VJP(loss, which, wrt...)
			require.NoError(t, g.Err())
			got := sampleRuns(t, g, slices.Concat(rows, want), batch)
			for k, w := range wrt {
				size := w.Type().At(batch).Len()
				if w.Kind() == graph.Input {
					size /= batch
				}
				for i := range batch {
					alone := got[i][len(rows)+k]
					if w.Kind() == graph.Input {
						alone = alone[i*size : (i+1)*size]
					}
					require.InDeltaSlice(t, alone, got[0][k][i*size:(i+1)*size], 1e-12, "%v, example %d", w, i)
				}
				require.True(t, slices.ContainsFunc(got[0][k], func(d float64) bool { return d != 0 }), "%v", w)
			}
		})
	}
}

// sampleRuns computes outs once for each example, which "which" picks.
func sampleRuns(t *testing.T, g *graph.Graph, outs []*graph.Node, batch int) (got [][][]float64) {
	p, err := vm.Compile(ref.Engine{}, outs, vm.Checked)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(3))
	require.NoError(t, err)
	for i := range batch {
		var feed []*tensor.Dense
		for _, in := range p.Inputs() {
			dims := in.Type().At(batch).Ints()
			size := in.Type().At(batch).Len()
			v := wave(size, .7)
			switch {
			case in.Name() == "which":
				clear(v)
				v[i] = 1
				fallthrough
			case in.Type().IsFloat():
				feed = append(feed, tensor.New(tensor.WithShape(dims...), tensor.WithBacking(v)))
			default:
				ids := make([]int32, size)
				for k := range ids {
					ids[k] = int32(k*k) % 4
				}
				feed = append(feed, tensor.New(tensor.WithShape(dims...), tensor.WithBacking(ids)))
			}
		}
		outs, err := m.Run(t.Context(), feed...)
		require.NoError(t, err)
		var run [][]float64
		for _, o := range outs {
			run = append(run, slices.Clone(o.Float64s()))
		}
		got = append(got, run)
	}
	return got
}

// Gradients of each example are nodes like others, and can be differentiated again.
func TestGradientsOfEachExampleAgreeWithFiniteDifferences(t *testing.T) {
	gradcheck.Check(t, func(x ...*graph.Node) *graph.Node {
		y := ops.Tanh(ops.Conv2D(x[0], x[1], ops.Conv2DOp{Pad: ops.PadHW(1, 0)}))
		return autodiff.PerSample(squares(ops.Add(y, x[2])), x[1])[0]
	}, shape.F64(shape.N, 2, 2, 3), shape.F64(2, 2, 2, 2), shape.F64(2, 1, 1))
}

// Of the catalogue every op that a gradient passes has a rule.
func TestEveryOpSaysWhatItGivesForEachExample(t *testing.T) {
	for _, op := range ops.All {
		_, differentiable := op.(autodiff.Differentiable)
		_, uniform := op.(engine.UniformOp)
		_, rule := op.(autodiff.PerExample)
		if differentiable && !uniform && op.Name() != "Random" { // whose input is no floating point
			require.True(t, rule || ops.Elementwise(op), "%s is neither elementwise nor has a method PerExample", op.Name())
		}
	}
}

func TestWhatIsNotConnectedHasZerosForEachExample(t *testing.T) {
	g := graph.New()
	x, w := g.Input("x", shape.F64(shape.N, 2)), g.Param("w", shape.F64(3), nil)
	loss := squares(x)
	dx := autodiff.PerSample(loss, w, g.Input("y", shape.F64(shape.N, 4)))
	require.NoError(t, g.Err())
	require.Equal(t, shape.F64(shape.N, 3), dx[0].Type())
	require.Equal(t, shape.F64(shape.N, 4), dx[1].Type())
	require.Equal(t, make([]float64, 9), sampleRuns(t, g, append(dx, loss), 3)[0][0])
}

// forgetful is an op with a rule for gradients but none for examples.
type forgetful struct{ graph.Op }

func (forgetful) Grad(_, dy *graph.Node) []*graph.Node { return []*graph.Node{dy} }

func TestWhatMixesExamplesIsOneError(t *testing.T) {
	for name, c := range map[string]struct {
		loss  func(s nn.Scope, x, w *graph.Node) *graph.Node
		op    string
		want  string
		layer string
	}{
		"batch normalisation in training": {func(s nn.Scope, x, w *graph.Node) *graph.Node {
			return squares(nn.Sequential{nn.Linear{Name: "fc", Out: 2}, nn.BatchNorm{Name: "bn"}}.Apply(s, x))
		}, "Norm", "it normalises along the batch, axis 0 of float64(N,2), as batch normalisation does in training, and so mixes the examples; take graph.Inference", "bn"},
		"a softmax over the batch":   {func(_ nn.Scope, x, w *graph.Node) *graph.Node { return squares(ops.Softmax(ops.Mul(x, w), 0)) }, "Softmax", "it works along the batch, axis 0 of float64(N,3)", ""},
		"a running sum of the batch": {func(_ nn.Scope, x, w *graph.Node) *graph.Node { return squares(ops.CumSum(ops.Mul(x, w), 0)) }, "CumSum", "mixes the examples", ""},
		"a transposition": {func(_ nn.Scope, x, w *graph.Node) *graph.Node {
			return squares(ops.Transpose(ops.Transpose(ops.Mul(x, w))))
		}, "Transpose", "the result is float64(3,N); want the batch as axis 0 and nowhere else", ""},
		"each by each": {func(_ nn.Scope, x, w *graph.Node) *graph.Node {
			y := ops.Mul(x, w)
			return ops.Sum(ops.MatMul(y, y, ops.MatMulOp{TransB: true}), 1)
		}, "MatMul", "the result is float64(N,N)", ""},
		"a product over the batch": {func(_ nn.Scope, x, w *graph.Node) *graph.Node {
			return squares(ops.MatMul(ops.MatMul(x, x, ops.MatMulOp{TransB: true}), ops.Mul(x, w)))
		}, "MatMul", "it sums over the batch", ""},
		"rows that are picked": {func(_ nn.Scope, x, w *graph.Node) *graph.Node {
			ids := ops.Cast(ops.Full(x, shape.Of(shape.N), 0), shape.Int32)
			return squares(ops.Gather(ops.Mul(x, w), 0, ids))
		}, "Gather", "it takes elements along the batch", ""},
		"two batches as one": {func(_ nn.Scope, x, w *graph.Node) *graph.Node {
			return squares(ops.Reshape(ops.Concat(0, ops.Mul(x, w), x), shape.N, 6))
		}, "Concat", "it joins batches", ""},
		"a custom gradient": {func(_ nn.Scope, x, w *graph.Node) *graph.Node {
			return squares(autodiff.Custom("Mine", ops.Mul(x, w), []*graph.Node{x, w}, func(in []*graph.Node, _, dy *graph.Node) []*graph.Node {
				return []*graph.Node{dy, nil}
			}))
		}, "Mine", "its gradient is a rule of the user's, which may mix the examples", ""},
		"an op without the rule": {func(_ nn.Scope, x, w *graph.Node) *graph.Node {
			return squares(graph.Apply(forgetful{plain{"Sort"}}, ops.Mul(x, w)))
		}, "Sort", "has no method PerExample(n *graph.Node, in []*graph.Node)", ""},
		"filters of each example's image": {func(_ nn.Scope, x, w *graph.Node) *graph.Node {
			image := ops.Reshape(w, 1, 1, 1, 3)
			y := ops.Conv2D(image, ops.Reshape(ops.Sum(w), 1, 1, 1, 1), ops.Conv2DOp{})
			return squares(ops.Mul(x, ops.Reshape(y, 3)))
		}, "Conv2D", "its image float64(1,1,1,3) is shared by all examples; want one for each", ""},
		"the mean of the losses": {func(_ nn.Scope, x, w *graph.Node) *graph.Node { return ops.Mean(ops.Mul(x, w)) }, "PerSample", "the loss is float64(); want shape (N), a number for each example", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := graph.New()
			x, w := g.Input("x", shape.F64(shape.N, 3)), g.Param("w", shape.F64(3), nil)
			loss := c.loss(nn.Root(g), x, w)
			require.NoError(t, g.Err())
			for _, dx := range autodiff.PerSample(loss, g.Params()...) {
				require.False(t, dx.Valid())
			}
			list := g.Err().(graph.ErrorList)
			require.Len(t, list, 1, "%v", list)
			require.ErrorContains(t, list[0], c.want)
			require.Equal(t, c.op, list[0].Op)
			require.Equal(t, c.layer, list[0].Layer)
			require.Equal(t, "persample_test.go", filepath.Base(list[0].Pos.File))
		})
	}
	require.False(t, autodiff.PerSample(nil, nil)[0].Valid())
}

// A batch of LeNet's gradients, of all examples and of each.
func BenchmarkPerSample(b *testing.B) {
	for _, each := range []bool{false, true} {
		b.Run(map[bool]string{false: "Grad", true: "PerSample"}[each], func(b *testing.B) {
			g := graph.New()
			x := g.Input("x", shape.F32(shape.N, 1, 28, 28))
			loss := crossEntropy(lenet.Model.Apply(nn.Root(g), x))
			outs := autodiff.PerSample(loss, g.Params()...)
			if !each {
				outs = autodiff.Grad(ops.Mean(loss), g.Params()...)
			}
			m, err := vm.MustCompile(cpu.New(), outs).NewMachine(vm.NewStore(1))
			require.NoError(b, err)
			batch := tensor.New(tensor.WithShape(64, 1, 28, 28), tensor.WithBacking(make([]float32, 64*28*28)))
			for b.Loop() {
				_, err := m.Run(b.Context(), batch)
				require.NoError(b, err)
			}
		})
	}
}

// What each example would change, and how much of it there is: what differentially private training
// clips.
func ExamplePerSample() {
	g := graph.New()
	x, t := g.Input("x", shape.F32(shape.N, 1, 28, 28)), g.Input("t", shape.I32(shape.N))
	logits := nn.Sequential{nn.Conv2D{Name: "conv", Out: 6, Kernel: 5}, nn.ReLU{}, nn.Flatten{}, nn.Linear{Name: "fc", Out: 10}}.Apply(nn.Root(g), x)
	loss := ops.CrossEntropy(logits, t, ops.CrossEntropyOptions{PerExample: true})
	norm := ops.ZerosLike(loss)
	for _, d := range autodiff.PerSample(loss, g.Params()...) {
		fmt.Println(d.Type())
		norm = ops.Add(norm, ops.Sum(ops.Square(ops.Flatten(d)), 1))
	}
	fmt.Println(ops.Sqrt(norm).Type(), g.Err())
	// Output:
	// float32(N,6,1,5,5)
	// float32(N,6)
	// float32(N,10,3456)
	// float32(N,10)
	// float32(N) <nil>
}
