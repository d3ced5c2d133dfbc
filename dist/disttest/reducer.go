package disttest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/plexaura/plexaura/dist"
)

// shard returns the elements of a shard: numbers of very different sizes, so that another order of
// additions shows, and some that are not finite.
func shard[T dist.Float](n, number, round int) []T {
	s := rand.New(rand.NewPCG(uint64(number), uint64(round)))
	v := make([]T, n)
	for i := range v {
		v[i] = T(s.NormFloat64() * math.Pow(10, float64(s.IntN(7)-3)))
		switch s.IntN(500) {
		case 0:
			v[i] = T(math.Inf(1))
		case 1:
			v[i] = T(math.Inf(-1))
		case 2:
			v[i] = T(math.NaN())
		case 3:
			v[i] = T(math.Copysign(0, -1))
		}
	}
	return v
}

// tree adds the shards lo to hi by definition.
func tree[T dist.Float](shards [][]T, lo, hi int) []T {
	if hi-lo == 1 {
		return shards[lo]
	}
	mid := lo + 1
	for 2*(mid-lo) < hi-lo {
		mid += mid - lo
	}
	a, b := tree(shards, lo, mid), tree(shards, mid, hi)
	sum := make([]T, len(a))
	for i := range sum {
		sum[i] = a[i] + b[i]
	}
	return sum
}

// sameBits compares bits, but for the payload of a NaN.
func sameBits[T dist.Float](have, want []T) error {
	for i, w := range want {
		h := have[i]
		if (h != h) != (w != w) || w == w && (h != w || math.Signbit(float64(h)) != math.Signbit(float64(w))) {
			return fmt.Errorf("element %d of %d is %v, want %v", i, len(want), h, w)
		}
	}
	return nil
}

// integersBoth compares a Reducer with the group's own sum, bit by bit, on numbers whose sums are exact.
func (r *rank) integersBoth() error {
	for round := range r.Rounds {
		v := make([]float32, r.length())
		for i := range v {
			v[i] = float32((i*37+r.Rank()*round)%4001 - 2000)
		}
		red, err := dist.NewReducer[float32](r.Group, dist.ReducerConfig{Length: len(v)})
		if err != nil {
			return err
		}
		sum := make([]float32, len(v))
		if err := red.Add(v); err != nil {
			return err
		}
		if err := red.Finish(r.ctx, sum); err != nil {
			return err
		}
		if err := r.SumFloat32(r.ctx, v); err != nil {
			return err
		}
		if err := sameBits(sum, v); err != nil {
			return err
		}
	}
	return nil
}

func (r *rank) reducer() error   { return reduce[float32](r) }
func (r *rank) reducer64() error { return reduce[float64](r) }

// reduce compares sums of a Reducer, used twice, with the definition.
func reduce[T dist.Float](r *rank) error {
	for round := range r.Rounds {
		n, number := r.length(), r.Size()*(1+r.shared.IntN(9))
		red, err := dist.NewReducer[T](r.Group, dist.ReducerConfig{Shards: number, Length: n})
		if err != nil {
			return err
		}
		for again := range 2 {
			have, want, err := reduceOnce(r, red, n, number, 2*round+again)
			if err == nil {
				err = sameBits(have, want)
			}
			if err != nil {
				return fmt.Errorf("%d shards of %d: %w", number, n, err)
			}
		}
	}
	return nil
}

// reduceOnce adds this rank's shards in parts of odd sizes, and returns the sum and what it should be.
func reduceOnce[T dist.Float](r *rank, red *dist.Reducer[T], n, number, round int) (have, want []T, err error) {
	shards := make([][]T, number)
	for i := range shards {
		shards[i] = shard[T](n, i, round)
	}
	lo, hi := red.Shards()
	for _, s := range shards[lo:hi] {
		for rest := s; ; {
			part := rest[:min(len(rest), 1+r.Rank()*7+len(s)/3)]
			if err := red.Add(part); err != nil {
				return nil, nil, err
			}
			if rest = rest[len(part):]; len(rest) == 0 {
				break
			}
		}
	}
	have = make([]T, n)
	return have, tree(shards, 0, number), red.Finish(r.ctx, have)
}

// near compares up to a relative error of the sum of the magnitudes of the shards.
func (r *rank) near(w dist.Wire, tolerance float64) error {
	for round := range r.Rounds {
		n, number := r.length(), r.Size()*(1+r.shared.IntN(5))
		red, err := dist.NewReducer[float32](r.Group, dist.ReducerConfig{Shards: number, Length: n, Wire: w})
		if err != nil {
			return err
		}
		have, want, err := reduceOnce(r, red, n, number, round)
		if err != nil {
			return err
		}
		size := make([]float64, n)
		for i := range number {
			for j, x := range shard[float32](n, i, round) {
				size[j] += math.Abs(float64(x))
			}
		}
		for i := range want {
			h, w := float64(have[i]), float64(want[i])
			if math.IsNaN(h) != math.IsNaN(w) || math.IsInf(w, 0) && h != w || math.Abs(h-w) > tolerance*size[i] {
				return fmt.Errorf("%d shards of %d: element %d is %v, want about %v", number, n, i, h, w)
			}
		}
		if err := r.sameEverywhere(have); err != nil {
			return err
		}
	}
	return nil
}

// sameEverywhere returns an error unless all ranks have the bits of rank 0.
func (r *rank) sameEverywhere(v []float32) error {
	first := make([]float32, len(v))
	copy(first, v)
	if err := r.Broadcast(r.ctx, dist.Bytes(first), 0); err != nil {
		return err
	}
	for i := range v {
		if math.Float32bits(v[i]) != math.Float32bits(first[i]) {
			return fmt.Errorf("element %d is %v on rank 0, and %v here", i, first[i], v[i])
		}
	}
	return nil
}

// Each partial sum and the total are rounded once, by at most 2^-9 of themselves.
func (r *rank) rounded() error { return r.near(dist.BFloat16, 1.0/128) }
func (r *rank) library() error { return r.near(dist.Library, 1e-5) }
