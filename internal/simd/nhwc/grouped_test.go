package nhwc

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// randomGrouped draws a convolution of several groups, with windows that lie in the image, over its edges, and beside it.
func randomGrouped(rng *rand.Rand) Op {
	for {
		op := randomOp(rng)
		op.Groups = 2 + rng.IntN(5)
		op.Top, op.Left = op.Top-1, op.Left-1
		if rng.IntN(2) == 0 { // groups share vectors
			op.C = 2 << rng.IntN(3)
			op.M, op.Groups = op.C, 2+rng.IntN(16)
		}
		if rng.IntN(2) == 0 { // tasks have several rows
			op.N, op.OH = 3, 6+rng.IntN(4)
		}
		if InStrips(op) {
			return op
		}
	}
}

// runGrouped computes a convolution in tasks of so many, last ones first.
func runGrouped(g *Grouped, y, x, w, bias []float32, tasks int) {
	nan := func(n int) []float32 { return simdtest.Repeat(float32(math.NaN()), n) }
	packed, scratch := nan(g.PackedLen()), nan(g.ScratchLen())
	g.Pack(packed, w, 0, g.Packs())
	for hi := g.Tasks(); hi > 0; hi -= tasks {
		g.Run(y, x, packed, bias, nil, scratch, max(hi-tasks, 0), hi)
	}
}

func TestGroupedAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(101, 95))
		for range trials(120) {
			op := randomGrouped(rng)
			y, x, w, bias := operands(rng, op)
			want, size := definition(op, y, x, w, bias)
			got := last(y, op.filters(), op.Cols())
			runGrouped(NewGrouped(k, op), got, last(x, op.channels(), op.H*op.W), w, bias, 1+rng.IntN(5))
			for i, v := range first(got, op.filters(), op.Cols()) {
				simdtest.RequireWithin(t, want[i], float64(v), 0x1p-24*float64(op.Rows()+3)*size[i], i, op)
			}
		}
	})
}

// Windows that are multiplied where they lie give the bits of those that are unfolded, unless groups share vectors, with
// numbers that are not finite too, in tasks that make their elements only.
func TestGroupedGivesTheBitsOfConv(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(102, 96))
		for i := range trials(80) {
			op := randomGrouped(rng)
			y, x, w, bias := operands(rng, op)
			if i%2 == 1 {
				x = simdtest.Mixed(rng, len(x))
			}
			c, g := NewConv(k, op), NewGrouped(k, op)
			require.Equal(t, c.Form() == g.Form(), g.diagonals == nil)
			want, got := slices.Clone(y), slices.Clone(y)
			runGrouped(g, want, x, w, bias, g.Tasks())
			runGrouped(g, got, x, w, bias, 1+rng.IntN(3))
			simdtest.RequireBits(t, want, got)
			if g.diagonals == nil {
				got = slices.Clone(y)
				convolve(c, got, x, w, bias, 1)
				simdtest.RequireBits(t, want, got)
			}

			at, packed, scratch := 0, make([]float32, g.PackedLen()), make([]float32, g.ScratchLen())
			g.Pack(packed, w, 0, g.Packs())
			for i := range g.Tasks() {
				from, to, all := g.Task(i)
				require.True(t, all && at == from)
				part := slices.Clone(y)
				g.Run(part, x, packed, bias, nil, scratch, i, i+1)
				simdtest.RequireBits(t, y[:from], part[:from])
				simdtest.RequireBits(t, want[from:to], part[from:to])
				simdtest.RequireBits(t, y[to:], part[to:])
				at = to
			}
			require.Equal(t, len(y), at)
		}
	})
}

func TestGroupedKeepsWhatIsNotFinite(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(103, 97))
		for range trials(40) {
			op := randomGrouped(rng)
			op.Act = isa.NoAct
			y, x, w, bias := operands(rng, op)
			sprinkle(rng, x)
			want, _ := definition(op, y, x, w, bias)
			got := last(y, op.filters(), op.Cols())
			runGrouped(NewGrouped(k, op), got, last(x, op.channels(), op.H*op.W), w, bias, 2)
			requireKept(t, want, first(got, op.filters(), op.Cols()), op)
		}
	})
}

// Groups of every number of channels for which there are kernels share vectors, in calls of several vectors, of which the last
// one is whole or not.
func TestGroupsOfFewChannelsShareVectors(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(104, 98))
		for c := 2; c < k.width; c *= 2 {
			for groups := 2; groups < 60; groups += 7 {
				op := square(c, 9, c, 3, 1+groups%2)
				op.Groups, op.Pitch = groups, groups*c+3
				g := NewGrouped(k, op)
				require.NotNil(t, g.diagonals)
				x, w, bias := simdtest.Randoms[float32](rng, op.H*op.W*op.channels()), simdtest.Randoms[float32](rng, op.filters()*op.Rows()), simdtest.Randoms[float32](rng, op.filters())
				y := simdtest.Randoms[float32](rng, op.pixels()*op.Pitch)
				before := slices.Clone(y)
				want, size := definition(op, make([]float32, op.pixels()*op.filters()), first(x, op.channels(), op.H*op.W), w, bias)
				runGrouped(g, y, x, w, bias, 1)
				for i := range y {
					pixel, filter := i/op.Pitch, i%op.Pitch
					if filter >= op.filters() {
						require.Equal(t, before[i], y[i])
						continue
					}
					at := filter*op.Cols() + pixel
					simdtest.RequireWithin(t, want[at], float64(y[i]), 0x1p-24*float64(op.Rows()+3)*size[at], i, op)
				}
			}
		}
	})
}

func TestGroupedInputGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(105, 99))
		tried := 0
		for range trials(240) {
			op := randomGrouped(rng)
			op.Add, op.Bias, op.Act = false, false, isa.NoAct
			g, ok := NewGroupedInputGrad(k, op)
			if !ok {
				continue
			}
			tried++
			dy, x, w, _ := operands(rng, op)
			want := imageGradient(op, dy, w)
			dx := simdtest.Repeat(float32(math.NaN()), len(x))
			runGrouped(g, dx, last(dy, op.filters(), op.Cols()), w, nil, 1+rng.IntN(5))
			simdtest.RequireClose(t, want, first(dx, op.channels(), op.H*op.W), 1e-5, op)
		}
		require.Positive(t, tried)
	})
}
