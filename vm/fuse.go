package vm

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
)

// Bounds of a fused map: its registers should stay in the first-level cache.
const (
	maxSteps  = 64
	maxInputs = 24
)

// fuse joins elementwise instructions of one shape into one pass over memory. A producer
// joins its consumer also where others read its result, which then becomes a further
// output, unless the two are connected through another instruction as well.
func fuse(p *plan) error {
	p.relink()
	for merged := true; merged; { // each round leaves fewer instructions
		merged = false
		for i := len(p.instrs) - 1; i >= 0; i-- {
			c := p.instrs[i]
			for d := p.producer(c); d != nil; d = p.producer(c) {
				p.merge(d, c)
				merged, i = true, c.at
			}
		}
	}
	return nil
}

// producer returns an instruction that can join its consumer c, or nil.
func (p *plan) producer(c *instr) *instr {
	if c.fmap == nil {
		return nil
	}
	for _, v := range c.in {
		if d := v.def; d != nil && d.fmap != nil && d != c && v.typ.Shape == c.out[0].typ.Shape && fits(d, c) && !p.guards(d, c) && !p.between(d, c) {
			return d
		}
	}
	return nil
}

func fits(d, c *instr) bool {
	return len(d.fmap.Steps)+len(c.fmap.Steps) <= maxSteps && len(d.in)+len(c.in) <= maxInputs
}

// guards reports whether joining d and c would tie a number that is checked before the first
// write to something that may be one.
func (p *plan) guards(d, c *instr) bool {
	if !p.prog.writes() {
		return false
	}
	shared := slices.ContainsFunc(d.out, func(v *value) bool {
		return v.out || slices.ContainsFunc(v.uses, func(u *instr) bool { return u != c })
	})
	return slices.ContainsFunc(d.out, checkedFinite) || shared && slices.ContainsFunc(c.out, checkedFinite)
}

// between reports whether c depends on d through an instruction other than d and c.
func (p *plan) between(d, c *instr) bool {
	reached := map[*instr]bool{}
	for _, v := range d.out {
		for _, u := range v.uses {
			if u != c {
				reached[u] = true
			}
		}
	}
	for _, in := range p.instrs[d.at+1 : c.at] {
		if !reached[in] {
			continue
		}
		for _, v := range in.out {
			for _, u := range v.uses {
				if u == c {
					return true
				}
				reached[u] = true
			}
		}
	}
	return false
}

// merge puts d into c and removes it. Results of d that others read stay outputs; these
// readers, which come after d, are moved behind c where need be.
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
	out := slices.Clone(c.out)
	for _, o := range c.fmap.Outs {
		m.Outs = append(m.Outs, base+o)
	}
	for k, v := range d.out {
		if v.out || slices.ContainsFunc(v.uses, func(u *instr) bool { return u != c }) {
			out, m.Outs = append(out, v), append(m.Outs, d.fmap.Outs[k])
		}
	}
	*c = instr{fmap: m, in: ins, out: out, nodes: slices.Concat(c.nodes, d.nodes)}
	p.instrs = slices.Delete(p.instrs, d.at, d.at+1)
	p.sort()
}
