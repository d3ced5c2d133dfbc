package simd

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// guarded returns n elements with a page that faults right behind them, or right before.
func guarded[T Float | int32 | uint8](t *testing.T, n int, behind bool) []T {
	page := syscall.Getpagesize()
	size := n * int(unsafe.Sizeof(T(0)))
	inner := (size/page + 1) * page
	mem, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Munmap(mem)) })
	require.NoError(t, syscall.Mprotect(mem[:page], syscall.PROT_NONE))
	require.NoError(t, syscall.Mprotect(mem[page+inner:], syscall.PROT_NONE))
	start := page
	if behind {
		start += inner - size
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[start])), n)
}

func guardedCopy[T Float](t *testing.T, s []T, behind bool) []T {
	g := guarded[T](t, len(s), behind)
	copy(g, s)
	return g
}

func TestGemmStaysInsideItsOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		guardGemm[float32](t, k)
		guardGemm[float64](t, k)
	})
}

func guardGemm[T Float](t *testing.T, k *Kernels) {
	rng := rand.New(rand.NewPCG(3, 3))
	sizes := []int{1, 2, 4, 5, 7, 9, 15, 16, 17, 33, 65, 70}
	pick := func() int { return sizes[rng.IntN(len(sizes))] }
	flip := func() bool { return rng.IntN(2) == 0 }
	for range 150 {
		op := GemmOp{M: pick(), N: pick(), K: pick() * (1 + 3*rng.IntN(2)), TransA: flip(), TransB: flip(),
			Add: flip(), Bias: Bias(rng.IntN(3)), Act: Act(rng.IntN(2))}
		behind := flip()
		o := newOperands[T](rng, k, op)
		want, size := product(op, o.a, o.b, o.c, o.bias)
		c := guardedCopy(t, o.c, behind)
		Gemm(k, nil, op, guardedCopy(t, o.a, behind), guardedCopy(t, o.b, behind), c,
			guardedCopy(t, o.bias, behind), guardedCopy(t, o.scratch, behind))
		for i, x := range c {
			requireWithin(t, want[i], float64(x), 0x1p-24*float64(op.K+3)*size[i], i, op)
		}
	}
}

func TestVectorKernelsStayInsideTheirOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for n := 1; n < 100; n = n*5/4 + 1 {
			for _, behind := range []bool{false, true} {
				make := func() []float32 { return guarded[float32](t, n, behind) }
				dst, x, y := make(), make(), make()
				for op := range opCount {
					k.Map(op, dst, x, y, 1)
				}
				cond := guarded[uint8](t, n, behind)
				bools := unsafe.Slice((*bool)(unsafe.Pointer(&cond[0])), n)
				k.Equal(bools, x, y)
				k.NotEqual(bools, x, y)
				k.Less(bools, x, y)
				k.LessEqual(bools, x, y)
				k.Choose(dst, bools, x, y)
				k.Ones(dst, bools)
				k.Sum(x)
				k.Dot(x, y)
			}
		}
	})
}

func TestTransposeStaysInsideItsOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for _, rows := range []int{1, 3, 4, 8, 15, 16, 17, 40} {
			for _, cols := range []int{1, 2, 5, 8, 16, 31, 33} {
				for _, behind := range []bool{false, true} {
					Transpose(k, guarded[float32](t, rows*cols, behind), 0, guarded[float32](t, rows*cols, behind), 0, rows, cols)
					Transpose(k, guarded[float64](t, rows*cols, behind), 0, guarded[float64](t, rows*cols, behind), 0, rows, cols)
				}
			}
		}
	})
}

func TestConvStaysInsideItsOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(15, 15))
		for i := range 100 {
			op := ConvOp{Window: randomWindow(rng), N: 1 + rng.IntN(3), M: 1 + rng.IntN(9), Bias: RowBias}
			op.SW = 1 + i%3
			if i%2 == 0 {
				op.withInside()
			}
			p, _ := NewConv(k, op)
			for _, behind := range []bool{false, true} {
				make := func(n int) []float32 { return guarded[float32](t, n, behind) }
				y, x, w := make(op.N*op.M*op.Cols()), make(op.N*op.C*op.H*op.W), make(op.M*op.Rows())
				p.Run(nil, y, x, w, make(op.M), make(p.Scratch()))
				p.RunGrad(nil, w, x, y, make(p.GradScratch()))
			}
		}
	})
}

func TestMaxPoolStaysInsideItsOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for cols := 1; cols < 70; cols += 1 + cols/5 {
			for _, behind := range []bool{false, true} {
				make := func(n int) []float32 { return guarded[float32](t, n, behind) }
				x, y := make(12*cols), make(3*cols)
				pairs := PoolWindows{Size: 2, Rows: 3, Cols: cols, LD: 2 * cols, Step: 4 * cols, Out: cols}
				k.MaxPool(pairs, y, x)
				k.MaxPoolScatter(pairs, make(12*cols), x, y)
				wide := PoolWindows{Size: 3, Rows: 3, Cols: cols, LD: 2*cols + 1, Step: 2 * (2*cols + 1), Out: cols}
				x = make(7 * (2*cols + 1))
				k.MaxPool(wide, y, x)
				k.MaxPoolPlaces(wide, guarded[int32](t, 3*cols, behind), x, 0)
			}
		}
	})
}
