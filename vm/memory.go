package vm

import (
	"cmp"
	"fmt"
	"slices"
)

// lineBytes aligns every place in the arena, to a cache line.
const lineBytes = 64

// block is memory of the arena that is needed from instruction first to last.
type block struct {
	bytes, offset int
	first, last   int
	value         *value // nil for scratch
	instr         *instr // of scratch
}

// memory gives every value and scratch its place in one arena. Larger blocks are placed
// first, each at the lowest offset that is free throughout its life.
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

// separate gives every value memory of its own, where memory is switched off.
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

// maxUnshared bounds the sum of all blocks, so that no sum of some overflows.
const maxUnshared = 1 << 60

// blocks lists what needs a place in the arena. Outputs live on after the last instruction.
func (p *plan) blocks() (blocks []*block, err error) {
	p.relink()
	l := newLifetimes(p)
	for _, in := range p.instrs {
		first, last := p.span(in)
		for _, v := range in.out {
			if v.root() == v && v.into == nil {
				blocks = append(blocks, &block{bytes: align(v.typ.Bytes()), first: first, last: l.last[v.id], value: v})
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

// tooLarge is the error of a plan that takes so many bytes.
func (p *plan) tooLarge(bytes int) error {
	return fmt.Errorf("at batch size N=%d the program takes %s, %w", p.batch, amount(bytes), errTooLarge)
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
