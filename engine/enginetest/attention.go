package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Limits of attention, for numbers of about 1: a score of E terms may be off by as many units in the
// last place, and with it, relatively, a probability. Gradients are sums of such.
const attentionUlps, attentionGradUlps = 64, 256

// attentionCase is attention of heads with a mask of some shape, if it has axes.
type attentionCase struct {
	heads      []int
	l, s, e, v int
	causal     bool
	mask       []int
	keys       int // the most that the count may be; 0: there is no count
}

func (a attentionCase) trials(d shape.DType) []trial {
	of := func(dims ...int) shape.Type {
		return shape.Type{DType: d, Shape: shape.OfInts(append(append([]int{}, a.heads...), dims...)...)}
	}
	attrs := engine.Attention{Scale: 0.5, Causal: a.causal, Masked: a.mask != nil, Counted: a.keys > 0}
	in := []shape.Type{of(a.l, a.e), of(a.s, a.e), of(a.s, a.v), of(a.l, a.v)}
	data := repeat(rarely(2000, nonFinite, uniform(-1, 1)), 4)
	if a.mask != nil {
		in, data = append(in, shape.Type{DType: shape.Bool, Shape: shape.OfInts(a.mask...)}), append(data, whole(0, 1))
	}
	if a.keys > 0 {
		in, data = append(in, shape.I32()), append(data, whole(-1, a.keys))
	}
	size := float64(a.e+a.v)/16 + 1
	forward := trial{
		op: fmt.Sprintf("Attention%+v", attrs), in: append(append([]shape.Type{}, in[:3]...), in[4:]...), out: []shape.Type{of(a.l, a.v)},
		data: append(append([]source{}, data[:3]...), data[4:]...), limit: limit{result: attentionUlps * size, one: attentionUlps * size},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Attender).BindAttention(attrs, in, out)
		}),
	}
	limits := attentionGradUlps * size * (1 + float64(a.l)/64)
	backward := trial{
		op: fmt.Sprintf("AttentionGrad%+v", attrs), in: in, out: []shape.Type{of(a.l*a.e + a.s*a.e + a.s*a.v)},
		data: data, limit: limit{result: limits, one: limits},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Attender).BindAttentionGrad(attrs, in, out)
		}),
	}
	return []trial{forward, backward}
}

func attentionTable(*gen) (all []trial) {
	add := func(a attentionCase) {
		for _, d := range []shape.DType{shape.Float32, shape.Float64} {
			all = append(all, a.trials(d)...)
		}
	}
	lengths, widths := []int{1, 3, 65, 130}, []int{1, 7, 64, 80}
	for i, l := range lengths {
		for j, s := range lengths {
			e, v := widths[(i+j)%4], widths[(i+2*j+1)%4]
			add(attentionCase{heads: []int{2}, l: l, s: s, e: e, v: v})
			add(attentionCase{heads: []int{2}, l: l, s: s, e: v, v: e, causal: true})
			add(attentionCase{heads: []int{2, 1}, l: l, s: s, e: e, v: v, causal: i%2 == 0, mask: []int{l, s}})
			add(attentionCase{heads: []int{2, 2}, l: l, s: s, e: e, v: v, causal: j%2 == 0, keys: s + 1})
		}
	}
	add(attentionCase{heads: []int{2, 3}, l: 5, s: 6, e: 4, v: 3, mask: []int{2, 1, 1, 6}})
	add(attentionCase{heads: []int{2, 3}, l: 5, s: 6, e: 4, v: 3, mask: []int{3, 5, 1}})
	add(attentionCase{heads: []int{2, 3}, l: 5, s: 6, e: 4, v: 3, mask: []int{1}, keys: 6})
	add(attentionCase{heads: []int{0, 3}, l: 5, s: 6, e: 4, v: 3})
	add(attentionCase{heads: []int{3}, l: 0, s: 6, e: 4, v: 3})
	add(attentionCase{heads: []int{3}, l: 5, s: 6, e: 4, v: 0, causal: true})
	add(attentionCase{l: 300, s: 280, e: 33, v: 16, causal: true})
	return all
}

func randomAttention(g *gen) trial {
	a := attentionCase{l: g.positive(140), s: g.positive(140), e: g.positive(80), v: g.positive(80), causal: g.bool()}
	for range g.IntN(3) {
		a.heads = append(a.heads, 1+g.IntN(4))
	}
	if g.bool() {
		a.mask = []int{a.l, a.s}
		for i := range a.mask {
			if g.bool() {
				a.mask[i] = 1
			}
		}
	}
	if g.bool() {
		a.keys = a.s + 1
	}
	return pick(g, a.trials(pick(g, floats...))...)
}

// updateSlice is a part written into x from a start that may be outside.
func updateSlice(axis, extent int, x shape.Type) trial {
	part := x.Of(x.With(axis, shape.Dim(extent)))
	return trial{
		op: fmt.Sprintf("UpdateSlice{axis %d}", axis), in: []shape.Type{x, part, shape.I32()}, out: []shape.Type{x},
		data: []source{nil, nil, whole(-2, x.Int(axis)+1)}, limit: limit{bits: true},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Indexer).BindUpdateSlice(axis, in, out)
		}),
	}
}
