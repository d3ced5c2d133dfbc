package ref

import (
	"github.com/plexaura/plexaura/shape"
)

// grid iterates over elements of a tensor in row-major order of axes with the given extents and
// strides in memory. An axis with stride 0 repeats one element.
type grid struct {
	rank           int
	extent, stride [shape.MaxRank]int
}

// add appends an axis. It is merged with the previous axis if both together have a constant stride;
// an axis of extent 1 is left out.
func (g *grid) add(extent, stride int) {
	if extent == 1 {
		return
	}
	if last := g.rank - 1; last >= 0 && g.stride[last] == stride*extent {
		g.extent[last] *= extent
		g.stride[last] = stride
		return
	}
	g.extent[g.rank], g.stride[g.rank] = extent, stride
	g.rank++
}

// size returns the number of elements.
func (g *grid) size() int {
	n := 1
	for _, e := range g.extent[:g.rank] {
		n *= e
	}
	return n
}

// offset returns the offset in memory of element i.
func (g *grid) offset(i int) int {
	at := 0
	for k := g.rank - 1; k >= 0; k-- {
		at += i % g.extent[k] * g.stride[k]
		i /= g.extent[k]
	}
	return at
}

// row returns the extent and the stride of the last axis.
func (g *grid) row() (extent, stride int) {
	if g.rank == 0 {
		return 1, 0
	}
	return g.extent[g.rank-1], g.stride[g.rank-1]
}

// spread returns the grid of shape to over a tensor of shape from, which broadcasts to it.
func spread(from, to shape.Shape) grid {
	var g grid
	strides := from.Strides()
	missing := to.Rank() - from.Rank()
	for i := range to.Rank() {
		stride := 0
		if k := i - missing; k >= 0 && from.Int(k) != 1 {
			stride = strides[k]
		}
		g.add(to.Int(i), stride)
	}
	return g
}

// spreadBlock fills a register with the elements of input i that g iterates over.
func spreadBlock(i int, o operand, g grid) func(frame) {
	switch o.dtype.Width() {
	case 1:
		return spreadBlockOf[uint8](i, o, g)
	case 2:
		return spreadBlockOf[shape.Half](i, o, g)
	case 4:
		return spreadBlockOf[int32](i, o, g)
	}
	return spreadBlockOf[int64](i, o, g)
}

func spreadBlockOf[W word](input int, o operand, g grid) func(frame) {
	extent, stride := g.row()
	return func(f frame) {
		src, dst := elems[W](f.call.In[input]), words[W](f, o)
		for i := f.start; len(dst) > 0; {
			n := min(extent-i%extent, len(dst)) // to the end of the row
			at := g.offset(i)
			for k := range n {
				dst[k] = src[at+k*stride]
			}
			dst, i = dst[n:], i+n
		}
	}
}
