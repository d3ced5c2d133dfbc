package inspect

import (
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
)

// Layer is a place of the network that can be looked at.
type Layer struct {
	Name string      // the path of the layer, such as "features.0", or a node's own name
	Op   string      // what makes the result: "Conv2D", "ReLU"
	Node *graph.Node // the result, (N,...)
}

// Convolution is a convolution with what belongs to it.
type Convolution struct {
	Layer              // with the bias, where there is one
	Filter *graph.Node // (O,C/Groups,KH,KW); a Param, or computed from some
}

// Layers returns the results of the network's layers in the order in which they are computed, the output
// last. What has a layer path gives one for each stretch of its nodes; what has none, one a node.
// A layer that only changes the shape is left out.
func (n *Network) Layers() (all []Layer) {
	if !n.made() {
		return nil
	}
	nodes := slices.DeleteFunc(graph.Reachable(n.output), func(x *graph.Node) bool {
		return x == n.input || !n.on[x] || !x.Type().IsFloat()
	})
	op := "" // the first of the layer that does more than reshape
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

// nameOf is the path of a node's layer or, where it has none, the node's own name.
func nameOf(x *graph.Node) string {
	if x.Layer() != "" {
		return x.Layer()
	}
	return x.String()
}

// bias is the sum of x and what does not depend on the input, where nothing else reads x.
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

// Convolutions returns the convolutions of images, in the order in which they are computed. One of
// sequences is one of images with a single row.
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

// Rectifiers returns the ReLUs, in the order in which they are computed; a Clip from 0 on, such as ReLU6,
// is one.
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

// Hidden returns the last hidden layer: what the last product with weights, which makes the output, is
// computed from. It is the input where there is no product.
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

// operand is what a product with weights, which do not depend on the input, multiplies by them; nil for
// other nodes.
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

// LastMaps returns the last activation maps (N,C,H,W) of more than one element each that the hidden
// layer is computed from, before they are pooled: what Grad-CAM looks at.
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

// has tells whether a node is one of the network's.
func (n *Network) has(x *graph.Node) bool {
	return n.made() && x != nil && x.Graph() == n.output.Graph() && n.on[x]
}
