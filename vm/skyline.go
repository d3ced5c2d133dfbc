package vm

import (
	"cmp"
	"slices"
)

// skyline knows which memory is taken at which time, so that a block finds its place without
// looking at every other. It is a tree over time: a node is a stretch of it, which the two below
// halve. The root is node 1, and those below node i are 2i and 2i+1.
type skyline struct {
	size       int    // how long the root's stretch is; a power of two
	sometimes  []runs // by node: what is taken at some time of the stretch
	throughout []runs // what blocks take that last for the whole of it
}

// newSkyline is for blocks that live from 0 to last.
func newSkyline(last int) *skyline {
	size := 1
	for size <= last {
		size *= 2
	}
	return &skyline{size, make([]runs, 2*size), make([]runs, 2*size)}
}

// place returns the lowest offset at which b shares no memory with those placed before that live
// at the same time, and takes the memory there.
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

// during returns what is taken at some time from first to last, as sets that may overlap.
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

// take notes r as taken from first to last.
func (s *skyline) take(first, last int, r run) {
	s.split(first, last, func(node int, whole bool) {
		s.sometimes[node].add(r)
		if whole {
			s.throughout[node].add(r)
		}
	})
}

// split calls f for the fewest nodes that together are the time from first to last, and, as not
// whole, for the nodes above them.
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

// run is the memory from begin to just before end.
type run struct{ begin, end int }

// runs are in order, with memory that is free between each and the next.
type runs []run

// pass returns the end of the last run that is in the way of so many bytes at offset; offset
// where none is.
func (r runs) pass(offset, bytes int) int {
	for i := r.endingAfter(offset); i < len(r) && r[i].begin < offset+bytes; i++ {
		offset = r[i].end
	}
	return offset
}

// endingAfter is the index of the first run that ends after offset.
func (r runs) endingAfter(offset int) int {
	i, _ := slices.BinarySearchFunc(r, offset+1, func(x run, end int) int { return cmp.Compare(x.end, end) })
	return i
}

// add takes n in, and joins it to the runs that it meets.
func (r *runs) add(n run) {
	first := r.endingAfter(n.begin - 1)
	next := first
	for ; next < len(*r) && (*r)[next].begin <= n.end; next++ {
		n = run{min(n.begin, (*r)[next].begin), max(n.end, (*r)[next].end)}
	}
	*r = slices.Replace(*r, first, next, n)
}
