package vm

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
)

// Limits of a fused map: its registers should fit into the first-level cache.
const (
	maxSteps  = 64
	maxInputs = 24
)

// maxApart is the largest distance between two instructions that are joined although others read
// the result of the first. Joining them requires a look at every instruction in between.
const maxApart = 1000

// fuse joins elementwise instructions of the same shape, so that they make one pass over memory. It
// also joins a producer whose result is read by others, as a further output, unless a third
// instruction lies on another path between the two.
func fuse(p *plan) error {
	p.relink()
	for merged := true; merged; { // each round leaves fewer instructions
		merged = false
		for i := len(p.instrs) - 1; i >= 0; i-- {
			c := p.instrs[i]
			for p.join(c) {
				merged = true
			}
			if c.at < i { // instructions that moved behind c are still to be visited
				i++
			}
		}
		p.compact()
	}
	return nil
}

// join merges one producer of an input of c into c, if it finds one that can be merged. It reports
// whether it did.
func (p *plan) join(c *instr) bool {
	if c.fmap == nil {
		return false
	}
	for _, v := range c.in {
		d := v.def
		if d == nil || d.fmap == nil || v.typ.Shape != c.out[0].typ.Shape || !small(d, c) || p.guards(d) {
			continue
		}
		if behind, ok := p.between(d, c); ok {
			p.merge(d, c)
			p.moveBehind(behind, d, c)
			return true
		}
	}
	return false
}

// small reports whether d and c together stay within the limits.
func small(d, c *instr) bool {
	return len(d.fmap.Steps)+len(c.fmap.Steps) <= maxSteps && len(d.in)+len(c.in) <= maxInputs
}

// guards reports whether a result of d is a number that is checked before the first write to the
// store. If d were merged into c, c would have to run before the check, and could not be computed
// directly into a leaf. The opposite merge costs nothing: inputs of a checked number run before the
// check in any case.
func (p *plan) guards(d *instr) bool {
	return p.prog.writes() && slices.ContainsFunc(d.out, checkedFinite)
}

// between returns the instructions between d and c that depend on d. If c depends on one of them,
// ok is false and d and c cannot be joined.
func (p *plan) between(d, c *instr) (behind map[*instr]bool, ok bool) {
	before := func(u *instr) bool { return u.at < c.at }
	if !slices.ContainsFunc(d.out, func(v *value) bool { return v.usedBy(before) }) {
		return nil, true
	}
	if c.at-d.at > maxApart {
		return nil, false
	}
	behind = map[*instr]bool{}
	mark := func(in *instr) (reachesC bool) {
		for _, v := range in.out {
			for _, u := range v.uses {
				if v.hasUse(u) && before(u) {
					behind[u] = true
				}
				reachesC = reachesC || u == c
			}
		}
		return reachesC
	}
	mark(d)
	for _, in := range p.instrs[d.at+1 : c.at] {
		if behind[in] && mark(in) {
			return nil, false
		}
	}
	return behind, true
}

// merge puts d into c and empties d. Results of d that other instructions read remain outputs.
func (p *plan) merge(d, c *instr) {
	ins := slices.Clone(d.in)
	index := func(v *value) int {
		if i := slices.Index(ins, v); i >= 0 {
			return i
		}
		ins = append(ins, v)
		return len(ins) - 1
	}
	base := len(d.fmap.Steps)
	moved := mapArgs(c.fmap, func(a engine.Arg) engine.Arg {
		if s, ok := a.Step(); ok {
			return engine.Res(base + s)
		}
		i, ok := a.Input()
		if !ok {
			return a
		}
		if k := slices.Index(d.out, c.in[i]); k >= 0 {
			return engine.Res(d.fmap.Outs[k])
		}
		return engine.In(index(c.in[i]))
	})
	m := &engine.Map{Steps: slices.Concat(d.fmap.Steps, moved.Steps)}
	for _, o := range c.fmap.Outs {
		m.Outs = append(m.Outs, base+o)
	}
	out := slices.Clone(c.out)
	for k, v := range d.out {
		if v.out || v.usedBy(func(u *instr) bool { return u != c }) {
			out, m.Outs = append(out, v), append(m.Outs, d.fmap.Outs[k])
		}
	}
	for _, v := range d.in {
		if !slices.Contains(c.in, v) {
			v.uses = append(v.uses, c)
		}
	}
	*c = instr{fmap: m, in: ins, out: out, nodes: slices.Concat(c.nodes, d.nodes), at: c.at}
	*d = instr{at: d.at}
	for _, v := range out {
		v.def = c
	}
}

// usedBy reports whether f is true for an instruction that uses v.
func (v *value) usedBy(f func(u *instr) bool) bool {
	for len(v.uses) > 0 && !v.hasUse(v.uses[0]) {
		v.uses = v.uses[1:]
	}
	return slices.ContainsFunc(v.uses, func(u *instr) bool { return v.hasUse(u) && f(u) })
}

// hasUse reports whether u, an element of v.uses, still uses v. An instruction that was joined to
// another stays in the list until the end of fuse; removing it would take time proportional to the
// length of the list.
func (v *value) hasUse(u *instr) bool { return !u.emptied() && u != v.def }

// moveBehind reorders the instructions from d to c: first those that c may depend on, then c, then
// those in behind.
func (p *plan) moveBehind(behind map[*instr]bool, d, c *instr) {
	if len(behind) == 0 {
		return
	}
	first, part := d.at, p.instrs[d.at:c.at+1]
	var before, after []*instr
	for _, in := range part {
		if behind[in] {
			after = append(after, in)
		} else {
			before = append(before, in) // the last of them is c
		}
	}
	for i, in := range slices.Concat(before, after) {
		part[i], in.at = in, first+i
	}
}
