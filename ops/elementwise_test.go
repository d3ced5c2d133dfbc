package ops_test

import (
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

var (
	nan, inf = math.NaN(), math.Inf(1)
	negZero  = math.Copysign(0, -1)
)

// vec adds a float64 vector that is fed, so that nothing is folded.
func vec(g *graph.Graph, name string, v ...float64) feed {
	return newFeed(g, name, shape.Of(shape.Dim(len(v))), v)
}

// sameNumbers compares bit by bit, but that any NaN equals any other.
func sameNumbers(t *testing.T, want, got []float64, msg ...any) {
	t.Helper()
	require.Len(t, got, len(want), msg...)
	for i := range want {
		if math.IsNaN(want[i]) && math.IsNaN(got[i]) {
			continue
		}
		require.Equal(t, want[i], got[i], msg...)
		require.Equal(t, math.Signbit(want[i]), math.Signbit(got[i]), msg...)
	}
}

// closeTo compares with some tolerance; NaN and infinities must be where they are.
func closeTo(t *testing.T, want, got []float64, msg ...any) {
	t.Helper()
	require.Len(t, got, len(want), msg...)
	for i := range want {
		if want[i] == got[i] || math.IsNaN(want[i]) && math.IsNaN(got[i]) {
			continue
		}
		require.InDelta(t, want[i], got[i], 1e-12, msg...)
	}
}

func TestFunctionsWithAttributesCompute(t *testing.T) {
	in := []float64{-2, negZero, 0, .5, 3, inf, -inf, nan}
	for _, c := range []struct {
		name string
		f    func(x *graph.Node) *graph.Node
		want []float64
	}{
		{"ReLU", ops.ReLU, []float64{0, 0, 0, .5, 3, inf, 0, nan}},
		{"LeakyReLU", func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, .5) }, []float64{-1, negZero, 0, .5, 3, inf, -inf, nan}},
		{"Clip", func(x *graph.Node) *graph.Node { return ops.Clip(x, -1, 1) }, []float64{-1, negZero, 0, .5, 1, 1, -1, nan}},
		{"ReLU6", func(x *graph.Node) *graph.Node { return ops.ReLU6(ops.MulScalar(x, 3)) }, []float64{0, 0, 0, 1.5, 6, 6, 0, nan}},
		{"Clip below", func(x *graph.Node) *graph.Node { return ops.Clip(x, 0, inf) }, []float64{0, 0, 0, .5, 3, inf, 0, nan}},
		{"AddScalar", func(x *graph.Node) *graph.Node { return ops.AddScalar(x, 1) }, []float64{-1, 1, 1, 1.5, 4, inf, -inf, nan}},
		{"MulScalar", func(x *graph.Node) *graph.Node { return ops.MulScalar(x, -2) }, []float64{4, 0, negZero, -1, -6, -inf, inf, nan}},
		{"Square", ops.Square, []float64{4, 0, 0, .25, 9, inf, inf, nan}},
		{"Reciprocal", ops.Reciprocal, []float64{-.5, -inf, inf, 2, 1 / 3., 0, negZero, nan}},
		{"Cast", func(x *graph.Node) *graph.Node { return ops.Cast(ops.Cast(x, shape.Int32), shape.Float64) },
			[]float64{-2, 0, 0, 0, 3, math.MaxInt32, math.MinInt32, 0}},
		{"Where", func(x *graph.Node) *graph.Node { return ops.Where(ops.Equal(x, x), x, ops.Scalar(x, 7)) },
			[]float64{-2, negZero, 0, .5, 3, inf, -inf, 7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := vec(graph.New(), "x", in...)
			sameNumbers(t, c.want, computed(t, []*graph.Node{c.f(x.node)}, x)[0])
		})
	}
}

// log(1+e^x), with 20 digits.
func TestSoftplusNeitherOverflowsNorLosesItsTail(t *testing.T) {
	x := vec(graph.New(), "x", 0, 1, -1, 1e4, -1e4, -40)
	got := computed(t, []*graph.Node{ops.Softplus(x.node)}, x)[0]
	want := []float64{.69314718055994530942, 1.3132616875182228340, .31326168751822283405, 1e4, 0, 4.248354255291588995e-18}
	for i := range want {
		require.InEpsilon(t, want[i]+math.SmallestNonzeroFloat64, got[i]+math.SmallestNonzeroFloat64, 1e-14)
	}
}

// grads returns the gradient of the sum of y by each feed.
func grads(t *testing.T, y *graph.Node, feeds ...feed) [][]float64 {
	t.Helper()
	var by []*graph.Node
	for _, f := range feeds {
		by = append(by, f.node)
	}
	return computed(t, autodiff.Grad(ops.Sum(y), by...), feeds...)
}

// What PyTorch gives where a derivative does not exist; at the bounds of Clip 1.13 and not 2.15,
// see docs/PARITY.md.
func TestGradientsAtKinksEqualPyTorch(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(x *graph.Node) *graph.Node
		want []float64 // at 0, -0 and 1
	}{
		{"Abs", ops.Abs, []float64{0, 0, 1}},
		{"ReLU", ops.ReLU, []float64{0, 0, 1}},
		{"LeakyReLU", func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, .1) }, []float64{.1, .1, 1}},
		{"LeakyReLU steeper", func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, -2) }, []float64{-2, -2, 1}},
		{"Clip", func(x *graph.Node) *graph.Node { return ops.Clip(x, 0, 1) }, []float64{1, 1, 1}},
		{"ReLU6", func(x *graph.Node) *graph.Node { return ops.ReLU6(ops.MulScalar(x, 6)) }, []float64{0, 0, 0}},
		{"ReLU6 between", func(x *graph.Node) *graph.Node { return ops.ReLU6(ops.AddScalar(x, 2)) }, []float64{1, 1, 1}},
		{"Sign", ops.Sign, []float64{0, 0, 0}},
		{"Floor", ops.Floor, []float64{0, 0, 0}},
	} {
		x := vec(graph.New(), "x", 0, negZero, 1)
		require.Equal(t, c.want, grads(t, c.f(x.node), x)[0], c.name)
	}
	for name, f := range map[string]func(a, b *graph.Node) *graph.Node{
		"Maximum": ops.Maximum,
		"Minimum": func(a, b *graph.Node) *graph.Node { return ops.Neg(ops.Minimum(ops.Neg(a), ops.Neg(b))) },
	} {
		g := graph.New()
		a, b := vec(g, "a", 0, 0, 1), vec(g, "b", 0, 1, 1)
		d := grads(t, f(a.node, b.node), a, b)
		require.Equal(t, [][]float64{{.5, 0, .5}, {.5, 1, .5}}, d, name)
	}
}

func TestHardSigmoidKeepsItsDigitsNearItsFoot(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(2))
	m := vm.MustCompile(ref.Engine{}, []*graph.Node{ops.HardSigmoid(x)})
	machine, err := m.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	outs, err := machine.Run(t.Context(), tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{-3 + 0x1p-10, -2.875})))
	require.NoError(t, err)
	for i, want := range []float64{0x1p-10 / 6, .125 / 6} {
		require.InEpsilon(t, want, float64(outs[0].Float32s()[i]), 1e-7)
	}
}

func TestSharesOfAMaximumOfItselfAddUpToOne(t *testing.T) {
	x := vec(graph.New(), "x", 1, -2)
	require.Equal(t, []float64{1, 1}, grads(t, ops.Maximum(x.node, x.node), x)[0])
}

// torch.pow of PyTorch.
func TestPowAtZeroAndBelowEqualsPyTorch(t *testing.T) {
	g := graph.New()
	a := vec(g, "a", 0, 0, 0, 0, -2, -2, -2, 3, 3, inf)
	b := vec(g, "b", 0, 1, 2, -1, 2, 3, .5, 0, -2, 0)
	y := ops.Pow(a.node, b.node)
	closeTo(t, []float64{1, 0, 0, inf, 4, -8, nan, 1, 1 / 9., 1}, computed(t, []*graph.Node{y}, a, b)[0])
	d := grads(t, y, a, b)
	closeTo(t, []float64{0, 1, 0, -inf, -4, 12, nan, 0, -0.07407407407407407, 0}, d[0])
	closeTo(t, []float64{0, 0, 0, -inf, nan, nan, nan, 1.0986122886681098, 0.12206803207423442, inf}, d[1])
}

func TestSecondDerivativeOfPowersAtZero(t *testing.T) {
	for exponent, want := range map[float64]float64{0: 0, 1: 0, 2: 2, 3: 0} {
		x := vec(graph.New(), "x", 0)
		d := autodiff.Grad(ops.Sum(ops.Pow(x.node, ops.Scalar(x.node, exponent))), x.node)
		require.Equal(t, []float64{want}, grads(t, d[0], x)[0], exponent)
	}
}

// An infinite adjoint times a mask of zeros would be NaN.
func TestMasksSelect(t *testing.T) {
	for name, f := range map[string]func(x *graph.Node) *graph.Node{
		"ReLU":    ops.ReLU,
		"Clip":    func(x *graph.Node) *graph.Node { return ops.Clip(x, 0, 5) },
		"Maximum": func(x *graph.Node) *graph.Node { return ops.Maximum(x, ops.Scalar(x, 0)) },
		"Where":   func(x *graph.Node) *graph.Node { return ops.Where(ops.Less(x, ops.Scalar(x, 0)), ops.Scalar(x, 0), x) },
		"Max":     func(x *graph.Node) *graph.Node { return ops.BroadcastTo(ops.Max(x), shape.Of(2)) },
		"Pow":     func(x *graph.Node) *graph.Node { return ops.Pow(ops.AddScalar(x, 1), ops.AddScalar(x, 1)) },
	} {
		x := vec(graph.New(), "x", -1, 1)
		y := f(x.node)
		dx := autodiff.VJP(y, ops.FullLike(y, inf), x.node)
		require.Equal(t, []float64{0, inf}, computed(t, dx, x)[0], name)
	}
}

func TestGradientsStopAtWhatIsNotFloatingPoint(t *testing.T) {
	x := vec(graph.New(), "x", 1.5, 2.5)
	y := ops.Mul(ops.Cast(ops.Cast(x.node, shape.Int32), shape.Float64), x.node)
	require.Equal(t, []float64{1, 2}, grads(t, y, x)[0])
}

func TestCastsFollowTheTypeOfAClone(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(2))
	ids := g.Input("ids", shape.I32(2))
	y := ops.Mul(x, ops.Cast(ids, shape.Float32))
	out := graph.WithDType(shape.Float64, y, ops.Cast(x, shape.Int64))
	require.NoError(t, out[0].Graph().Err())
	require.Equal(t, shape.F64(2), out[0].Type())
	require.Equal(t, shape.I64(2), out[1].Type())
}

func TestTypesOfElementwiseOps(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3, 1))
	b := g.Input("b", shape.F32(3, 4))
	ids := g.Input("ids", shape.I64(shape.N))
	require.Equal(t, shape.F32(shape.N, 3, 4), ops.Add(x, b).Type())
	require.Equal(t, shape.Mask(shape.N, 3, 4), ops.Less(b, x).Type())
	require.Equal(t, shape.F32(shape.N, 3, 4), ops.Where(ops.Less(x, x), x, b).Type())
	require.Equal(t, shape.I64(shape.N), ops.AddScalar(ids, 3).Type())
	require.Equal(t, shape.F32(shape.N), ops.Cast(ids, shape.Float32).Type())
	require.NoError(t, g.Err())
}

func TestMistakesOfElementwiseOpsSayWhatIsWanted(t *testing.T) {
	g := graph.New()
	f32, f64 := g.Input("f32", shape.F32(shape.N, 3)), g.Input("f64", shape.F64(shape.N, 3))
	i32, mask, u8 := g.Input("i32", shape.I32(shape.N, 3)), g.Input("mask", shape.Mask(shape.N, 3)), g.Input("u8", shape.U8(3))
	four := g.Input("four", shape.F32(4))
	for _, c := range []struct {
		build func() *graph.Node
		want  string
	}{
		{func() *graph.Node { return ops.Add(f32, f64) }, "Add: inputs are float32 and float64; want one element type, see Cast"},
		{func() *graph.Node { return ops.Add(f32, four) }, "Add: shapes (N,3) and (4) do not broadcast: 3 against 4"},
		{func() *graph.Node { return ops.Exp(i32) }, "Exp: input 0 is int32(N,3); want float32 or float64"},
		{func() *graph.Node { return ops.Neg(u8) }, "Neg: input 0 is uint8(3); want a signed number"},
		{func() *graph.Node { return ops.Mul(mask, mask) }, "Mul: input 0 is bool(N,3); want a number"},
		{func() *graph.Node { return ops.And(mask, f32) }, "And: input 1 is float32(N,3); want bool"},
		{func() *graph.Node { return ops.Less(mask, mask) }, "Less: input 0 is bool(N,3); want a number"},
		{func() *graph.Node { return ops.Where(f32, f32, f32) }, "Where: the condition is float32(N,3); want bool"},
		{func() *graph.Node { return ops.Where(mask, f32, f64) }, "Where: the branches are float32 and float64; want one element type"},
		{func() *graph.Node { return ops.Clip(f32, 1, 0) }, "Clip: bounds 1 and 0; want the lower one first"},
		{func() *graph.Node { return ops.Clip(f32, nan, 0) }, "Clip: bounds NaN and 0"},
		{func() *graph.Node { return ops.Clip(i32, .5, 2) }, "Clip: 0.5 is not a valid int32"},
		{func() *graph.Node { return ops.LeakyReLU(f32, nan) }, "LeakyReLU: alpha is NaN; want a finite number"},
		{func() *graph.Node { return ops.AddScalar(i32, .5) }, "Full: 0.5 is not a valid int32"},
		{func() *graph.Node { return ops.Scalar(u8, -1) }, "Full: -1 is not a valid uint8"},
		{func() *graph.Node { return ops.Scalar(mask, 2) }, "Full: 2 is not a valid bool"},
		{func() *graph.Node { return ops.Cast(f32, shape.Invalid) }, "Cast: the element type to cast to is invalid"},
		{func() *graph.Node { return ops.Add(f32, nil) }, "Add: input 1 is nil"},
		{func() *graph.Node { return ops.ByMode(f32, f64) }, "ByMode: training gives float32(N,3), inference float64(N,3); want one type"},
	} {
		before := errorCount(g)
		bad := c.build()
		require.False(t, bad.Valid(), c.want)
		ops.Sum(ops.ReLU(ops.MulScalar(bad, 2))) // what is built on it is silent
		require.ErrorContains(t, g.Err(), c.want)
		require.Equal(t, before+1, errorCount(g), c.want)
	}
}

func errorCount(g *graph.Graph) int {
	list, _ := g.Err().(graph.ErrorList)
	return len(list)
}

// Numbers that rules about 0, 1 and signs could get wrong.
var special = []float64{0, negZero, 1, -1, 2.5, -2.5, inf, -inf, nan}

func TestSimplifyKeepsEveryBit(t *testing.T) {
	scalar := func(v float64, f func(a, b *graph.Node) *graph.Node) func(x *graph.Node) *graph.Node {
		return func(x *graph.Node) *graph.Node { return f(x, ops.Scalar(x, v)) }
	}
	swapped := func(f func(a, b *graph.Node) *graph.Node) func(a, b *graph.Node) *graph.Node {
		return func(a, b *graph.Node) *graph.Node { return f(b, a) }
	}
	for _, c := range []struct {
		name    string
		f       func(x *graph.Node) *graph.Node
		removed bool // x itself is left
	}{
		{"x+0", scalar(0, ops.Add), false},
		{"x+(-0)", scalar(negZero, ops.Add), true},
		{"-0+x", scalar(negZero, swapped(ops.Add)), true},
		{"x-0", scalar(0, ops.Sub), true},
		{"x-(-0)", scalar(negZero, ops.Sub), false},
		{"0-x", scalar(0, swapped(ops.Sub)), false},
		{"x*1", scalar(1, ops.Mul), true},
		{"1*x", scalar(1, swapped(ops.Mul)), true},
		{"x*0", scalar(0, ops.Mul), false},
		{"x/1", scalar(1, ops.Div), true},
		{"1/x", scalar(1, swapped(ops.Div)), false},
		{"x^1", scalar(1, ops.Pow), true},
		{"x^2", scalar(2, ops.Pow), false},
		{"1^x", scalar(1, swapped(ops.Pow)), false},
		{"x*[1]", func(x *graph.Node) *graph.Node { return ops.Mul(x, x.Graph().Const(shape.F64(1), []float64{1})) }, true},
		{"--x", func(x *graph.Node) *graph.Node { return ops.Neg(ops.Neg(x)) }, true},
		{"||x||", func(x *graph.Node) *graph.Node { return ops.Abs(ops.Abs(x)) }, false},
		{"|-x|", func(x *graph.Node) *graph.Node { return ops.Abs(ops.Neg(x)) }, false},
		{"relu relu x", func(x *graph.Node) *graph.Node { return ops.ReLU(ops.ReLU(x)) }, false},
		{"sign sign x", func(x *graph.Node) *graph.Node { return ops.Sign(ops.Sign(x)) }, false},
		{"floor floor x", func(x *graph.Node) *graph.Node { return ops.Floor(ops.Floor(x)) }, false},
		{"cast", func(x *graph.Node) *graph.Node { return ops.Cast(x, shape.Float64) }, true},
		{"cast to and fro", func(x *graph.Node) *graph.Node { return ops.Cast(ops.Cast(x, shape.Float32), shape.Float64) }, false},
		{"where equal branches", func(x *graph.Node) *graph.Node { return ops.Where(ops.Less(x, ops.Scalar(x, 0)), x, x) }, true},
		{"where true", func(x *graph.Node) *graph.Node {
			return ops.Where(ops.Full(ops.Less(x, x), shape.Of(), 1), x, ops.Neg(x))
		}, true},
		{"where false", func(x *graph.Node) *graph.Node {
			return ops.Where(ops.Full(ops.Less(x, x), shape.Of(), 0), ops.Neg(x), x)
		}, true},
		{"where zeros of both signs", func(x *graph.Node) *graph.Node {
			return ops.Where(ops.Less(x, ops.Scalar(x, 0)), ops.Scalar(x, 0), ops.FullLike(x, negZero))
		}, false},
		{"not not", func(x *graph.Node) *graph.Node {
			return ops.Where(ops.Not(ops.Not(ops.Less(x, ops.Scalar(x, 0)))), x, ops.Neg(x))
		}, false},
		{"broadcast to same", func(x *graph.Node) *graph.Node { return ops.BroadcastTo(x, x.Type().Shape) }, true},
		{"sum to same", func(x *graph.Node) *graph.Node { return ops.SumTo(x, x.Type().Shape) }, true},
		{"broadcast twice", func(x *graph.Node) *graph.Node {
			return ops.BroadcastTo(ops.BroadcastTo(ops.Reshape(x, 9, 1), shape.Of(9, 2)), shape.Of(2, 9, 2))
		}, false},
		{"stop gradient", ops.StopGradient, true},
		{"by mode", func(x *graph.Node) *graph.Node { return ops.ByMode(x, ops.Neg(x)) }, true},
		{"count", func(x *graph.Node) *graph.Node { return ops.Mul(x, ops.Count(x)) }, false},
		{"grows", func(x *graph.Node) *graph.Node {
			return ops.Mul(x, ops.Full(x, shape.Of(2, 1), 1)) // the result is larger than x
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := vec(graph.New(), "x", special...)
			y := c.f(x.node)
			require.NoError(t, x.node.Graph().Err())
			with := computed(t, []*graph.Node{y}, x)[0]
			without := computedBy(t, []vm.Option{vm.Without("simplify")}, []*graph.Node{y}, x)[0]
			sameNumbers(t, without, with)

			simple := y
			for range 4 {
				s, ok := simple.Op().(vm.Simplifier)
				if !ok {
					break
				}
				next := s.Simplify(simple)
				if next == nil {
					break
				}
				require.Equal(t, simple.Type(), next.Type())
				simple = next
			}
			require.Equal(t, c.removed, simple == x.node)
		})
	}
}

func TestRectifiersAreReLUAndClipsFromZero(t *testing.T) {
	x := graph.New().Input("x", shape.F32(2))
	for want, all := range map[bool][]*graph.Node{
		true:  {ops.ReLU(x), ops.ReLU6(x), ops.Clip(x, 0, 6)},
		false: {x, ops.Clip(x, -1, 1), ops.LeakyReLU(x, .1), ops.Neg(x), ops.GELU(x)},
	} {
		for _, n := range all {
			require.Equal(t, want, ops.Rectifies(n.Op()), n.Op().Name())
		}
	}
}
