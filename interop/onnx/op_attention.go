package onnx

import (
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var attentionOperators = family{
	"Attention":           always(3, 7, attention),
	"RotaryEmbedding":     always(3, 4, rotaryEmbedding),
	"TensorScatter":       always(2, 3, tensorScatter),
	"CausalConvWithState": always(2, 4, causalConv),
	"LinearAttention":     always(3, 6, linearAttention),
}

// previewOperators are those of the domain ai.onnx.preview.
func previewOperators() family {
	return family{
		"FlexAttention": direct(3, 3, flexAttention),
	}
}

// wants reports whether output k is given a name.
func (c *call) wants(k int) bool { return k < len(c.n.Outputs) && c.n.Outputs[k] != "" }

// heads returns x, (B,L,H*E) or (B,H,L,E), as (B,H,L,E). Attribute name is H of the former.
func (c *call) heads(x *graph.Node, name string) *graph.Node {
	t := x.Type()
	if t.Rank() == 4 {
		return x
	}
	h := c.intAttr(name, 0)
	if t.Rank() != 3 || h < 1 {
		refuse("%v with %s %d; want (B,L,H*E) with the number of heads H, or (B,H,L,E)", t, name, h)
	}
	width, ok := t.Dim(2).Int()
	if !ok || width%h != 0 {
		refuse("axis 2 of %v does not consist of %d heads", t, h)
	}
	return ops.Transpose(ops.Reshape(x, t.Dim(0), t.Dim(1), shape.Dim(h), shape.Dim(width/h)), 0, 2, 1, 3)
}

// joined is the reverse of heads.
func joined(x *graph.Node) *graph.Node {
	t := x.Type()
	if !x.Valid() {
		return x
	}
	width, err := t.Dim(1).Mul(t.Dim(3))
	if err != nil {
		panic(refusal{err})
	}
	return ops.Reshape(ops.Transpose(x, 0, 2, 1, 3), t.Dim(0), t.Dim(2), width)
}

// extent returns an extent of x that must be a number.
func extent(x *graph.Node, a int) int {
	n, ok := x.Type().Dim(a).Int()
	if !ok {
		refuse("extent %v of axis %d of %v must be a number: bind it", x.Type().Dim(a), a, x.Type())
	}
	return n
}

// headsTo repeats each head of x (B,H,S,E) so that there are n.
func headsTo(x *graph.Node, n int) *graph.Node {
	h := extent(x, 1)
	if h == n {
		return x
	}
	if h == 0 || n%h != 0 {
		refuse("%d heads of queries for %d of keys and values", n, h)
	}
	t := x.Type()
	y := ops.BroadcastTo(ops.Unsqueeze(x, 2), shape.Of(t.Dim(0), t.Dim(1), shape.Dim(n/h), t.Dim(2), t.Dim(3)))
	return ops.Reshape(y, t.Dim(0), shape.Dim(n), t.Dim(2), t.Dim(3))
}

// both returns the conjunction of two masks, of which any may be nil.
func both(a, b *graph.Node) *graph.Node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return ops.And(a, b)
}

func attention(c *call) []*value {
	q, k, v := c.heads(c.node(0), "q_num_heads"), c.heads(c.node(1), "kv_num_heads"), c.heads(c.node(2), "kv_num_heads")
	past := 0
	if c.has(4) != c.has(5) {
		refuse("only one of past_key and past_value is given")
	}
	if c.has(4) {
		past = extent(c.node(4), 2)
		k, v = ops.Concat(2, c.node(4), k), ops.Concat(2, c.node(5), v)
	}
	outs := []*value{nil, computed(k, c.elem(1)), computed(v, c.elem(2)), nil}
	if k = headsTo(k, extent(q, 1)); v.Valid() {
		v = headsTo(v, extent(q, 1))
	}
	scale := c.floatAttr("scale", 1/math.Sqrt(float64(extent(q, 3))))
	y, products := c.attend(q, k, v, scale, past)
	if c.shape(0).Rank() == 3 {
		y = joined(y)
	}
	outs[0] = result(y, c.elem(0))[0]
	if products != nil {
		outs[3] = result(products, c.elem(0))[0]
	}
	return outs
}

// attend returns the result and, if it is asked for, the products of queries and keys.
func (c *call) attend(q, k, v *graph.Node, scale float64, past int) (y, products *graph.Node) {
	mask, bias := c.masks(k)
	causal := c.flag("is_causal", false)
	softcap := c.floatAttr("softcap", 0)
	double := ir.DataType(c.intAttr("softmax_precision", 0)) == ir.Double && q.Type().DType != shape.Float64
	if bias == nil && softcap == 0 && !double && !c.wants(3) && scale != 0 {
		if causal && past > 0 {
			mask = both(mask, causalMask(q, k, past))
		}
		return ops.Attention(q, k, v, ops.AttentionOptions{Mask: mask, Causal: causal && past == 0, Scale: scale}), nil
	}
	if causal {
		mask = both(mask, causalMask(q, k, past))
	}
	s := ops.MulScalar(ops.MatMul(q, k, ops.MatMulOp{TransB: true}), scale)
	raw := s
	if softcap > 0 {
		s = ops.MulScalar(ops.Tanh(ops.MulScalar(s, 1/softcap)), softcap)
	}
	biased := s
	if bias != nil {
		biased = ops.Add(s, bias)
	}
	if mask != nil {
		biased = ops.Where(mask, biased, ops.Scalar(biased, math.Inf(-1)))
	}
	p := softmaxOrZero(biased, double)
	y = ops.MatMul(p, v)
	if !c.wants(3) {
		return y, nil
	}
	switch mode := c.intAttr("qk_matmul_output_mode", 0); mode {
	case 0:
		return y, raw
	case 1:
		return y, s
	case 2:
		return y, biased
	case 3:
		return y, p
	default:
		refuse("qk_matmul_output_mode %d; want 0 to 3", mode)
	}
	return y, nil
}

// softmaxOrZero is the softmax over the last axis, computed in float64 if double is set. Rows of -Inf
// alone, queries that may attend to no key, give zeros.
func softmaxOrZero(x *graph.Node, double bool) *graph.Node {
	d := x.Type().DType
	if double {
		x = ops.Cast(x, shape.Float64)
	}
	none := ops.Equal(ops.MaxKeep(x, -1), ops.Scalar(x, math.Inf(-1)))
	p := ops.Where(none, ops.Scalar(x, 0), ops.Softmax(x, -1))
	return convert(p, d)
}

// masks returns what attention is given of where queries attend to: a mask that is true there, and
// numbers to add; or nil. Both may have fewer keys than there are, and those missing are masked.
func (c *call) masks(k *graph.Node) (mask, bias *graph.Node) {
	keys := extent(k, 2)
	if m := c.optional(3); m != nil {
		short := keys - extent(m, m.Type().Rank()-1)
		if short < 0 {
			refuse("a mask of %v for %d keys", m.Type(), keys)
		}
		isBool := m.Type().DType == shape.Bool
		if short > 0 {
			fill := math.Inf(-1)
			if isBool {
				fill = 0
			}
			s := m.Type().With(m.Type().Rank()-1, shape.Dim(short))
			m = ops.Concat(m.Type().Rank()-1, m, ops.Full(m, s, fill))
		}
		if isBool {
			mask = m
		} else {
			bias = m
		}
	}
	if n := c.optional(6); n != nil {
		t := n.Type()
		if t.Rank() != 1 {
			refuse("nonpad_kv_seqlen is %v; want one number for each of the batch", t)
		}
		index := n.Graph().Const(shape.Type{DType: t.DType, Shape: shape.OfInts(1, 1, 1, keys)}, sequence(keys))
		mask = both(mask, ops.Less(index, ops.Reshape(n, t.Dim(0), 1, 1, 1)))
	}
	return mask, bias
}

// causalMask lets query i attend to keys 0 to past+i.
func causalMask(q, k *graph.Node, past int) *graph.Node {
	return diagonal(q.Graph(), extent(q, 2), extent(k, 2), func(i, j int) bool { return j <= past+i })
}

// flexAttention has graphs that change the products of queries and keys, and the probabilities.
func flexAttention(c *call) []*value {
	q, k, v := c.node(0), c.node(1), c.node(2)
	if q.Type().Rank() != 4 || k.Type().Rank() != 4 || v.Type().Rank() != 4 {
		refuse("want queries, keys and values with 4 axes")
	}
	k, v = headsTo(k, extent(q, 1)), headsTo(v, extent(q, 1))
	scale := c.floatAttr("scale", 1/math.Sqrt(float64(extent(q, 3))))
	s := ops.MulScalar(ops.MatMul(q, k, ops.MatMulOp{TransB: true}), scale)
	to := c.softmaxType()
	s = convert(s, elements[to].compute)
	s = c.modified("score_mod", s, to)
	p := c.modified("prob_mod", ops.Softmax(s, -1), to)
	return result(convert(ops.MatMul(p, convert(v, p.Type().DType)), q.Type().DType), c.elem(2))
}

// softmaxType is the element type of the probabilities: at least float.
func (c *call) softmaxType() ir.DataType {
	def := ir.Float
	if c.elem(0) == ir.Double {
		def = ir.Double
	}
	to := ir.DataType(c.intAttr("softmax_precision", int(def)))
	if e, ok := elements[to]; !ok || !e.compute.IsFloat() {
		refuse("softmax_precision is %v; want a floating-point type", to)
	}
	return to
}

// modified applies a graph in an attribute, if it is there, to x.
func (c *call) modified(name string, x *graph.Node, to ir.DataType) *graph.Node {
	if !c.attr(name) {
		return x
	}
	g := c.graphAttr(name)
	if len(g.Inputs) != 1 || len(g.Outputs) != 1 {
		refuse("%s has %d inputs and %d outputs; want one each", name, len(g.Inputs), len(g.Outputs))
	}
	b := &body{c: c, graph: g}
	var out *value
	c.ev.within(name, func() { out = b.evaluate(0, []*value{computed(x, to)})[0] })
	return c.b.nodeOf(out)
}

// rotaryEmbedding rotates pairs of elements of each head by the angles of their positions.
func rotaryEmbedding(c *call) []*value {
	x := c.node(0)
	flat := x.Type().Rank() == 3
	x = c.heads(x, "num_heads") // (B,H,L,E)
	width := extent(x, 3)
	n := c.intAttr("rotary_embedding_dim", 0)
	if n == 0 {
		n = width
	}
	if n < 2 || n > width || n%2 != 0 {
		refuse("rotary_embedding_dim is %d, and heads have %d elements", n, width)
	}
	cos, sin := c.angles(1), c.angles(2)
	turned, rest := part(x, 3, 0, n), part(x, 3, n, width-n)
	t := turned.Type()
	interleaved := c.flag("interleaved", false)
	split := ops.Reshape(turned, t.Dim(0), t.Dim(1), t.Dim(2), 2, shape.Dim(n/2))
	a := 3 // of the two elements of a pair
	if interleaved {
		split, a = ops.Reshape(turned, t.Dim(0), t.Dim(1), t.Dim(2), shape.Dim(n/2), 2), 4
	}
	re, im := ops.Squeeze(part(split, a, 0, 1), a), ops.Squeeze(part(split, a, 1, 1), a)
	real := ops.Sub(ops.Mul(cos, re), ops.Mul(sin, im))
	imag := ops.Add(ops.Mul(sin, re), ops.Mul(cos, im))
	y := ops.Concat(a, ops.Unsqueeze(real, a), ops.Unsqueeze(imag, a))
	y = ops.Reshape(y, t.Dim(0), t.Dim(1), t.Dim(2), shape.Dim(n))
	if width > n {
		y = ops.Concat(3, y, rest)
	}
	if flat {
		y = joined(y)
	}
	return result(y, c.elem(0))
}

// angles returns a table of sines or cosines, taken at the positions if these are given, as (B,1,L,E/2).
func (c *call) angles(k int) *graph.Node {
	table := c.node(k)
	if ids := c.optional(3); ids != nil {
		if table.Type().Rank() != 2 {
			refuse("input %d is %v; want (positions,E/2)", k, table.Type())
		}
		table = ops.Gather(table, 0, ids)
	}
	if table.Type().Rank() != 3 {
		refuse("input %d is %v; want (B,L,E/2)", k, table.Type())
	}
	return ops.Unsqueeze(table, 1)
}

// tensorScatter writes an update along an axis of a cache, from an index of each example on.
func tensorScatter(c *call) []*value {
	cache, update := c.node(0), c.node(1)
	rank := cache.Type().Rank()
	a := axis(c.intAttr("axis", -2), rank)
	if a == 0 || update.Type().Rank() != rank {
		refuse("axis %d of %v, updated by %v", a, cache.Type(), update.Type())
	}
	n, m := extent(cache, a), extent(update, a)
	if m == 0 || m > n {
		refuse("an update of %d elements of an axis of %d", m, n)
	}
	circular := c.stringAttr("mode", "linear", "linear", "circular") == "circular"
	ones := make([]shape.Dim, rank)
	for i := range ones {
		ones[i] = 1
	}
	ones[a] = shape.Dim(n)
	place := cache.Graph().Const(shape.Make(shape.Int64, ones...), sequence(n))
	if start := c.optional(2); start != nil {
		ones[a], ones[0] = 1, start.Type().Dim(0)
		place = ops.Sub(place, ops.Reshape(convert(start, shape.Int64), ones...))
	}
	if circular {
		place = ops.Mod(place, ops.Scalar(place, float64(n)))
	}
	zero, last := ops.Scalar(place, 0), ops.Scalar(place, float64(m-1))
	inside := ops.And(ops.GreaterEqual(place, zero), ops.LessEqual(place, last))
	ids := ops.BroadcastTo(ops.Minimum(ops.Maximum(place, zero), last), update.Type().With(a, shape.Dim(n)))
	return moved(ops.Where(inside, ops.GatherAlong(update, a, ids), cache), c.elem(0))
}

// causalConv is a convolution of each channel over the past, of which it returns the end.
func causalConv(c *call) []*value {
	x, w := c.node(0), c.node(1)
	if x.Type().Rank() != 3 || w.Type().Rank() != 3 {
		refuse("want (B,C,L) and (C,1,K)")
	}
	k := extent(w, 2)
	if k < 1 {
		refuse("a kernel without elements")
	}
	past := c.optional(3)
	if past == nil {
		past = ops.Full(x, x.Type().With(2, shape.Dim(k-1)), 0)
	}
	if k > 1 {
		x = ops.Concat(2, past, x)
	}
	y := ops.Conv1D(x, w, ops.Conv1DOptions{Groups: extent(x, 1)})
	if b := c.optional(2); b != nil {
		y = ops.Add(y, ops.Unsqueeze(b, 1))
	}
	if c.stringAttr("activation", "none", "none", "silu", "swish") != "none" {
		y = ops.SiLU(y)
	}
	return []*value{result(y, c.elem(0))[0], moved(part(x, 2, extent(x, 2)-(k-1), k-1), c.elem(0))[0]}
}

// maxSteps is how many steps of a recurrence become nodes.
const maxSteps = 1024

// linearAttention is a recurrence over time of a state (B,H,E,V) of each head: it decays, then the
// product of a key and a value is added, and a query reads it.
func linearAttention(c *call) []*value {
	q, k, v := c.heads(c.node(0), "q_num_heads"), c.heads(c.node(1), "kv_num_heads"), c.heads(c.node(2), "kv_num_heads")
	rule := c.stringAttr("update_rule", "gated_delta", "linear", "gated", "delta", "gated_delta")
	gated, delta := rule == "gated" || rule == "gated_delta", rule == "delta" || rule == "gated_delta"
	if gated != c.has(4) || delta != c.has(5) {
		refuse("update_rule %s with decay %v and beta %v", rule, c.has(4), c.has(5))
	}
	scale := c.floatAttr("scale", 0)
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(extent(q, 3)))
	}
	steps := extent(q, 2)
	if steps < 1 || steps > maxSteps {
		refuse("%d steps; want 1 to %d", steps, maxSteps)
	}
	t := k.Type()
	state := c.optional(3)
	stateElem := c.elem(0)
	if state == nil {
		state = ops.Full(k, shape.Of(t.Dim(0), t.Dim(1), t.Dim(3), v.Type().Dim(3)), 0)
	} else {
		stateElem = c.elem(3)
	}
	var decay, beta *graph.Node
	if gated {
		decay = ops.Exp(c.perHead(4, t)) // (B,H,L,E) or (B,H,L,1)
	}
	if delta {
		beta = c.perHead(5, t) // (B,H,L,1) or (B,1,L,1)
	}
	reads := make([]*graph.Node, steps)
	for i := range steps {
		key := ops.Transpose(part(k, 2, i, 1), 0, 1, 3, 2) // (B,H,E,1)
		value := part(v, 2, i, 1)                          // (B,H,1,V)
		if gated {
			state = ops.Mul(state, ops.Transpose(part(decay, 2, i, 1), 0, 1, 3, 2))
		}
		if delta {
			value = ops.Mul(part(beta, 2, i, 1), ops.Sub(value, ops.MatMul(part(k, 2, i, 1), state)))
		}
		state = ops.Add(state, ops.Mul(key, value))
		reads[i] = ops.MatMul(part(q, 2, i, 1), headsTo(state, extent(q, 1)))
	}
	y := ops.MulScalar(ops.Concat(2, reads...), scale)
	return []*value{result(joined(y), c.elem(0))[0], result(state, stateElem)[0]}
}

// perHead returns input k, (B,L,H*D) or (B,L,1), as (B,H,L,D) or (B,1,L,1).
func (c *call) perHead(k int, of shape.Type) *graph.Node {
	x := c.node(k)
	heads, _ := of.Dim(1).Int()
	if x.Type().Rank() != 3 {
		refuse("input %d is %v; want 3 axes", k, x.Type())
	}
	width := extent(x, 2)
	if width == 1 {
		heads = 1
	}
	if heads == 0 || width%heads != 0 {
		refuse("input %d is %v for %d heads", k, x.Type(), heads)
	}
	t := x.Type()
	return ops.Transpose(ops.Reshape(x, t.Dim(0), t.Dim(1), shape.Dim(heads), shape.Dim(width/heads)), 0, 2, 1, 3)
}
