package gorgonia

import (
	"slices"

	G "gorgonia.org/gorgonia"
)

// broadcast applies an elementwise function to operands that spread by NumPy's rule, which
// gorgonia is told axis by axis. A single number goes as a scalar.
func (c *call) broadcast(f binaryFn, a, b *G.Node) *G.Node {
	if c.err != nil {
		return nil
	}
	da, db := []int(a.Shape()), []int(b.Shape())
	out := spread(da, db)
	switch {
	case slices.Equal(da, db) || len(da) == 0 || len(db) == 0:
		return c.two(f, a, b)
	case size(da) == 1:
		return c.two(f, c.view(a, nil), c.as(b, out))
	case size(db) == 1:
		return c.two(f, c.as(a, out), c.view(b, nil))
	}
	p := plan(da, db, out)
	if !p.safe() {
		p = p.joined()
	}
	if !p.safe() {
		return c.two(f, c.repeated(a, out), c.repeated(b, out))
	}
	left, right := p.axes(func(x axis) bool { return x.a != x.out }), p.axes(func(x axis) bool { return x.b != x.out })
	a = c.operand(a, p.extents(func(x axis) int { return x.a }), left)
	b = c.operand(b, p.extents(func(x axis) int { return x.b }), right)
	if c.err != nil {
		return nil
	}
	a, b, err := G.Broadcast(a, b, G.NewBroadcastPattern(left, right))
	c.got(a, err)
	return c.as(c.two(f, a, b), out)
}

// repeated is x in the extents out that it spreads to, where gorgonia's gradient of spreading it
// would be wrong.
func (c *call) repeated(x *G.Node, out []int) *G.Node {
	x = c.as(x, aligned(x.Shape(), len(out)))
	if c.err != nil || sameDims(x.Shape(), out) {
		return x
	}
	dims := x.Shape()
	return c.take(x, out, 0, func(axis, i int) int {
		if dims[axis] == 1 {
			return 0
		}
		return i
	})
}

// operand brings x to the extents of a plan. One that is spread goes as a private copy, since
// gorgonia reshapes it.
func (c *call) operand(x *G.Node, dims []int, spread []byte) *G.Node {
	if len(spread) > 0 {
		return c.private(x, dims)
	}
	return c.as(x, dims)
}

// expand repeats x until it has the given extents.
func (c *call) expand(x *G.Node, dims []int) *G.Node {
	if c.err != nil || sameDims(x.Shape(), dims) {
		return x
	}
	if size(x.Shape()) == 1 {
		return c.two(G.HadamardProd, c.fill(dims, 1), c.as(x, nil))
	}
	repeated := func(_, b *G.Node) (*G.Node, error) { return b, nil }
	return c.as(c.broadcast(repeated, c.fill(dims, 0), x), dims)
}

func broadcastTo(c *call) *G.Node { return c.expand(c.in[0], c.dims(c.node)) }

// spread returns the extents that a and b, aligned at the end, spread to.
func spread(a, b []int) []int {
	out := slices.Clone(aligned(a, max(len(a), len(b))))
	for i, d := range aligned(b, len(out)) {
		if d != 1 {
			out[i] = d
		}
	}
	return out
}

// aligned puts axes of extent 1 before dims.
func aligned(dims []int, rank int) []int {
	return append(slices.Repeat([]int{1}, rank-len(dims)), dims...)
}

// axis is one axis of an elementwise op: the extents of the operands and of the result.
type axis struct{ a, b, out int }

// spreading is how two operands spread.
type spreading []axis

func plan(a, b, out []int) (p spreading) {
	a, b = aligned(a, len(out)), aligned(b, len(out))
	for i := range out {
		p = append(p, axis{a[i], b[i], out[i]})
	}
	return p
}

// safe reports whether gorgonia's result and gradient are right: with at most 4 axes, and unless of
// the last two only the third is spread, over which tensor's sum is wrong.
func (p spreading) safe() bool {
	if len(p) < 4 {
		return true
	}
	third, fourth := p[2], p[3]
	return len(p) == 4 && (third.a == third.out || fourth.a != fourth.out) && (third.b == third.out || fourth.b != fourth.out)
}

// joined is p with neighbours that spread alike as one axis.
func (p spreading) joined() (q spreading) {
	for _, x := range p {
		last := len(q) - 1
		switch {
		case x.out == 1:
		case last >= 0 && (q[last].a == q[last].out) == (x.a == x.out) && (q[last].b == q[last].out) == (x.b == x.out):
			q[last] = axis{q[last].a * x.a, q[last].b * x.b, q[last].out * x.out}
		default:
			q = append(q, x)
		}
	}
	return q
}

func (p spreading) axes(of func(axis) bool) (set []byte) {
	for i, x := range p {
		if of(x) {
			set = append(set, byte(i))
		}
	}
	return set
}

func (p spreading) extents(of func(axis) int) []int {
	dims := make([]int, len(p))
	for i, x := range p {
		dims[i] = of(x)
	}
	return dims
}
