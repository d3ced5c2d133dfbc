package interleaved

import (
	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// rowValues is how many values a tile is transformed to.
const rowValues = abi.RowSide

// filterMatrix are the values of 5 taps.
var filterMatrix = [rowValues][abi.RowTaps]float32{
	{1, 0, 0, 0, 0},
	{-2. / 9, -2. / 9, -2. / 9, -2. / 9, -2. / 9},
	{-2. / 9, 2. / 9, -2. / 9, 2. / 9, -2. / 9},
	{1. / 90, 2. / 90, 4. / 90, 8. / 90, 16. / 90},
	{1. / 90, -2. / 90, 4. / 90, -8. / 90, 16. / 90},
	{32. / 45, 16. / 45, 8. / 45, 4. / 45, 2. / 45},
	{32. / 45, -16. / 45, 8. / 45, -4. / 45, 2. / 45},
	{0, 0, 0, 0, 1},
}

// winogradInFunc transforms rows of n tiles of 8 pixels, 4 apart, to 8 values vs bytes apart. Rows
// of x are xs bytes apart, those of values rs. The squares of all it adds to sums.
type winogradInFunc func(rows, n int, x *float32, xs int, v *float32, rs, vs int, sums *float32) (csr uint32)

// winogradDyFunc transforms rows of n tiles of 4 pixels. A row has width pixels; the last tile may
// be incomplete.
type winogradDyFunc func(rows, n, width int, dy *float32, v *float32, rs, vs int, sums *float32) (csr uint32)

// winogradOutFunc transforms 8 values of products, ms bytes apart, to rows of width pixels. Filters
// are fs and ys bytes apart.
type winogradOutFunc func(filters, rows, n, width int, m *float32, ms, fs int, y *float32, ys int, bias *float32, flags int) (csr uint32)

// extents are the extents of images or results of a group.
type extents struct{ channels, height, width int }

func (m extents) plane() int { return m.height * m.width * Images }

// imageTransform makes values of images: for each value and channel, rows of tiles.
type imageTransform struct {
	extents
	k     *Kernels
	left  int    // columns of zeros before the image
	tiles int    // in a row
	inner [2]int // tiles that lie in the image, from and to
	edge  int    // elements of the edge of a row
	rows  int    // at most
}

// newImageTransform is for rows of so many results.
func newImageTransform(k *Kernels, image extents, left, width int) imageTransform {
	p := imageTransform{extents: image, k: k, left: left, tiles: isa.Ceil(width, abi.RowTile)}
	p.inner[0] = min(isa.Ceil(left, abi.RowTile), p.tiles)
	p.inner[1] = p.inner[0]
	if room := image.width - abi.RowSide + left; room >= 0 {
		p.inner[1] = max(p.inner[0], min(room/abi.RowTile+1, p.tiles))
	}
	if 2*(p.inner[1]-p.inner[0]) < p.tiles { // copying whole rows is less than to cut them up
		p.inner = [2]int{p.tiles, p.tiles}
	}
	p.edge = edgeWidth(max(p.inner[0], p.tiles-p.inner[1])) * Images
	return p
}

// line is the elements of a row of tiles, channel those of a channel's, and stride those from a
// value to the next, which differs from powers of two.
func (p *imageTransform) line() int    { return p.tiles * Images }
func (p *imageTransform) channel() int { return p.rows * p.line() }
func (p *imageTransform) stride() int  { return p.channels*p.channel() + isa.Alignment }

// transformRoom is the scratch memory of a transform.
type transformRoom struct {
	values, edge []float32
	sums         []float32 // of the squares of all that has been transformed
}

func (p *imageTransform) scratch() int {
	return Images + rowValues*p.stride() + p.rows*p.edge
}

// room takes what a transform needs from scratch memory, and returns the rest.
func (p *imageTransform) room(scratch []float32) (r transformRoom, rest []float32) {
	r.sums, rest = scratch[:Images], scratch[Images:]
	r.values, rest = rest[:rowValues*p.stride()], rest[rowValues*p.stride():]
	r.edge, rest = rest[:p.rows*p.edge], rest[p.rows*p.edge:]
	clear(r.sums)
	return r, rest
}

// finite reports whether all that has been transformed is finite, and below 1e18.
func (r *transformRoom) finite(k *Kernels) bool {
	total := k.vec.Sum(r.sums)
	return total-total == 0
}

// run sets values to those of so many rows of images from the first one on.
func (p *imageTransform) run(r transformRoom, values, x []float32, first, rows int) {
	if rows == 0 {
		return
	}
	line := p.width * Images
	for c := range p.channels {
		x, v := x[c*p.plane()+first*line:], values[c*p.channel():]
		if n := p.inner[1] - p.inner[0]; n > 0 {
			p.transform(r, v, x[(p.inner[0]*abi.RowTile-p.left)*Images:], rows, line, p.inner[0], n)
		}
		p.edges(r, v, x, rows, 0, p.inner[0])
		p.edges(r, v, x, rows, p.inner[1], p.tiles)
	}
}

// edges transforms tiles lo to hi of rows, which reach over the image's sides.
func (p *imageTransform) edges(r transformRoom, v, x []float32, rows, lo, hi int) {
	if lo == hi {
		return
	}
	col, width := lo*abi.RowTile-p.left, edgeWidth(hi-lo)
	from := min(max(-col, 0), width) // the pixels of a row that lie in the image, to those that do not
	to := max(min(p.width-col, width), from)
	for i := range rows {
		row := r.edge[i*width*Images:][:width*Images]
		clear(row[:from*Images])
		if from < to {
			copy(row[from*Images:], x[(i*p.width+col+from)*Images:][:(to-from)*Images])
		}
		clear(row[to*Images:])
	}
	p.transform(r, v, r.edge, rows, width*Images, lo, hi-lo)
}

// edgeWidth is the pixels that so many tiles see.
func edgeWidth(tiles int) int { return tiles*abi.RowTile + abi.RowSide - abi.RowTile }

// transform transforms n tiles of each row from the first one on. Rows of x are line elements
// apart.
func (p *imageTransform) transform(r transformRoom, v, x []float32, rows, line, first, n int) {
	most := max(isa.CallWork/(n*transformCost*Images), 1)
	for i := 0; i < rows; i += most {
		for lane := 0; lane < Images; lane += p.k.width {
			p.k.winogradIn(min(most, rows-i), n, &x[i*line+lane], 4*line, &v[i*p.line()+first*Images+lane],
				4*p.line(), 4*p.stride(), &r.sums[lane])
		}
	}
}
