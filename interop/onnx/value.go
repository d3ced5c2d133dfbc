package onnx

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// A value is a value of the file while a model is evaluated. It is known (host), a list of extents
// of which some depend on N (extents), or a node of the graph; or a sequence of values.
type value struct {
	elem    ir.DataType
	host    *Tensor
	extents []shape.Dim // of integers along one axis or, if scalar, of one
	scalar  bool
	node    *graph.Node
	state   *graph.Node // host as a State
	param   string      // the name of the initialiser that it is, if that may be trained
	trained bool        // it is a parameter, or computed from one
	isList  bool
	items   []*value    // of a sequence
	id      string      // see evaluator.number
	order   int         // in which it was made
	waits   bool        // it depends on elements that are computed first
	none    bool        // an optional without a value
	bad     bool        // an error was reported
	codes   *codes      // that it is, if these are known
	numbers *codes      // whose numbers it has
	whole   *graph.Node // its integers in floating point, if these were computed so
}

func known(t *Tensor) *value { return &value{elem: t.Type, host: t} }

// computed returns the value of a node, with the element type e in the file.
func computed(n *graph.Node, e ir.DataType) *value {
	return &value{elem: e, node: n, bad: !n.Valid()}
}

// extentsValue returns integers of which some may depend on N.
func extentsValue(d []shape.Dim, scalar bool) *value {
	v := make([]int64, len(d))
	for i, e := range d {
		n, ok := e.Int()
		if !ok {
			return &value{elem: ir.Int64, extents: d, scalar: scalar}
		}
		v[i] = int64(n)
	}
	if scalar {
		return known(intsTensor(v))
	}
	return known(intsTensor(v, len(v)))
}

// symbolic reports whether v has extents that depend on N.
func (v *value) symbolic() bool { return v.extents != nil }

// typ is the type of v's node, whether or not there is one yet.
func (v *value) typ() shape.Type {
	switch {
	case v.node != nil:
		return v.node.Type()
	case v.host != nil && v.host.Type == ir.String:
		return shape.Type{Shape: shape.OfInts(v.host.Dims...)}
	case v.host != nil:
		return v.host.compute()
	case v.symbolic() && v.scalar:
		return shape.I64()
	case v.symbolic():
		return shape.I64(shape.Dim(len(v.extents)))
	}
	return shape.Type{}
}

// String describes v in errors.
func (v *value) String() string {
	switch {
	case v == nil:
		return "nothing"
	case v.isList:
		return fmt.Sprintf("a sequence of %d", len(v.items))
	case v.none:
		return "an optional without a value"
	}
	return typeString(v.elem, v.typ().Shape)
}

// weights initialise a parameter with the elements of a file.
type weights struct{ *Tensor }

// Fill implements [graph.Initializer].
func (w weights) Fill(v []float64, _ shape.Type, _ *rand.Rand) { copy(v, w.floats()) }

// constant adds t to g. A Const has float64 numbers, which hold integers up to 2^53.
func constant(g *graph.Graph, t *Tensor) *graph.Node {
	ints, ok := t.ints()
	if !ok || t.compute().DType != shape.Int64 || !anyWide(ints) {
		return g.Const(t.compute(), t.floats())
	}
	high, low := make([]float64, len(ints)), make([]float64, len(ints))
	for i, v := range ints {
		high[i], low[i] = float64(v>>32), float64(v&math.MaxUint32)
	}
	h := g.Const(t.compute(), high)
	return ops.Add(ops.Mul(h, ops.Scalar(h, 1<<32)), g.Const(t.compute(), low))
}

func anyWide(v []int64) bool {
	for _, x := range v {
		if x > 1<<53 || x < -1<<53 {
			return true
		}
	}
	return false
}

// wraps bring a result, computed in a wider type, into the range or precision of an element type.
var wraps = map[ir.DataType]func(*graph.Node) *graph.Node{
	ir.Int8:     func(n *graph.Node) *graph.Node { return through(n, shape.Int8) },
	ir.Int16:    func(n *graph.Node) *graph.Node { return twoBytes(n, shape.Int8) },
	ir.Uint16:   func(n *graph.Node) *graph.Node { return twoBytes(n, shape.Uint8) },
	ir.Uint32:   wrapUint32,
	ir.Float16:  func(n *graph.Node) *graph.Node { return through(n, shape.Float16) },
	ir.BFloat16: func(n *graph.Node) *graph.Node { return through(n, shape.BFloat16) },
	ir.Int4:     func(n *graph.Node) *graph.Node { return lowBits(n, 16, 8) },
	ir.Uint4:    func(n *graph.Node) *graph.Node { return lowBits(n, 16, 16) },
	ir.Int2:     func(n *graph.Node) *graph.Node { return lowBits(n, 4, 2) },
	ir.Uint2:    func(n *graph.Node) *graph.Node { return lowBits(n, 4, 4) },
}

// wrapped returns n, an arithmetic result for element type e, as a value of e.
func wrapped(n *graph.Node, e ir.DataType) *graph.Node {
	if f, ok := wraps[e]; ok && n.Valid() {
		return f(n)
	}
	return n
}

// through casts n to a type of storage and back, which drops high bits or rounds.
func through(n *graph.Node, d shape.DType) *graph.Node {
	return ops.Cast(ops.Cast(n, d), n.Type().DType)
}

// twoBytes keeps the low 16 bits of n, an Int32; the upper of the bytes has type high.
func twoBytes(n *graph.Node, high shape.DType) *graph.Node {
	low := through(n, shape.Uint8)
	k := ops.Scalar(n, 256)
	return ops.Add(ops.Mul(through(ops.Div(ops.Sub(n, low), k), high), k), low)
}

// wrapUint32 keeps the low 32 bits of n, an Int64.
func wrapUint32(n *graph.Node) *graph.Node {
	k := ops.Scalar(n, 1<<32)
	rest := ops.Sub(n, ops.Mul(ops.Div(n, k), k))
	return ops.Where(ops.Less(rest, ops.Scalar(n, 0)), ops.Add(rest, k), rest)
}

// lowBits keeps the low bits of n, an Int32: those of numbers below k, of which those from limit on
// are negative.
func lowBits(n *graph.Node, k, limit float64) *graph.Node {
	all := ops.Scalar(n, k)
	rest := ops.Sub(n, ops.Mul(ops.Div(n, all), all))
	rest = ops.Where(ops.Less(rest, ops.Scalar(n, 0)), ops.Add(rest, all), rest)
	if limit == k {
		return rest
	}
	return ops.Where(ops.Less(rest, ops.Scalar(n, limit)), rest, ops.Sub(rest, all))
}
