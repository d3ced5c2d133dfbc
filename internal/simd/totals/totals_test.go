package totals

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// mixed returns numbers of which some are zeros, denormals, infinite or NaN.
func mixed[T isa.Float](rng *rand.Rand, n, special int) []T {
	v := make([]T, n)
	for i := range v {
		v[i] = T(rng.NormFloat64())
		if special > 0 && rng.IntN(special) == 0 {
			v[i] = []T{0, T(math.Copysign(0, -1)), T(math.Inf(1)), T(math.Inf(-1)), T(math.NaN()), tiny[T](), -tiny[T]()}[rng.IntN(7)]
		}
	}
	return v
}

// tiny is a denormal.
func tiny[T isa.Float]() T {
	if v := T(0x1p-1060); v != 0 {
		return v
	}
	v := 0x1p-130
	return T(v)
}

// epsilon is half a unit in the last place of 1.
func epsilon[T isa.Float]() float64 {
	if T(1)+T(0x1p-40) == 1 {
		return 0x1p-24
	}
	return 0x1p-53
}

func TestTablesAreComplete(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for op := range nTotals {
			require.NotNil(t, k.f32.totals[op], op)
			require.NotNil(t, k.f64.totals[op], op)
		}
		for op := range nMaps {
			require.NotNil(t, k.f32.maps[op], op)
			require.NotNil(t, k.f64.maps[op], op)
		}
		require.NotNil(t, k.f32.lines)
		require.NotNil(t, k.f64.lines)
		require.NotNil(t, k.f32.both)
		require.NotNil(t, k.f64.bothBy)
		require.NotNil(t, k.f32.columns)
		require.NotNil(t, k.f64.columns)
	})
}

// TestTotalsAgreeWithFormulas: at odd lengths and pitches, with and without numbers that are none.
func TestTotalsAgreeWithFormulas(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		testTotals[float32](t, k)
		testTotals[float64](t, k)
	})
}

func testTotals[T isa.Float](t *testing.T, k *Kernels) {
	rng := rand.New(rand.NewPCG(11, 1))
	for op := range nTotals {
		for range 150 {
			n, rows, special := 1+rng.IntN(150), 1+rng.IntN(5), []int{0, 20, 200}[rng.IntN(3)]
			if rng.IntN(20) == 0 {
				n = isa.CallLen + rng.IntN(300)
			}
			pitch := n + rng.IntN(3)
			r := Rows[T]{N: n, X: mixed[T](rng, rows*pitch, special), Z: mixed[T](rng, rows*pitch, special), G: mixed[T](rng, n, special), C: mixed[T](rng, rows, 0), XRow: pitch, ZRow: pitch}
			y := append(make([]T, rows), 42)
			OfRows(k, op, y[:rows], r)
			require.EqualValues(t, 42, y[rows])
			for i := range rows {
				checkTotal(t, op, y[i], r.X[i*pitch:][:n], r.Z[i*pitch:], r.G, r.C[i])
			}
		}
	}
}

func checkTotal[T isa.Float](t *testing.T, op Total, got T, x, z, g []T, c T) {
	t.Helper()
	want, size := 0.0, 0.0
	best := none[T](op)
	for i := range x {
		term := 0.0
		switch xf, zf, gf := float64(isa.Flush(x[i])), float64(isa.Flush(z[i])), float64(isa.Flush(g[i])); op {
		case Sum:
			term = xf
		case Squares:
			term = (xf - float64(c)) * (xf - float64(c))
		case Dots:
			term = xf * zf
		case Products:
			term = zf * (xf - float64(c))
		case ProductsBy:
			term = zf * gf * (xf - float64(c))
		case Maximum:
			best = max(best, x[i])
		case Minimum:
			best = min(best, x[i])
		}
		want, size = want+term, size+math.Abs(term)
	}
	switch {
	case op >= Maximum && best != best:
		require.True(t, got != got, "%v: %v, want NaN", op, got)
	case op >= Maximum:
		require.Equal(t, math.Float64bits(float64(best)), math.Float64bits(float64(got)), "%v: %v, want %v", op, got, best)
	case math.IsNaN(want) || math.IsInf(want, 0):
		require.True(t, float64(got) == want || got != got, "%v: %v, want %v", op, got, want)
	default:
		require.InDelta(t, want, float64(got), (8+float64(len(x))/16)*epsilon[T]()*(size+1e-30), "%v of %d", op, len(x))
	}
}

// TestMapsAgreeWithFormulas compares each level with plain Go.
func TestMapsAgreeWithFormulas(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		testMaps[float32](t, k)
		testMaps[float64](t, k)
	})
}

func testMaps[T isa.Float](t *testing.T, k *Kernels) {
	rng := rand.New(rand.NewPCG(11, 2))
	for op := range nMaps {
		for range 100 {
			n, special := rng.IntN(150), []int{0, 20}[rng.IntN(2)]
			vector := func() []T { return mixed[T](rng, n+3, special)[rng.IntN(4):][:n] }
			o := Operands[T]{X: vector(), Z: vector(), P: vector(), Q: vector(), R: vector(), S: vector(), A: mixed[T](rng, 1, 0)[0], B: 2, C: mixed[T](rng, 1, 0)[0], D: -1}
			got := append(vector(), 42)
			want := append([]T(nil), got...)
			Apply(k, op, got[:n], o)
			Apply(&plain, op, want[:n], o)
			for i := range got {
				if want[i] != want[i] {
					require.True(t, got[i] != got[i], "%v: %v, want NaN", op, got[i])
					continue
				}
				if math.IsInf(float64(want[i]), 0) {
					require.Equal(t, want[i], got[i])
					continue
				}
				require.InDelta(t, float64(want[i]), float64(got[i]), 200*epsilon[T](), "%v", op)
			}
		}
	}
}

// TestRowsAreMappedLikeRunsOfTheirOwn: rows have the bits of Apply, and what lies between them stays.
func TestRowsAreMappedLikeRunsOfTheirOwn(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		testMapRows[float32](t, k)
		testMapRows[float64](t, k)
	})
}

func testMapRows[T isa.Float](t *testing.T, k *Kernels) {
	rng := rand.New(rand.NewPCG(11, 3))
	for op := range Weigh + 1 {
		for range 100 {
			rows, special := 1+rng.IntN(6), []int{0, 20}[rng.IntN(2)]
			m := MapRows[T]{N: 1 + rng.IntN(150)}
			m.DstRow, m.XRow, m.ZRow = m.N+rng.IntN(5), rng.IntN(m.N+9), rng.IntN(m.N+9)
			if op == Weigh && rng.IntN(2) == 0 {
				m.DstRow = 0
			}
			vector := func(n int) []T { return mixed[T](rng, n+3, special)[rng.IntN(4):][:n] }
			reach := func(row int) int { return (rows-1)*row + m.N }
			m.X, m.Z, m.P, m.Q = vector(reach(m.XRow)), vector(reach(m.ZRow)), vector(m.N), vector(m.N)
			m.A, m.B, m.C, m.D = vector(rows), vector(rows), vector(rows), vector(rows)
			m.Dst = vector(reach(m.DstRow))
			want := append([]T(nil), m.Dst...)
			ApplyRows(k, op, rows, &m)
			for r := range rows {
				o := Operands[T]{X: m.X[r*m.XRow:][:m.N], Z: m.Z[r*m.ZRow:][:m.N], P: m.P, Q: m.Q, A: m.A[r], B: m.B[r], C: m.C[r], D: m.D[r]}
				Apply(k, op, want[r*m.DstRow:][:m.N], o)
			}
			for i, v := range m.Dst {
				require.True(t, v == want[i] && math.Signbit(float64(v)) == math.Signbit(float64(want[i])) || v != v && want[i] != want[i], "%v of %d rows of %d: element %d is %v, want %v", op, rows, m.N, i, v, want[i])
			}
		}
	}
}

// TestLinesAreAddedInOrder: rows have the bits of additions line by line, whatever the number of rows,
// and what lies between them stays.
func TestLinesAreAddedInOrder(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		testLines[float32](t, k)
		testLines[float64](t, k)
	})
}

func testLines[T isa.Float](t *testing.T, k *Kernels) {
	rng := rand.New(rand.NewPCG(11, 4))
	for range 300 {
		rows := rng.IntN(6)
		l := Lines[T]{N: rng.IntN(150), Count: 1 + rng.IntN(6)}
		if rng.IntN(30) == 0 {
			l.N = isa.CallLen + rng.IntN(50)
		}
		l.DstRow, l.XRow, l.Line = l.N+rng.IntN(5), rng.IntN(l.N+9), rng.IntN(l.N+9)
		l.X = mixed[T](rng, max(rows-1, 0)*l.XRow+(l.Count-1)*l.Line+l.N, []int{0, 20}[rng.IntN(2)])
		l.Dst = mixed[T](rng, max(rows-1, 0)*l.DstRow+l.N, 20)
		want := append([]T(nil), l.Dst...)
		for r := range rows {
			for i := range l.N {
				sum := l.X[r*l.XRow+i]
				for a := 1; a < l.Count; a++ {
					sum = isa.Flush(isa.Flush(sum) + isa.Flush(l.X[r*l.XRow+a*l.Line+i]))
				}
				want[r*l.DstRow+i] = sum
			}
		}
		SumLines(k, rows, l)
		for i, v := range l.Dst {
			require.True(t, v == want[i] && math.Signbit(float64(v)) == math.Signbit(float64(want[i])) || v != v && want[i] != want[i], "%d rows of %d lines of %d: element %d is %v, want %v", rows, l.Count, l.N, i, v, want[i])
		}
	}
}

// TestShortOperandsAreRefused: a kernel never reads past what it is given.
func TestShortOperandsAreRefused(t *testing.T) {
	x := make([]float32, 10)
	for _, r := range []Rows[float32]{{N: 11, X: x}, {N: 6, X: x, XRow: 6}, {N: 5, X: x, XRow: -1}} {
		require.Panics(t, func() { OfRows(&plain, Sum, make([]float32, 2), r) }, "%+v", r)
	}
	require.Panics(t, func() { OfRows(&plain, Dots, x[:1], Rows[float32]{N: 10, X: x, Z: x[:9]}) })
	require.Panics(t, func() { OfRows(&plain, Squares, x[:1], Rows[float32]{N: 10, X: x}) })
	require.Panics(t, func() { Apply(&plain, BlendEach, x, Operands[float32]{X: x, Z: x, P: x, Q: x, R: x}) })
	rows := MapRows[float32]{N: 5, Dst: x, X: x, DstRow: 5, XRow: 5, A: x, B: x, C: x}
	require.NotPanics(t, func() { ApplyRows(&plain, Scale, 2, &rows) })
	rows.A = x[:1]
	require.Panics(t, func() { ApplyRows(&plain, Scale, 2, &rows) })
	rows.A, rows.XRow = x, 6
	require.Panics(t, func() { ApplyRows(&plain, Scale, 2, &rows) })
	rows.XRow = 5
	require.Panics(t, func() { ApplyRows(&plain, Blend, 2, &rows) })
	lines := Lines[float32]{N: 3, Count: 2, Dst: x[:6], X: x, DstRow: 3, XRow: 4, Line: 3}
	require.NotPanics(t, func() { SumLines(&plain, 2, lines) })
	for _, wrong := range []func(l *Lines[float32]){
		func(l *Lines[float32]) { l.Count = 0 }, func(l *Lines[float32]) { l.XRow = 5 }, func(l *Lines[float32]) { l.Line = 4 },
		func(l *Lines[float32]) { l.DstRow = 2 }, func(l *Lines[float32]) { l.Dst = x[:5] }, func(l *Lines[float32]) { l.Line = -1 },
	} {
		l := lines
		wrong(&l)
		require.Panics(t, func() { SumLines(&plain, 2, l) }, "%+v", l)
	}
	var y [1]float64
	OfRows(&plain, Maximum, y[:], Rows[float64]{})
	require.Equal(t, math.Inf(-1), y[0])
}

// TestBothOfRowsAreTheTotalsOfRows, apart from the roundings of products of three.
func TestBothOfRowsAreTheTotalsOfRows(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		testBoth[float32](t, k)
		testBoth[float64](t, k)
	})
}

func testBoth[T isa.Float](t *testing.T, k *Kernels) {
	rng := rand.New(rand.NewPCG(11, 5))
	for i := range 200 {
		n, rows := 1+rng.IntN(150), 1+rng.IntN(5)
		pitch := n + rng.IntN(3)
		special := []int{0, 200}[rng.IntN(2)]
		r := Rows[T]{N: n, X: mixed[T](rng, rows*pitch, special), Z: mixed[T](rng, rows*pitch, special), C: mixed[T](rng, rows, 0), XRow: pitch, ZRow: pitch}
		products, of, sum := Products, Sum, Rows[T]{N: n, X: r.Z, XRow: pitch}
		if i%2 == 1 {
			r.G = mixed[T](rng, n, special)
			products, of, sum = ProductsBy, Dots, Rows[T]{N: n, X: r.Z, XRow: pitch, Z: r.G}
		}
		y, sums, want := append(make([]T, rows), 42), append(make([]T, rows), 42), make([]T, 2*rows)
		BothOfRows(k, y[:rows], sums[:rows], r)
		require.EqualValues(t, []T{42, 42}, []T{y[rows], sums[rows]})
		OfRows(k, products, want[:rows], r)
		OfRows(k, of, want[rows:], sum)
		for j, w := range want {
			got := append(y[:rows:rows], sums[:rows]...)[j]
			if w != w || math.IsInf(float64(w), 0) {
				require.True(t, got == w || got != got, "%v, want %v", got, w)
				continue
			}
			require.InDelta(t, float64(w), float64(got), 40*epsilon[T]()*float64(n), "%v of %d: %d", products, n, j)
		}
	}
}

// TestColumnsAgreeWithSums: planes and rows with gaps, some numbers that are none, and nothing written behind.
func TestColumnsAgreeWithSums(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		testColumns[float32](t, k)
		testColumns[float64](t, k)
	})
}

func testColumns[T isa.Float](t *testing.T, k *Kernels) {
	rng := rand.New(rand.NewPCG(11, 4))
	for range 150 {
		p := Planes{Count: 1 + rng.IntN(4), Rows: 1 + rng.IntN(40), N: 1 + rng.IntN(150)}
		if rng.IntN(10) == 0 {
			p.Rows = MostRows - rng.IntN(2)
		}
		p.Row = p.N + rng.IntN(3)
		p.Plane = p.Rows*p.Row + rng.IntN(3)
		x, got := mixed[T](rng, p.Count*p.Plane, []int{0, 50}[rng.IntN(2)]), make([]T, p.Count*p.N+1)
		got[p.Count*p.N] = 42
		Columns(k, got[:p.Count*p.N], x, p)
		require.EqualValues(t, 42, got[p.Count*p.N])
		for i, v := range got[:p.Count*p.N] {
			want, size := 0.0, 0.0
			for r := range p.Rows {
				term := float64(isa.Flush(x[i/p.N*p.Plane+r*p.Row+i%p.N]))
				want, size = want+term, size+math.Abs(term)
			}
			if math.IsNaN(want) || math.IsInf(want, 0) {
				require.True(t, float64(v) == want || v != v && want != want, "%v, want %v", v, want)
				continue
			}
			require.InDelta(t, want, float64(v), 20*epsilon[T]()*(size+1e-30), "%+v", p)
		}
	}
	require.Panics(t, func() { Columns(k, make([]T, 3), make([]T, 8), Planes{Count: 1, Rows: 3, N: 3, Row: 3}) })
	require.Panics(t, func() { Columns(k, make([]T, 3), make([]T, 999), Planes{Count: 1, Rows: MostRows + 1, N: 1, Row: 1}) })
}
