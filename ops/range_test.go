package ops_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// normalCDF is accurate in the lower tail too.
func normalCDF(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// An activationRow is an activation and its derivative, written so that they are accurate in
// float64 at every finite x. Where the function in float32 adds and cancels, unit says by how many
// units of 1, or of the size of x, it may be off.
type activationRow struct {
	name  string
	f     func(x *graph.Node) *graph.Node
	y, dy func(x float64) float64
	unit  float64
}

const seluAlpha, seluScale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

func eluOf(x, alpha float64) float64 {
	if x > 0 {
		return x
	}
	return alpha * math.Expm1(x)
}

func eluSlope(x, alpha float64) float64 {
	if x > 0 {
		return 1
	}
	return alpha * math.Exp(x)
}

func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// times is a*b where 0 times anything is 0: the limit of what decays faster than the other grows.
func times(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a * b
}

var activationRows = []activationRow{
	{"ELU", func(x *graph.Node) *graph.Node { return ops.ELU(x, .5) }, func(x float64) float64 { return eluOf(x, .5) }, func(x float64) float64 { return eluSlope(x, .5) }, 0},
	{"ELU 1", func(x *graph.Node) *graph.Node { return ops.ELU(x, 1) }, func(x float64) float64 { return eluOf(x, 1) }, func(x float64) float64 { return eluSlope(x, 1) }, 0},
	{"SELU", ops.SELU, func(x float64) float64 { return seluScale * eluOf(x, seluAlpha) }, func(x float64) float64 { return seluScale * eluSlope(x, seluAlpha) }, 0},
	{"Expm1", ops.Expm1, math.Expm1, math.Exp, 0},
	{"Softplus", ops.Softplus, softplus, logistic, 0},
	{"SiLU", ops.SiLU, func(x float64) float64 { return times(x, logistic(x)) },
		func(x float64) float64 { return logistic(x) * (1 + times(x, logistic(-x))) }, 4},
	{"Mish", ops.Mish, func(x float64) float64 { return times(x, math.Tanh(softplus(x))) }, func(x float64) float64 {
		t := math.Tanh(softplus(x))
		return t + times(times(x, 1-t*t), logistic(x))
	}, 8},
	{"GELU", ops.GELU, func(x float64) float64 { return times(x, normalCDF(x)) }, func(x float64) float64 {
		return normalCDF(x) + times(x, math.Exp(-x*x/2)/math.Sqrt(2*math.Pi))
	}, 8},
	{"GELUTanh", ops.GELUTanh, func(x float64) float64 { return times(x, logistic(2*geluInner(x))) }, func(x float64) float64 {
		s, r := logistic(2*geluInner(x)), logistic(-2*geluInner(x))
		return s + times(times(x, s*r), 2*math.Sqrt(2/math.Pi)*(1+3*.044715*x*x))
	}, 8},
	{"Softsign", ops.Softsign, func(x float64) float64 { return x / (1 + math.Abs(x)) },
		func(x float64) float64 { return 1 / (1 + math.Abs(x)) / (1 + math.Abs(x)) }, 4},
	{"HardSwish", ops.HardSwish, func(x float64) float64 {
		return times(x, math.Min(math.Max(x/6+.5, 0), 1))
	}, func(x float64) float64 {
		switch {
		case x < -3:
			return 0
		case x >= 3:
			return 1
		}
		return x/3 + .5
	}, 4},
	{"HardSigmoid", ops.HardSigmoid, func(x float64) float64 { return math.Min(math.Max(x/6+.5, 0), 1) }, func(x float64) float64 {
		if x <= -3 || x >= 3 {
			return 0
		}
		return 1. / 6
	}, 4},
	{"Tanh", ops.Tanh, math.Tanh, func(x float64) float64 { return 1 / (math.Cosh(x) * math.Cosh(x)) }, 4},
	{"Sigmoid", ops.Sigmoid, logistic, func(x float64) float64 { return logistic(x) * logistic(-x) }, 4},
	{"Log1p", ops.Log1p, math.Log1p, func(x float64) float64 { return 1 / (1 + x) }, 0},
	{"Erf", ops.Erf, math.Erf, func(x float64) float64 { return 2 / math.Sqrt(math.Pi) * math.Exp(-x*x) }, 0},
	{"LeakyReLU", func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, .25) }, func(x float64) float64 { return math.Max(x, x/4) }, func(x float64) float64 {
		if x > 0 {
			return 1
		}
		return .25
	}, 0},
}

func geluInner(x float64) float64 { return math.Sqrt(2/math.Pi) * (x + .044715*x*x*x) }

// rangePoints are numbers of all sizes that float32 has, off the kinks.
func rangePoints() (all []float64) {
	for _, v := range []float32{1e-30, 1e-10, 1e-7, 1e-4, .01, .5, .9, 1.5, 2.9, 4, 6, 9, 13, 17, 20, 40, 80, 87, 104, 1e3, 1e5, 1e10, 1e20, 3e38, math.MaxFloat32} {
		all = append(all, float64(v), -float64(v))
	}
	return all
}

// TestActivationsAreRightAtEverySize, and their gradients, on every engine: where they vanish,
// where x is as large as float32 holds, and where they are infinitesimal.
func TestActivationsAreRightAtEverySize(t *testing.T) {
	x := rangePoints()
	for _, row := range activationRows {
		t.Run(row.name, func(t *testing.T) {
			onEveryEngine(t, func(t *testing.T, e engine.Engine, in, out func(*graph.Node) *graph.Node) {
				g := graph.New()
				feed := newFeed(g, "x", shape.OfInts(len(x)), x)
				y := out(row.f(in(feed.node)))
				got := computedOn(t, e, nil, []*graph.Node{y, autodiff.Grad(ops.Sum(ops.MulScalar(y, 3)), feed.node)[0]}, feed)
				for i, v := range x {
					if row.name == "Log1p" && v <= -1 {
						continue
					}
					requireNear(t, row.y(v), got[0][i], row.unit*math.Min(1, math.Abs(v)), fmt.Sprintf("at %v", v))
					requireNear(t, row.dy(v), got[1][i]/3, row.unit, fmt.Sprintf("derivative at %v", v))
				}
			})
		})
	}
}

// requireNear allows for the roundings of float32 in a few steps, beyond float32's range for
// infinity and for 0, and for so many units of float32's precision.
func requireNear(t *testing.T, want, got, units float64, what string) {
	t.Helper()
	if math.IsNaN(want) {
		require.True(t, math.IsNaN(got), what)
		return
	}
	if want > math.MaxFloat32 && got > math.MaxFloat32 || want < -math.MaxFloat32 && got < -math.MaxFloat32 {
		return
	}
	const step = 0x1p-23
	require.LessOrEqual(t, math.Abs(got-want), math.Abs(want)*16*step+units*step+0x1p-125, "%s: %v, want %v", what, got, want)
}

// TestActivationsAtTheEndsOfTheNumbers: NaN stays, and infinities give PyTorch's values.
func TestActivationsAtTheEndsOfTheNumbers(t *testing.T) {
	inf := math.Inf(1)
	x := []float64{inf, -inf, math.NaN()}
	for name, want := range map[string][4]float64{ // the values and the derivatives at the infinities
		"ELU 1": {inf, -1, 1, 0}, "SELU": {inf, -seluScale * seluAlpha, seluScale, 0}, "Softplus": {inf, 0, 1, 0}, "Expm1": {inf, -1, inf, 0},
		"HardSwish": {inf, 0, 1, 0}, "HardSigmoid": {1, 0, 0, 0}, "Tanh": {1, -1, 0, 0}, "Sigmoid": {1, 0, 0, 0}, "Erf": {1, -1, 0, 0}, "LeakyReLU": {inf, -inf, 1, .25},
	} {
		row := activationRows[slices.IndexFunc(activationRows, func(r activationRow) bool { return r.name == name })]
		onEveryEngine(t, func(t *testing.T, e engine.Engine, in, out func(*graph.Node) *graph.Node) {
			g := graph.New()
			feed := newFeed(g, "x", shape.OfInts(3), x)
			y := out(row.f(in(feed.node)))
			got := computedOn(t, e, nil, []*graph.Node{y, autodiff.Grad(ops.Sum(y), feed.node)[0]}, feed)
			for i, v := range []float64{got[0][0], got[0][1], got[1][0], got[1][1]} {
				if math.IsInf(want[i], 0) {
					require.Equal(t, want[i], v, name)
				} else {
					require.InDelta(t, want[i], v, 1e-6, "%s: %v", name, got)
				}
			}
			require.True(t, math.IsNaN(got[0][2]), name)
		})
	}
}

// TestBinaryCrossEntropyIsAccurateWhereItIsSmall, on both sides and for targets between.
func TestBinaryCrossEntropyIsAccurateWhereItIsSmall(t *testing.T) {
	want := func(z, q float64) float64 { return q*softplus(-z) + (1-q)*softplus(z) }
	require.InEpsilon(t, 4.53989e-05, want(10, 1), 1e-5)
	require.InEpsilon(t, 2.06115e-09, want(20, 1), 1e-5)
	for _, q := range []float64{0, 1e-3, .5, 1} {
		for _, z := range []float64{10, 15, 17, 20, 50, 1e-3, 0, -1e-3, -10, -15, -17, -20, -80, 1e10, -1e10, 3e38, -3e38} {
			onEveryEngine(t, func(t *testing.T, e engine.Engine, in, out func(*graph.Node) *graph.Node) {
				g := graph.New()
				logits, target := newFeed(g, "z", shape.Of(1), []float64{z}), newFeed(g, "q", shape.Of(1), []float64{q})
				y := out(ops.BinaryCrossEntropy(in(logits.node), in(target.node)))
				dx := autodiff.Grad(y, logits.node, target.node)
				got := computedOn(t, e, nil, append(dx, y), logits, target)
				requireNear(t, want(z, q), got[2][0], 0, fmt.Sprintf("logit %v, target %v", z, q))
				requireNear(t, (1-q)*logistic(z)-q*logistic(-z), got[0][0], 8*q*(1-q), fmt.Sprintf("derivative by the logit %v, target %v", z, q))
				requireNear(t, -z, got[1][0], 4, fmt.Sprintf("derivative by the target %v, logit %v", q, z))
			})
		}
	}
}
