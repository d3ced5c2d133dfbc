package dist

import (
	"context"
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// A ReducerConfig says what a [Reducer] sums.
type ReducerConfig struct {
	Shards int // a multiple of the ranks of the group; 0 stands for one each
	Length int // elements of each shard and of the sum

	// Wire is how partial sums and their total travel.
	Wire Wire
}

// Wire is how a [Reducer] sends partial sums.
type Wire uint8

const (
	// Exact sends partial sums as they are, to be added in the fixed tree: the same bits on any number
	// of ranks.
	Exact Wire = iota
	// BFloat16 rounds partial sums, and their total, to bfloat16, ties to even, and adds in float32:
	// half the bytes of float32, of which 8 bits of each number remain. What is rounded depends on the
	// number of ranks, and so do the bits. A group of one sends nothing and rounds the total only.
	BFloat16
	// Library adds the shards of a rank in the tree, and leaves the rest to Group.SumFloat32 or
	// SumFloat64. Another number of ranks gives other bits.
	Library
)

// String returns the constant's name in lower case.
func (w Wire) String() string {
	names := [...]string{"exact", "bfloat16", "library"}
	if int(w) < len(names) {
		return names[w]
	}
	return fmt.Sprintf("wire(%d)", uint8(w))
}

// A Reducer sums vectors, the shards, over the ranks of a group. Rank r of R owns the shards from
// r*Shards/R to (r+1)*Shards/R, hands them to Add in this order, and gets the sum of all shards of
// all ranks from Finish:
//
//	for _, shard := range shards {
//		reducer.Add(shard)
//	}
//	err := reducer.Finish(ctx, sum)
//
// Sums are taken in a tree: that of the shards lo to hi is the sum of lo to mid plus that of mid to
// hi, where mid-lo is the largest power of two below hi-lo. A rank adds what is a node of the tree
// within its own shards, as they come, sends a piece of each such partial sum to each rank, which
// adds up the tree for its piece, and the pieces are gathered. For powers of two this moves
// 2*(R-1)/R times the vector, which is the least possible.
//
// float32 is added as the kernels of engine/cpu add: denormals count as zero. The payload of a NaN
// that is a sum is not specified.
//
// A Reducer belongs to one goroutine at a time. It keeps its memory, about two vectors where Shards
// equals Size, and allocates nothing once it is made.
type Reducer[T Float] struct {
	group  Group
	cfg    ReducerConfig
	vec    *vec.Kernels
	merges []int // after each shard of this rank
	shard  int   // of this rank, the next one
	at     int   // elements of it that are there
	stack  [][]T // sums of nodes, from left to right; the first len(own) are the partial sums at last
	top    int   // sums on the stack

	parts   []int // partial sums of each rank
	finish  []int // merges after each partial sum of all ranks
	piece   []int // piece p is [piece[p], piece[p+1])
	packed  []T   // partial sums by piece, where there are several
	got     []T   // partial sums of the other ranks, for this rank's piece
	leaves  [][]T // got and this rank's own, from left to right
	pending [][]T // stack of sumPiece
	rounded []shape.Brain
	gotBits []shape.Brain

	send, recv, sums [][]byte // of the two operations
}

// NewReducer returns a Reducer for the group. Every rank makes one, with the same configuration. It
// returns an error if Shards is no multiple of the group's size, and for BFloat16 of float64.
func NewReducer[T Float](g Group, cfg ReducerConfig) (*Reducer[T], error) {
	if isnil.Of(g) {
		return nil, errNoGroup
	}
	if cfg.Shards == 0 {
		cfg.Shards = g.Size()
	}
	if err := cfg.check(g.Size(), isFloat64[T]()); err != nil {
		return nil, err
	}
	kernels, err := simd.Chosen()
	if err != nil {
		return nil, fmt.Errorf("dist: %w", err)
	}
	r := &Reducer[T]{group: g, cfg: cfg, vec: kernels.Vec}
	r.plan()
	return r, nil
}

func isFloat64[T Float]() bool {
	_, is := any(T(0)).(float64)
	return is
}

// maxShards bounds what the tree of a configuration takes.
const maxShards = 1 << 20

func (cfg ReducerConfig) check(size int, isFloat64 bool) error {
	switch {
	case cfg.Length < 0:
		return fmt.Errorf("dist: a sum of %d elements", cfg.Length)
	case cfg.Shards < 0 || cfg.Shards > maxShards:
		return fmt.Errorf("dist: %d shards, want 1 to %d", cfg.Shards, maxShards)
	case cfg.Shards%size != 0:
		return fmt.Errorf("dist: %d shards cannot be shared equally by %d ranks; want a multiple of %d", cfg.Shards, size, size)
	case cfg.Wire > Library:
		return fmt.Errorf("dist: %v is none of exact, bfloat16 and library", cfg.Wire)
	case cfg.Wire == BFloat16 && isFloat64:
		return errors.New("dist: sums of float64 do not travel as bfloat16")
	}
	return nil
}

// plan lays out the tree and the memory.
func (r *Reducer[T]) plan() {
	size, me := r.group.Size(), r.group.Rank()
	root := span{0, r.cfg.Shards}
	var all []span
	for rank := range size {
		trees := subtrees(root, owned(rank, size, r.cfg.Shards))
		if rank == me {
			r.merges = shardMerges(trees)
		}
		r.parts = append(r.parts, len(trees))
		all = append(all, trees...)
	}
	r.finish = merges(root, all)
	r.stack = make([][]T, max(depth(r.merges), r.parts[me]))
	for i := range r.stack {
		r.stack[i] = make([]T, r.cfg.Length)
	}
	for p := range size + 1 {
		r.piece = append(r.piece, pieceStart(r.cfg.Length, p, size))
	}
	r.send, r.recv, r.sums = make([][]byte, size), make([][]byte, size), make([][]byte, size)
	if r.cfg.Wire != Library {
		r.planExchange(len(all))
		r.pending = make([][]T, 0, len(all))
	}
}

// pieceStart returns where piece p of size begins. Pieces begin at multiples of 16 elements, so that
// few vectors are cut.
func pieceStart(length, p, size int) int {
	if p == size {
		return length
	}
	const whole = 16
	blocks := length / whole
	return (blocks/size*p + blocks%size*p/size) * whole
}

// planExchange makes the buffers of the pieces, and the views of them that travel.
func (r *Reducer[T]) planExchange(total int) {
	me := r.group.Rank()
	mine := r.piece[me+1] - r.piece[me]
	own := r.parts[me]
	others := (total - own) * mine
	r.got = make([]T, others)
	if r.cfg.Wire == BFloat16 {
		r.rounded = make([]shape.Brain, max(own*r.cfg.Length, r.cfg.Length))
		r.gotBits = make([]shape.Brain, others)
	} else if own > 1 {
		r.packed = make([]T, own*r.cfg.Length)
	}
	at := 0
	for rank, parts := range r.parts {
		if rank == me {
			for i := range parts {
				r.leaves = append(r.leaves, r.stack[i][r.piece[me]:r.piece[me+1]])
			}
			continue
		}
		n := parts * mine
		if r.cfg.Wire == BFloat16 {
			r.recv[rank] = Bytes(r.gotBits[at : at+n])
		} else {
			r.recv[rank] = Bytes(r.got[at : at+n])
		}
		for i := range parts {
			r.leaves = append(r.leaves, r.got[at+i*mine:at+(i+1)*mine])
		}
		at += n
		lo, hi := r.piece[rank], r.piece[rank+1]
		switch {
		case r.cfg.Wire == BFloat16:
			r.send[rank] = Bytes(r.rounded[own*lo : own*hi])
		case own > 1:
			r.send[rank] = Bytes(r.packed[own*lo : own*hi])
		default:
			r.send[rank] = Bytes(r.stack[0][lo:hi])
		}
	}
}

// Shards returns the numbers of the shards that this rank owns, from lo to hi-1.
func (r *Reducer[T]) Shards() (lo, hi int) {
	if r == nil || r.group == nil {
		return 0, 0
	}
	s := owned(r.group.Rank(), r.group.Size(), r.cfg.Shards)
	return s.lo, s.hi
}

// Add hands over the next elements of this rank's current shard, which may come in any number of parts.
// When Length elements are there, the next shard begins. The part is copied or added; the caller may
// change it at once. It returns an error, and adds nothing, if the part does not fit into what is
// left of the shard, or if all shards are there.
func (r *Reducer[T]) Add(part []T) error {
	if r == nil || r.group == nil {
		return errNoReducer
	}
	if r.shard == len(r.merges) {
		return fmt.Errorf("dist: rank %d has added its %d shards; Finish comes next", r.group.Rank(), r.shard)
	}
	if left := r.cfg.Length - r.at; len(part) > left {
		return fmt.Errorf("dist: %d elements for a shard of %d that lacks %d", len(part), r.cfg.Length, left)
	}
	if r.merges[r.shard] == 0 {
		copy(r.stack[r.top][r.at:], part)
	} else {
		sum := r.stack[r.top-1][r.at : r.at+len(part)]
		r.add(sum, sum, part)
	}
	if r.at += len(part); r.at == r.cfg.Length {
		r.endShard()
	}
	return nil
}

var errNoReducer = errors.New("dist: no Reducer; NewReducer makes one")

// endShard adds the sums that the shard has completed.
func (r *Reducer[T]) endShard() {
	if r.merges[r.shard] == 0 {
		r.top++
	}
	for range r.merges[r.shard] - 1 {
		r.top--
		r.add(r.stack[r.top-1], r.stack[r.top-1], r.stack[r.top])
	}
	r.shard++
	r.at = 0
}

// add sets dst = x + y.
func (r *Reducer[T]) add(dst, x, y []T) {
	switch dst := any(dst).(type) {
	case []float32:
		r.vec.Map(vec.Add, dst, any(x).([]float32), any(y).([]float32), 0)
	case []float64:
		r.vec.Map64(vec.Add, dst, any(x).([]float64), any(y).([]float64), 0)
	}
}

// Finish takes part in the operations of the group that complete the sum, and writes it to dst, which
// has Length elements, on every rank. Then the shards of the next sum may be added. It is an error if
// this rank has not added all its shards.
func (r *Reducer[T]) Finish(ctx context.Context, dst []T) error {
	if r == nil || r.group == nil {
		return errNoReducer
	}
	if r.cfg.Length == 0 {
		r.shard = len(r.merges)
	}
	if r.shard < len(r.merges) {
		return fmt.Errorf("dist: rank %d has added %d of its %d shards", r.group.Rank(), r.shard, len(r.merges))
	}
	if len(dst) != r.cfg.Length {
		return fmt.Errorf("dist: %d elements for a sum of %d", len(dst), r.cfg.Length)
	}
	r.shard, r.top = 0, 0
	switch {
	case r.cfg.Length == 0:
		return nil
	case r.cfg.Wire == Library:
		return r.finishByLibrary(ctx, dst)
	}
	if err := r.exchange(ctx); err != nil {
		return err
	}
	me := r.group.Rank()
	r.sumPiece(dst[r.piece[me]:r.piece[me+1]])
	if r.cfg.Wire == BFloat16 {
		return r.gatherRounded(ctx, dst)
	}
	for p := range r.sums {
		r.sums[p] = Bytes(dst[r.piece[p]:r.piece[p+1]])
	}
	if r.group.Size() == 1 {
		return nil
	}
	return r.group.Gather(ctx, r.sums[me], r.sums)
}

// finishByLibrary leaves what lies across ranks to the group's own sum.
func (r *Reducer[T]) finishByLibrary(ctx context.Context, dst []T) error {
	own := r.stack[:r.parts[r.group.Rank()]]
	copy(dst, own[0])
	for _, part := range own[1:] {
		r.add(dst, dst, part)
	}
	if r.group.Size() == 1 {
		return nil
	}
	return Sum(ctx, r.group, dst)
}

// exchange sends the pieces of this rank's partial sums, and receives those of its own piece.
func (r *Reducer[T]) exchange(ctx context.Context) error {
	me, size := r.group.Rank(), r.group.Size()
	if size == 1 {
		return nil
	}
	own := r.parts[me]
	for p := range size {
		lo, hi := r.piece[p], r.piece[p+1]
		if p == me {
			continue
		}
		for i, part := range r.stack[:own] {
			at := own*lo + i*(hi-lo)
			if r.cfg.Wire == BFloat16 {
				narrow(r.rounded[at:at+hi-lo], any(part[lo:hi]).([]float32))
			} else if own > 1 {
				copy(r.packed[at:at+hi-lo], part[lo:hi])
			}
		}
	}
	if err := r.group.Exchange(ctx, r.send, r.recv); err != nil {
		return err
	}
	if r.cfg.Wire == BFloat16 {
		widen(any(r.got).([]float32), r.gotBits)
	}
	return nil
}

// sumPiece adds up the tree for this rank's piece.
func (r *Reducer[T]) sumPiece(dst []T) {
	if len(dst) == 0 {
		return
	}
	if len(r.leaves) == 1 {
		copy(dst, r.leaves[0])
		return
	}
	pending, last := r.pending[:0], len(r.leaves)-1
	for i, leaf := range r.leaves {
		pending = append(pending, leaf)
		for m := range r.finish[i] {
			n := len(pending)
			x, y := pending[n-2], pending[n-1]
			to := x
			if i == last && m == r.finish[i]-1 {
				to = dst
			}
			r.add(to, x, y)
			pending = pending[:n-1]
		}
	}
}

// gatherRounded rounds the sum of this rank's piece, and fills dst with those of all.
func (r *Reducer[T]) gatherRounded(ctx context.Context, dst []T) error {
	me, sum := r.group.Rank(), any(dst).([]float32)
	lo, hi := r.piece[me], r.piece[me+1]
	rounded := r.rounded[:r.cfg.Length]
	narrow(rounded[lo:hi], sum[lo:hi])
	if r.group.Size() > 1 {
		for p := range r.sums {
			r.sums[p] = Bytes(rounded[r.piece[p]:r.piece[p+1]])
		}
		if err := r.group.Gather(ctx, r.sums[me], r.sums); err != nil {
			return err
		}
	}
	widen(sum, rounded)
	return nil
}

// SumShards is a [Reducer] of one use: shards are those of this rank, in order, of the given number
// over all ranks, and dst gets the sum of all.
func SumShards[T Float](ctx context.Context, g Group, number int, shards [][]T, dst []T) error {
	r, err := NewReducer[T](g, ReducerConfig{Shards: number, Length: len(dst)})
	if err != nil {
		return err
	}
	if len(shards) != len(r.merges) {
		return fmt.Errorf("dist: %d shards on rank %d, want %d", len(shards), g.Rank(), len(r.merges))
	}
	for i, shard := range shards {
		if len(shard) != len(dst) {
			return fmt.Errorf("dist: shard %d has %d elements, want %d", i, len(shard), len(dst))
		}
		if err := r.Add(shard); err != nil {
			return err
		}
	}
	return r.Finish(ctx, dst)
}
