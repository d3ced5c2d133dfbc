package vm

import (
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
)

// region is a set of instructions that could work with a layout. A minimum cut decides which of
// them do: instructions that gain by the layout are on one side, those that stay with rows on the
// other, and an edge between the sides is a tensor that must be converted, weighted by its size in
// bytes.
type region struct {
	*plan
	layout engine.Layout
	instrs []*instr
	how    []engine.Arrangement // by instruction
	at     map[*instr]int       // index of an instruction
}

// neighbours lists the producers and consumers of tensors that would have the layout in instruction
// i.
func (r *region) neighbours(i int) (ns []*instr) {
	for k, v := range r.instrs[i].in {
		if r.how[i].In[k] == r.layout && v.def != nil {
			ns = append(ns, v.def)
		}
	}
	if r.how[i].Out == r.layout {
		for _, v := range r.instrs[i].out {
			ns = append(ns, v.uses...)
		}
	}
	return ns
}

// The first nodes of the network are the two sides; instruction i is node i+2.
const (
	laid   = iota // has the layout
	inRows        // has rows
	sides
)

// cut reports for each instruction whether it stays with rows. Among cuts of equal cost it takes
// the one with the fewest such instructions.
func (r *region) cut() []bool {
	n := newNetwork(sides + len(r.instrs))
	for i, a := range r.how {
		if a.Wins {
			n.join(laid, sides+i, math.MaxInt)
		}
	}
	for _, v := range r.values() {
		r.charge(n, v)
	}
	n.saturate(laid, inRows)
	keeps := n.reaching(inRows)[sides:]
	return keeps[:len(r.instrs)]
}

// values lists the values that could have the layout in some instruction.
func (r *region) values() (all []*value) {
	seen := map[*value]bool{}
	add := func(v *value, l engine.Layout) {
		if l == r.layout && !seen[v] {
			seen[v] = true
			all = append(all, v)
		}
	}
	for i, in := range r.instrs {
		for k, v := range in.in {
			add(v, r.how[i].In[k])
		}
		for _, v := range in.out {
			add(v, r.how[i].Out)
		}
	}
	return all
}

// charge adds the cost of converting v, which is the same for any number of readers: from the
// layout, if v is produced in it and some reader needs rows, or to the layout, if v is produced in
// rows and some reader uses the layout.
func (r *region) charge(n *network, v *value) {
	def := r.giver(v)
	readers := r.readers(v)
	bytes := max(v.typ.Bytes(), 1)
	if def != inRows {
		out := n.add()
		n.join(def, out, bytes)
		for _, u := range readers {
			n.join(out, u, math.MaxInt)
		}
	}
	into := n.add()
	n.join(into, def, bytes)
	for _, u := range readers {
		if u != inRows {
			n.join(u, into, math.MaxInt)
		}
	}
}

// giver returns the network node of the producer of v. If it cannot produce the layout, that is the
// side of rows.
func (r *region) giver(v *value) int {
	if i, ok := r.at[v.def]; ok && r.how[i].Out == r.layout {
		return sides + i
	}
	return inRows
}

// readers returns the network nodes of the readers of v.
func (r *region) readers(v *value) (nodes []int) {
	if v.out {
		nodes = append(nodes, inRows)
	}
	for _, u := range v.uses {
		i, ok := r.at[u]
		for k, x := range u.in {
			switch {
			case x != v:
			case ok && r.how[i].In[k] == r.layout:
				nodes = append(nodes, sides+i)
			default:
				nodes = append(nodes, inRows)
			}
		}
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}
