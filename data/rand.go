package data

import (
	"math"
	"math/bits"

	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/internal/simd/random"
)

// Rand generates the random numbers that change one example, or one batch. They depend only on the
// seed, the epoch and the index of the example, and so neither on the order of loading nor on the
// number of goroutines that load. Only one goroutine may use a Rand at a time. A nil Rand returns 0
// for uniform numbers, and never fails.
type Rand struct {
	stream philox.Stream
	next   uint64 // block
	words  [4]uint32
	left   int // number of words not yet returned
}

// NewRand returns the Rand that a [Loader] with that seed passes to the [Augmentation] of an
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

// reset starts the numbers of an example or a batch.
func (r *Rand) reset(stream, seed uint64, epoch, number int) {
	*r = Rand{stream: philox.Stream{Seed: seed, ID: stream, Step: uint64(epoch)<<32 | uint64(uint32(number))}}
}

// Uint32 returns a uniformly distributed uint32.
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

// Float64 returns a uniformly distributed number in [0,1).
func (r *Rand) Float64() float64 { return float64(r.Uint32()) * 0x1p-32 }

// Between returns a uniformly distributed number between lo and hi, or lo if they are equal.
func (r *Rand) Between(lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

// IntN returns a uniformly distributed integer from 0 to n-1, for n from 1 to 2^32.
func (r *Rand) IntN(n int) int {
	high, _ := bits.Mul64(uint64(r.Uint32())<<32, uint64(n))
	return int(high)
}

// Normal returns a number from the standard normal distribution (Box and Muller, 1958).
func (r *Rand) Normal() float64 {
	radius := math.Sqrt(-2 * math.Log(1-r.Float64())) // of a number in (0,1]
	return radius * math.Cos(2*math.Pi*r.Float64())
}

// Uniforms fills dst with uniformly distributed numbers in [0,1). It is faster than calling Float64
// for each.
func (r *Rand) Uniforms(dst []float32) {
	if r == nil {
		clear(dst)
		return
	}
	r.left = 0
	random.Uniform(dst, r.stream, 4*r.next)
	r.next += uint64(len(dst)+3) / 4
}
