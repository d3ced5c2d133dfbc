package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
	"github.com/plexaura/plexaura/internal/simd/vec"
)

// product is op in float64 the obvious way, and the sum of the terms' magnitudes, by which an
// error is measured.
func product[T isa.Float](op Op, a, b, c, bias []T) (want, size []float64) {
	op = op.withStrides()
	want, size = make([]float64, len(c)), make([]float64, len(c))
	for i := range c {
		want[i] = float64(c[i])
	}
	for i := range op.M {
		for j := range op.N {
			sum, abs := 0.0, 0.0
			term := func(x float64) { sum += x; abs += math.Abs(x) }
			if op.Add {
				term(float64(c[i*op.LDC+j]))
			}
			for k := range op.K {
				x, y := i*op.LDA+k, k*op.LDB+j
				if op.TransA {
					x = k*op.LDA + i
				}
				if op.TransB {
					y = j*op.LDB + k
				}
				term(float64(a[x]) * float64(b[y]))
			}
			switch op.Bias {
			case isa.ColBias:
				term(float64(bias[j]))
			case isa.RowBias:
				term(float64(bias[i]))
			}
			want[i*op.LDC+j], size[i*op.LDC+j] = simdtest.Activate(op.Act, sum), abs
		}
	}
	return want, size
}

type operands[T isa.Float] struct{ a, b, c, bias, scratch []T }

func newOperands[T isa.Float](rng *rand.Rand, k *Kernels, op Op) operands[T] {
	op = op.withStrides()
	aRows, bRows := op.M, op.K
	if op.TransA {
		aRows = op.K
	}
	if op.TransB {
		bRows = op.N
	}
	o := operands[T]{simdtest.Randoms[T](rng, aRows*op.LDA), simdtest.Randoms[T](rng, bRows*op.LDB),
		simdtest.Randoms[T](rng, op.M*op.LDC), simdtest.Randoms[T](rng, op.biasLen()), make([]T, Scratch[T](k, op))}
	for i := range o.scratch {
		o.scratch[i] = T(math.NaN()) // its state must not matter
	}
	return o
}

func checkGemm[T isa.Float](t *testing.T, k *Kernels, pool *par.Pool, rng *rand.Rand, op Op) {
	o := newOperands[T](rng, k, op)
	want, size := product(op, o.a, o.b, o.c, o.bias)
	Mul(k, pool, op, o.a, o.b, o.c, o.bias, o.scratch)
	eps := 0x1p-24
	if _, double := any(o.c).([]float64); double {
		eps = 0x1p-53
	}
	for i, x := range o.c {
		// Sums of K terms in any order differ by at most K roundings.
		limit := eps * float64(op.K+3) * size[i]
		simdtest.RequireWithin(t, want[i], float64(x), limit, i, op)
	}
}

func TestGemmAgreesWithDefinition(t *testing.T) {
	pool := par.NewPool(3)
	defer pool.Close()
	sizes := []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 97, 130}
	depths := []int{0, 1, 2, 3, 16, 25, 31, 64, 150, 257, 301}
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(1, 1))
		pick := func(s []int) int { return s[rng.IntN(len(s))] }
		flip := func() bool { return rng.IntN(2) == 0 }
		for range 200 {
			op := Op{M: pick(sizes), N: pick(sizes), K: pick(depths), TransA: flip(), TransB: flip(),
				Add: flip(), Bias: isa.Bias(rng.IntN(3)), Act: isa.Act(rng.IntN(3))}
			if flip() {
				s := op.withStrides()
				op.LDA, op.LDB, op.LDC = s.LDA+rng.IntN(9), s.LDB+rng.IntN(9), s.LDC+rng.IntN(9)
			}
			checkGemm[float32](t, k, pool, rng, op)
			checkGemm[float64](t, k, pool, rng, op)
		}
	})
}

// TestGemmInSmallBlocks pretends that the caches are tiny, so that small products have many blocks
// in all directions.
func TestGemmInSmallBlocks(t *testing.T) {
	pool := par.NewPool(3)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		tiny := *k
		tiny.F32 = newTiles(*k.F32, isa.Caches{L1: 256, L2: 4 << 10, L3: 16 << 10})
		tiny.f64 = newTiles(*k.f64, isa.Caches{L1: 256, L2: 4 << 10, L3: 16 << 10})
		tiny.F32.depth, tiny.f64.depth = 7, 9
		rng := rand.New(rand.NewPCG(2, 2))
		flip := func() bool { return rng.IntN(2) == 0 }
		var blocks [3]bool // more than one along N, K, M
		for range 60 {
			op := Op{M: 1 + rng.IntN(300), N: 1 + rng.IntN(200), K: 1 + rng.IntN(60), TransA: flip(), TransB: flip(),
				Add: flip(), Bias: isa.Bias(rng.IntN(3)), Act: isa.Act(rng.IntN(3))}
			p := tiny.F32.plan(op.withStrides())
			blocks[0], blocks[1], blocks[2] = blocks[0] || p.nc < p.N, blocks[1] || p.kc < p.K, blocks[2] || p.mc < p.mrs
			checkGemm[float32](t, &tiny, pool, rng, op)
			checkGemm[float64](t, &tiny, pool, rng, op)
		}
		require.Equal(t, [3]bool{true, true, true}, blocks)
	})
}

// shapes are M, N, K: cubes, products of LeNet and AlexNet on a batch, and vectors.
var shapes = [][3]int{{256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024},
	{64, 120, 400}, {64, 84, 120}, {64, 10, 84}, {16, 6400, 150}, {16, 150, 6400}, {6, 50176, 25},
	{64, 4096, 9216}, {64, 9216, 4096}, {64, 4096, 4096}, {16, 4096, 9216}, {128, 4096, 4096}, {1, 120, 400}, {1, 4096, 9216}, {4096, 1, 9216}}

func BenchmarkGemm(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, threads := range []int{1, 2} {
		for _, s := range shapes {
			for _, trans := range []string{"NN", "NT", "TN"} {
				op := Op{M: s[0], N: s[1], K: s[2], TransA: trans[0] == 'T', TransB: trans[1] == 'T'}
				b.Run(fmt.Sprintf("T%d/%dx%dx%d/%s", threads, s[0], s[1], s[2], trans), func(b *testing.B) {
					o := newOperands[float32](rng, best(), op)
					simdtest.Share(b, threads, 2*float64(op.M)*float64(op.N)*float64(op.K), vec.At(isa.Fastest()).FMALoop, func(pool *par.Pool) {
						Mul(best(), pool, op, o.a, o.b, o.c, o.bias, o.scratch)
					})
				})
			}
		}
	}
}

// TestGemmOfFewRowsByManyColumns: tasks that take their columns through all of K, the last one
// fewer.
func TestGemmOfFewRowsByManyColumns(t *testing.T) {
	pool := par.NewPool(3)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		if k.level == isa.Generic {
			t.Skip("packs A, so that tasks wait for each other")
		}
		rng := rand.New(rand.NewPCG(3, 3))
		small := *k
		small.F32 = newTiles(*k.F32, isa.Caches{L1: 32 << 10, L2: 128 << 10, L3: 1 << 20})
		small.f64 = newTiles(*k.f64, isa.Caches{L1: 32 << 10, L2: 128 << 10, L3: 1 << 20})
		small.F32.depth, small.f64.depth = 40, 30
		for _, op := range []Op{
			{M: 13, N: 1025, K: 97, TransB: true}, {M: 40, N: 1200, K: 81, Bias: isa.ColBias, Act: isa.ReLU}, {M: 64, N: 2051, K: 40, TransB: true, Add: true},
			{M: 33, N: 1999, K: 130, Bias: isa.RowBias, LDA: 140, LDB: 2002, LDC: 2001},
		} {
			require.True(t, small.F32.plan(op.withStrides()).deep)
			require.True(t, small.f64.plan(op.withStrides()).deep)
			checkPacked[float32](t, &small, pool, rng, op)
			checkPacked[float64](t, &small, pool, rng, op)
			checkGemm[float32](t, &small, pool, rng, op)
			checkGemm[float64](t, &small, pool, rng, op)
		}
		checkGemm[float32](t, &small, pool, rng, Op{M: 13, N: 1025, TransB: true, Bias: isa.ColBias})
	})
}

// Small matrices that lie the wrong way may be packed beforehand too.
func TestGemmOfSmallTransposedMatrices(t *testing.T) {
	pool := par.NewPool(3)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernels) {
		if k.level == isa.Generic {
			t.Skip("packs A, for which there is no form")
		}
		rng := rand.New(rand.NewPCG(4, 4))
		for _, op := range []Op{
			{M: 64, N: 120, K: 400, TransB: true, Bias: isa.ColBias, Act: isa.ReLU},
			{M: 33, N: 10, K: 84, TransB: true}, {M: 300, N: 65, K: 301, TransB: true},
		} {
			checkPacked[float32](t, k, pool, rng, op)
			checkPacked[float64](t, k, pool, rng, op)
			checkGemm[float32](t, k, pool, rng, op)
		}
		elements, _ := Packing[float32](k, Op{M: 16, N: 1, K: 16, TransB: true})
		require.Zero(t, elements, "a vector, which no kernel packs")
	})
}

// checkPacked holds a product with packed B to the bits of the product without. What reads outside
// of the form finds NaN.
func checkPacked[T isa.Float](t *testing.T, k *Kernels, pool *par.Pool, rng *rand.Rand, op Op) {
	o := newOperands[T](rng, k, op)
	n, _ := Packing[T](k, op)
	require.Positive(t, n)
	const margin = 64
	memory := make([]T, n+2*margin)
	for i := range memory {
		memory[i] = T(math.NaN())
	}
	form := memory[margin : margin+n]
	Pack(k, pool, op, o.b, form)
	for i := range margin {
		require.True(t, memory[i] != memory[i] && memory[margin+n+i] != memory[margin+n+i], "written outside of the form")
	}
	c := slices.Clone(o.c)
	MulPacked(k, nil, op, o.a, form, c, o.bias)
	Mul(k, pool, op, o.a, o.b, o.c, o.bias, o.scratch)
	require.Equal(t, o.c, c)
}

// Sizes of the batch share a form.
func TestGemmFormsDoNotDependOnRows(t *testing.T) {
	op := Op{M: 64, N: 4096, K: 500, TransB: true}
	n, form := Packing[float32](best(), op)
	if n == 0 {
		t.Skip("no packed form at this level")
	}
	op.M = 48
	same, other := Packing[float32](best(), op)
	require.Equal(t, n, same)
	require.Equal(t, form, other)
	op.M = 1
	n, _ = Packing[float32](best(), op)
	require.Zero(t, n, "a single row needs no more than B as it is")
	require.PanicsWithValue(t, "gemm: a packed form of 7 elements, needs 0", func() { Pack(best(), nil, op, nil, make([]float32, 7)) })
}
