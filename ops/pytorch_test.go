package ops_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// torchNumber is a number of testdata/functions.json, where JSON has none as a string.
type torchNumber float64

func (n *torchNumber) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	*n = torchNumber(v)
	return err
}

// torchFunction is a case of testdata/functions.json; testdata/functions.py says what it holds.
type torchFunction struct {
	Name string
	In   []struct {
		Kind  string
		Shape []int
	}
	Y  []torchNumber
	DX [][]torchNumber
}

// torchFunctions has an entry for each name.
func torchFunctions() map[string]func(x []*graph.Node) *graph.Node {
	fs := map[string]func(x []*graph.Node) *graph.Node{
		"LeakyReLU 0.1":      of1(func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, .1) }),
		"Clip -0.5 0.5":      of1(func(x *graph.Node) *graph.Node { return ops.Clip(x, -.5, .5) }),
		"Where a<b":          of2(func(a, b *graph.Node) *graph.Node { return ops.Where(ops.Less(a, b), a, b) }),
		"BinaryCrossEntropy": of2(ops.BinaryCrossEntropy),
		"MSE":                of2(ops.MSE),
		"ELU 0.7":            of1(func(x *graph.Node) *graph.Node { return ops.ELU(x, .7) }),
		"Huber 1.0":          of2(func(x, t *graph.Node) *graph.Node { return ops.Huber(x, t, 1) }),
		"GroupNorm of 2":     of3(func(x, g, b *graph.Node) *graph.Node { return ops.GroupNorm(x, 2, g, b, 0) }),
		"ELU 1.0":            of1(func(x *graph.Node) *graph.Node { return ops.ELU(x, 1) }),
		"Gather 1":           of2(func(x, ids *graph.Node) *graph.Node { return ops.Gather(x, 1, ids) }),
		"GatherAlong 1":      of2(func(x, ids *graph.Node) *graph.Node { return ops.GatherAlong(x, -2, ids) }),
		"TopK 2 1":           of1(func(x *graph.Node) *graph.Node { y, _ := ops.TopK(x, 2, 1); return y }),
		"CumSum 1":           of1(func(x *graph.Node) *graph.Node { return ops.CumSum(x, 1) }),
		"Huber 0.5":          of2(func(x, t *graph.Node) *graph.Node { return ops.Huber(x, t, .5) }),
		"GroupNorm of 1":     of3(func(x, g, b *graph.Node) *graph.Node { return ops.GroupNorm(x, 1, g, b, 0) }),
	}
	for o, name := range map[ops.LRNOptions]string{{Size: 3}: "3 0.0001 0.75 1", {Alpha: 2, Beta: .5, K: 2}: "5 2 0.5 2"} {
		fs["LRNWithinChannel "+name] = of1(func(x *graph.Node) *graph.Node { return ops.LRNWithinChannel(x, o) })
	}
	for name, o := range map[string]ops.AttentionOptions{"Attention": {}, "Attention 2": {Scale: 2}, "Attention causal": {Causal: true}} {
		fs[name] = of3(func(q, k, v *graph.Node) *graph.Node { return ops.Attention(q, k, v, o) })
	}
	fs["Attention masked"] = func(x []*graph.Node) *graph.Node {
		return ops.Attention(x[0], x[1], x[2], ops.AttentionOptions{Mask: ops.NotEqual(x[3], ops.Scalar(x[3], 0))})
	}
	for _, c := range constructors() { // those without attributes
		if _, ok := fs[c.name+" 1"]; !ok {
			fs[c.name+" 1"] = c.build // Softmax and LogSoftmax, over axis 1
		}
		if _, ok := fs[c.name]; !ok {
			fs[c.name] = c.build
		}
	}
	for _, axis := range []int{0, 2} {
		fs[fmt.Sprint("Softmax ", axis)] = of1(func(x *graph.Node) *graph.Node { return ops.Softmax(x, axis) })
		fs[fmt.Sprint("LogSoftmax ", axis)] = of1(func(x *graph.Node) *graph.Node { return ops.LogSoftmax(x, axis) })
	}
	for name, f := range map[string]func(x *graph.Node, axes ...int) *graph.Node{
		"Sum": ops.Sum, "Mean": ops.Mean, "Max": ops.Max, "Min": ops.Min, "Prod": ops.Prod, "Variance": ops.Variance,
	} {
		for label, axes := range map[string][]int{"[0]": {0}, "[1]": {1}, "[2]": {2}, "[0, 2]": {2, 0}, "[1, 2]": {-1, 1}, "[0, 1, 2]": nil} {
			fs[name+" "+label] = ofAxes(f, axes...)
		}
	}
	for _, o := range []ops.LRNOptions{{}, {Size: 4, Alpha: 2, Beta: .5, K: 2}, {Size: 1, Alpha: 1, Beta: 1.25}, {Size: 9, Alpha: .5, K: .5}} {
		name := map[int]string{0: "5 0.0001 0.75 1", 4: "4 2 0.5 2", 1: "1 1 1.25 1", 9: "9 0.5 0.75 0.5"}[o.Size]
		fs["LRN "+name] = of1(func(x *graph.Node) *graph.Node { return ops.LRN(x, o) })
	}
	for _, each := range []bool{false, true} {
		for _, smoothing := range []float64{0, .2} {
			o := ops.CrossEntropyOptions{LabelSmoothing: smoothing, PerExample: each}
			name := fmt.Sprintf("CrossEntropy %s %.1f", map[bool]string{false: "mean", true: "none"}[each], smoothing)
			fs[name] = of2(func(x, t *graph.Node) *graph.Node { return ops.CrossEntropy(x, t, o) })
		}
	}
	return fs
}

// torchValues are those of functions.py.
func torchValues(kind string, seed, n int) []float64 {
	v := counter(seed, n, kind == "ties" || kind == "ids")
	for i := range v {
		switch kind {
		case "positive":
			v[i] = math.Abs(v[i]) + .25
		case "large":
			v[i] *= 1e4
		case "chance":
			v[i] = math.Abs(v[i])
		case "kinks":
			v[i] = []float64{-3, 3, 0, -1, 1, -2, 2, 4, -4}[i]
		case "sides":
			v[i] = float64(1 - 2*(i%2))
		case "edges":
			v[i] = []float64{0, negZero, 1, -1, 2.5, -2.5, .5, -.5, 30, -30, 800, -800, inf, -inf, nan}[i]
		}
	}
	return v
}

func TestFunctionsEqualPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/functions.json")
	require.NoError(t, err)
	var cs []torchFunction
	require.NoError(t, json.Unmarshal(data, &cs))
	fs := torchFunctions()
	for _, c := range cs {
		t.Run(fmt.Sprint(c.Name, c.In), func(t *testing.T) {
			if spec, ok := strings.CutPrefix(c.Name, "Einsum "); ok {
				fs[c.Name] = func(x []*graph.Node) *graph.Node { return ops.Einsum(spec, x...) }
			}
			require.Contains(t, fs, c.Name)
			g := graph.New()
			var xs, floats []*graph.Node
			var feeds []feed
			for i, in := range c.In {
				s := shape.OfInts(in.Shape...)
				v := torchValues(in.Kind, i, s.Len())
				if in.Kind == "ids" {
					xs = append(xs, g.Const(shape.Type{DType: shape.Int32, Shape: s}, v))
					continue
				}
				f := newFeed(g, fmt.Sprint("x", i), s, v)
				xs, floats, feeds = append(xs, f.node), append(floats, f.node), append(feeds, f)
			}
			y := fs[c.Name](xs)
			require.NoError(t, g.Err())
			dy := newFeed(g, "dy", y.Type().Shape, counter(7, y.Type().Len(), false))
			got := computed(t, append([]*graph.Node{y}, autodiff.VJP(y, dy.node, floats...)...), append(feeds, dy)...)
			nearTorch(t, c.Y, got[0], "result")
			for i, dx := range c.DX {
				nearTorch(t, dx, got[1+i], fmt.Sprintf("gradient by x%d", i))
			}
		})
	}
}

// nearTorch compares to 1e-10, of the number where it is above 1; NaN and infinities must be
// where they are.
func nearTorch(t *testing.T, want []torchNumber, got []float64, msg string) {
	t.Helper()
	require.Len(t, got, len(want), msg)
	for i := range want {
		w := float64(want[i])
		if w == got[i] || math.IsNaN(w) && math.IsNaN(got[i]) {
			continue
		}
		if !(math.Abs(w-got[i]) <= 1e-10*max(1, math.Abs(w))) {
			t.Errorf("%s, element %d: want %v, have %v", msg, i, w, got[i])
		}
	}
}
