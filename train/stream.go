package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/plexaura/plexaura/data"
)

// Streamed says how a run divides its Stream into epochs.
type Streamed struct {
	Buffer        int `json:"buffer"`
	StepsPerEpoch int `json:"steps_per_epoch"`
}

// String names the source of a run's examples; a dataset is nil.
func (s *Streamed) String() string {
	if s == nil {
		return "a dataset"
	}
	return fmt.Sprintf("a Stream with Buffer %d and StepsPerEpoch %d", s.Buffer, s.StepsPerEpoch)
}

func (s *Streamed) same(o *Streamed) bool {
	if s == nil || o == nil {
		return s == o
	}
	return *s == *o
}

// streamed returns what the Config says about its Stream, or nil if there is none.
func (c Config) streamed() *Streamed {
	if c.Stream == nil {
		return nil
	}
	return &Streamed{c.Buffer, c.StepsPerEpoch}
}

// batching says how the examples to learn from are divided.
func (c Config) batching() data.Batching {
	return data.Batching{
		Size: c.Batch, Shuffle: c.Stream == nil, Weights: c.Weights, Buffer: c.Buffer, Steps: c.StepsPerEpoch, DropLast: c.DropLast,
		Seed: c.Seed, Augment: c.Augment, Mix: c.Mix,
	}
}

// loader divides the examples to learn from.
func (c Config) loader(o data.Batching) (*data.Loader, error) {
	if c.Stream != nil {
		return data.NewStreamLoader(c.Stream, o)
	}
	return data.NewLoader(c.Train, o)
}

// raw describes the examples to learn from as they are read.
func (c Config) raw() data.Info {
	if c.Stream != nil {
		return c.Stream.Info()
	}
	return c.Train.Info()
}

// examples returns the number of examples to learn from; 0 of a Stream.
func (c Config) examples() int {
	if c.Stream != nil {
		return 0
	}
	return c.Train.Len()
}

// unknown stands for the number of examples in an epoch if nothing says how many there are at most.
const unknown = math.MaxInt32

// most returns the largest number of examples that an epoch can have.
func (c Config) most() int {
	switch {
	case c.Stream == nil:
		return c.Train.Len()
	case c.StepsPerEpoch == 0 || c.StepsPerEpoch > unknown/c.Batch:
		return unknown
	}
	return c.StepsPerEpoch * c.Batch
}

// size returns the number of examples in a full batch.
func (c Config) size() int { return min(c.Batch, c.most()) }

// ofBatches is the number of a batch, and of how many if that is known.
func (r *run) ofBatches(batch int) string {
	if n := r.batches.Len(); n > 0 {
		return fmt.Sprintf("%d of %d", batch, n)
	}
	return fmt.Sprint(batch)
}

// Steps returns the number of steps that the first epochs of the run had.
func (p Progress) Steps(epochs int) (n int) {
	for _, e := range p.Epochs[:max(0, min(epochs, len(p.Epochs)))] {
		n += (e.Train.Examples-1)/max(p.Size, 1) + 1 // only the last batch may be smaller
	}
	return n
}

// alike returns an error if the ranks have read different batches of a Stream, each of which is as long as
// its rank has found it to be.
func (r *run) alike(ctx context.Context, b data.Batch) error {
	if r.Group.Size() == 1 || r.Stream == nil {
		return nil
	}
	var own [sumBytes]byte
	binary.LittleEndian.PutUint64(own[:], uint64(len(b.Examples)))
	binary.LittleEndian.PutUint64(own[8:], b.Sum)
	ctx, cancel := r.waiting(ctx)
	defer cancel()
	if err := r.Group.Gather(ctx, own[:], r.sums); err != nil {
		return r.broken(err)
	}
	for rank, sum := range r.sums {
		if !bytes.Equal(sum, r.sums[0]) {
			r.told = true // all ranks see the same
			return fmt.Errorf("the Stream of rank %d has other examples than that of rank 0: %d and %d in this batch; want the same Stream on all ranks",
				rank, binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(r.sums[0]))
		}
	}
	return nil
}

// sumBytes is what a rank tells of a batch: the number of its examples, and their checksum.
const sumBytes = 16

// endTogether ends an epoch on all ranks, of which none may have a further batch.
func (r *run) endTogether(ctx context.Context) error {
	if r.Stream == nil {
		return nil
	}
	if err := r.together(ctx, nil); err != nil {
		return err
	}
	return r.alike(ctx, data.Batch{})
}
