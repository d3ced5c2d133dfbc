package onnx

import (
	"math"
	"slices"

	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var shapeOperators = family{
	"Shape":           direct(1, 1, shapeOf),
	"Size":            direct(1, 1, sizeOf),
	"Constant":        direct(0, 0, constantOf),
	"ConstantOfShape": direct(1, 1, constantOfShape),
	"Range":           direct(3, 3, rangeOf),
}

// shapeOf returns the extents of a tensor, or some of them.
func shapeOf(c *call) []*value {
	dims := c.shape(0).Dims()
	start, end := c.intAttr("start", 0), c.intAttr("end", len(dims))
	limit := func(v int) int {
		if v < 0 {
			v += len(dims)
		}
		return min(max(v, 0), len(dims))
	}
	start, end = limit(start), limit(end)
	return []*value{extentsValue(dims[start:max(start, end)], false)}
}

func sizeOf(c *call) []*value {
	n, err := c.shape(0).Size()
	if err != nil {
		panic(refusal{err})
	}
	if v, ok := n.Int(); !ok && !n.Symbolic() { // more elements than an extent can be
		return []*value{known(intsTensor([]int64{int64(v)}))}
	}
	return []*value{extentsValue([]shape.Dim{n}, true)}
}

// constantOf returns the value of one of the attributes that a Constant can have.
func constantOf(c *call) []*value {
	if len(c.n.Attributes) != 1 {
		refuse("%d attributes; want one", len(c.n.Attributes))
	}
	name := c.n.Attributes[0].Name
	a := c.attribute(name)
	if a == nil {
		refuse("attribute %s has no value", name)
	}
	switch name {
	case "value":
		if a.Tensor == nil {
			refuse("attribute value is %v; want a tensor", a.Type)
		}
		return []*value{known(c.tensor(a.Tensor))}
	case "value_int":
		return []*value{known(intsTensor([]int64{a.Int}))}
	case "value_ints":
		return []*value{known(intsTensor(a.Ints, len(a.Ints)))}
	case "value_float":
		return []*value{known(&Tensor{Type: ir.Float, Data: []float32{a.Float}})}
	case "value_floats":
		return []*value{known(&Tensor{Type: ir.Float, Dims: []int{len(a.Floats)}, Data: a.Floats})}
	case "value_string":
		return []*value{known(&Tensor{Type: ir.String, Data: []string{a.String}})}
	case "value_strings":
		return []*value{known(&Tensor{Type: ir.String, Dims: []int{len(a.Strings)}, Data: a.Strings})}
	}
	refuse("attribute %s is not supported", name)
	return nil
}

// tensor returns the elements of an attribute.
func (c *call) tensor(t *ir.Tensor) *Tensor {
	h, err := c.ev.m.tensor(t)
	if err != nil {
		panic(refusal{err})
	}
	return h
}

// small is the number of elements up to which a tensor of equal elements is known: then it takes part
// in the arithmetic of extents.
const small = 1 << 12

func constantOfShape(c *call) []*value {
	fill := &Tensor{Type: ir.Float, Dims: []int{1}, Data: []float32{0}}
	if a := c.typed("value", ir.AttributeTensor); a != nil {
		fill = c.tensor(a.Tensor)
	}
	if fill.Len() != 1 {
		refuse("attribute value has %d elements; want one", fill.Len())
	}
	e, ok := elements[fill.Type]
	if !ok {
		refuse("element type %v is not supported", fill.Type)
	}
	s := shape.Of(c.dims(0)...)
	if s.Err() != nil {
		panic(refusal{s.Err()})
	}
	number := &Tensor{Type: fill.Type, Data: fill.Data}
	if size, err := s.Size(); err == nil {
		if n, ok := size.Int(); ok && n <= small {
			return []*value{known(&Tensor{Type: fill.Type, Dims: s.Ints(), Data: e.repeat(fill.Data, n)})}
		}
	}
	return moved(ops.BroadcastTo(c.b.nodeOf(known(number)), s), fill.Type)
}

// rangeOf returns a known range of numbers.
func rangeOf(c *call) []*value {
	e, ok := elements[c.elem(0)]
	if !ok {
		refuse("element type %v is not supported", c.elem(0))
	}
	if e.compute.IsInt() {
		start, limit, delta := c.scalarInt64(0), c.scalarInt64(1), c.scalarInt64(2)
		if delta == 0 {
			refuse("delta is 0")
		}
		n := rangeLen(float64(limit)-float64(start), float64(delta))
		v := make([]int64, n)
		for i := range v {
			v[i] = start + int64(i)*delta
		}
		data := any(v)
		if e.compute != shape.Int64 {
			data = converted[int64, int32](v)
		}
		return []*value{known(&Tensor{Type: c.elem(0), Dims: []int{n}, Data: e.narrow(data)})}
	}
	start, limit, delta := c.scalar(0), c.scalar(1), c.scalar(2)
	n := rangeLen(limit-start, delta)
	v := make([]float64, n)
	for i := range v {
		v[i] = start + float64(i)*delta
	}
	data := any(v)
	if e.compute == shape.Float32 {
		data = mapped(v, func(x float64) float32 { return float32(x) })
	}
	return []*value{known(&Tensor{Type: c.elem(0), Dims: []int{n}, Data: e.narrow(data)})}
}

func rangeLen(span, delta float64) int {
	n := math.Ceil(span / delta)
	switch {
	case math.IsNaN(n) || n > maxFolded:
		refuse("a range of %v elements", n)
	case n < 0:
		return 0
	}
	return int(n)
}

// scalarInt64 returns the only element of input k, a known integer.
func (c *call) scalarInt64(k int) int64 {
	t := c.known(k)
	v, ok := t.ints()
	if !ok || len(v) != 1 {
		refuse("input %d is %v; want an integer", k, t)
	}
	return v[0]
}

// The rest is arithmetic of extents, of which some depend on N. Each function returns nil where the
// result is none.

// fits reports whether a list of k elements broadcasts to n.
func fits(k, n int) bool { return k == n || k == 1 }

// eachPair calls f for the elements of inputs 0 and 1, which broadcast.
func eachPair(c *call, f func(a, b shape.Dim)) {
	a, b := c.dims(0), c.dims(1)
	n := max(len(a), len(b))
	if !fits(len(a), n) || !fits(len(b), n) {
		refuse("%d and %d elements do not broadcast", len(a), len(b))
	}
	for i := range n {
		f(a[i%len(a)], b[i%len(b)])
	}
}

// extentsBy computes element by element. What f refuses depends on N in another way than k*N does.
func extentsBy(f func(a, b shape.Dim) (shape.Dim, error)) func(*call) []*value {
	return func(c *call) []*value {
		var d []shape.Dim
		eachPair(c, func(a, b shape.Dim) {
			v, err := f(a, b)
			if err != nil {
				refuse("%w: bind it", err)
			}
			d = append(d, v)
		})
		return []*value{extentsValue(d, isScalar(c.in[0]) && isScalar(c.in[1]))}
	}
}

func isScalar(v *value) bool { return v.typ().Rank() == 0 }

func addDims(a, b shape.Dim) (shape.Dim, error) { return a.Add(b) }
func mulDims(a, b shape.Dim) (shape.Dim, error) { return a.Mul(b) }
func divDims(a, b shape.Dim) (shape.Dim, error) { return a.Div(b) }

func subDims(a, b shape.Dim) (shape.Dim, error) {
	switch {
	case a == b:
		return 0, nil
	case b == 0:
		return a, nil
	case a.Factor() > b.Factor() && b.Symbolic():
		return shape.Batch(a.Factor() - b.Factor()), nil
	}
	return 0, shape.ErrSymbolic
}

func boolsValue(v []bool, scalar bool) *value {
	t := &Tensor{Type: ir.Bool, Dims: []int{len(v)}, Data: v}
	if scalar {
		t.Dims = nil
	}
	return known(t)
}

func concatExtents(c *call) []*value {
	var d []shape.Dim
	for k := range c.in {
		d = append(d, c.dims(k)...)
	}
	return []*value{extentsValue(d, false)}
}

func gatherExtents(c *call) []*value {
	if c.in[1].host == nil || c.in[0].scalar {
		return nil
	}
	from, ids := c.dims(0), c.ints(1)
	if c.in[1].typ().Rank() > 1 {
		return nil
	}
	d := make([]shape.Dim, len(ids))
	for i, id := range ids {
		d[i] = from[axis(id, len(from))]
	}
	return []*value{extentsValue(d, c.in[1].typ().Rank() == 0)}
}

func sliceExtents(c *call) []*value {
	if c.in[0].scalar {
		return nil
	}
	from := c.dims(0)
	for _, r := range c.cuts(1) {
		rg, some := r.limit(len(from))
		var d []shape.Dim
		stop := rg.Stop
		if stop == ops.End {
			stop = -1
		}
		for i := rg.Start; some && (r.step > 0 && i < stop || r.step < 0 && i > stop); i += r.step {
			d = append(d, from[i])
		}
		from = slices.Clone(d)
	}
	if from == nil {
		from = []shape.Dim{}
	}
	return []*value{extentsValue(from, false)}
}

// squeezeExtents makes a scalar of a list of one, and unsqueezeExtents the reverse.
func squeezeExtents(c *call) []*value {
	if len(c.in[0].extents) != 1 {
		return nil
	}
	return []*value{extentsValue(c.in[0].extents, true)}
}

func unsqueezeExtents(c *call) []*value {
	if !c.in[0].scalar {
		return nil
	}
	return []*value{extentsValue(c.in[0].extents, false)}
}

// reshapeExtents gives lists and scalars of the same elements.
func reshapeExtents(c *call) []*value {
	if c.in[1].host == nil || !c.in[0].symbolic() || len(c.ints(1)) > 1 {
		return nil
	}
	return []*value{extentsValue(c.in[0].extents, len(c.ints(1)) == 0)}
}
