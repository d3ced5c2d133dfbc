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
	const rows = 2
	rng := rand.New(rand.NewPCG(5, 1))
	for n := 1; n < 90; n = n*5/4 + 1 {
		for _, behind := range []bool{false, true} {
			stride := n + rng.IntN(3)
			apart := func(k, stride int) Rows[T] {
				r := Rows[T]{Row: (k-1)*stride + n + rng.IntN(3)}
				r.V = simdtest.Guarded[T](t, (rows-1)*r.Row+(k-1)*stride+n, behind)
				for i := range r.V {
					r.V[i] = T(3 * rng.NormFloat64())
				}
				return r
			}
			planes := func(k int) Rows[T] { return apart(k, stride) }
			near := func(want float64, have T, what string) {
				require.InDelta(t, want, float64(have), tolerance*(1+math.Abs(want)), "%s of %d", what, n)
			}
			at := func(r Rows[T], row, k, j int) float64 { return float64(r.from(row, k, stride)[j]) }

			s := &Gates[T]{Rows: rows, N: n, Stride: stride, Pitch: n + rng.IntN(3)}
			s.Pre, s.X, s.Prev, s.Planes, s.H = apart(4, s.Pitch), planes(4), planes(1), planes(5), planes(1)
			sum := func(row, g, j int) float64 {
				return float64(s.Pre.from(row, g, s.Pitch)[j] + s.X.from(row, g, stride)[j])
			}
			LSTM(k, s)
			for row := range rows {
				for j := range n {
					i, f, g, o := sigmoid64(sum(row, 0, j)), sigmoid64(sum(row, 1, j)), math.Tanh(sum(row, 2, j)), sigmoid64(sum(row, 3, j))
					c := f*at(s.Prev, row, 0, j) + i*g
					for p, want := range []float64{c, i, f, g, o} {
						near(want, s.Planes.from(row, p, stride)[j], "LSTM")
					}
					near(o*math.Tanh(c), s.H.from(row, 0, 0)[j], "h of LSTM")
				}
			}
			s.Pre, s.X = apart(3, s.Pitch), planes(3)
			GRU(k, s)
			for row := range rows {
				for j := range n {
					r, z, q := sigmoid64(sum(row, 0, j)), sigmoid64(sum(row, 1, j)), float64(s.Pre.from(row, 2, s.Pitch)[j])
					fresh := math.Tanh(at(s.X, row, 2, j) + r*q)
					for p, want := range []float64{fresh + z*(at(s.Prev, row, 0, j)-fresh), r, z, fresh, q} {
						near(want, s.Planes.from(row, p, stride)[j], "GRU")
					}
				}
			}

			g := &GateGrads[T]{Rows: rows, N: n, Stride: stride, DH: planes(1), DY: planes(1), DC: planes(1), Planes: planes(5), Prev: planes(1), Out: planes(4)}
			for i := range g.Planes.V {
				g.Planes.V[i] = T(rng.Float64())
			}
			carry := planes(1)
			for _, inner := range []Rows[T]{{}, planes(4)} {
				in := func(row, p, j int) float64 {
					if inner.V == nil {
						return 0
					}
					return at(inner, row, p, j)
				}
				g.Inner, g.Carry = inner, Rows[T]{simdtest.GuardedCopy(t, carry.V, behind), carry.Row}
				LSTMGrad(k, g)
				for row := range rows {
					for j := range n {
						dh, th := at(g.DH, row, 0, j)+at(g.DY, row, 0, j), math.Tanh(at(g.Planes, row, 0, j))
						i, f, gate, o := at(g.Planes, row, 1, j), at(g.Planes, row, 2, j), at(g.Planes, row, 3, j), at(g.Planes, row, 4, j)
						dc := dh*o*(1-th*th) + at(carry, row, 0, j) + at(g.DC, row, 0, j)
						for p, want := range []float64{(dc*gate + in(row, 0, j)) * i * (1 - i), (dc*at(g.Prev, row, 0, j) + in(row, 1, j)) * f * (1 - f),
							(dc*i + in(row, 2, j)) * (1 - gate*gate), (dh*th + in(row, 3, j)) * o * (1 - o)} {
							near(want, g.Out.from(row, p, stride)[j], "LSTMGrad")
						}
						near(dc*f, g.Carry.from(row, 0, 0)[j], "carry of LSTMGrad")
					}
				}
				g.Carry = Rows[T]{simdtest.GuardedCopy(t, carry.V, behind), carry.Row}
				GRUGrad(k, g)
				for row := range rows {
					for j := range n {
						dh := at(g.DH, row, 0, j) + at(g.DY, row, 0, j) + at(carry, row, 0, j)
						r, z, fresh, q := at(g.Planes, row, 1, j), at(g.Planes, row, 2, j), at(g.Planes, row, 3, j), at(g.Planes, row, 4, j)
						dn := (dh*(1-z) + in(row, 2, j)) * (1 - fresh*fresh)
						for p, want := range []float64{dn, (dn*q + in(row, 0, j)) * r * (1 - r), (dh*(at(g.Prev, row, 0, j)-fresh) + in(row, 1, j)) * z * (1 - z), dn*r + in(row, 3, j)} {
							near(want, g.Out.from(row, p, stride)[j], "GRUGrad")
						}
						near(dh*z, g.Carry.from(row, 0, 0)[j], "carry of GRUGrad")
					}
				}
			}
			require.Zero(t, testing.AllocsPerRun(3, func() { GRU(k, s); LSTMGrad(k, g); GRUGrad(k, g) }))
		}
	}
	short := Rows[T]{V: make([]T, 9)}
	require.Panics(t, func() {
		GRU(k, &Gates[T]{Rows: 1, N: 3, Stride: 3, Pitch: 3, Pre: short, X: short, Prev: short, Planes: Rows[T]{V: make([]T, 14)}})
	})
}
