package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

var rowLengths = []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 49, 63, 64, 65, 200, 1024, 9000}

// TestRepeat: rows of all lengths, from elements that adjoin or not, and nothing beyond them.
func TestRepeat(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(7, 64))
		for _, n := range rowLengths {
			for _, stride := range []int{0, 1, 5} {
				rows := 1 + rng.IntN(5)
				x, got, want := simdtest.Mixed(rng, 4*stride+1), make([]float32, rows*n+1), make([]float32, rows*n+1)
				x64, got64, want64 := doubles(x), make([]float64, rows*n+1), make([]float64, rows*n+1)
				for i := range want {
					want[i], want64[i] = x[i/n%rows*stride], x64[i/n%rows*stride]
				}
				got[rows*n], want[rows*n], got64[rows*n], want64[rows*n] = 42, 42, 42, 42
				k.Repeat(got[:rows*n], n, x, stride)
				k.Repeat64(got64[:rows*n], n, x64, stride)
				simdtest.RequireBits(t, want, got)
				requireSame(t, want64, got64)
			}
		}
	})
}

func doubles(x []float32) []float64 {
	all := make([]float64, len(x))
	for i, v := range x {
		all[i] = float64(v)
	}
	return all
}

// requireSame is Equal that takes NaN for itself.
func requireSame(t *testing.T, want, got []float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, w := range want {
		require.True(t, w == got[i] || w != w && got[i] != got[i], "element %d is %v, want %v", i, got[i], w)
	}
}

// TestMapRowsIsMap: row by row, with each row's number.
func TestMapRowsIsMap(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(9, 64))
		for op := range opCount {
			if !ByRows(op) {
				require.Panics(t, func() { k.MapRows(op, make([]float32, 1), make([]float32, 1), 1, make([]float32, 1), 1) })
				continue
			}
			for _, n := range rowLengths {
				rows, stride := 1+rng.IntN(5), []int{0, 1, 5}[rng.IntN(3)]
				x, c := simdtest.Mixed(rng, rows*n), simdtest.Mixed(rng, 4*stride+1)
				got, want, y := make([]float32, rows*n+1), make([]float32, rows*n+1), make([]float32, n)
				got64, want64, y64 := make([]float64, rows*n+1), make([]float64, rows*n+1), make([]float64, n)
				for i := range rows {
					k.Repeat(y, n, c[i*stride:], 0)
					k.Map(op, want[i*n:][:n], x[i*n:], y, 0)
					k.Repeat64(y64, n, doubles(c[i*stride:]), 0)
					k.Map64(op, want64[i*n:][:n], doubles(x[i*n:][:n]), y64, 0)
				}
				got[rows*n], want[rows*n], got64[rows*n], want64[rows*n] = 42, 42, 42, 42
				k.MapRows(op, got[:rows*n], x, n, c, stride)
				k.MapRows64(op, got64[:rows*n], doubles(x), n, doubles(c), stride)
				requireSame(t, doubles(want), doubles(got))
				requireSame(t, want64, got64)
			}
		}
	})
}

// TestCopyPlanes: rows and planes with gaps, the same ones again, and nothing beyond them.
func TestCopyPlanes(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(10, 64))
		for _, n := range rowLengths {
			for range 5 {
				p := Places{Planes: 1 + rng.IntN(4), Rows: 1 + rng.IntN(4), N: n, DstRow: n + rng.IntN(3)}
				p.DstPlane = p.Rows*p.DstRow + rng.IntN(3)
				p.SrcRow, p.SrcPlane = (n+rng.IntN(3))*rng.IntN(2), (n+rng.IntN(9))*rng.IntN(2)
				src := simdtest.Mixed(rng, (p.Planes-1)*p.SrcPlane+(p.Rows-1)*p.SrcRow+n)
				got := simdtest.Mixed(rng, p.Planes*p.DstPlane)
				want := append([]float32(nil), got...)
				for i := range p.Planes * p.Rows {
					copy(want[i/p.Rows*p.DstPlane+i%p.Rows*p.DstRow:][:n], src[i/p.Rows*p.SrcPlane+i%p.Rows*p.SrcRow:])
				}
				k.CopyPlanes(got, src, p)
				simdtest.RequireBits(t, want, got)
			}
		}
		require.Panics(t, func() {
			k.CopyPlanes(make([]float32, 5), make([]float32, 9), Places{Planes: 2, Rows: 1, N: 3, DstPlane: 3})
		})
	})
}

// TestMixRows: against sums in float64, with rows of no weight, of many, and with numbers that are none.
func TestMixRows(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(10, 64))
		for _, n := range rowLengths {
			for range 4 {
				from, rows := 1+rng.IntN(5), rng.IntN(7)
				starts, ids := make([]int32, rows+1), []int32{}
				for i := range rows {
					for range rng.IntN(4) {
						ids = append(ids, int32(rng.IntN(from)))
					}
					starts[i+1] = int32(len(ids))
				}
				x, w := simdtest.Mixed(rng, from*n), simdtest.Randoms[float32](rng, len(ids))
				got, got64 := simdtest.Repeat(float32(42), rows*n+1), doubles(simdtest.Repeat(float32(42), rows*n+1))
				k.MixRows(got[:rows*n], x, n, starts, ids, w)
				k.MixRows64(got64[:rows*n], doubles(x), n, starts, ids, doubles(w))
				for i := range rows * n {
					var sum, size float64
					for l := starts[i/n]; l < starts[i/n+1]; l++ {
						term := float64(w[l]) * float64(x[int(ids[l])*n+i%n])
						sum, size = sum+term, size+math.Abs(term)
					}
					requireClose(t, sum, float64(got[i]), 0x1p-22*size+3*0x1p-126)
					requireClose(t, sum, got64[i], 0x1p-51*size)
				}
				require.Equal(t, float32(42), got[rows*n])
				require.Equal(t, float64(42), got64[rows*n])
			}
		}
		require.Panics(t, func() { k.MixRows(make([]float32, 2), make([]float32, 2), 2, []int32{0, 1}, []int32{1}, []float32{1}) })
		require.Panics(t, func() { k.MixRows(make([]float32, 2), make([]float32, 2), 2, []int32{0, 1}, []int32{0}, nil) })
	})
}

// requireClose is InDelta that takes NaN for itself, and infinities, and float32's for what float32 does not hold.
func requireClose(t *testing.T, want, got, within float64) {
	t.Helper()
	same := want == got || want != want && got != got
	over := math.IsInf(got, 0) && math.Abs(want) > math.MaxFloat32
	require.True(t, same || over || math.Abs(want-got) <= within, "%v, want %v within %v", got, want, within)
}
