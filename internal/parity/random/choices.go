package main

import "math/rand/v2"

// choices are the decisions that a configuration is drawn by, each a number of which 0 is the
// simplest. They are drawn at random at first; a list of them can be drawn from again, in which
// what is beyond its end is 0, so that every list gives a configuration. What is shrunk is the
// list.
type choices struct {
	given  []int
	random *rand.Rand // nil where they are given
	made   []int
}

// of returns 0 to n-1.
func (c *choices) of(n int) int {
	v := 0
	switch at := len(c.made); {
	case c.random != nil:
		v = c.random.IntN(n)
	case at < len(c.given):
		v = min(c.given[at], n-1)
	}
	c.made = append(c.made, v)
	return v
}

// from returns lo to hi.
func (c *choices) from(lo, hi int) int { return lo + c.of(hi-lo+1) }

// once returns true in one of n cases.
func (c *choices) once(n int) bool { return c.of(n) == n-1 }

// pick returns one of several, of which the first is the simplest.
func pick[T any](c *choices, all ...T) T { return all[c.of(len(all))] }

// extent returns the extent of an axis: 1 to most, three times of four no more than a few.
func (c *choices) extent(most int) int {
	if few := 5; most > few && !c.once(4) {
		most = few
	}
	return c.from(1, most)
}

// extents returns a shape of that rank.
func (c *choices) extents(rank, most int) []int {
	s := make([]int, rank)
	for i := range s {
		s[i] = c.extent(most)
	}
	return s
}

// order returns the numbers below n in some order, of which their own is the simplest.
func (c *choices) order(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	for i := range p {
		j := i + c.of(n-i)
		p[i], p[j] = p[j], p[i]
	}
	return p
}

// some returns some of the numbers below n, in order, at least least of them.
func (c *choices) some(n, least int) (all []int) {
	for i := range n {
		if left := n - i; left <= least-len(all) || c.of(2) == 1 {
			all = append(all, i)
		}
	}
	return all
}
