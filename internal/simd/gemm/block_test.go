package gemm

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// TestBlocksAreProducts: of parts of prepared matrices, stored either way, by rows and by columns of
// A, in memory that may not be read or written beyond.
func TestBlocksAreProducts(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		blocks[float32](t, k, 0x1p-22)
		blocks[float64](t, k, 0x1p-51)
	})
}

func blocks[T isa.Float](t *testing.T, k *Kernels, limit float64) {
	rng := rand.New(rand.NewPCG(52, 2))
	tiles := TilesOf[T](k)
	sizes := []int{1, 2, 3, 5, 8, 16, 17, 33, 48, 65, 100}
	pick := func() int { return sizes[rng.IntN(len(sizes))] }
	values := func(n int) []T {
		v := make([]T, n)
		for i := range v {
			v[i] = T(rng.NormFloat64())
		}
		return v
	}
	for trial := range 200 {
		m, cols, depth := pick(), pick(), pick()
		if trial%20 == 0 {
			depth = blockDepth + 77
		}
		behind, turned, add, byColumns := rng.IntN(2) == 0, rng.IntN(2) == 0, rng.IntN(2) == 0, rng.IntN(2) == 0
		from := rng.IntN(depth)
		part := 1 + rng.IntN(cols)
		vecs := tiles.PanelVecs(m, cols)
		src := values(depth * cols)
		guarded := func(v []T) []T { return simdtest.GuardedCopy(t, v, behind) }
		var b Panels[T]
		at := func(p, j int) float64 { return float64(src[p*cols+j]) }
		if turned {
			b = tiles.Columns(guarded(values(tiles.PackedLen(depth, cols, vecs))), guarded(src), depth, depth, cols, vecs)
			at = func(p, j int) float64 { return float64(src[j*depth+p]) }
		} else {
			b = tiles.Rows(guarded(values(tiles.RowsLen(depth, cols, vecs))), guarded(src), cols, depth, cols, vecs)
		}
		inner := depth - from
		a := Left[T]{A: guarded(values(m * inner)), Rows: m, Row: inner, Col: 1}
		if byColumns {
			a.Row, a.Col = 1, m
		}
		before := values((m-1)*(cols+3) + part)
		c := guarded(before)
		tiles.MulBlock(c, cols+3, a, b.Part(from, depth, part), add)
		for i := range m {
			for j := range cols + 3 {
				at2 := i*(cols+3) + j
				if at2 >= len(c) {
					break
				}
				want, size := 0.0, 1.0
				if add || j >= part {
					want = float64(before[at2])
				}
				for p := range inner {
					if j >= part {
						break
					}
					x := float64(a.A[i*a.Row+p*a.Col]) * at(from+p, j)
					want, size = want+x, size+math.Abs(x)
				}
				require.InDelta(t, want, float64(c[at2]), limit*size*2, "element %d,%d of %d×%d×%d", i, j, m, part, inner)
			}
		}
		sums := guarded(values(isa.RoundUp(cols, 4)))
		row := guarded(values(depth))
		rows := guarded(values(cols * depth))
		tiles.Dots(sums[:cols], row, rows, depth)
		for j := range cols {
			want, size := 0.0, 1.0
			for p := range depth {
				x := float64(row[p]) * float64(rows[j*depth+p])
				want, size = want+x, size+math.Abs(x)
			}
			require.InDelta(t, want, float64(sums[j]), limit*size*2)
		}
	}
}

func TestBlocksOfTooShortOperandsAreRefused(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		tiles, x := TilesOf[float32](k), make([]float32, 64)
		b := tiles.Rows(x, x[:16], 4, 4, 4, 1)
		require.Panics(t, func() { tiles.MulBlock(x[:15], 4, Left[float32]{A: x, Rows: 4, Row: 4, Col: 1}, b, false) })
		require.Panics(t, func() { tiles.MulBlock(x, 4, Left[float32]{A: x[:15], Rows: 4, Row: 4, Col: 1}, b, false) })
		require.Panics(t, func() { tiles.Rows(x, x[:15], 4, 4, 4, 1) })
		require.Panics(t, func() { tiles.Columns(x, x[:15], 4, 4, 4, 1) })
		require.Panics(t, func() { tiles.Dots(x[:4], x[:4], x[:15], 4) })
		tiles.MulBlock(x[:3], 1, Left[float32]{Rows: 3}, Panels[float32]{cols: 1}, false) // of no terms: zeros
	})
}
