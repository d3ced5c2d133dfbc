package vm

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
)

// maxAhead is how many instructions group looks ahead to find instructions that can run at the same
// time.
const maxAhead = 64

// group lets instructions that are too small to be split among workers run side by side, if none
// touches memory that another writes. It may move an instruction forward, but not across the first
// write to the store.
func group(p *plan) error {
	if _, ok := p.prog.unit.eng.(engine.Sharer); !ok {
		return nil
	}
	n := len(p.values)
	g := grouping{read: make([]int, n), written: make([]int, n), given: make([]int, n)}
	for _, in := range p.instrs {
		g.touches = append(g.touches, in.touched())
	}
	commit := p.firstWrite()
	g.segment(p.instrs[:commit])
	g.segment(p.instrs[commit:])
	p.instrs = g.out
	p.relink()
	return nil
}

// span returns the first and the last instruction that may run at the same time as in.
func (p *plan) span(in *instr) (first, last int) {
	first, last = in.at, in.at
	for in.group > 0 && first > 0 && p.instrs[first-1].group == in.group {
		first--
	}
	for in.group > 0 && last+1 < len(p.instrs) && p.instrs[last+1].group == in.group {
		last++
	}
	return first, last
}

// grouping holds the state of group. Its tables are indexed by value id. They hold the last window
// in which an instruction that stays in the window read, wrote, or defined the value or an alias of
// it.
type grouping struct {
	read, written, given []int
	touches              [][]touch // by position of the instruction
	window               int
	out                  []*instr
	groups               int
}

// touch is an access to the memory of a root value.
type touch struct {
	root   *value
	writes bool
}

// touched lists the memory that in accesses.
func (in *instr) touched() (ts []touch) {
	add := func(v *value, writes bool) {
		r := v.root()
		if r.into != nil {
			r = r.into
		}
		ts = append(ts, touch{r, writes})
	}
	for _, v := range in.in {
		add(v, false)
	}
	for _, v := range in.out {
		add(v, in.kind != aliased && in.kind != joined)
	}
	if in.leaf != nil {
		add(in.leaf, true)
	}
	return ts
}

// apart reports whether in is independent of all instructions noted in the window, so that it may
// run at the same time or before them.
func (g *grouping) apart(in *instr) bool {
	for _, t := range g.touches[in.at] {
		if g.written[t.root.id] == g.window || t.writes && g.read[t.root.id] == g.window {
			return false
		}
	}
	return !slices.ContainsFunc(in.in, func(v *value) bool { return g.given[v.id] == g.window }) // in may be an alias
}

// note adds in to the instructions that apart compares with.
func (g *grouping) note(in *instr) {
	for _, t := range g.touches[in.at] {
		if g.read[t.root.id] = g.window; t.writes {
			g.written[t.root.id] = g.window
		}
	}
	for _, v := range in.out {
		g.given[v.id] = g.window
	}
}

// segment rebuilds the list of instructions, with those of a group next to each other.
func (g *grouping) segment(instrs []*instr) {
	left := slices.Clone(instrs)
	for len(left) > 0 {
		together, rest := left[:1:1], []*instr(nil)
		if left[0].serial() {
			together, rest = g.beside(left)
		} else {
			rest = left[1:]
		}
		if len(together) > 1 {
			g.groups++
			for _, in := range together {
				in.group = g.groups
			}
		}
		g.out = append(g.out, together...)
		left = rest
	}
}

// beside returns the first instruction together with later ones that can run at the same time.
// Aliases among them are emitted first. The others keep their order at the end of left.
func (g *grouping) beside(left []*instr) (together, rest []*instr) {
	g.window++
	g.note(left[0])
	window := left[:min(len(left), maxAhead)]
	together = []*instr{left[0]}
	for _, in := range window[1:] {
		free := g.apart(in)
		if free && (in.kind == aliased || in.kind == joined) {
			g.out = append(g.out, in)
			continue
		}
		g.note(in)
		if free && in.serial() {
			together = append(together, in)
		} else {
			rest = append(rest, in)
		}
	}
	first := len(window) - len(rest)
	copy(left[first:], rest)
	return together, left[first:]
}

// serial reports whether the kernel of in runs on one processor.
func (in *instr) serial() bool { return in.kind == compute && in.bound.Serial }
