package vm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/engine"
)

// ErrMemory is wrapped by errors about a program that does not fit the memory given by
// [WithMemory], or needs more than the process may have. Limits on the process are GOMEMLIMIT or
// debug.SetMemoryLimit and, on Linux, the available memory of the machine, the limits of its
// control groups, and ulimit -v and -d. The memory is compared with the limits before it is
// allocated.
var ErrMemory = errors.New("not enough memory")

// maxChain is the largest number of instructions that are run again for one value.
const maxChain = 8

// remat makes the arena fit a limit. At the point where most memory is live, it picks a value that
// only waits for a later use, and computes it again for that use. It repeats this until the plan,
// laid out by the following passes, is small enough.
func remat(p *plan) error {
	budget := p.prog.unit.opts.memory
	if budget == 0 {
		return nil
	}
	r := &rematerialiser{plan: p, again: map[*instr]bool{}}
	if err := r.settle(); err != nil {
		return err
	}
	for range len(p.instrs) {
		t, err := r.try()
		if err != nil {
			return err
		}
		if t.arena <= budget {
			return nil
		}
		r.least = min(cmp.Or(r.least, t.arena), t.arena)
		r.peaks = t
		if !r.improve() {
			return r.refuse(budget)
		}
	}
	return r.refuse(budget)
}

// rematerialiser holds the state of remat.
type rematerialiser struct {
	*plan
	again map[*instr]bool // added by remat
	peaks trial
	least int // the smallest arena so far
}

// settle sorts the instructions as schedule would, so that inserted ones keep their place.
func (r *rematerialiser) settle() error {
	if r.prog.unit.opts.off["schedule"] {
		return arrange(r.plan)
	}
	return schedule(r.plan)
}

// trial is a plan laid out by the following passes.
type trial struct {
	arena int
	at    *instr   // where most memory is live
	live  []*block // live blocks at that instruction, the largest first
	of    map[*instr]*instr
}

// try lays out a copy of the plan.
func (r *rematerialiser) try() (t trial, err error) {
	c, of := r.copied()
	t.of = of
	for _, run := range r.prog.unit.opts.running(placingPasses()) {
		if err := run(c); err != nil {
			return t, err
		}
	}
	t.arena = c.arena
	most := -1
	sum := make([]int, len(c.instrs)+1)
	for _, b := range c.placed {
		sum[b.first] += b.bytes
		if b.last+1 < len(sum) {
			sum[b.last+1] -= b.bytes
		}
	}
	for i, bytes := 0, 0; i < len(c.instrs); i++ {
		if bytes += sum[i]; bytes > most {
			most, t.at = bytes, c.instrs[i]
		}
	}
	for _, b := range c.placed {
		if t.at != nil && b.first <= t.at.at && t.at.at <= b.last {
			t.live = append(t.live, b)
		}
	}
	slices.SortStableFunc(t.live, func(a, b *block) int { return b.bytes - a.bytes })
	return t, nil
}

// copied returns a copy of the plan, and a map from its instructions to the originals.
func (p *plan) copied() (*plan, map[*instr]*instr) {
	c := &plan{prog: p.prog, batch: p.batch}
	for _, v := range p.values {
		w := *v
		w.def, w.uses = nil, nil
		c.values = append(c.values, &w)
	}
	image := func(vs []*value) []*value {
		ws := make([]*value, len(vs))
		for i, v := range vs {
			ws[i] = c.values[v.id]
		}
		return ws
	}
	of := map[*instr]*instr{}
	for _, in := range p.instrs {
		d := *in
		d.in, d.out = image(in.in), image(in.out)
		if in.leaf != nil {
			d.leaf = c.values[in.leaf.id]
		}
		of[&d] = in
		c.instrs = append(c.instrs, &d)
	}
	c.outs = image(p.outs)
	c.relink()
	return c, of
}

// chain is a way to compute a value again. Chains are compared by their time per byte freed.
type chain struct {
	of     *value
	family []*value // the value and its aliases
	instrs []*instr // to run again, in order
	cost   int
}

// improve computes one value again after the peak, and reports whether it found one.
func (r *rematerialiser) improve() bool {
	peak := r.peaks.of[r.peaks.at]
	if peak == nil {
		return false
	}
	r.relink()
	var best *chain
	for _, v := range r.values {
		c := r.chainFor(v, peak.at)
		if c == nil {
			continue
		}
		if best == nil || c.cost*best.of.typ.Bytes() < best.cost*c.of.typ.Bytes() {
			best = c
		}
	}
	if best == nil {
		return false
	}
	r.apply(best, peak.at)
	return true
}

// chainFor returns how to compute v again for its uses after the peak. It returns nil if v is used
// at the peak, or if nothing would be gained.
func (r *rematerialiser) chainFor(v *value, peak int) *chain {
	if v.dropped || v.from != fromInstr || v.def == nil || v.def.kind != compute || v.def.at >= peak || r.again[v.def] || v.out {
		return nil
	}
	c := &chain{of: v, family: family(v)}
	late := -1
	for _, w := range c.family {
		if w.out {
			return nil
		}
		for _, u := range w.uses {
			if u.at == peak || u.at > peak && u.kind == write {
				return nil
			}
			if u.at > peak && u.kind != aliased && (late < 0 || u.at < late) {
				late = u.at
			}
		}
	}
	if late < 0 {
		return nil
	}
	seen, extra := map[*instr]bool{}, 0
	if !r.collect(v.def, peak, late, c, seen, &extra) || extra >= v.typ.Bytes() {
		return nil
	}
	slices.SortFunc(c.instrs, func(a, b *instr) int { return a.at - b.at })
	for _, in := range c.instrs {
		c.cost += in.cost()
	}
	return c
}

// collect adds to a chain in and the instructions that must run again for its inputs. An input that
// is still live at the later time is used as it is; a small one that is not is kept alive longer.
func (r *rematerialiser) collect(in *instr, peak, late int, c *chain, seen map[*instr]bool, extra *int) bool {
	if seen[in] {
		return true
	}
	if in.bound.Fails || len(c.instrs) == maxChain {
		return false
	}
	seen[in] = true
	c.instrs = append(c.instrs, in)
	for _, x := range in.in {
		root := x
		for root.def != nil && root.def.kind == aliased {
			root = root.def.in[0]
		}
		if root.from != fromInstr || root.out || liveUntil(root) >= late {
			continue
		}
		if root.typ.Bytes()*16 < c.of.typ.Bytes() {
			*extra += root.typ.Bytes()
			continue
		}
		for w := x; w != root; w = w.def.in[0] {
			if !seen[w.def] {
				seen[w.def] = true
				c.instrs = append(c.instrs, w.def)
			}
		}
		if !r.collect(root.def, peak, late, c, seen, extra) {
			return false
		}
	}
	return true
}

// family lists v and its aliases.
func family(v *value) []*value {
	all := []*value{v}
	for i := 0; i < len(all); i++ {
		for _, u := range all[i].uses {
			if u.kind == aliased && u.in[0] == all[i] {
				all = append(all, u.out[0])
			}
		}
	}
	return all
}

// liveUntil returns the last instruction that reads v or an alias of it.
func liveUntil(v *value) (last int) {
	for _, w := range family(v) {
		for _, u := range w.uses {
			if u.kind != aliased {
				last = max(last, u.at)
			}
		}
	}
	return last
}

// macsPerByte weighs arithmetic against memory traffic.
const macsPerByte = 8

// cost returns the cost of running the instruction once more, in bytes moved.
func (in *instr) cost() (bytes int) {
	if in.kind == aliased {
		return 0
	}
	for _, v := range slices.Concat(in.in, in.out) {
		bytes += v.typ.Bytes()
	}
	if op, ok := in.op.(engine.CountedOp); ok && in.fmap == nil {
		bytes += op.MACs(types(in.in), in.out[0].typ) / macsPerByte
	}
	return bytes
}

// apply inserts copies of the chain before the first use after the peak, and makes this and later
// uses read them.
func (r *rematerialiser) apply(c *chain, peak int) {
	image := map[*value]*value{}
	var copies []*instr
	redo := func(in *instr) {
		d := *in
		d.in, d.out = nil, nil
		for _, x := range in.in {
			d.in = append(d.in, cmp.Or(image[x], x))
		}
		for _, v := range in.out {
			w := r.newValue(v.typ, v.node, fromInstr)
			w.layout = v.layout
			image[v] = w
			d.out = append(d.out, w)
		}
		r.again[&d] = true
		copies = append(copies, &d)
	}
	for _, in := range c.instrs {
		redo(in)
	}
	first := len(r.instrs)
	for _, v := range c.family {
		for _, u := range v.uses {
			if u.at > peak && u.kind != aliased {
				first = min(first, u.at)
			}
		}
		if v != c.of && image[v] == nil {
			redo(v.def)
		}
	}
	for _, v := range c.family {
		for _, u := range v.uses {
			if u.at <= peak || u.kind == aliased {
				continue
			}
			for k, x := range u.in {
				if x == v {
					u.in[k] = image[v]
				}
			}
		}
	}
	r.instrs = slices.Insert(r.instrs, first, copies...)
	r.prune()
}

// refuse returns the error for a program that does not fit.
func (r *rematerialiser) refuse(budget int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "at N=%d the values of a run need at least %d bytes, the budget is %d", r.batch, r.least, budget)
	if r.peaks.at != nil {
		fmt.Fprintf(&b, "; most are live at %s, the largest:", r.peaks.at.label())
	}
	for i, bl := range r.peaks.live {
		if i == 5 {
			fmt.Fprintf(&b, "\n\tand %d more", len(r.peaks.live)-i)
			break
		}
		of := bl.instr
		what := "scratch of "
		if bl.value != nil {
			of, what = bl.value.def, bl.value.typ.String()+" of "
		}
		fmt.Fprintf(&b, "\n\t%d bytes: %s%s", bl.bytes, what, of.label())
	}
	return fmt.Errorf("%w: %s", ErrMemory, b.String())
}

// label returns the name of the instruction with its layer and line.
func (in *instr) label() string {
	n := in.node()
	if n.Layer() == "" {
		return fmt.Sprintf("%s (%v)", in.name(), n.Pos())
	}
	return fmt.Sprintf("%s (layer %s, %v)", in.name(), n.Layer(), n.Pos())
}
