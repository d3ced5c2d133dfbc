package nhwc

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

// randomGrouped draws a convolution of several groups, with windows that lie in the image, over its edges, and beside it.
func randomGrouped(rng *rand.Rand) Op {
	for {
		op := randomOp(rng)
		op.Groups = 2 + rng.IntN(5)
		op.Top, op.Left = op.Top-1, op.Left-1
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

// Windows that are multiplied where they lie give the bits of those that are unfolded, with numbers that are not finite
// too, in tasks that make their elements only.
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
			require.Equal(t, c.Form(), g.Form())
			want, got := slices.Clone(y), slices.Clone(y)
			convolve(c, want, x, w, bias, 1)
			runGrouped(g, got, x, w, bias, 1+rng.IntN(3))
			simdtest.RequireBits(t, want, got)

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
