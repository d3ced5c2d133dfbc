package onnx

import (
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var logicOperators = family{
	"Equal":          withExtents(2, 2, comparison(ops.Equal), equalExtents),
	"Less":           always(2, 2, comparison(ops.Less)),
	"LessOrEqual":    always(2, 2, comparison(ops.LessEqual)),
	"Greater":        always(2, 2, comparison(ops.Greater)),
	"GreaterOrEqual": always(2, 2, comparison(ops.GreaterEqual)),
	"And":            always(2, 2, comparison(ops.And)),
	"Or":             always(2, 2, comparison(ops.Or)),
	"Xor":            always(2, 2, comparison(ops.NotEqual)),
	"Not":            always(1, 1, func(c *call) []*value { return mask(ops.Not(c.node(0))) }),
	"Where":          withExtents(3, 3, where, whereExtents),
}

func comparison(f binaryFunc) func(*call) []*value {
	return func(c *call) []*value {
		a, b := c.pair()
		return mask(f(a, b))
	}
}

func where(c *call) []*value {
	if c.elem(1) != c.elem(2) {
		refuse("the element types differ: %v and %v", c.elem(1), c.elem(2))
	}
	return moved(ops.Where(c.node(0), c.node(1), c.node(2)), c.elem(1))
}

// equalExtents compares extents. k*N equals no number that is not positive, and itself; with others
// the answer would depend on N.
func equalExtents(c *call) []*value {
	known := true
	equal := []bool{}
	eachPair(c, func(a, b shape.Dim) {
		known = known && (a.Symbolic() == b.Symbolic() || a <= 0 && !a.Symbolic() || b <= 0 && !b.Symbolic())
		equal = append(equal, a == b)
	})
	if !known {
		return nil
	}
	return []*value{boolsValue(equal, c.in[0].scalar && c.in[1].scalar)}
}

func whereExtents(c *call) []*value {
	if c.in[0].host == nil {
		return nil
	}
	cond, ok := c.in[0].host.ints()
	a, b := c.dims(1), c.dims(2)
	n := max(len(cond), len(a), len(b))
	if !ok || !fits(len(cond), n) || !fits(len(a), n) || !fits(len(b), n) {
		return nil
	}
	d := make([]shape.Dim, n)
	for i := range d {
		if d[i] = b[i%len(b)]; cond[i%len(cond)] != 0 {
			d[i] = a[i%len(a)]
		}
	}
	return []*value{extentsValue(d, false)}
}
