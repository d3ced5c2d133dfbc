package philox

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/allocs"
)

// The vectors are those of kat_vectors in Random123 (D. E. Shaw Research).
func TestKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		ctr  [4]uint32
		key  [2]uint32
		want [4]uint32
	}{
		{
			[4]uint32{},
			[2]uint32{},
			[4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
		}, {
			[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
			[2]uint32{0xffffffff, 0xffffffff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		}, {
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			[2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		require.Equal(t, c.want, Philox4x32(c.ctr, c.key))
	}
}

func TestEveryBitOfAStreamMatters(t *testing.T) {
	base := Stream{Seed: 1, ID: ID("conv1"), Step: 3}
	const index = 5
	seen := map[[4]uint32]string{base.Block(index): "base"}
	for bit := range 64 {
		b := uint64(1) << bit
		for name, block := range map[string][4]uint32{
			"seed":  Stream{base.Seed ^ b, base.ID, base.Step}.Block(index),
			"id":    Stream{base.Seed, base.ID ^ b, base.Step}.Block(index),
			"step":  Stream{base.Seed, base.ID, base.Step ^ b}.Block(index),
			"index": base.Block(index ^ b),
		} {
			name = fmt.Sprint(name, " bit ", bit)
			require.Empty(t, seen[block], "%s", name)
			seen[block] = name
		}
	}
}

func TestStepsOfNeighbouringIDsDoNotOverlap(t *testing.T) {
	seen := map[[4]uint32]bool{}
	for id := range uint64(64) {
		for step := range uint64(64) {
			b := Stream{ID: id, Step: step}.Block(0)
			require.False(t, seen[b], "id %d step %d", id, step)
			seen[b] = true
		}
	}
}

// A seed means the same numbers in every version. The block was computed by a separate program.
func TestStreamsArePinned(t *testing.T) {
	require.Equal(t, uint64(0xcbf29ce484222325), ID("")) // FNV-1a's offset basis
	require.Equal(t, uint64(0x85944171f73967e8), ID("foobar"))
	s := Stream{Seed: 42, ID: ID("conv1.dropout.0"), Step: 7}
	require.Equal(t, [4]uint32{0xc335efdf, 0x4c352b60, 0x620a39ee, 0x0df1597a}, s.Block(9))
}

func TestElementsAreWordsOfBlocks(t *testing.T) {
	s := Stream{Seed: 9}
	for i := range uint64(12) {
		require.Equal(t, s.Block(i / 4)[i%4], s.Uint32(i))
		require.Equal(t, float64(s.Uint32(i))/(1<<32), s.Uniform(i))
	}
	r := s.Rand()
	for i := uint64(0); i < 12; i += 2 {
		require.Equal(t, uint64(s.Uint32(i+1))<<32|uint64(s.Uint32(i)), r.Uint64())
	}
}

func TestUniformIsUniform(t *testing.T) {
	const n, bins = 1 << 16, 64
	s := Stream{Seed: 2}
	var count [bins]float64
	for i := range uint64(n) {
		u := s.Uniform(i)
		require.True(t, 0 <= u && u < 1)
		count[int(u*bins)]++
	}
	chi := 0.0
	for _, c := range count {
		chi += (c - n/bins) * (c - n/bins) / (n / bins)
	}
	require.Less(t, chi, 103.4) // 99.9 % quantile of chi-squared with 63 degrees of freedom
}

// Moments of the standard normal distribution: 0, 1, 0, 3, each to five standard errors.
func TestNormalIsNormal(t *testing.T) {
	const n = 1 << 17
	s := Stream{Seed: 3, ID: 1}
	var m [5]float64
	within := 0
	for i := range uint64(n) {
		z := s.Normal(i)
		require.False(t, math.IsNaN(z) || math.IsInf(z, 0))
		if math.Abs(z) < 1 {
			within++
		}
		p := 1.0
		for k := range m {
			m[k] += p / n
			p *= z
		}
	}
	se := 5 / math.Sqrt(n)
	require.InDelta(t, 0, m[1], se)
	require.InDelta(t, 1, m[2], se*math.Sqrt(2))
	require.InDelta(t, 0, m[3], se*math.Sqrt(15))
	require.InDelta(t, 3, m[4], se*math.Sqrt(96))
	require.InDelta(t, 0.6827, float64(within)/n, se/2)
}

func TestRandReadsTheStream(t *testing.T) {
	s := Stream{Seed: 5, Step: 1}
	r := s.Rand()
	for i := range uint64(4) {
		b := s.Block(i)
		require.Equal(t, join(b[0], b[1]), r.Uint64())
		require.Equal(t, join(b[2], b[3]), r.Uint64())
	}
	require.Equal(t, s.Rand().Perm(10), s.Rand().Perm(10))
}

func TestDrawingAllocatesNothing(t *testing.T) {
	s := Stream{Seed: 1, ID: 2, Step: 3}
	sum := 0.0
	require.Zero(t, allocs.PerRun(100, func() {
		sum += s.Uniform(7) + s.Normal(8) + float64(ID("layer")&1)
	}))
}

func ExampleStream() {
	dropout := Stream{Seed: 1, ID: ID("features.3.dropout"), Step: 100}
	fmt.Println(dropout.Uniform(0) == dropout.Uniform(0), dropout.Uniform(0) == dropout.Uniform(1))
	// Output: true false
}

func BenchmarkBlock(b *testing.B) {
	s := Stream{Seed: 1}
	b.SetBytes(16)
	for i := range uint64(b.N) {
		s.Block(i)
	}
}
