package vm

import (
	"cmp"
	"fmt"
	"slices"
)

// lineBytes is the alignment of every value in the arena, the size of a cache line.
const lineBytes = 64

// block is a piece of the arena that is needed from instruction first to last.
type block struct {
	bytes, offset int
	first, last   int
	value         *value // nil for scratch
	instr         *instr // if it is scratch
}

// memory gives every value and every scratch buffer an offset in one arena. It places larger blocks
// first, each at the lowest offset that is free during its whole lifetime.
func memory(p *plan) error {
	blocks, err := p.blocks()
	if err != nil {
		return err
	}
	slices.SortStableFunc(blocks, func(a, b *block) int { return cmp.Compare(b.bytes, a.bytes) })
	sky := newSkyline(len(p.instrs))
	for _, b := range blocks {
		b.offset = sky.place(b)
	}
	return p.place(blocks)
}

// separate gives every value memory of its own. It replaces memory if that is switched off.
func separate(p *plan) error {
	blocks, err := p.blocks()
	if err != nil {
		return err
	}
	end := 0
	for _, b := range blocks {
		b.offset, end = end, end+b.bytes
	}
	return p.place(blocks)
}

// maxUnshared is the largest sum of all blocks. It prevents overflow in sums of them.
const maxUnshared = 1 << 60

// blocks lists the blocks to place in the arena. Outputs live beyond the last instruction.
func (p *plan) blocks() (blocks []*block, err error) {
	p.relink()
	l := newLifetimes(p)
	begun := make([]int, len(p.values)) // by id: 1 + the first instruction that computes part of the value
	for _, in := range p.instrs {
		first, last := p.span(in)
		for _, v := range in.out {
			r := v.root()
			if begun[r.id] == 0 {
				begun[r.id] = 1 + first
			}
			if r == v && v.into == nil {
				blocks = append(blocks, &block{bytes: align(v.typ.Bytes()), first: begun[v.id] - 1, last: l.last[v.id], value: v})
			}
		}
		if in.bound.Scratch > 0 {
			blocks = append(blocks, &block{bytes: align(in.bound.Scratch), first: first, last: last, instr: in})
		}
	}
	p.unshared = 0
	for _, b := range blocks {
		if p.unshared += b.bytes; p.unshared > maxUnshared {
			return nil, p.tooLarge(p.unshared)
		}
	}
	return blocks, nil
}

// tooLarge returns the error for a plan that needs so many bytes.
func (p *plan) tooLarge(bytes int) error {
	return fmt.Errorf("at batch size N=%d the program needs %s, %w", p.batch, amount(bytes), errTooLarge)
}

var errTooLarge = fmt.Errorf("%w: more than memory can hold; take smaller batches", ErrMemory)

func align(n int) int { return (n + lineBytes - 1) / lineBytes * lineBytes }

func (p *plan) place(blocks []*block) error {
	p.arena = p.packScratch
	for _, b := range blocks {
		if b.value != nil {
			b.value.offset, b.value.placed = b.offset, true
		} else {
			b.instr.scratch = b.offset
		}
		p.arena = max(p.arena, b.offset+b.bytes)
	}
	p.placed = blocks
	if p.arena > maxBytes {
		return p.tooLarge(p.arena)
	}
	return nil
}
