package totals

import (
	"testing"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

func TestKernelsStayInsideTheirOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		guarded[float32](t, k)
		guarded[float64](t, k)
	})
}

func guarded[T isa.Float](t *testing.T, k *Kernels) {
	for n := 1; n < 100; n = n*5/4 + 1 {
		for _, behind := range []bool{false, true} {
			vector := func(n int) []T { return simdtest.Guarded[T](t, n, behind) }
			for op := range nTotals {
				OfRows(k, op, vector(3), Rows[T]{N: n, X: vector(3 * n), Z: vector(3 * n), G: vector(n), C: vector(3), XRow: n, ZRow: n})
			}
			Columns(k, vector(2*n), vector(6*n), Planes{Count: 2, Rows: 3, N: n, Plane: 3 * n, Row: n})
			for _, g := range [][]T{nil, vector(n)} {
				BothOfRows(k, vector(3), vector(3), Rows[T]{N: n, X: vector(3 * n), Z: vector(3 * n), G: g, C: vector(3), XRow: n, ZRow: n})
			}
			o := Operands[T]{X: vector(n), Z: vector(n), P: vector(n), Q: vector(n), R: vector(n), S: vector(n)}
			for op := range nMaps {
				Apply(k, op, vector(n), o)
			}
			SumLines(k, 3, Lines[T]{N: n, Count: 2, Dst: vector(3 * n), X: vector(4 * n), DstRow: n, XRow: n, Line: n})
			for op := range Weigh + 1 {
				ApplyRows(k, op, 3, &MapRows[T]{N: n, Dst: vector(3 * n), X: vector(3 * n), Z: vector(3 * n), P: vector(n), Q: vector(n),
					DstRow: n, XRow: n, ZRow: n, A: vector(3), B: vector(3), C: vector(3), D: vector(3)})
			}
		}
	}
}
