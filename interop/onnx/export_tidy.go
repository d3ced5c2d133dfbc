package onnx

import "github.com/plexaura/plexaura/interop/onnx/ir"

// tidy puts biases into the operators that have room for one, and drops what nothing reads then.
func (x *exporter) tidy() {
	t := newTidying(x.graph)
	for _, n := range x.graph.Nodes {
		switch n.Op {
		case "Add":
			t.bias(n)
		case "Identity":
			t.rename(n)
		}
	}
	t.prune()
}

// tidying changes a graph whose nodes come after what they read.
type tidying struct {
	*ir.Graph
	made    map[string]*ir.Node
	tensors map[string]*ir.Tensor
	uses    map[string]int
}

func newTidying(g *ir.Graph) *tidying {
	t := &tidying{g, map[string]*ir.Node{}, map[string]*ir.Tensor{}, map[string]int{}}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			t.made[out] = n
		}
		for _, in := range n.Inputs {
			t.uses[in]++
		}
	}
	for _, i := range g.Initializers {
		t.tensors[i.Name] = i
	}
	for _, o := range g.Outputs {
		t.uses[o.Name]++
	}
	return t
}

// bias has the convolution or product before an addition add, if that adds one number for each of its
// filters or columns.
func (t *tidying) bias(add *ir.Node) {
	n := t.made[add.Inputs[0]]
	if n == nil || len(n.Inputs) != 2 || t.uses[add.Inputs[0]] > 1 {
		return
	}
	b := add.Inputs[1]
	switch n.Op {
	case "Conv", "ConvTranspose":
		r := t.made[b]
		if r == nil || r.Op != "Reshape" || !t.channels(r) {
			return
		}
		b = r.Inputs[0]
	case "Gemm":
	default:
		return
	}
	if v := t.tensors[b]; v == nil || len(v.Dims) != 1 || v.Dims[0] == 1 {
		return
	}
	n.Inputs = append(n.Inputs, b)
	n.Outputs[0], add.Op = add.Outputs[0], ""
	t.made[n.Outputs[0]] = n
}

// channels reports whether a reshape makes (C,1,1) of (C).
func (t *tidying) channels(r *ir.Node) bool {
	to := t.tensors[r.Inputs[1]]
	if to == nil || len(to.Raw) != 3*8 {
		return false
	}
	s := view[int64](to.Raw, 3)
	return s[0] > 1 && s[1] == 1 && s[2] == 1
}

// rename has what makes the input of an identity make its output, if nothing else reads the input and a
// node makes it.
func (t *tidying) rename(id *ir.Node) {
	n := t.made[id.Inputs[0]]
	if n == nil || t.uses[id.Inputs[0]] > 1 {
		return
	}
	for i, out := range n.Outputs {
		if out == id.Inputs[0] {
			n.Outputs[i] = id.Outputs[0]
		}
	}
	t.made[id.Outputs[0]] = n
	id.Op = ""
}

// prune drops nodes without an operator, and those and the initialisers that nothing reads.
func (t *tidying) prune() {
	read := map[string]bool{}
	for _, o := range t.Outputs {
		read[o.Name] = true
	}
	var nodes []*ir.Node
	for i := len(t.Nodes) - 1; i >= 0; i-- {
		n := t.Nodes[i]
		needed := false
		for _, out := range n.Outputs {
			needed = needed || read[out]
		}
		if n.Op == "" || !needed {
			continue
		}
		nodes = append(nodes, n)
		for _, in := range n.Inputs {
			read[in] = true
		}
	}
	t.Nodes = nodes[:0:0]
	for i := len(nodes) - 1; i >= 0; i-- {
		t.Nodes = append(t.Nodes, nodes[i])
	}
	kept := t.Initializers[:0:0]
	for _, i := range t.Initializers {
		if read[i.Name] {
			kept = append(kept, i)
		}
	}
	t.Initializers = kept
}
