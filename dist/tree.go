package dist

import "math/bits"

// span is the range [lo, hi) of shards that a node of the tree sums.
type span struct{ lo, hi int }

// mid is where a node is divided: [lo, mid) has as many shards as the largest power of two that is
// less than the whole. The nodes below depend on the number of shards alone.
func (s span) mid() int {
	return s.lo + 1<<(bits.Len(uint(s.hi-s.lo-1))-1)
}

// owned returns the shards of a rank.
func owned(rank, ranks, shards int) span {
	return span{rank * (shards / ranks), (rank + 1) * (shards / ranks)}
}

// subtrees returns the largest nodes below node that lie within s, from left to right: what a rank can
// sum by itself.
func subtrees(node, s span) []span {
	switch {
	case node.hi <= s.lo || s.hi <= node.lo:
		return nil
	case s.lo <= node.lo && node.hi <= s.hi:
		return []span{node}
	}
	m := node.mid()
	return append(subtrees(span{node.lo, m}, s), subtrees(span{m, node.hi}, s)...)
}

// merges says for each leaf, taken from left to right, how many times the two topmost sums of a stack
// are added once it lies on it, so that the nodes of root are added in the tree's order. leaves are
// nodes that together make up root.
func merges(root span, leaves []span) []int {
	counts := make([]int, len(leaves))
	next := 0
	var visit func(node span)
	visit = func(node span) {
		if leaves[next] == node {
			next++
			return
		}
		m := node.mid()
		visit(span{node.lo, m})
		visit(span{m, node.hi})
		counts[next-1]++
	}
	visit(root)
	return counts
}

// shardMerges is merges for the shards of a rank, one by one, which end as subtrees.
func shardMerges(trees []span) (counts []int) {
	for _, t := range trees {
		leaves := make([]span, t.hi-t.lo)
		for i := range leaves {
			leaves[i] = span{t.lo + i, t.lo + i + 1}
		}
		counts = append(counts, merges(t, leaves)...)
	}
	return counts
}

// depth returns the largest number of sums that lie on the stack, not counting a leaf that is added
// to the one below it at once.
func depth(merges []int) (most int) {
	n := 0
	for _, m := range merges {
		if n++; m == 0 {
			most = max(most, n)
		}
		n -= m
	}
	return max(most, 1)
}
