package vm

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
)

// maxAhead is how many instructions group looks ahead for more to run at once.
const maxAhead = 64

// group lets instructions that are too small to be shared out run side by side, where none
// touches memory that another changes. One that comes later is taken forward, but not past the
// first write to the store.
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

// span returns the first and the last of the instructions that may run at the same time as in.
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

// grouping is the work of group. Its tables, by a value's id, say in which window it was last read,
// written or, under any shape, given by one of the instructions that stay in it.
type grouping struct {
	read, written, given []int
	touches              [][]touch // by an instruction's place
	window               int
	out                  []*instr
	groups               int
}

// touch is memory that an instruction reads or writes, named by the value whose it is.
type touch struct {
	root   *value
	writes bool
}

// touched lists what in works on.
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
		add(v, in.kind != aliased)
	}
	if in.leaf != nil {
		add(in.leaf, true)
	}
	return ts
}

// apart reports whether in may run at the same time as all that is noted in the window, or change
// places with them.
func (g *grouping) apart(in *instr) bool {
	for _, t := range g.touches[in.at] {
		if g.written[t.root.id] == g.window || t.writes && g.read[t.root.id] == g.window {
			return false
		}
	}
	return !slices.ContainsFunc(in.in, func(v *value) bool { return g.given[v.id] == g.window }) // also where it is but another shape
}

// note puts in among what apart looks at.
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

// segment lists instructions anew, those of a group one after the other.
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

// beside takes the first instruction and those after it that can run beside it. What is but
// another shape of a value goes ahead of them. The rest keeps its place at the end of left.
func (g *grouping) beside(left []*instr) (together, rest []*instr) {
	g.window++
	g.note(left[0])
	window := left[:min(len(left), maxAhead)]
	together = []*instr{left[0]}
	for _, in := range window[1:] {
		free := g.apart(in)
		if free && in.kind == aliased {
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

// serial reports whether in runs on one processor.
func (in *instr) serial() bool { return in.kind == compute && in.bound.Serial }
