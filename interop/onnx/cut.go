package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx/ir"
)

// cut makes the named values the outputs, and drops the nodes and inputs that they do not need. The
// messages of the file stay as they are.
func (m *Model) cut(names []string) error {
	if len(names) == 0 {
		return errors.New("Outputs: no names are given")
	}
	g := *m.ir.Graph
	made := map[string]*ir.ValueInfo{}
	for i := range g.Inputs {
		made[g.Inputs[i].Name] = &g.Inputs[i]
	}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			made[out] = &ir.ValueInfo{Name: out}
		}
	}
	for _, known := range [][]ir.ValueInfo{g.Values, g.Outputs} {
		for i := range known {
			if made[known[i].Name] != nil {
				made[known[i].Name] = &known[i]
			}
		}
	}
	g.Outputs = nil
	needed := map[string]bool{}
	for _, name := range names {
		v := made[name]
		if v == nil || name == "" || needed[name] {
			return fmt.Errorf("Outputs: %q is the name of no value, or stands there twice", plain.Name(name))
		}
		needed[name] = true
		g.Outputs = append(g.Outputs, *v)
	}
	g.Nodes = neededNodes(g.Nodes, needed)
	g.Inputs = slices.DeleteFunc(slices.Clone(g.Inputs), func(v ir.ValueInfo) bool { return !needed[v.Name] && m.bound[v.Name] == nil })
	file := *m.ir
	file.Graph = &g
	m.ir = &file
	return nil
}

// neededNodes returns the nodes that values are computed by, and adds what these read.
func neededNodes(nodes []*ir.Node, needed map[string]bool) (kept []*ir.Node) {
	for _, n := range slices.Backward(nodes) {
		if slices.ContainsFunc(n.Outputs, func(out string) bool { return out != "" && needed[out] }) {
			kept = append(kept, n)
			for _, in := range n.Inputs {
				needed[in] = true
			}
			// The graphs in its attributes read values of the graph around them.
			for _, a := range n.Attributes {
				for _, inner := range append([]*ir.Graph{a.Graph}, a.Graphs...) {
					if inner != nil {
						eachNode(inner.Nodes, func(n *ir.Node, _ int) {
							for _, in := range n.Inputs {
								needed[in] = true
							}
						})
						for _, out := range inner.Outputs {
							needed[out.Name] = true
						}
					}
				}
			}
		}
	}
	slices.Reverse(kept)
	return kept
}
