package inspect

import (
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// Layer is a layer of the network, or a node without a layer.
type Layer struct {
	Name string      // the path of the layer, such as "features.0", or the node's own name
	Op   string      // the op that computes the result: "Conv2D", "ReLU"
	Node *graph.Node // the result, (N,...)
}

// Convolution is a convolution with its filter.
type Convolution struct {
	Layer              // including the bias, if any
	Filter *graph.Node // (O,C/Groups,KH,KW); a Param, or computed from Params
}

// Layers returns the results of the network's layers in the order in which they are computed; the
// output is last. Consecutive nodes with the same layer path are one Layer; each node without a
// layer path is a Layer of its own. Layers that only change the shape are left out.
func (n *Network) Layers() (all []Layer) {
	if !n.made() {
		return nil
	}
	nodes := slices.DeleteFunc(graph.Reachable(n.output), func(x *graph.Node) bool {
		return x == n.input || !n.on[x] || !x.Type().IsFloat()
	})
	op := "" // the first op of the layer that does more than reshape
	for i, x := range nodes {
		if _, reshapes := x.Op().(ops.ReshapeOp); !reshapes && op == "" {
			op = x.Op().Name()
		}
		if x.Layer() == "" && n.bias(x) != nil || x.Layer() != "" && i+1 < len(nodes) && nodes[i+1].Layer() == x.Layer() {
			continue
		}
		if op != "" {
			all = append(all, Layer{nameOf(x), op, x})
		}
		op = ""
	}
	return all
}

// nameOf returns the layer path of a node or, if it has none, the node's own name.
func nameOf(x *graph.Node) string {
	if x.Layer() != "" {
		return x.Layer()
	}
	return x.String()
}

// bias returns the node that adds to x a bias, a node that does not depend on the input, if nothing
// else reads x. Otherwise it returns nil.
func (n *Network) bias(x *graph.Node) *graph.Node {
	reads := n.reads[x]
	if len(reads) != 1 || reads[0].Op().Name() != "Add" || reads[0].Type() != x.Type() {
		return nil
	}
	sum := reads[0]
	if n.on[sum.In(0)] && n.on[sum.In(1)] {
		return nil
	}
	return sum
}

// Convolutions returns the convolutions of images, in the order in which they are computed. A
// convolution of sequences counts as one of images with a single row.
func (n *Network) Convolutions() (all []Convolution) {
	if !n.made() {
		return nil
	}
	for _, x := range graph.Reachable(n.output) {
		if _, ok := x.Op().(ops.Conv2DOp); !ok || !n.on[x.In(0)] || n.on[x.In(1)] {
			continue
		}
		c := Convolution{Layer{nameOf(x), x.Op().Name(), x}, x.In(1)}
		if sum := n.bias(x); sum != nil {
			c.Node = sum
		}
		all = append(all, c)
	}
	return all
}

// Rectifiers returns the ReLUs, in the order in which they are computed. A Clip with lower bound 0,
// such as ReLU6, is one.
func (n *Network) Rectifiers() (all []Layer) {
	if !n.made() {
		return nil
	}
	for _, x := range graph.Reachable(n.output) {
		if n.on[x] && ops.Rectifies(x.Op()) && x.Type().Rank() > 1 {
			all = append(all, Layer{nameOf(x), x.Op().Name(), x})
		}
	}
	return all
}

// Hidden returns the last hidden layer: the input of the last product with weights, which computes
// the output. If there is no such product, it is the network's input.
func (n *Network) Hidden() Layer {
	if !n.made() {
		return Layer{}
	}
	for _, x := range slices.Backward(graph.Reachable(n.output)) {
		if h := n.operand(x); h != nil {
			return Layer{nameOf(h), h.Op().Name(), h}
		}
	}
	return Layer{n.input.Name(), n.input.Op().Name(), n.input}
}

// operand returns the operand of a product with weights, which do not depend on the input. It
// returns nil for other nodes.
func (n *Network) operand(x *graph.Node) *graph.Node {
	switch x.Op().(type) {
	case ops.MatMulOp, ops.Conv2DOp:
	default:
		return nil
	}
	a, b := x.In(0), x.In(1)
	switch {
	case n.on[a] && !n.on[b]:
		return a
	case n.on[b] && !n.on[a]:
		return b
	}
	return nil
}

// LastMaps returns the last activation maps (N,C,H,W), with more than one element each, that the
// hidden layer is computed from, before pooling. Grad-CAM uses them.
func (n *Network) LastMaps() (Layer, error) {
	if !n.made() {
		return Layer{}, errNotMade
	}
	hidden := map[*graph.Node]bool{}
	for _, x := range graph.Reachable(n.Hidden().Node) {
		hidden[x] = true
	}
	for _, l := range slices.Backward(n.Layers()) {
		t := l.Node.Type()
		if hidden[l.Node] && t.Rank() == 4 && t.Int(2)*t.Int(3) > 1 && !pools(l.Node) {
			return l, nil
		}
	}
	return Layer{}, errNoMaps
}

func pools(x *graph.Node) bool {
	switch x.Op().(type) {
	case ops.MaxPool2DOp, ops.AvgPool2DOp:
		return true
	}
	return false
}

// has reports whether x is a node of the network.
func (n *Network) has(x *graph.Node) bool {
	return n.made() && x != nil && x.Graph() == n.output.Graph() && n.on[x]
}
