package ref

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.Attender = Engine{}

// BindAttention implements [engine.Attender].
func (Engine) BindAttention(a engine.Attention, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	h, ok := attentionOf(a, 3, in)
	if !ok || out.Len() != h.heads*h.l*h.v {
		return unsupported("attention", in)
	}
	return h.bind(out, h.s+h.v, attentionKernel[float32](h), attentionKernel[float64](h))
}

// BindAttentionGrad implements [engine.Attender].
func (Engine) BindAttentionGrad(a engine.Attention, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	h, ok := attentionOf(a, 4, in)
	if !ok || in[3].Len() != h.heads*h.l*h.v || out.Len() != h.heads*h.gradLen() {
		return unsupported("gradient of attention", in)
	}
	return h.bind(out, h.s+h.gradLen(), attentionGradKernel[float32](h), attentionGradKernel[float64](h))
}

// attention has known extents.
type attention struct {
	engine.Attention
	heads, l, s, e, v int
	mask              grid // places in the mask by place in the scores
	maskIn            int  // which input that is
}

// attentionOf takes the operands apart, of which so many are floating point.
func attentionOf(a engine.Attention, floats int, in []engine.Operand) (h attention, ok bool) {
	count := floats
	h.maskIn = count
	if a.Masked {
		count++
	}
	if a.Counted {
		count++
	}
	if len(in) != count || in[0].Rank() < 2 || in[0].Rank() != in[1].Rank() || in[0].Rank() != in[2].Rank() {
		return h, false
	}
	for i, o := range in {
		if o.Layout != engine.Rows || i < floats && o.DType != in[0].DType {
			return h, false
		}
	}
	q, k, v := in[0], in[1], in[2]
	h.Attention, h.heads = a, 1
	h.l, h.s, h.e, h.v = q.Int(-2), k.Int(-2), q.Int(-1), v.Int(-1)
	for i := range q.Rank() - 2 {
		h.heads *= q.Int(i)
	}
	if k.Len() != h.heads*h.s*h.e || v.Len() != h.heads*h.s*h.v || a.Counted && (in[count-1].DType != shape.Int32 || in[count-1].Len() != 1) {
		return h, false
	}
	if !a.Masked {
		return h, true
	}
	scores, m := q.With(-1, k.Dim(-2)), in[h.maskIn]
	to, err := shape.Broadcast(m.Shape, scores)
	h.mask = spread(m.Shape, scores)
	return h, err == nil && to == scores && m.DType == shape.Bool
}

// bind returns the kernel for out, which adds up so many sums.
func (h attention) bind(out engine.Operand, sums int, f32, f64 engine.Kernel) (b engine.Bound, err error) {
	switch out.DType {
	case shape.Float32:
		b = bound(f32)
	case shape.Float64:
		b = bound(f64)
	default:
		return unsupported("attention", nil)
	}
	b.Scratch = sums * shape.Float64.Width()
	return b, nil
}

// keys is how many keys query i has, as far as there is no mask.
func (h attention) keys(c *engine.Call, i int) int {
	n, shift := h.s, 0
	if h.Counted {
		n = min(max(int(engine.Slice[int32](c.In[len(c.In)-1])[0]), 0), h.s)
		shift = n - h.l
	}
	if h.Causal {
		n = min(max(i+1+shift, 0), n)
	}
	return n
}

// allowed reports whether query i of a head has key j.
func (h attention) allowed(c *engine.Call, head, i, j int) bool {
	return !h.Masked || engine.Slice[bool](c.In[h.maskIn])[h.mask.offset((head*h.l+i)*h.s+j)]
}

// noKey stands in the place of the probability of a key that a query may not attend to.
const noKey = -1

// weights sets p to the probabilities of the keys of query i of a head, or noKey.
func weights[T shape.Float](h attention, c *engine.Call, head, i int, p []float64) {
	q, n := nthRow[T](c.In[0], head*h.l+i, h.e), h.keys(c, i)
	most, sum := math.Inf(-1), 0.0
	for j := range p {
		if j >= n || !h.allowed(c, head, i, j) {
			p[j] = noKey
			continue
		}
		x := 0.0
		for e, k := range nthRow[T](c.In[1], head*h.s+j, h.e) {
			x += float64(T(h.Scale)*q[e]) * float64(k)
		}
		p[j] = float64(T(x)) // infinite where T has overflowed
		most = math.Max(most, p[j])
	}
	for j, x := range p {
		if j < n && h.allowed(c, head, i, j) {
			p[j] = math.Exp(x - most)
			sum += p[j]
		}
	}
	for j, x := range p {
		if x != noKey {
			p[j] = x / sum
		}
	}
}

// nthRow is row i of n elements.
func nthRow[T shape.Float](b engine.Buffer, i, n int) []T { return engine.Slice[T](b)[i*n:][:n] }

func attentionKernel[T shape.Float](h attention) engine.Kernel {
	return func(c *engine.Call) error {
		work := engine.Slice[float64](c.Scratch.At(0, shape.Float64, h.s+h.v))
		p, sums := work[:h.s], work[h.s:]
		for row := range h.heads * h.l {
			weights[T](h, c, row/h.l, row%h.l, p)
			clear(sums)
			for j, x := range p {
				if x != noKey {
					addRow(sums, x, nthRow[T](c.In[2], row/h.l*h.s+j, h.v))
				}
			}
			for k, x := range sums {
				nthRow[T](c.Out[0], row, h.v)[k] = T(x)
			}
		}
		return nil
	}
}

// addRow adds a multiple of x to sums.
func addRow[T shape.Float](sums []float64, by float64, x []T) {
	for i, v := range x {
		sums[i] += by * float64(v)
	}
}

// gradLen is how many elements the gradients of a head are.
func (h attention) gradLen() int { return h.l*h.e + h.s*h.e + h.s*h.v }

func attentionGradKernel[T shape.Float](h attention) engine.Kernel {
	return func(c *engine.Call) error {
		work := engine.Slice[float64](c.Scratch.At(0, shape.Float64, h.s+h.gradLen()))
		p, sums := work[:h.s], work[h.s:]
		for head := range h.heads {
			clear(sums)
			for i := range h.l {
				weights[T](h, c, head, i, p)
				addQuery[T](h, c, head, i, p, sums)
			}
			for k, x := range sums {
				nthRow[T](c.Out[0], head, h.gradLen())[k] = T(x)
			}
		}
		return nil
	}
}

// addQuery adds the gradients of query i to those of its head.
func addQuery[T shape.Float](h attention, c *engine.Call, head, i int, p, sums []float64) {
	q, dy := nthRow[T](c.In[0], head*h.l+i, h.e), nthRow[T](c.In[3], head*h.l+i, h.v)
	dq, dk, dv := sums[i*h.e:][:h.e], sums[h.l*h.e:], sums[(h.l+h.s)*h.e:]
	gradient := func(j int) (d float64) { // of the probability of key j
		for k, v := range nthRow[T](c.In[2], head*h.s+j, h.v) {
			d += float64(dy[k]) * float64(v)
		}
		return d
	}
	mean := 0.0
	for j, x := range p {
		if x != noKey {
			mean += x * gradient(j)
		}
	}
	for j, x := range p {
		if x == noKey {
			continue
		}
		d := h.Scale * x * (gradient(j) - mean)
		addRow(dv[j*h.v:][:h.v], x, dy)
		addRow(dq, d, nthRow[T](c.In[1], head*h.s+j, h.e))
		addRow(dk[j*h.e:][:h.e], d, q)
	}
}
