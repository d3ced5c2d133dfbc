package vm

import (
	"cmp"
	"slices"
)

// skyline records which memory is taken at which time, so that a block can be placed without
// comparing it with every other. It is a tree over time: each node is an interval, and its two
// children are the halves. The root is node 1; the children of node i are 2i and 2i+1.
type skyline struct {
	size       int    // length of the root's interval; a power of two
	sometimes  []runs // by node: memory taken at some time in the interval
	throughout []runs // by node: memory of blocks that live during the whole interval
}

// newSkyline returns a skyline for blocks that live between 0 and last.
func newSkyline(last int) *skyline {
	size := 1
	for size <= last {
		size *= 2
	}
	return &skyline{size, make([]runs, 2*size), make([]runs, 2*size)}
}

// place takes memory for b at the lowest offset at which it overlaps no block placed before that is
// live at the same time. It returns the offset.
func (s *skyline) place(b *block) (offset int) {
	if b.bytes == 0 {
		return 0
	}
	taken := s.during(b.first, b.last)
	for i, clear := 0, 0; clear < len(taken); i = (i + 1) % len(taken) {
		clear++
		if end := taken[i].pass(offset, b.bytes); end > offset {
			offset, clear = end, 0
		}
	}
	s.take(b.first, b.last, run{offset, offset + b.bytes})
	return offset
}

// during returns the memory taken at some time from first to last, as sets that may overlap.
func (s *skyline) during(first, last int) (taken []runs) {
	s.split(first, last, func(node int, whole bool) {
		r := s.throughout[node]
		if whole {
			r = s.sometimes[node]
		}
		if len(r) > 0 {
			taken = append(taken, r)
		}
	})
	return taken
}

// take marks r as taken from first to last.
func (s *skyline) take(first, last int, r run) {
	s.split(first, last, func(node int, whole bool) {
		s.sometimes[node].add(r)
		if whole {
			s.throughout[node].add(r)
		}
	})
}

// split calls f for the fewest nodes that together cover the time from first to last and, with
// whole false, for their ancestors.
func (s *skyline) split(first, last int, f func(node int, whole bool)) {
	var visit func(node, from, to int)
	visit = func(node, from, to int) {
		switch {
		case to < first || last < from:
		case first <= from && to <= last:
			f(node, true)
		default:
			f(node, false)
			half := (from + to) / 2
			visit(2*node, from, half)
			visit(2*node+1, half+1, to)
		}
	}
	visit(1, 0, s.size-1)
}

// run is the memory from begin up to but not including end.
type run struct{ begin, end int }

// runs are sorted, with free memory between each run and the next.
type runs []run

// pass returns the end of the last run that a block of so many bytes at offset would overlap, or
// offset if there is none.
func (r runs) pass(offset, bytes int) int {
	for i := r.endingAfter(offset); i < len(r) && r[i].begin < offset+bytes; i++ {
		offset = r[i].end
	}
	return offset
}

// endingAfter returns the index of the first run that ends after offset.
func (r runs) endingAfter(offset int) int {
	i, _ := slices.BinarySearchFunc(r, offset+1, func(x run, end int) int { return cmp.Compare(x.end, end) })
	return i
}

// add adds n, and joins it to the runs that it touches.
func (r *runs) add(n run) {
	first := r.endingAfter(n.begin - 1)
	next := first
	for ; next < len(*r) && (*r)[next].begin <= n.end; next++ {
		n = run{min(n.begin, (*r)[next].begin), max(n.end, (*r)[next].end)}
	}
	*r = slices.Replace(*r, first, next, n)
}
