package vm

import (
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
)

// region is the instructions that could work with a layout. Which of them do is a minimum cut: those
// that win by it are on one side, what stays with rows on the other, and an edge between the two is a
// tensor that has to be converted, of so many bytes.
type region struct {
	*plan
	layout engine.Layout
	instrs []*instr
	how    []engine.Arrangement // by instruction
	at     map[*instr]int       // its index
}

// neighbours lists what gives or takes the tensors that instruction i would have in the layout.
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

// cut reports for each instruction whether it keeps to rows. Of cuts that cost the same it takes the
// one by which the fewest do.
func (r *region) cut() []bool {
	n := newNetwork(sides + len(r.instrs))
	for i, a := range r.how {
		switch {
		case a.Gain > 0:
			n.join(laid, sides+i, a.Gain)
		case a.Gain < 0:
			n.join(sides+i, inRows, -a.Gain)
		}
	}
	for _, v := range r.values() {
		r.charge(n, v)
	}
	n.saturate(laid, inRows)
	keeps := n.reaching(inRows)[sides:]
	return keeps[:len(r.instrs)]
}

// values lists the values that some instruction could have in the layout.
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

// charge adds the cost of converting v, once however many read it: from the layout where it is given
// so and someone reads rows, or into it where it is given in rows and someone reads it so.
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

// giver is the node of what gives v, which is in rows where it has no other choice.
func (r *region) giver(v *value) int {
	if i, ok := r.at[v.def]; ok && r.how[i].Out == r.layout {
		return sides + i
	}
	return inRows
}

// readers are the nodes of what reads v.
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
