package main

import "slices"

// shrink returns simpler choices of which fails still holds, by trying ever smaller changes:
// stretches are left out, then set to 0, and single numbers made smaller. It tries no more than
// budget lists.
func shrink(made []int, budget int, fails func([]int) bool) []int {
	s := shrinker{made: made, left: budget, fails: fails}
	for before := -1; before != s.found; {
		before = s.found
		for n := max(1, len(s.made)/2); n > 0; n /= 2 {
			s.stretches(n)
		}
		s.numbers()
	}
	return s.made
}

type shrinker struct {
	made  []int
	left  int // how many may be tried
	found int // how often there were simpler ones
	fails func([]int) bool
}

func (s *shrinker) try(simpler []int) bool {
	if s.left == 0 || slices.Equal(simpler, s.made) || !s.fails(simpler) {
		s.left = max(0, s.left-1)
		return false
	}
	s.made = simpler
	s.left--
	s.found++
	return true
}

// stretches tries without n choices in a row, then with zeros in their place.
func (s *shrinker) stretches(n int) {
	for at := len(s.made) - n; at >= 0; at -= n {
		at = min(at, len(s.made)-n)
		if at < 0 || s.try(slices.Delete(slices.Clone(s.made), at, at+n)) {
			continue
		}
		zeros := slices.Clone(s.made)
		clear(zeros[at : at+n])
		s.try(zeros)
	}
}

// numbers makes single choices smaller: 0, half, one less.
func (s *shrinker) numbers() {
	for i := 0; i < len(s.made); i++ {
		for _, f := range []func(int) int{func(int) int { return 0 }, func(v int) int { return v / 2 }, func(v int) int { return v - 1 }} {
			for i < len(s.made) && s.made[i] > 0 {
				simpler := slices.Clone(s.made)
				if simpler[i] = f(simpler[i]); !s.try(simpler) {
					break
				}
			}
		}
	}
}
