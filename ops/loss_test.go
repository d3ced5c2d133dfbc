package ops_test

import (
	"fmt"
	"math"
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

// sequence is ((37*i+11)%23-11)/7 for i = 0, 1, ..., the logits of the numbers below.
func sequence(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64((37*i+11)%23-11) / 7
	}
	return v
}

// The numbers are those of torch.nn.functional in PyTorch, float64: cross_entropy and
// its label_smoothing, binary_cross_entropy_with_logits, mse_loss.
func TestLossesEqualPyTorch(t *testing.T) {
	ids := func(s shape.Shape, v ...float64) func(g *graph.Graph) *graph.Node {
		return func(g *graph.Graph) *graph.Node { return g.Const(shape.Type{DType: shape.Int32, Shape: s}, v) }
	}
	floats := func(s shape.Shape, v ...float64) func(g *graph.Graph) *graph.Node {
		return func(g *graph.Graph) *graph.Node { return g.Const(shape.Type{DType: shape.Float64, Shape: s}, v) }
	}
	crossEntropy := func(o ops.CrossEntropyOptions) func(x, t *graph.Node) *graph.Node {
		return func(x, t *graph.Node) *graph.Node { return ops.CrossEntropy(x, t, o) }
	}
	distribution := floats(shape.Of(2, 4), .1, .2, .3, .4, 0, .5, .5, 0)
	for _, c := range []struct {
		name   string
		f      func(x, target *graph.Node) *graph.Node
		logits shape.Shape
		target func(g *graph.Graph) *graph.Node
		want   []float64
		dx     []float64
	}{
		{"ids", crossEntropy(ops.CrossEntropyOptions{}), shape.Of(2, 4), ids(shape.Of(2), 3, 0), []float64{1.289670499361482},
			[]float64{0.1287366375853256, 0.03558963567330936, 0.2629738145305863, -0.4273000877892214, -0.23925705912233308, 0.0720831803927834, 0.01992761483033345, 0.14724626389921627}},
		{"smoothing", crossEntropy(ops.CrossEntropyOptions{LabelSmoothing: .1}), shape.Of(2, 4), ids(shape.Of(2), 3, 0), []float64{1.3307419279329107},
			[]float64{0.11623663758532561, 0.02308963567330936, 0.2504738145305863, -0.38980008778922143, -0.2017570591223331, 0.0595831803927834, 0.00742761483033345, 0.13474626389921626}},
		{"per example", crossEntropy(ops.CrossEntropyOptions{PerExample: true}), shape.Of(2, 4), ids(shape.Of(2), 3, 0), []float64{1.9282679214380742, 0.6510730772848896},
			[]float64{0.2574732751706512, 0.07117927134661872, 0.5259476290611727, -0.8546001755784428, -0.47851411824466616, 0.1441663607855668, 0.0398552296606669, 0.29449252779843255}},
		{"distribution", crossEntropy(ops.CrossEntropyOptions{}), shape.Of(2, 4), distribution, []float64{2.103956213647196},
			[]float64{0.0787366375853256, -0.06441036432669065, 0.11297381453058633, -0.12730008778922142, 0.2607429408776669, -0.17791681960721661, -0.23007238516966655, 0.14724626389921627}},
		{"distribution, smoothing", crossEntropy(ops.CrossEntropyOptions{LabelSmoothing: .2}), shape.Of(2, 4), distribution, []float64{2.0232419279329106},
			[]float64{0.0637366375853256, -0.06941036432669065, 0.11797381453058634, -0.11230008778922142, 0.23574294087766692, -0.1529168196072166, -0.20507238516966655, 0.12224626389921628}},
		{"a class a pixel", crossEntropy(ops.CrossEntropyOptions{}), shape.Of(1, 3, 2), ids(shape.Of(1, 2), 2, 1), []float64{0.9047975070259658},
			[]float64{0.06929564212141223, 0.06929564212141223, 0.14155208401288347, -0.3584479159871165, -0.2108477261342957, 0.2891522738657043}},
		{"one example", crossEntropy(ops.CrossEntropyOptions{}), shape.Of(3), ids(shape.Of(), 1), []float64{2.4854320854025764},
			[]float64{0.3012792210069211, -0.9167104414664549, 0.6154312204595336}},
		{"binary", ops.BinaryCrossEntropy, shape.Of(2, 2), floats(shape.Of(2, 2), 0, 1, .25, .5), []float64{0.972637341865805},
			[]float64{0.125, -0.19585522605795602, 0.10533686337068252, -0.03477318629071281}},
		{"MSE", ops.MSE, shape.Of(2, 2), floats(shape.Of(2, 2), 0, 1, .25, .5), []float64{1.647002551020408},
			[]float64{0, -1.1428571428571428, 0.23214285714285715, -0.5357142857142857}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := graph.New()
			x := newFeed(g, "x", c.logits, sequence(c.logits.Len()))
			loss := c.f(x.node, c.target(g))
			require.NoError(t, g.Err())
			closeTo(t, c.want, computed(t, []*graph.Node{loss}, x)[0])
			closeTo(t, c.dx, grads(t, loss, x)[0])
		})
	}
}

func TestGradientByATargetDistributionEqualsPyTorch(t *testing.T) {
	g := graph.New()
	x, q := newFeed(g, "x", shape.Of(2, 4), sequence(8)), newFeed(g, "q", shape.Of(2, 4), []float64{.1, .2, .3, .4, 0, .5, .5, 0})
	closeTo(t, []float64{0.6784196750047515, 1.3212768178618943, 0.3212768178618943, 0.9641339607190371, 0.3255365386424448, 0.9683936814995877, 1.6112508243567305, 0.6112508243567305},
		grads(t, ops.CrossEntropy(x.node, q.node), x, q)[1])
}

func TestLargeLogits(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(x *graph.Node) *graph.Node
		want []float64
		dx   []float64
	}{
		{"Softmax", func(x *graph.Node) *graph.Node { return ops.Softmax(x, 1) }, []float64{1, 0, 0, .5, 0, .5}, []float64{0, 0, 0, 0, 0, 0}},
		{"LogSoftmax", func(x *graph.Node) *graph.Node { return ops.Max(ops.LogSoftmax(x, 1), 1) }, []float64{0, -.6931471805599453}, []float64{0, 0, 0, 0, 0, 0}},
		{"CrossEntropy", func(x *graph.Node) *graph.Node {
			return ops.CrossEntropy(x, x.Graph().Const(shape.I64(2), []float64{1, 0}), ops.CrossEntropyOptions{PerExample: true})
		}, []float64{2e4, .6931471805599453}, []float64{1, -1, 0, -.5, 0, .5}},
		{"BinaryCrossEntropy", func(x *graph.Node) *graph.Node { return ops.BinaryCrossEntropy(x, ops.ZerosLike(x)) },
			[]float64{2e4/6 + 3e4/6 - 1e4/6 - 1e4/6 + .6931471805599453/6}, []float64{1. / 6, 0, .5 / 6, 1. / 6, 0, 1. / 6}},
	} {
		x := newFeed(graph.New(), "x", shape.Of(2, 3), []float64{1e4, -1e4, 0, 1e4, -1e4, 1e4})
		y := c.f(x.node)
		closeTo(t, c.want, computed(t, []*graph.Node{y}, x)[0], c.name)
		closeTo(t, c.dx, grads(t, y, x)[0], c.name)
	}
}

// A class that is ruled out has a logit of -Inf.
func TestClassesRuledOutDoNotCount(t *testing.T) {
	for name, target := range map[string]func(g *graph.Graph) *graph.Node{
		"ids":          func(g *graph.Graph) *graph.Node { return g.Const(shape.I32(1), []float64{0}) },
		"distribution": func(g *graph.Graph) *graph.Node { return g.Const(shape.F64(1, 3), []float64{1, 0, 0}) },
	} {
		g := graph.New()
		x := newFeed(g, "x", shape.Of(1, 3), []float64{2, -inf, 2})
		loss := ops.CrossEntropy(x.node, target(g))
		closeTo(t, []float64{.6931471805599453}, computed(t, []*graph.Node{loss}, x)[0], name)
		closeTo(t, []float64{-.5, 0, .5}, grads(t, loss, x)[0], name)
	}
}

// Nor do they count in a divergence, and their gradients are 0.
func TestTheDivergenceOfWhatCannotBe(t *testing.T) {
	g := graph.New()
	logP := newFeed(g, "logP", shape.Of(1, 3), []float64{math.Log(.5), -inf, 0})
	q := newFeed(g, "q", shape.Of(1, 3), []float64{1, 0, 0})
	y := ops.KLDivergence(logP.node, q.node)
	got := computed(t, append([]*graph.Node{y}, autodiff.Grad(y, logP.node, q.node)...), logP, q)
	closeTo(t, []float64{math.Log(2)}, got[0])
	closeTo(t, []float64{-1, 0, 0}, got[1])
	closeTo(t, []float64{1 + math.Log(2), 0, 0}, got[2])
}

func TestLossesWeighBatchesByTheirSize(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(shape.N, 3))
	loss := ops.CrossEntropy(x, ops.Softmax(ops.Neg(x), 1))
	each := ops.CrossEntropy(x, ops.Softmax(ops.Neg(x), 1), ops.CrossEntropyOptions{PerExample: true})
	for _, r := range batches(t, []*graph.Node{loss, each}, []int{5, 2}, func(i int) float64 { return sequence(i + 1)[i] }) {
		mean := 0.
		for _, l := range r[1] {
			mean += l / float64(len(r[1]))
		}
		require.InDelta(t, mean, r[0][0], 1e-12)
	}
}

func TestALabelOutOfRangeIsAnErrorOfTheRun(t *testing.T) {
	g := graph.New()
	x, ids := g.Input("x", shape.F32(shape.N, 3)), g.Input("ids", shape.I32(shape.N))
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{ops.CrossEntropy(x, ids)})
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	for _, id := range []int32{-1, 3} {
		_, err = m.Run(t.Context(), tensor.New(tensor.WithShape(2, 3), tensor.Of(tensor.Float32)), tensor.New(tensor.WithBacking([]int32{0, id})))
		require.ErrorContains(t, err, fmt.Sprintf("id %d", id))
		require.ErrorContains(t, err, "loss_test.go")
	}
}

func TestMistakesOfLossesSayWhatIsWanted(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 10))
	in := func(name string, typ shape.Type) *graph.Node { return g.Input(name, typ) }
	ids, column := in("ids", shape.I64(shape.N)), in("column", shape.I64(shape.N, 1))
	wide, mask, scalar := in("wide", shape.F64(shape.N, 10)), in("mask", shape.Mask(shape.N)), in("scalar", shape.F32())
	square := in("square", shape.F32(3, shape.N))
	flat := in("flat", shape.F32(shape.N))
	for _, c := range []struct {
		build func() *graph.Node
		want  string
	}{
		{func() *graph.Node { return ops.CrossEntropy(x, column) }, "CrossEntropy: class numbers are int64(N,1); for logits float32(N,10) want (N)"},
		{func() *graph.Node { return ops.CrossEntropy(x, wide) }, "CrossEntropy: the target is float64(N,10); want class numbers, integers (N), or distributions, float32(N,10)"},
		{func() *graph.Node { return ops.CrossEntropy(x, mask) }, "CrossEntropy: the target is bool(N)"},
		{func() *graph.Node { return ops.CrossEntropy(scalar, ids) }, "CrossEntropy: logits are float32(); want (N,C) or (N,C,...)"},
		{func() *graph.Node { return ops.CrossEntropy(ids, ids) }, "CrossEntropy: input 0 is int64(N); want float32 or float64"},
		{func() *graph.Node { return ops.CrossEntropy(square, ids) }, "CrossEntropy: the classes of float32(3,N), axis 1, depend on the batch size"},
		{func() *graph.Node { return ops.CrossEntropy(x, ids, ops.CrossEntropyOptions{LabelSmoothing: 1.5}) }, "CrossEntropy: label smoothing of 1.5; want 0 to 1"},
		{func() *graph.Node { return ops.CrossEntropy(x, nil) }, "CrossEntropy: input 1 is nil"},
		{func() *graph.Node { return ops.MSE(x, flat) }, "MSE: inputs are float32(N,10) and float32(N); want one type"},
		{func() *graph.Node { return ops.MSE(ids, ids) }, "MSE: input 0 is int64(N); want float32 or float64"},
		{func() *graph.Node { return ops.BinaryCrossEntropy(x, wide) }, "BinaryCrossEntropy: inputs are float32(N,10) and float64(N,10)"},
		{func() *graph.Node { return ops.Softmax(x, 2) }, "Softmax: no axis 2 in (N,10)"},
		{func() *graph.Node { return ops.LogSoftmax(ids, 0) }, "LogSoftmax: input 0 is int64(N); want float32 or float64"},
	} {
		before := errorCount(g)
		require.False(t, c.build().Valid(), c.want)
		require.ErrorContains(t, g.Err(), c.want)
		require.Equal(t, before+1, errorCount(g), c.want)
	}
}

func TestSoftmaxIsNotLogSoftmax(t *testing.T) {
	x := newFeed(graph.New(), "x", shape.Of(2, 2), []float64{1, 2, 3, 5})
	outs := []*graph.Node{ops.Softmax(x.node, 1), ops.LogSoftmax(x.node, 1), ops.Softmax(x.node, 0), ops.Softmax(x.node, -1)}
	got := computed(t, outs, x)
	require.NotEqual(t, got[0], got[1])
	require.NotEqual(t, got[0], got[2])
	require.Equal(t, got[0], got[3])
	require.Equal(t, outs[0].Op(), outs[3].Op(), "negative axes are normalised")
}

func TestGradOfGradOfALossIsItsHessian(t *testing.T) {
	x := newFeed(graph.New(), "x", shape.Of(1, 2), []float64{.3, -.2})
	loss := ops.CrossEntropy(x.node, x.node.Graph().Const(shape.I32(1), []float64{0}))
	d := autodiff.Grad(loss, x.node)[0]
	p := computed(t, []*graph.Node{ops.Softmax(x.node, 1)}, x)[0]
	first := ops.Sum(ops.Slice(d, ops.Whole(), ops.Range{Stop: 1}))
	closeTo(t, []float64{p[0] * p[1], -p[0] * p[1]}, grads(t, first, x)[0])
}
