package philox

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// Stream identifies a sequence of random numbers, each element of which can be computed
// independently. Two streams that differ in any field are independent. Draw only one distribution
// from a stream: Uint32, Uniform, Normal and Rand read the same blocks.
type Stream struct {
	Seed uint64 // of the whole experiment
	ID   uint64 // of the user: a layer's dropout, an initialiser, the order of the data; see [ID]
	Step uint64 // the training step or epoch
}

// ID returns a 64-bit hash of a stream's name, such as a layer path and an ordinal. It is
// the FNV-1a hash, the same in every process and version.
func ID(name string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return h
}

// Block returns the i-th four numbers, each uniform over all of uint32.
func (s Stream) Block(i uint64) [4]uint32 {
	ctr, key := s.Counter(i)
	return Philox4x32(ctr, key)
}

// Counter returns the input of Philox for block i. It is for kernels that compute several blocks at
// once.
//
// The key is the seed. The low half of the counter is i. The high half is a mix of ID and Step,
// which is one-to-one in either if the other is fixed: streams of one seed share a block only if
// two 64-bit hashes collide. Least significant words come first.
func (s Stream) Counter(i uint64) (ctr [4]uint32, key [2]uint32) {
	hi := mix(mix(s.Step) ^ s.ID)
	return [4]uint32{uint32(i), uint32(i >> 32), uint32(hi), uint32(hi >> 32)},
		[2]uint32{uint32(s.Seed), uint32(s.Seed >> 32)}
}

// Uint32 returns element i: word i%4 of block i/4.
func (s Stream) Uint32(i uint64) uint32 { return s.Block(i / 4)[i%4] }

// Uniform returns Uint32(i) / 2^32, which is in [0, 1). Rounded to float32 it can be 1, so compare
// before rounding.
func (s Stream) Uniform(i uint64) float64 { return float64(s.Uint32(i)) * 0x1p-32 }

// Normal returns a number from the standard normal distribution, computed from block i by the
// transform of Box and Muller (1958).
func (s Stream) Normal(i uint64) float64 {
	b := s.Block(i)
	radius := math.Sqrt(-2 * math.Log(1-unit(b[0], b[1]))) // 1-u is in (0, 1]
	return radius * math.Cos(2*math.Pi*unit(b[2], b[3]))
}

// Below returns a uniformly distributed integer from 0 to n-1, computed from block i, for n from 1. The
// bias of the multiplication, n/2^64, is negligible.
func (s Stream) Below(i uint64, n int) int {
	b := s.Block(i)
	high, _ := bits.Mul64(join(b[0], b[1]), uint64(n))
	return int(high)
}

// Shuffle puts order into random order by the method of Fisher and Yates.
func (s Stream) Shuffle(order []int) {
	for i := len(order) - 1; i > 0; i-- {
		j := s.Below(uint64(i), i+1)
		order[i], order[j] = order[j], order[i]
	}
}

// Rand returns a generator that reads the stream from its start, for code that draws one
// number after the other.
func (s Stream) Rand() *rand.Rand { return rand.New(&source{stream: s}) }

type source struct {
	stream Stream
	block  [4]uint32
	next   uint64 // number of the next pair of words
}

func (r *source) Uint64() uint64 {
	if r.next%2 == 0 {
		r.block = r.stream.Block(r.next / 2)
	}
	w := r.block[r.next%2*2:]
	r.next++
	return join(w[0], w[1])
}

func join(lo, hi uint32) uint64 { return uint64(hi)<<32 | uint64(lo) }

// unit returns 53 random bits as a number in [0, 1).
func unit(lo, hi uint32) float64 { return float64(join(lo, hi)>>11) * 0x1p-53 }

// mix is the output function of SplitMix64 (Steele, Lea and Flood, 2014), a bijection.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Philox4x32 is Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011), least significant words first.
func Philox4x32(ctr [4]uint32, key [2]uint32) [4]uint32 {
	for range 10 {
		hi0, lo0 := bits.Mul32(0xd2511f53, ctr[0])
		hi1, lo1 := bits.Mul32(0xcd9e8d57, ctr[2])
		ctr = [4]uint32{hi1 ^ ctr[1] ^ key[0], lo1, hi0 ^ ctr[3] ^ key[1], lo0}
		key[0] += 0x9e3779b9 // golden ratio
		key[1] += 0xbb67ae85 // sqrt(3) - 1
	}
	return ctr
}
