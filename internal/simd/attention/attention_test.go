package attention

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// naive is a head in float64 the obvious way, with its gradients.
type naive struct{ y, dq, dk, dv []float64 }

func wide[T isa.Float](x []T) []float64 {
	w := make([]float64, len(x))
	for i, v := range x {
		w[i] = float64(v)
	}
	return w
}

func dot(x, y []float64) (s float64) {
	for i := range x {
		s += x[i] * y[i]
	}
	return s
}

func axpy(to []float64, a float64, x []float64) {
	for i := range to {
		to[i] += a * x[i]
	}
}

func naively[T isa.Float](op Op, h Head[T], from, to int) naive {
	q, k, v, dy := wide(h.Q), wide(h.K), wide(h.V), wide(h.DY)
	n := naive{make([]float64, op.L*op.V), make([]float64, op.L*op.E), make([]float64, op.S*op.E), make([]float64, op.S*op.V)}
	row := func(x []float64, i, width int) []float64 { return x[i*width:][:width] }
	for i := from; i < to; i++ {
		var keys []int
		for j := range op.keys(i) {
			if h.Allowed == nil || h.Allowed[i*h.AllowedRow+j*h.AllowedCol] {
				keys = append(keys, j)
			}
		}
		p, d, most, sum, mean := make([]float64, len(keys)), make([]float64, len(keys)), math.Inf(-1), 0.0, 0.0
		for a, j := range keys {
			p[a] = op.Scale * dot(row(q, i, op.E), row(k, j, op.E))
			most = max(most, p[a])
		}
		for a := range p {
			p[a] = math.Exp(p[a] - most)
			sum += p[a]
		}
		for a, j := range keys {
			p[a] /= sum
			axpy(row(n.y, i, op.V), p[a], row(v, j, op.V))
			axpy(row(n.dv, j, op.V), p[a], row(dy, i, op.V))
			d[a] = dot(row(dy, i, op.V), row(v, j, op.V))
			mean += p[a] * d[a]
		}
		for a, j := range keys {
			g := op.Scale * p[a] * (d[a] - mean)
			axpy(row(n.dq, i, op.E), g, row(k, j, op.E))
			axpy(row(n.dk, j, op.E), g, row(q, i, op.E))
		}
	}
	return n
}

// randomHead draws a head: with keys for all, causal before or after some, with a mask of each shape.
func randomHead[T isa.Float](rng *rand.Rand) (op Op, h Head[T]) {
	sizes := []int{1, 2, 3, 4, 5, 7, 12, 13, 16, 33, 64, 65, 80, 130}
	pick := func() int { return sizes[rng.IntN(len(sizes))] }
	op = Op{L: pick(), S: pick(), E: pick(), V: pick(), Causal: rng.IntN(2) == 0, Shift: rng.IntN(9) - 4}
	if rng.IntN(20) == 0 {
		op.S, op.L = 1300, 5
	}
	op.Scale, op.Keys = 1/math.Sqrt(float64(op.E)), op.S
	if rng.IntN(3) == 0 {
		op.Keys = rng.IntN(op.S + 1)
		op.Shift = op.Keys - op.L
	}
	values := func(n int) []T {
		v := make([]T, n)
		for i := range v {
			v[i] = T(rng.NormFloat64())
			if rng.IntN(100) == 0 {
				v[i] = T(1e-44)
			}
		}
		return v
	}
	h = Head[T]{Q: values(op.L * op.E), K: values(op.S * op.E), V: values(op.S * op.V), DY: values(op.L * op.V)}
	if rng.IntN(3) == 0 {
		h.AllowedRow, h.AllowedCol = []int{0, op.S}[rng.IntN(2)], rng.IntN(2)
		h.Allowed = make([]bool, op.L*op.S)
		odds := 1 + rng.IntN(4)
		for i := range h.Allowed {
			h.Allowed[i] = rng.IntN(odds) == 0
		}
	}
	return op, h
}

func TestAttentionAgreesWithFormulas(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		agrees[float32](t, k, 0x1p-19)
		agrees[float64](t, k, 0x1p-46)
	})
}

func agrees[T isa.Float](t *testing.T, k *Kernels, limit float64) {
	rng := rand.New(rand.NewPCG(52, 1))
	nan := func(n int) []T {
		v := make([]T, n)
		for i := range v {
			v[i] = T(math.NaN())
		}
		return v
	}
	for range 250 {
		op, h := randomHead[T](rng)
		from := rng.IntN(op.L)
		to := from + rng.IntN(op.L-from) + 1
		want := naively(op, h, from, to)
		y := nan(op.L * op.V)
		Forward(k, op, from, to, h, y, nan(Scratch[T](k, op, false)))
		g := Grads[T]{nan(op.L * op.E), nan(op.S * op.E), nan(op.S * op.V)}
		before := append([]T(nil), h.DY...)
		Backward(k, op, from, to, h, g, nan(Scratch[T](k, op, true)))
		require.Equal(t, before, h.DY)
		for name, pair := range map[string][2][]float64{
			"y": {want.y[from*op.V : to*op.V], wide(y[from*op.V : to*op.V])}, "dq": {want.dq[from*op.E : to*op.E], wide(g.Q[from*op.E : to*op.E])},
			"dk": {want.dk, wide(g.K)}, "dv": {want.dv, wide(g.V)},
		} {
			for i, w := range pair[0] {
				require.InDelta(t, w, pair[1][i], limit*(4+math.Abs(w))*8, "%s[%d] of %+v, queries %d to %d, mask %d %d", name, i, op, from, to, h.AllowedRow, h.AllowedCol)
			}
		}
		if to < op.L {
			require.True(t, y[to*op.V] != y[to*op.V], "a query beyond the last was written")
		}
	}
}

func TestAttentionAllocatesNothing(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		op := Op{L: 70, S: 130, E: 33, V: 40, Scale: .2, Keys: 120, Causal: true, Shift: 50}
		v := func(n int) []float32 { return make([]float32, n) }
		h := Head[float32]{Q: v(op.L * op.E), K: v(op.S * op.E), V: v(op.S * op.V), DY: v(op.L * op.V)}
		y, g := v(op.L*op.V), Grads[float32]{v(op.L * op.E), v(op.S * op.E), v(op.S * op.V)}
		one, all := v(Scratch[float32](k, op, false)), v(Scratch[float32](k, op, true))
		require.Zero(t, testing.AllocsPerRun(3, func() {
			Forward(k, op, 0, op.L, h, y, one)
			Backward(k, op, 0, op.L, h, g, all)
		}))
	})
}

// TestTooShortOperandsAreRefused: a kernel never reads past what it is given.
func TestTooShortOperandsAreRefused(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		op := Op{L: 5, S: 6, E: 4, V: 3, Keys: 6}
		v := func(n int) []float32 { return make([]float32, n) }
		whole := Head[float32]{Q: v(20), K: v(24), V: v(18), DY: v(15)}
		for _, spoil := range []func(h *Head[float32], op *Op){
			func(h *Head[float32], _ *Op) { h.Q = h.Q[1:] },
			func(h *Head[float32], _ *Op) { h.K = h.K[1:] },
			func(h *Head[float32], _ *Op) { h.V = h.V[1:] },
			func(_ *Head[float32], op *Op) { op.Keys = 7 },
			func(h *Head[float32], _ *Op) { h.Allowed, h.AllowedRow, h.AllowedCol = make([]bool, 29), 6, 1 },
		} {
			h, of := whole, op
			spoil(&h, &of)
			require.Panics(t, func() { Forward(k, of, 0, 5, h, v(15), v(Scratch[float32](k, op, false))) })
		}
	})
}
