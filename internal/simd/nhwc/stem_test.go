package nhwc

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// randomStem draws a convolution of one group: of a few channels, with cropped images and windows that all lie in the
// image, too.
func randomStem(rng *rand.Rand) Op {
	op := randomOp(rng)
	op.Groups, op.C = 1, 1+rng.IntN(5)
	op.Top, op.Left = op.Top-1, op.Left-1
	if rng.IntN(3) == 0 {
		op.Top, op.Left, op.Window = 0, 0, op.WithDefaults()
		op.H = (op.OH-1)*op.SH + (op.KH-1)*op.DH + 1 + rng.IntN(3)
		op.W = (op.OW-1)*op.SW + (op.KW-1)*op.DW + 1 + rng.IntN(3)
	}
	return op
}

// runStem computes a convolution of images in rows in tasks of so many, last ones first.
func runStem(s *Stem, y, x, w, bias []float32, tasks int) {
	nan := func(n int) []float32 { return simdtest.Repeat(float32(math.NaN()), n) }
	packed, scratch := nan(s.PackedLen()), nan(s.ScratchLen())
	s.Pack(packed, w, 0, s.Packs())
	for hi := s.Tasks(); hi > 0; hi -= tasks {
		s.Run(y, x, packed, bias, scratch, max(hi-tasks, 0), hi)
	}
}

func TestStemAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(95, 95))
		for range trials(120) {
			op := randomStem(rng)
			y, x, w, bias := operands(rng, op)
			want, size := definition(op, y, x, w, bias)
			got := last(y, op.M, op.Cols())
			runStem(NewStem(k, op), got, x, w, bias, 1+rng.IntN(5))
			for i, v := range first(got, op.M, op.Cols()) {
				simdtest.RequireWithin(t, want[i], float64(v), 0x1p-24*float64(op.Rows()+3)*size[i], i, op)
			}
		}
	})
}

// The filters are packed as for [Conv], and numbers that are not finite come out as there: only the padding differs, which
// takes part in both.
func TestStemGivesTheBitsOfConv(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(96, 96))
		for i := range trials(80) {
			op := randomStem(rng)
			y, x, w, bias := operands(rng, op)
			if i%2 == 1 {
				x = simdtest.Mixed(rng, len(x))
			}
			c, s := NewConv(k, op), NewStem(k, op)
			require.Equal(t, c.Form(), s.Form())
			want, got := slices.Clone(y), slices.Clone(y)
			convolve(c, want, last(x, op.C, op.H*op.W), w, bias, 1)
			runStem(s, got, x, w, bias, 1+rng.IntN(3))
			simdtest.RequireBits(t, want, got)
		}
	})
}

func TestTasksOfAStemMakeTheirElements(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(97, 97))
		for range trials(40) {
			op := randomStem(rng)
			y, x, w, bias := operands(rng, op)
			s := NewStem(k, op)
			all, packed, scratch := slices.Clone(y), make([]float32, s.PackedLen()), make([]float32, s.ScratchLen())
			s.Pack(packed, w, 0, s.Packs())
			s.Run(all, x, packed, bias, scratch, 0, s.Tasks())
			at := 0
			for i := range s.Tasks() {
				from, to := s.Task(i)
				require.Equal(t, at, from)
				got := slices.Clone(y)
				s.Run(got, x, packed, bias, scratch, i, i+1)
				simdtest.RequireBits(t, y[:from], got[:from])
				simdtest.RequireBits(t, all[from:to], got[from:to])
				simdtest.RequireBits(t, y[to:], got[to:])
				at = to
			}
			require.Equal(t, len(y), at)
		}
	})
}

// A strip makes its rows of the results of each image.
func TestStripsAreRowsOfAStem(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(98, 98))
		for range trials(40) {
			op := randomStem(rng)
			op.N, op.Add = 1, false
			y, x, w, bias := operands(rng, op)
			s := NewStem(k, op)
			runStem(s, y, x, w, bias, 1)
			lo := rng.IntN(op.OH + 1)
			hi := lo + rng.IntN(op.OH-lo+1)
			row := op.OW * op.M
			got := make([]float32, (hi-lo)*row)
			runStem(s.Strip(lo, hi), got, x, w, bias, 1)
			simdtest.RequireBits(t, y[lo*row:hi*row], got)
		}
	})
}

// They agree with the stem whose results have channels last, which sums in another order; engine/cpu compares their bits with
// those of the direct kernel.
func TestAStemToRowsAgreesWithAStem(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(106, 100))
		for i := range trials(80) {
			op := randomStem(rng)
			op.Add = false
			if i%8 == 0 { // results of several tasks
				op.N, op.OH, op.OW, op.M = 2, 40, 30, 200+rng.IntN(60)
			}
			_, x, w, bias := operands(rng, op)
			n := op.N * op.M * op.OH * op.OW
			want, got, again := make([]float32, n), simdtest.Repeat(float32(math.NaN()), n), make([]float32, n)
			runStem(NewStem(k, op), want, x, w, bias, 2)
			runStem(NewStemToRows(k, op), got, x, w, bias, 1+rng.IntN(3))
			for j, v := range first(want, op.M, op.OH*op.OW) {
				require.InDelta(t, v, got[j], 1e-5+1e-5*math.Abs(float64(v)), "%+v", op)
			}
			runStem(NewStemToRows(k, op), again, x, w, bias, 100)
			simdtest.RequireBits(t, got, again)
		}
	})
}
