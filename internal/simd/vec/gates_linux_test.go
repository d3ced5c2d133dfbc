package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// TestGatesFollowTheirDefinition compares the steps of cells with their formulas in float64, on
// operands between guard pages.
func TestGatesFollowTheirDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		gatesFollowTheirDefinition[float32](t, k, 0x1p-20)
		gatesFollowTheirDefinition[float64](t, k, 0x1p-48)
	})
}

func gatesFollowTheirDefinition[T isa.Float](t *testing.T, k *Kernels, tolerance float64) {
	rng := rand.New(rand.NewPCG(5, 1))
	for n := 1; n < 90; n = n*5/4 + 1 {
		for _, behind := range []bool{false, true} {
			stride := n + rng.IntN(3)
			apart := func(k, stride int) []T {
				x := simdtest.Guarded[T](t, (k-1)*stride+n, behind)
				for i := range x {
					x[i] = T(3 * rng.NormFloat64())
				}
				return x
			}
			planes := func(k int) []T { return apart(k, stride) }
			near := func(want float64, have T, what string) {
				require.InDelta(t, want, float64(have), tolerance*(1+math.Abs(want)), "%s of %d", what, n)
			}
			at := func(x []T, k, j int) float64 { return float64(x[k*stride+j]) }

			s := Gates[T]{N: n, Stride: stride, Pitch: n + rng.IntN(3)}
			s.Pre, s.X, s.Prev, s.Planes, s.H = apart(4, s.Pitch), planes(4), planes(1), planes(5), planes(1)
			sum := func(g, j int) float64 { return float64(s.Pre[g*s.Pitch+j] + s.X[g*stride+j]) }
			LSTM(k, s)
			for j := range n {
				i, f, g, o := sigmoid64(sum(0, j)), sigmoid64(sum(1, j)), math.Tanh(sum(2, j)), sigmoid64(sum(3, j))
				c := f*float64(s.Prev[j]) + i*g
				for p, want := range []float64{c, i, f, g, o} {
					near(want, s.Planes[p*stride+j], "LSTM")
				}
				near(o*math.Tanh(c), s.H[j], "h of LSTM")
			}
			lstm := s
			s.Pre, s.X = s.Pre[:2*s.Pitch+n], s.X[:2*stride+n]
			GRU(k, s)
			for j := range n {
				r, z, q := sigmoid64(sum(0, j)), sigmoid64(sum(1, j)), float64(s.Pre[2*s.Pitch+j])
				fresh := math.Tanh(at(s.X, 2, j) + r*q)
				for p, want := range []float64{fresh + z*(float64(s.Prev[j])-fresh), r, z, fresh, q} {
					near(want, s.Planes[p*stride+j], "GRU")
				}
			}

			g := GateGrads[T]{N: n, Stride: stride, DH: planes(1), DY: planes(1), DC: planes(1), Planes: planes(5), Prev: planes(1), Out: planes(4)}
			for i := range g.Planes {
				g.Planes[i] = T(rng.Float64())
			}
			carry := planes(1)
			for _, inner := range [][]T{nil, planes(4)} {
				in := func(p, j int) float64 {
					if inner == nil {
						return 0
					}
					return at(inner, p, j)
				}
				g.Inner, g.Carry = inner, simdtest.GuardedCopy(t, carry, behind)
				LSTMGrad(k, g)
				for j := range n {
					dh, th := float64(g.DH[j])+float64(g.DY[j]), math.Tanh(at(g.Planes, 0, j))
					i, f, gate, o := at(g.Planes, 1, j), at(g.Planes, 2, j), at(g.Planes, 3, j), at(g.Planes, 4, j)
					dc := dh*o*(1-th*th) + float64(carry[j]) + float64(g.DC[j])
					for p, want := range []float64{(dc*gate + in(0, j)) * i * (1 - i), (dc*float64(g.Prev[j]) + in(1, j)) * f * (1 - f),
						(dc*i + in(2, j)) * (1 - gate*gate), (dh*th + in(3, j)) * o * (1 - o)} {
						near(want, g.Out[p*stride+j], "LSTMGrad")
					}
					near(dc*f, g.Carry[j], "carry of LSTMGrad")
				}
				g.Carry = simdtest.GuardedCopy(t, carry, behind)
				GRUGrad(k, g)
				for j := range n {
					dh := float64(g.DH[j]) + float64(g.DY[j]) + float64(carry[j])
					r, z, fresh, q := at(g.Planes, 1, j), at(g.Planes, 2, j), at(g.Planes, 3, j), at(g.Planes, 4, j)
					dn := (dh*(1-z) + in(2, j)) * (1 - fresh*fresh)
					for p, want := range []float64{dn, (dn*q + in(0, j)) * r * (1 - r), (dh*(float64(g.Prev[j])-fresh) + in(1, j)) * z * (1 - z), dn*r + in(3, j)} {
						near(want, g.Out[p*stride+j], "GRUGrad")
					}
					near(dh*z, g.Carry[j], "carry of GRUGrad")
				}
			}
			require.Zero(t, testing.AllocsPerRun(3, func() { LSTM(k, lstm); GRU(k, s); LSTMGrad(k, g); GRUGrad(k, g) }))
		}
	}
	short := make([]T, 9)
	require.Panics(t, func() {
		GRU(k, Gates[T]{N: 3, Stride: 3, Pitch: 3, Pre: short, X: short, Prev: short, Planes: make([]T, 14)})
	})
}
