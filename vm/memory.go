package vm

import (
	"cmp"
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
	blocks := p.blocks()
	slices.SortStableFunc(blocks, func(a, b *block) int { return cmp.Compare(b.bytes, a.bytes) })
	for i, b := range blocks {
		b.offset = firstFit(b, blocks[:i])
	}
	p.place(blocks)
	return nil
}

// spread gives every value memory of its own, where memory is switched off.
func spread(p *plan) error {
	blocks := p.blocks()
	end := 0
	for _, b := range blocks {
		b.offset, end = end, end+b.bytes
	}
	p.place(blocks)
	return nil
}

// blocks lists what needs a place in the arena. Outputs live on after the last instruction.
func (p *plan) blocks() (blocks []*block) {
	p.relink()
	l := newLifetimes(p)
	for _, in := range p.instrs {
		for _, v := range in.out {
			if v.root() == v && v.into == nil {
				blocks = append(blocks, &block{bytes: align(v.typ.Bytes()), first: in.at, last: l.last[v], value: v})
			}
		}
		if in.bound.Scratch > 0 {
			blocks = append(blocks, &block{bytes: align(in.bound.Scratch), first: in.at, last: in.at, instr: in})
		}
	}
	return blocks
}

func align(n int) int { return (n + lineBytes - 1) / lineBytes * lineBytes }

// firstFit returns the lowest offset at which b shares no memory with those of placed that
// live at the same time.
func firstFit(b *block, placed []*block) int {
	var live []*block
	for _, o := range placed {
		if o.first <= b.last && b.first <= o.last {
			live = append(live, o)
		}
	}
	slices.SortFunc(live, func(a, b *block) int { return cmp.Compare(a.offset, b.offset) })
	offset := 0
	for _, o := range live {
		if offset+b.bytes <= o.offset {
			break
		}
		offset = max(offset, o.offset+o.bytes)
	}
	return offset
}

func (p *plan) place(blocks []*block) {
	p.arena, p.unshared = 0, 0
	for _, b := range blocks {
		if b.value != nil {
			b.value.offset, b.value.placed = b.offset, true
		} else {
			b.instr.scratch = b.offset
		}
		p.arena = max(p.arena, b.offset+b.bytes)
		p.unshared += b.bytes
	}
	p.placed = blocks
}
