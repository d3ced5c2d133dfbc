package vm_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/vm"
)

// lives are random blocks, some of them empty, in a program of so many instructions.
func lives(r *rand.Rand, n, instrs int) []vm.Block {
	blocks := make([]vm.Block, n)
	for i := range blocks {
		first := r.IntN(instrs)
		last := first + r.IntN(instrs-first+1) // outputs live on after the last instruction
		if r.IntN(2) == 0 {
			last = min(first+r.IntN(4), instrs)
		}
		blocks[i] = vm.Block{Bytes: 64 * r.IntN(6), First: first, Last: last}
	}
	return blocks
}

// together reports whether a and b live at the same time and share memory.
func together(a, b vm.Block) bool {
	return a.First <= b.Last && b.First <= a.Last && a.Offset < b.Offset+b.Bytes && b.Offset < a.Offset+a.Bytes
}

// The lowest offset that is free is found again by trying one after the other.
func TestBlocksAreAtTheLowestOffsetThatIsFree(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		instrs := 1 + r.IntN(40)
		blocks := lives(r, 1+r.IntN(80), instrs)
		vm.Place(blocks, instrs)
		for i, b := range blocks {
			want := b
			for want.Offset = 0; meets(want, blocks[:i]); want.Offset += 64 {
			}
			require.Equal(t, want.Offset, b.Offset, "seed %d, block %d of %v", seed, i, blocks)
		}
		require.NoError(t, vm.CheckBlocks(blocks, instrs))
	}
}

func meets(b vm.Block, others []vm.Block) bool {
	for _, o := range others {
		if together(b, o) {
			return true
		}
	}
	return false
}

func TestBlocksThatOverlapAreNoticed(t *testing.T) {
	noticed := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		instrs := 1 + r.IntN(12)
		blocks := lives(r, 12, instrs)
		vm.Place(blocks, instrs)
		moved := &blocks[r.IntN(len(blocks))]
		moved.Bytes, moved.Offset = 64*(1+r.IntN(2)), 64*r.IntN(12)
		wrong := false
		for i, b := range blocks {
			wrong = wrong || meets(b, blocks[:i])
		}
		err := vm.CheckBlocks(nonempty(blocks), instrs)
		require.Equal(t, wrong, err != nil, "seed %d: %v: %v", seed, blocks, err)
		if wrong {
			noticed++
		}
	}
	require.Greater(t, noticed, 50)
	require.Less(t, noticed, 190)
}

// nonempty leaves out blocks that take no memory.
func nonempty(blocks []vm.Block) (some []vm.Block) {
	for _, b := range blocks {
		if b.Bytes > 0 {
			some = append(some, b)
		}
	}
	return some
}

// What is looked at to find a place grows hardly more than the program does.
func TestWhatIsTakenStaysShortInLongPrograms(t *testing.T) {
	for name, f := range sequences {
		runs := func(steps int) int {
			p, err := vm.Compile(ref.Engine{}, sequenceStep(steps, f), vm.Train)
			require.NoError(t, err)
			n, err := vm.SkylineRuns(p, 2)
			require.NoError(t, err)
			return n
		}
		short, long := runs(64), runs(256)
		require.LessOrEqual(t, long, 6*short, "%s: %d, %d", name, short, long)
	}
}
