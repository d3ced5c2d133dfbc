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
	g := grouping{touches: map[*instr][]touch{}}
	for _, in := range p.instrs {
		g.touches[in] = in.touched()
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

// grouping is the work of group.
type grouping struct {
	touches map[*instr][]touch
	out     []*instr
	groups  int
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

func (t touch) meets(u touch) bool { return t.root == u.root && (t.writes || u.writes) }

// apart reports whether in may run at the same time as all of others, or change places with them.
func (g *grouping) apart(in *instr, others []*instr) bool {
	for _, o := range others {
		for _, t := range g.touches[in] {
			if slices.ContainsFunc(g.touches[o], t.meets) {
				return false
			}
		}
		if slices.ContainsFunc(in.in, func(v *value) bool { return v.def == o }) {
			return false // also where o is but another shape
		}
	}
	return true
}

// segment lists instructions anew, those of a group one after the other.
func (g *grouping) segment(instrs []*instr) {
	left := slices.Clone(instrs)
	for len(left) > 0 {
		together, rest := left[:1:1], []*instr(nil)
		if left[0].serial() {
			together, rest = g.gather(left)
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

// gather takes the first instruction and those after it that can run beside it. What is but
// another shape of a value goes ahead of them.
func (g *grouping) gather(left []*instr) (together, rest []*instr) {
	together = left[:1:1]
	for _, in := range left[1:min(len(left), maxAhead)] {
		free := g.apart(in, together) && g.apart(in, rest)
		switch {
		case free && in.kind == aliased:
			g.out = append(g.out, in)
		case free && in.serial():
			together = append(together, in)
		default:
			rest = append(rest, in)
		}
	}
	return together, append(rest, left[min(len(left), maxAhead):]...)
}

// serial reports whether in runs on one processor.
func (in *instr) serial() bool { return in.kind == compute && in.bound.Serial }
