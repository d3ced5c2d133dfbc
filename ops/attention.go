package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var attentionOps = []graph.Op{attentionOp{Scale: eps1}, attentionGradOp{attentionOp{Scale: eps1}}}

// AttentionOptions configure [Attention]. The zero value is the default.
type AttentionOptions struct {
	// Mask, a Bool, is true for each key (axis -1) that a query (axis -2) may attend to. It
	// broadcasts to (...,L,S).
	Mask *graph.Node
	// Causal lets query i attend only to keys 0 to i, in addition to the restrictions of Mask. With
	// Keys the queries are the last of these keys: query i attends to keys 0 to Keys-L+i. L and S do
	// not depend on N then; nor does S with Keys.
	Causal bool
	// Scale multiplies the products of queries and keys; 0 means 1/sqrt(E). It is finite.
	Scale float64
	// Keys, an integer without axes, is how many keys there are in a run, from 0 to S; the others,
	// and their values, are not read. Nil means S. Another number is an error of the run. It serves a
	// cache of keys and values; see [UpdateSlice].
	Keys *graph.Node
}

// Attention returns softmax(Scale * q·kᵀ)·v, the scaled dot-product attention of queries q
// (...,L,E) to keys k (...,S,E) with values v (...,S,V), Float32 or Float64. The result is
// (...,L,V). The leading axes, such as a batch and heads, are equal in all three. A query that may
// attend to no key gives zeros. A key that a query may not attend to does not affect its result, nor
// does the value, even if they are NaN. Large products are safe, because the softmax subtracts their
// maximum. The products of all queries and keys are never in memory.
//
// Vaswani et al., "Attention Is All You Need", 2017, 3.2.1.
func Attention(q, k, v *graph.Node, opts AttentionOptions) *graph.Node {
	in := []*graph.Node{q, k, v}
	for _, n := range []*graph.Node{opts.Mask, opts.Keys} {
		if n != nil {
			in = append(in, n)
		}
	}
	bad := refused("Attention", func() error { return opts.check(q.Type(), k.Type(), v.Type()) }, in...)
	if bad != nil {
		return bad
	}
	op := attentionOp{Scale: graph.Float(opts.Scale), Causal: opts.Causal, Masked: opts.Mask != nil, Counted: opts.Keys != nil}
	if opts.Scale == 0 {
		op.Scale = graph.Float(1 / math.Sqrt(float64(q.Type().Int(-1))))
	}
	if opts.Keys != nil {
		in[len(in)-1] = index(opts.Keys, k.Type().Int(-2)+1)
	}
	if _, ok := op.gradLen(q.Type(), k.Type(), v.Type()); !ok {
		return op.byParts(in).result()
	}
	return graph.Apply(op, in...)
}

// index returns an integer without axes as an Int32; it is an error of the run if it is not one of
// 0..n-1. The check is a gather's: no kernel behind it, which may be one that writes to the store,
// needs to fail.
func index(at *graph.Node, n int) *graph.Node {
	return Gather(numbers(at.Graph(), shape.Dim(n)), 0, at)
}

// checkIndex checks the type of an index.
func checkIndex(what string, at shape.Type) error {
	if err := integers.admits(what+" is", at); err != nil || at.Rank() == 0 {
		return err
	}
	return fmt.Errorf("%s is %v; want an integer without axes", what, at)
}

// check checks the types of the inputs and the options.
func (o AttentionOptions) check(q, k, v shape.Type) error {
	if math.IsNaN(o.Scale) || math.IsInf(o.Scale, 0) {
		return fmt.Errorf("Scale is %v; want a finite number", o.Scale)
	}
	scores, err := attentionScores(q, k, v)
	if err != nil {
		return err
	}
	_, known := k.Dim(-2).Int()
	switch {
	case o.Causal && !shape.Of(scores.Dim(-2), scores.Dim(-1)).Concrete():
		return fmt.Errorf("queries are %v, keys %v; causal attention needs numbers of both that do not depend on N", q, k)
	case o.Keys != nil && !known:
		return fmt.Errorf("keys are %v; Keys needs a number of them that does not depend on N", k)
	case o.Keys != nil:
		if err := checkIndex("Keys", o.Keys.Type()); err != nil {
			return err
		}
	}
	if o.Mask == nil {
		return nil
	}
	return checkAttentionMask(o.Mask.Type(), scores)
}

// attentionScores returns the shape of the products of queries and keys.
func attentionScores(q, k, v shape.Type) (scores shape.Shape, err error) {
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
	return q.With(-1, k.Dim(-2)), nil
}

func checkAttentionMask(m shape.Type, scores shape.Shape) error {
	if s, err := shape.Broadcast(m.Shape, scores); err != nil || s != scores || m.DType != shape.Bool {
		return fmt.Errorf("the mask is %v; want a bool that broadcasts to %v", m, scores)
	}
	return nil
}

// attentionOp has the inputs q, k and v, and, as far as its attributes say so, a mask and an Int32
// from 0 to S, the number of keys. Extents of matrices are numbers.
type attentionOp struct {
	Scale                   graph.Bits
	Causal, Masked, Counted bool
}

func (attentionOp) Name() string { return "Attention" }

func (op attentionOp) engine() engine.Attention {
	return engine.Attention{Scale: op.Scale.Value(), Causal: op.Causal, Masked: op.Masked, Counted: op.Counted}
}

func (op attentionOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := op.check(in, 3); err != nil {
		return t, err
	}
	return in[0].Of(in[0].With(-1, in[2].Dim(-1))), nil
}

// check checks inputs of which so many are floating point.
func (op attentionOp) check(in []shape.Type, floats int) error {
	inputs := floats
	for _, more := range []bool{op.Masked, op.Counted} {
		if more {
			inputs++
		}
	}
	if err := arity(in, inputs); err != nil {
		return err
	}
	scores, err := attentionScores(in[0], in[1], in[2])
	if err != nil {
		return err
	}
	if _, ok := op.gradLen(in[0], in[1], in[2]); !ok {
		return fmt.Errorf("queries are %v, keys %v, values %v; want numbers of each that do not depend on N", in[0], in[1], in[2])
	}
	if op.Masked {
		if err := checkAttentionMask(in[floats], scores); err != nil {
			return err
		}
	}
	if op.Counted && in[inputs-1] != shape.I32() {
		return fmt.Errorf("the number of keys is %v; want an int32 without axes", in[inputs-1])
	}
	return nil
}

// gradLen returns how many elements the gradients of a head have, false if that depends on N.
func (op attentionOp) gradLen(q, k, v shape.Type) (n int, ok bool) {
	if !shape.Of(q.Dim(-2), k.Dim(-2), v.Dim(-1)).Concrete() {
		return 0, false
	}
	l, s, e := q.Int(-2), k.Int(-2), q.Int(-1)
	return l*e + s*e + s*v.Int(-1), true
}

// Grad implements autodiff's Differentiable.
func (op attentionOp) Grad(n, dy *graph.Node) []*graph.Node {
	in := append(nodes(n, 0, 3), dy)
	grads := graph.Apply(attentionGradOp{op}, append(in, nodes(n, 3, n.NIn())...)...)
	return attentionGradOp{op}.parts(grads, grads)
}

// nodes returns inputs from to to of n.
func nodes(n *graph.Node, from, to int) (in []*graph.Node) {
	for i := from; i < to; i++ {
		in = append(in, n.In(i))
	}
	return in
}

func (op attentionOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, ok := e.(engine.Attender)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "attention")
	}
	return b.BindAttention(op.engine(), in, out)
}

// MACs returns the number of multiply-accumulate operations of the two products, as if every query
// attended to every key.
func (op attentionOp) MACs(in []shape.Type, out shape.Type) int {
	return out.Drop(-1).Len() * in[1].Int(-2) * (in[0].Int(-1) + in[2].Int(-1))
}

// PerExample attends in the heads of each row.
func (op attentionOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	rows, err := op.rows(n, in, 3)
	if rows == nil || err != nil {
		return n, err
	}
	return graph.Apply(op, rows...), nil
}

// rows returns the inputs with an axis for the rows in front, nil if no input is separate for them.
// So many inputs are floating point.
func (op attentionOp) rows(n *graph.Node, in []*graph.Node, floats int) ([]*graph.Node, error) {
	if !anyOwn(n, in) {
		return nil, nil
	}
	if isBatch(n.Type().Shape) { // then q, k and v are a batch too
		return nil, sharedBatch(n)
	}
	all, rank := eachOwn(n, in, floats), n.In(0).Type().Rank()+1
	for i, x := range in {
		switch {
		case i < floats || !own(n, in, i):
		case op.Masked && i == floats:
			all[i] = Reshape(x, AlignRows(x.Type().Shape, rank).Dims()...)
		default:
			return nil, fmt.Errorf("the number of its keys is given separately for each example; want the same for all")
		}
	}
	return all, nil
}

// attentionGradOp has the inputs q, k, v and dy, and those that follow in attentionOp. Its result
// (...,L*E+S*E+S*V) is the gradients of q, k and v of a head, one after the other.
type attentionGradOp struct{ attentionOp }

func (attentionGradOp) Name() string { return "AttentionGrad" }

func (op attentionGradOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := op.check(in, 4); err != nil {
		return t, err
	}
	if y := in[0].Of(in[0].With(-1, in[2].Dim(-1))); in[3] != y {
		return t, fmt.Errorf("the gradient is %v; it must be %v, as the result is", in[3], y)
	}
	n, _ := op.gradLen(in[0], in[1], in[2])
	return in[0].Of(in[0].Drop(-1).With(-1, shape.Dim(n))), nil
}

// parts returns the three parts of u, which is like n, a node of op, as gradients of the inputs of an
// attentionOp.
func (op attentionGradOp) parts(n, u *graph.Node) []*graph.Node {
	all := make([]*graph.Node, n.NIn()-1)
	at := 0
	for i := range 3 {
		t := n.In(i).Type()
		size := t.Int(-2) * t.Int(-1)
		all[i] = Reshape(sliceAxis(u, t.Rank()-2, at, at+size), t.Dims()...)
		at += size
	}
	return all
}

// Grad returns the adjoints of q, k, v and dy for u, that of the result, made of ops of their own.
// With the probabilities p, d = dy·vᵀ, m the sums of p*d over keys, and g = p*(d-m), the result is
// dq = s*g·k, dk = s*gᵀ·q and dv = pᵀ·dy.
func (op attentionGradOp) Grad(n, u *graph.Node) []*graph.Node {
	of := op.parts(n, u)
	uq, uk, uv := of[0], of[1], of[2]
	q, k, v, dy := n.In(0), n.In(1), n.In(2), n.In(3)
	scaled := func(x *graph.Node) *graph.Node { return MulScalar(x, op.Scale.Value()) }
	times := func(a, b *graph.Node) *graph.Node { return MatMul(a, b) }
	byT := func(a, b *graph.Node) *graph.Node { return MatMul(a, b, MatMulOp{TransB: true}) }
	turned := func(a, b *graph.Node) *graph.Node { return MatMul(a, b, MatMulOp{TransA: true}) }
	p := op.byParts(append(nodes(n, 0, 3), nodes(n, 4, n.NIn())...)).probabilities()
	d := byT(dy, v)
	centred := Sub(d, SumKeep(Mul(p, d), -1))
	g := scaled(Mul(p, centred))

	byG := scaled(Add(byT(uq, k), byT(q, uk))) // the adjoint of p*(d-m)
	sum := SumKeep(Mul(p, byG), -1)
	byD := Mul(p, Sub(byG, sum))
	byP := Add(Sub(Mul(byG, centred), Mul(d, sum)), byT(dy, uv))
	byS := scaled(Mul(p, Sub(byP, SumKeep(Mul(p, byP), -1))))
	all := []*graph.Node{
		Add(times(g, uk), times(byS, k)),
		Add(turned(g, uq), turned(byS, q)),
		turned(byD, dy),
		Add(times(p, uv), times(byD, v)),
	}
	return append(all, make([]*graph.Node, n.NIn()-4)...)
}

func (op attentionGradOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, ok := e.(engine.Attender)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "attention")
	}
	return b.BindAttentionGrad(op.engine(), in, out)
}

// MACs is that of the five products of the gradients.
func (op attentionGradOp) MACs(in []shape.Type, _ shape.Type) int {
	return in[0].Drop(-1).Len() * in[1].Int(-2) * (3*in[0].Int(-1) + 2*in[2].Int(-1))
}

// PerExample is like that of attention.
func (op attentionGradOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	rows, err := op.rows(n, in, 4)
	if rows == nil || err != nil {
		return n, err
	}
	return graph.Apply(op, rows...), nil
}

// attentionParts is attention by ops of their own, of any extents and differentiable to any order.
type attentionParts struct {
	attentionOp
	q, k, v, mask, keys *graph.Node
}

// byParts takes the inputs of an attentionOp.
func (op attentionOp) byParts(in []*graph.Node) (p attentionParts) {
	p = attentionParts{attentionOp: op, q: in[0], k: in[1], v: in[2]}
	if op.Masked {
		p.mask = in[3]
	}
	if op.Counted {
		p.keys = in[len(in)-1]
	}
	return p
}

func (p attentionParts) result() *graph.Node { return MatMul(p.probabilities(), p.v) }

// probabilities are those of all keys, 0 where a query may not attend to one.
func (p attentionParts) probabilities() *graph.Node {
	products := MatMul(MulScalar(p.q, p.Scale.Value()), p.k, MatMulOp{TransB: true})
	allowed := p.allowed(products.Type().Shape)
	if allowed == nil {
		return Softmax(products, -1)
	}
	// The softmax of a row without a key is taken over all keys, so that it is finite; Where then
	// discards it.
	some := Greater(MaxKeep(Cast(allowed, products.Type().DType), -1), Scalar(products, 0))
	logits := Where(Or(allowed, Not(some)), products, Scalar(products, math.Inf(-1)))
	return Where(allowed, Softmax(logits, -1), Scalar(products, 0))
}

// allowed returns which keys queries may attend to, or nil if that is all.
func (p attentionParts) allowed(scores shape.Shape) *graph.Node {
	allowed := p.mask
	restrict := func(n *graph.Node) {
		if allowed != nil {
			n = And(allowed, n)
		}
		allowed = n
	}
	if !p.Causal && p.keys == nil {
		return allowed
	}
	key := numbers(p.q.Graph(), scores.Dim(-1))
	if p.keys != nil {
		restrict(Less(key, p.keys))
	}
	if p.Causal {
		last := Unsqueeze(numbers(p.q.Graph(), scores.Dim(-2)), 1) // key of a query
		if p.keys != nil {
			last = Add(last, AddScalar(p.keys, -float64(scores.Int(-2))))
		}
		restrict(LessEqual(key, last))
	}
	return allowed
}

// numbers returns the Int32 numbers from 0 to n-1.
func numbers(g *graph.Graph, n shape.Dim) *graph.Node {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(i)
	}
	return g.Const(shape.I32(n), v)
}
