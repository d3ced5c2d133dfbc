package data

import (
	"math"
	"math/bits"

	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/internal/simd/random"
)

// Rand gives the random numbers that change one example, or one batch. They depend on the
// seed, the epoch and the example's number alone, and so neither on the order of loading nor
// on how many goroutines load. One goroutine uses it at a time. A nil Rand gives zeros for what is
// uniform from 0, and so never fails.
type Rand struct {
	stream philox.Stream
	next   uint64 // block
	words  [4]uint32
	left   int // words that have not been given
}

// NewRand returns the numbers that a [Loader] with that seed gives the [Augmentation] of an
// example in an epoch.
func NewRand(seed uint64, epoch, example int) *Rand {
	r := new(Rand)
	r.reset(augmentStream, seed, epoch, example)
	return r
}

var (
	augmentStream = philox.ID("data.augment")
	mixStream     = philox.ID("data.mix")
)

// reset begins the numbers of an example or a batch.
func (r *Rand) reset(stream, seed uint64, epoch, number int) {
	*r = Rand{stream: philox.Stream{Seed: seed, ID: stream, Step: uint64(epoch)<<32 | uint64(uint32(number))}}
}

// Uint32 returns a number that is uniform over all of uint32.
func (r *Rand) Uint32() uint32 {
	if r == nil {
		return 0
	}
	if r.left == 0 {
		r.words, r.left = r.stream.Block(r.next), len(r.words)
		r.next++
	}
	r.left--
	return r.words[len(r.words)-1-r.left]
}

// Float64 returns a number that is uniform in [0,1).
func (r *Rand) Float64() float64 { return float64(r.Uint32()) * 0x1p-32 }

// Between returns a number that is uniform from lo to hi; lo where they are equal.
func (r *Rand) Between(lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

// IntN returns a whole number that is uniform from 0 to n-1; n is from 1 to 2^32.
func (r *Rand) IntN(n int) int {
	high, _ := bits.Mul64(uint64(r.Uint32())<<32, uint64(n))
	return int(high)
}

// Normal returns a number of the standard normal distribution (Box and Muller, 1958).
func (r *Rand) Normal() float64 {
	radius := math.Sqrt(-2 * math.Log(1-r.Float64())) // of a number in (0,1]
	return radius * math.Cos(2*math.Pi*r.Float64())
}

// Uniforms fills dst with numbers that are uniform in [0,1), faster than one by one.
func (r *Rand) Uniforms(dst []float32) {
	if r == nil {
		clear(dst)
		return
	}
	r.left = 0
	random.Uniform(dst, r.stream, 4*r.next)
	r.next += uint64(len(dst)+3) / 4
}
