package gemm

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// smallForm fills a form with numbers at random, and returns B as float32, row by row.
func smallForm(rng *rand.Rand, p *Small, form []byte) (b []float32) {
	b = make([]float32, p.K*p.N)
	for j := range p.Scales(form) {
		p.Scales(form)[j] = rng.Float32()
	}
	for j := range p.N {
		panel, n := p.Panel(form, j/p.Cols), j%p.Cols
		for k := range p.K {
			x := float32(rng.IntN(255) - 127)
			if at := k*p.Cols + n; p.As == Int8 {
				panel[at] = byte(int8(x))
				x *= p.Scales(form)[j]
			} else {
				bits := math.Float32bits(rng.Float32()-.5) &^ 0xffff
				panel[2*at], panel[2*at+1] = byte(bits>>16), byte(bits>>24)
				x = math.Float32frombits(bits)
			}
			b[k*p.N+j] = x
		}
	}
	return b
}

// smallOps have few rows and many, one block and several, narrow panels and wide ones, all full and
// not.
var smallOps = []Op{
	{M: 1, N: 1, K: 1}, {M: 1, N: 64, K: 256}, {M: 1, N: 200, K: 700}, {M: 2, N: 17, K: 33}, {M: 3, N: 16, K: 300}, {M: 4, N: 15, K: 7}, {M: 5, N: 65, K: 257},
	{M: 6, N: 129, K: 31}, {M: 7, N: 127, K: 513}, {M: 12, N: 33, K: 40}, {M: 13, N: 33, K: 40}, {M: 14, N: 9, K: 300}, {M: 40, N: 130, K: 530}, {M: 65, N: 63, K: 3},
}

func eachSmall(t *testing.T, test func(t *testing.T, rng *rand.Rand, p *Small)) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(9, 9))
		for i, op := range smallOps {
			op.Bias, op.Act = isa.Bias(i%2), isa.Act(i/2%2)
			if i%3 == 1 {
				op.LDA, op.LDC = op.K+3, op.N+2
			}
			for _, as := range []Storage{BFloat16, Int8} {
				test(t, rng, NewSmall(k, op, as))
			}
		}
	})
}

// TestSmallAgreesWithDefinition, between pages that must not be touched.
func TestSmallAgreesWithDefinition(t *testing.T) {
	eachSmall(t, func(t *testing.T, rng *rand.Rand, p *Small) {
		for _, behind := range []bool{false, true} {
			form := simdtest.Guarded[byte](t, isa.RoundUp(p.Bytes(), 64), behind)
			if behind || p.Bytes()%64 == 0 {
				form = form[:p.Bytes()]
			}
			b := smallForm(rng, p, form)
			op := p.Op
			op.LDB = 0
			a, c := simdtest.Randoms[float32](rng, (op.M-1)*op.LDA+op.K), make([]float32, (op.M-1)*op.LDC+op.N)
			bias := simdtest.Randoms[float32](rng, op.biasLen())
			want, size := product(op, append(a, make([]float32, op.LDA)...), b, c, bias)
			got := simdtest.GuardedCopy(t, c, behind)
			scratch := simdtest.Guarded[float32](t, p.Scratch(), behind)
			simdtest.Fill(scratch, float32(math.NaN()))
			p.Run(got, simdtest.GuardedCopy(t, a, behind), form, simdtest.GuardedCopy(t, bias, behind), scratch, 0, p.Tasks())
			for i, x := range got {
				simdtest.RequireWithin(t, want[i], float64(x), 0x1p-24*float64(op.K+5)*size[i], i, op)
			}
		}
	})
}

// TestSmallKernelsAreTheirTwins on numbers of which all sums are exact, and on NaN, infinities and
// denormals.
func TestSmallKernelsAreTheirTwins(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(5, 5))
		for as, element := range [...]func(*byte, int) float32{BFloat16: brain, Int8: signed} {
			for _, panel := range k.small[as] {
				cols := panel.vecs * k.F32.Width
				twin := goSmall(len(panel.rows)-1, cols, element)
				for rows := 1; rows < len(panel.rows); rows++ {
					for _, depth := range []int{1, 2, 3, 7, 8, 9, 16, 31, 33} {
						a := make([]float32, rows*depth)
						for i := range a {
							a[i] = []float32{1, -2, .5, 0, 3, 0x1p-130, float32(math.NaN()), float32(math.Inf(1))}[rng.IntN(6+2*(depth%2))]
						}
						b := make([]byte, depth*cols*Storage(as).size())
						for i := range b {
							b[i] = byte(rng.IntN(256))
							if as == int(BFloat16) && i%2 == 1 { // small numbers, of few bits, and denormals
								b[i-1], b[i] = byte(rng.IntN(2))*0x80, []byte{0x3f, 0xbf, 0x40, 0, 0x7f}[rng.IntN(4+depth%2)]
								switch b[i] {
								case 0x7f:
									b[i-1] = 0x80 // an infinity
								case 0:
									b[i-1] /= 2 // 0 or a denormal
								}
							}
						}
						want := simdtest.Randoms[float32](rng, rows*cols)
						for i := range want {
							want[i] = float32(int(8 * want[i]))
						}
						got := append([]float32(nil), want...)
						for more := range 2 {
							twin.rows[rows](depth, &a[0], 4*depth, &b[0], &want[0], more)
							panel.rows[rows](depth, &a[0], 4*depth, &b[0], &got[0], more)
							for i := range want {
								require.True(t, want[i] == got[i] || want[i] != want[i] && got[i] != got[i], "%d rows, depth %d, element %d: %v, want %v", rows, depth, i, got[i], want[i])
							}
						}
					}
				}
			}
		}
	})
}

// TestSmallHasTheSameBitsInAnyTasks, for any number of workers.
func TestSmallHasTheSameBitsInAnyTasks(t *testing.T) {
	pool := par.NewPool(4)
	defer pool.Close()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	eachSmall(t, func(t *testing.T, rng *rand.Rand, p *Small) {
		form := make([]byte, p.Bytes()+64)
		smallForm(rng, p, form)
		a, bias := simdtest.Randoms[float32](rng, p.M*p.LDA), simdtest.Randoms[float32](rng, p.N)
		want, got := make([]float32, p.M*p.LDC), make([]float32, p.M*p.LDC)
		p.Run(want, a, form, bias, make([]float32, p.Scratch()), 0, p.Tasks())
		pool.For(p.Tasks(), 1, func(lo, hi int) { p.Run(got, a, form, bias, make([]float32, p.Scratch()), lo, hi) })
		simdtest.RequireBits(t, want, got)
	})
}

func TestSmallRefusesWhatItCannot(t *testing.T) {
	for _, op := range []Op{{M: 1, N: 2}, {M: 1, N: 2, K: 3, TransA: true}, {M: 1, N: 2, K: 3, Add: true}, {M: 1, N: 2, K: 3, Bias: isa.RowBias}} {
		require.Panics(t, func() { NewSmall(best(), op, Int8) })
	}
	p := NewSmall(best(), Op{M: 1, N: 2, K: 3}, Int8)
	require.Panics(t, func() {
		p.Run(make([]float32, 2), make([]float32, 3), make([]byte, 5), nil, make([]float32, 999), 0, 1)
	})
}
