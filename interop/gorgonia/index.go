package gorgonia

import (
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

// takeOp gives the elements of x at places, v for those below 0.
func (l *lowering) takeOp(x *G.Node, dims, places []int, v float64) custom {
	op := newCustom(l.unique("take"), dims, taken[float32](places, v), taken[float64](places, v), x)
	return op.derived([]bool{true}, func(in G.Nodes, dy *G.Node) (G.Nodes, error) {
		dx, err := G.ApplyOp(l.putOp(dy, in[0].Shape(), places), dy)
		return G.Nodes{dx}, err
	})
}

// putOp is the adjoint of takeOp: zeros, to which each element of x is added at its place.
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
