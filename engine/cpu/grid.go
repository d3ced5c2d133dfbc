package cpu

import "github.com/plexaura/plexaura/shape"

// grid is some axes of a tensor, in row-major order: extents, and strides in memory.
type grid struct {
	rank           int
	extent, stride [shape.MaxRank]int
}

// add appends an axis, joined to the one before where both step through memory as one.
func (g *grid) add(extent, stride int) {
	if extent == 1 {
		return
	}
	if last := g.rank - 1; last >= 0 && g.stride[last] == stride*extent {
		g.extent[last] *= extent
		g.stride[last] = stride
		return
	}
	g.append(extent, stride)
}

// append is add without joining.
func (g *grid) append(extent, stride int) {
	g.extent[g.rank], g.stride[g.rank] = extent, stride
	g.rank++
}

// size is the number of elements.
func (g *grid) size() int {
	n := 1
	for _, e := range g.extent[:g.rank] {
		n *= e
	}
	return n
}

// offset is the place in memory of element i.
func (g *grid) offset(i int) int {
	at := 0
	for k := g.rank - 1; k >= 0; k-- {
		at += i % g.extent[k] * g.stride[k]
		i /= g.extent[k]
	}
	return at
}

// pop removes the last axis and returns it, or one of extent 1.
func (g *grid) pop() (extent, stride int) {
	if g.rank == 0 {
		return 1, 0
	}
	g.rank--
	return g.extent[g.rank], g.stride[g.rank]
}

// pairing is a grid of two tensors, x and y, of which each has strides of its own.
type pairing struct {
	rank         int
	extent, x, y [shape.MaxRank]int
}

// add appends an axis, joined to the one before where both step through both tensors as one.
func (p *pairing) add(extent, x, y int) {
	if extent == 1 {
		return
	}
	if last := p.rank - 1; last >= 0 && p.x[last] == x*extent && p.y[last] == y*extent {
		p.extent[last] *= extent
		p.x[last], p.y[last] = x, y
		return
	}
	p.extent[p.rank], p.x[p.rank], p.y[p.rank] = extent, x, y
	p.rank++
}

// pop removes the last axis and returns it, or one of extent 1.
func (p *pairing) pop() (extent, x, y int) {
	if p.rank == 0 {
		return 1, 0, 0
	}
	p.rank--
	return p.extent[p.rank], p.x[p.rank], p.y[p.rank]
}

// size is the number of elements.
func (p *pairing) size() int {
	n := 1
	for _, e := range p.extent[:p.rank] {
		n *= e
	}
	return n
}

// at returns the places of element i.
func (p *pairing) at(i int) (x, y int) {
	for k := p.rank - 1; k >= 0; k-- {
		j := i % p.extent[k]
		x, y, i = x+j*p.x[k], y+j*p.y[k], i/p.extent[k]
	}
	return x, y
}
