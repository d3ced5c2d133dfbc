package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// AttentionOptions configure [Attention]. The zero value is the default.
type AttentionOptions struct {
	// Mask, a Bool, is true for each key (axis -1) that a query (axis -2) may attend to. It
	// broadcasts to (...,L,S).
	Mask *graph.Node
	// Causal lets query i attend only to keys 0 to i, in addition to the restrictions of Mask.
	Causal bool
	// Scale multiplies the products of queries and keys; 0 means 1/sqrt(E).
	Scale float64
}

// Attention returns softmax(Scale * q·kᵀ)·v, the scaled dot-product attention of queries q
// (...,L,E) to keys k (...,S,E) with values v (...,S,V), Float32 or Float64. The result is
// (...,L,V). The leading axes, such as a batch and heads, are equal in all three. A query that may
// attend to no key gives zeros. Large products are safe, because the softmax subtracts their
// maximum.
//
// Vaswani et al., "Attention Is All You Need", 2017, 3.2.1.
func Attention(q, k, v *graph.Node, opts AttentionOptions) *graph.Node {
	in := []*graph.Node{q, k, v}
	if opts.Mask != nil {
		in = append(in, opts.Mask)
	}
	var scores shape.Shape
	bad := refused("Attention", func() (err error) {
		scores, err = opts.check(q.Type(), k.Type(), v.Type())
		return err
	}, in...)
	if bad != nil {
		return bad
	}
	scale := opts.Scale
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(q.Type().Int(-1)))
	}
	products := MatMul(MulScalar(q, scale), k, MatMulOp{TransB: true})
	allowed := opts.allowed(q.Graph(), scores)
	if allowed == nil {
		return MatMul(Softmax(products, -1), v)
	}
	// The softmax of a row without a key is taken over all keys, so that it is finite; Where then
	// discards it.
	some := Greater(MaxKeep(Cast(allowed, products.Type().DType), -1), Scalar(products, 0))
	logits := Where(Or(allowed, Not(some)), products, Scalar(products, math.Inf(-1)))
	return MatMul(Where(allowed, Softmax(logits, -1), Scalar(products, 0)), v)
}

// check returns the shape of the products of queries and keys.
func (o AttentionOptions) check(q, k, v shape.Type) (scores shape.Shape, err error) {
	if err := wantFloat(q, k, v); err != nil {
		return scores, err
	}
	if q.Rank() < 2 || q.Rank() != k.Rank() || q.Rank() != v.Rank() || batchShape(q) != batchShape(k) || batchShape(q) != batchShape(v) {
		return scores, fmt.Errorf("queries are %v, keys %v, values %v; want (...,L,E), (...,S,E) and (...,S,V) with equal axes in front", q, k, v)
	}
	if e, ok := q.Dim(-1).Int(); !ok || e == 0 || q.Dim(-1) != k.Dim(-1) {
		return scores, fmt.Errorf("queries are %v, keys %v; their last axes must be equal, known and not 0", q, k)
	}
	if k.Dim(-2) != v.Dim(-2) || k.Dim(-2) == 0 {
		return scores, fmt.Errorf("keys are %v, values %v; want at least one key, and a value for each", k, v)
	}
	if math.IsNaN(o.Scale) || math.IsInf(o.Scale, 0) {
		return scores, fmt.Errorf("Scale is %v; want a finite number", o.Scale)
	}
	scores = q.With(-1, k.Dim(-2))
	if o.Causal && !shape.Of(scores.Dim(-2), scores.Dim(-1)).Concrete() {
		return scores, fmt.Errorf("queries are %v, keys %v; causal attention needs numbers of both that do not depend on N", q, k)
	}
	if o.Mask == nil {
		return scores, nil
	}
	m := o.Mask.Type()
	if s, err := shape.Broadcast(m.Shape, scores); err != nil || s != scores || m.DType != shape.Bool {
		return scores, fmt.Errorf("the mask is %v; want a bool that broadcasts to %v", m, scores)
	}
	return scores, nil
}

// allowed returns the mask for all options, or nil if everything is allowed.
func (o AttentionOptions) allowed(g *graph.Graph, scores shape.Shape) *graph.Node {
	if !o.Causal {
		return o.Mask
	}
	l, s := scores.Int(-2), scores.Int(-1)
	lower := make([]float64, l*s)
	for i := range l {
		for j := range min(i+1, s) {
			lower[i*s+j] = 1
		}
	}
	causal := g.Const(shape.Mask(shape.Dim(l), shape.Dim(s)), lower)
	if o.Mask == nil {
		return causal
	}
	return And(o.Mask, causal)
}
