package gorgonia

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/plexaura/plexaura/shape"
)

// places lists, for each element of a tensor of extents to, in row-major order, the place of
// the element of one of extents from that it is a copy of: along each axis, index(axis, i). It
// is -1 where that is no index of from.
func places(from, to []int, index func(axis, i int) int) []int {
	at := []int{0}
	for axis, extent := range to {
		next := make([]int, 0, len(at)*extent)
		for _, p := range at {
			for i := range extent {
				k := index(axis, i)
				if p < 0 || k < 0 || k >= from[axis] {
					next = append(next, -1)
					continue
				}
				next = append(next, p*from[axis]+k)
			}
		}
		at = next
	}
	return at
}

// take makes a tensor of the given extents of elements of x: along each axis those at index,
// and v where that is no index of x.
func (c *call) take(x *G.Node, dims []int, v float64, index func(axis, i int) int) *G.Node {
	if c.err != nil {
		return nil
	}
	return c.custom(c.takeOp(x, dims, places(x.Shape(), dims, index), v), x)
}

// put is the adjoint of take: it adds the elements of x up, in zeros of the given extents,
// where take would have had them from.
func (c *call) put(x *G.Node, dims []int, index func(axis, i int) int) *G.Node {
	if c.err != nil {
		return nil
	}
	return c.custom(c.putOp(x, dims, places(dims, x.Shape(), index)), x)
}

// takeOp gives the elements of x at places, v for those below 0.
func (l *lowering) takeOp(x *G.Node, dims, places []int, v float64) custom {
	op := newCustom(l.unique("take"), dims, taken[float32](places, v), taken[float64](places, v), x)
	return op.derived([]bool{true}, func(in G.Nodes, dy *G.Node) (G.Nodes, error) {
		dx, err := G.ApplyOp(l.putOp(dy, in[0].Shape(), places), dy)
		return G.Nodes{dx}, err
	})
}

func (l *lowering) putOp(x *G.Node, dims, places []int) custom {
	op := newCustom(l.unique("put"), dims, put[float32](places), put[float64](places), x)
	return op.derived([]bool{true}, func(in G.Nodes, dy *G.Node) (G.Nodes, error) {
		dx, err := G.ApplyOp(l.takeOp(dy, in[0].Shape(), places, 0), dy)
		return G.Nodes{dx}, err
	})
}

func taken[T shape.Float](places []int, v float64) kernel[T] {
	return func(out []T, in [][]T) error {
		for i, p := range places {
			out[i] = T(v)
			if p >= 0 {
				out[i] = in[0][p]
			}
		}
		return nil
	}
}

func put[T shape.Float](places []int) kernel[T] {
	return func(out []T, in [][]T) error {
		for i, p := range places {
			if p >= 0 {
				out[p] += in[0][i]
			}
		}
		return nil
	}
}

// axisGather is how elements are gathered along one axis: x is (outer,extent,inner). One id
// stands for a row of inner elements, or, along, each element has an id of its own.
type axisGather struct {
	outer, extent, inner int
	ids                  int // in a row
	along                bool
}

func gatherOf(x, ids []int, axis int, along bool) axisGather {
	g := axisGather{outer: size(x[:axis]), extent: x[axis], inner: size(x[axis+1:]), ids: size(ids), along: along}
	if along {
		g.ids = ids[axis]
	}
	return g
}

// each visits the pairs of a place in x and one in the result.
func each[T shape.Float](g axisGather, ids []T, visit func(x, y int)) error {
	for o := range g.outer {
		for k := range g.ids {
			for i := range g.inner {
				y := (o*g.ids+k)*g.inner + i
				at := k
				if g.along {
					at = y
				}
				id := ids[at]
				if id < 0 || int(id) >= g.extent {
					return fmt.Errorf("id %v at position %d; want 0 to %d", id, at, g.extent-1)
				}
				visit((o*g.extent+int(id))*g.inner+i, y)
			}
		}
	}
	return nil
}

func (l *lowering) gatherOp(g axisGather, dims []int, x, ids *G.Node) custom {
	op := newCustom(l.unique("gather"), dims, gathered[float32](g), gathered[float64](g), x, ids)
	return op.derived([]bool{true, false}, func(in G.Nodes, dy *G.Node) (G.Nodes, error) {
		dx, err := G.ApplyOp(l.scatterOp(g, in[0].Shape(), dy, in[1]), dy, in[1])
		return G.Nodes{dx, nil}, err
	})
}

func (l *lowering) scatterOp(g axisGather, dims []int, y, ids *G.Node) custom {
	op := newCustom(l.unique("scatter"), dims, scattered[float32](g), scattered[float64](g), y, ids)
	return op.derived([]bool{true, false}, func(in G.Nodes, dx *G.Node) (G.Nodes, error) {
		dy, err := G.ApplyOp(l.gatherOp(g, in[0].Shape(), dx, in[1]), dx, in[1])
		return G.Nodes{dy, nil}, err
	})
}

func gathered[T shape.Float](g axisGather) kernel[T] {
	return func(out []T, in [][]T) error {
		return each(g, in[1], func(x, y int) { out[y] = in[0][x] })
	}
}

func scattered[T shape.Float](g axisGather) kernel[T] {
	return func(out []T, in [][]T) error {
		return each(g, in[1], func(x, y int) { out[x] += in[0][y] })
	}
}

func gather(c *call) *G.Node {
	g := gatherOf(c.dims(c.node.In(0)), c.dims(c.node.In(1)), field[int](c, "Axis"), field[bool](c, "Along"))
	return c.custom(c.gatherOp(g, c.dims(c.node), c.in[0], c.in[1]), c.in...)
}

func scatterAdd(c *call) *G.Node {
	attrs := reflect.ValueOf(c.node.Op()).FieldByName("Gather")
	axis, along := int(attrs.FieldByName("Axis").Int()), attrs.FieldByName("Along").Bool()
	g := gatherOf(c.dims(c.node), c.dims(c.node.In(1)), axis, along)
	return c.custom(c.scatterOp(g, c.dims(c.node), c.in[0], c.in[1]), c.in...)
}

// topK has no gradient: what it gives are places.
func topK(c *call) *G.Node {
	x, dims := c.dims(c.node.In(0)), c.dims(c.node)
	axis, k := field[int](c, "Axis"), field[int](c, "K")
	if limit := 1 << 24; c.float == shape.Float32 && x[axis] > limit {
		return c.fail("places up to %d are carried as float32 and would be rounded", x[axis]-1)
	}
	outer, extent, inner := size(x[:axis]), x[axis], size(x[axis+1:])
	return c.custom(newCustom(c.unique("top"), dims, top[float32](outer, extent, inner, k), top[float64](outer, extent, inner, k), c.in[0]), c.in[0])
}

func top[T shape.Float](outer, extent, inner, k int) kernel[T] {
	return func(out []T, in [][]T) error {
		order := make([]int, extent)
		for o := range outer {
			for i := range inner {
				at := func(p int) T { return in[0][(o*extent+p)*inner+i] }
				for p := range order {
					order[p] = p
				}
				slices.SortStableFunc(order, func(a, b int) int { return descending(at(a), at(b)) })
				for p, place := range order[:k] {
					out[(o*k+p)*inner+i] = T(place)
				}
			}
		}
		return nil
	}
}

// descending puts NaN first, then the greater number.
func descending[T shape.Float](a, b T) int {
	aNaN, bNaN := math.IsNaN(float64(a)), math.IsNaN(float64(b))
	switch {
	case aNaN && bNaN:
		return 0
	case aNaN:
		return -1
	case bNaN:
		return 1
	}
	return cmp.Compare(b, a)
}
