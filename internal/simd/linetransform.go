package simd

// The tiles of Winograd's algorithm along the lines of batches in lanes.
const (
	lineTaps   = 5
	lineTile   = 4
	lineSide   = lineTile + lineTaps - 1 // pixels that a tile sees
	lineValues = lineSide                // values that a tile is transformed to
)

// lineFilter are the values of 5 taps.
var lineFilter = [lineValues][lineTaps]float32{
	{1, 0, 0, 0, 0},
	{-2. / 9, -2. / 9, -2. / 9, -2. / 9, -2. / 9},
	{-2. / 9, 2. / 9, -2. / 9, 2. / 9, -2. / 9},
	{1. / 90, 2. / 90, 4. / 90, 8. / 90, 16. / 90},
	{1. / 90, -2. / 90, 4. / 90, -8. / 90, 16. / 90},
	{32. / 45, 16. / 45, 8. / 45, 4. / 45, 2. / 45},
	{32. / 45, -16. / 45, 8. / 45, -4. / 45, 2. / 45},
	{0, 0, 0, 0, 1},
}

// lineWinoInFunc transforms rows of n tiles of 8 pixels, 4 apart, to 8 values vs bytes apart. Rows of x are xs
// bytes apart, those of values rs. The squares of all it adds to sums.
type lineWinoInFunc func(rows, n int, x *float32, xs int, v *float32, rs, vs int, sums *float32) (csr uint32)

// lineWinoDyFunc transforms rows of n tiles of 4 pixels. A row has width pixels; the last tile may be incomplete.
type lineWinoDyFunc func(rows, n, width int, dy *float32, v *float32, rs, vs int, sums *float32) (csr uint32)

// lineWinoOutFunc transforms 8 values of products, ms bytes apart, to rows of width pixels. Filters are fs and ys bytes
// apart.
type lineWinoOutFunc func(filters, rows, n, width int, m *float32, ms, fs int, y *float32, ys int, bias *float32, flags int) (csr uint32)

// lineImages are the extents of images or results of a group.
type lineImages struct{ channels, height, width int }

func (m lineImages) plane() int { return m.height * m.width * Lanes }

// lineTransform makes values of images: for each value and channel, rows of tiles.
type lineTransform struct {
	lineImages
	k     *Kernels
	left  int    // columns of zeros before the image
	tiles int    // in a row
	inner [2]int // tiles that lie in the image, from and to
	edge  int    // elements of the edge of a row
	rows  int    // at most
}

// newLineTransform is for rows of so many results.
func newLineTransform(k *Kernels, image lineImages, left, width int) lineTransform {
	p := lineTransform{lineImages: image, k: k, left: left, tiles: ceil(width, lineTile)}
	p.inner[0] = min(ceil(left, lineTile), p.tiles)
	p.inner[1] = p.inner[0]
	if room := image.width - lineSide + left; room >= 0 {
		p.inner[1] = max(p.inner[0], min(room/lineTile+1, p.tiles))
	}
	if 2*(p.inner[1]-p.inner[0]) < p.tiles { // copying whole rows is less than to cut them up
		p.inner = [2]int{p.tiles, p.tiles}
	}
	p.edge = edgeWidth(max(p.inner[0], p.tiles-p.inner[1])) * Lanes
	return p
}

// line is the elements of a row of tiles, channel those of a channel's, and stride those from a value to the next, which
// differs from powers of two.
func (p *lineTransform) line() int    { return p.tiles * Lanes }
func (p *lineTransform) channel() int { return p.rows * p.line() }
func (p *lineTransform) stride() int  { return p.channels*p.channel() + alignment }

// lineRoom is the scratch memory of a transform.
type lineRoom struct {
	values, edge []float32
	sums         []float32 // of the squares of all that has been transformed
}

func (p *lineTransform) scratch() int {
	return Lanes + lineValues*p.stride() + p.rows*p.edge
}

// room takes what a transform needs from scratch memory, and returns the rest.
func (p *lineTransform) room(scratch []float32) (r lineRoom, rest []float32) {
	r.sums, rest = scratch[:Lanes], scratch[Lanes:]
	r.values, rest = rest[:lineValues*p.stride()], rest[lineValues*p.stride():]
	r.edge, rest = rest[:p.rows*p.edge], rest[p.rows*p.edge:]
	clear(r.sums)
	return r, rest
}

// finite reports whether all that has been transformed is finite, and below 1e18.
func (r *lineRoom) finite(k *Kernels) bool {
	total := k.Sum(r.sums)
	return total-total == 0
}

// run sets values to those of so many rows of images from the first one on.
func (p *lineTransform) run(r lineRoom, values, x []float32, first, rows int) {
	if rows == 0 {
		return
	}
	line := p.width * Lanes
	for c := range p.channels {
		x, v := x[c*p.plane()+first*line:], values[c*p.channel():]
		if n := p.inner[1] - p.inner[0]; n > 0 {
			p.transform(r, v, x[(p.inner[0]*lineTile-p.left)*Lanes:], rows, line, p.inner[0], n)
		}
		p.edges(r, v, x, rows, 0, p.inner[0])
		p.edges(r, v, x, rows, p.inner[1], p.tiles)
	}
}

// edges transforms tiles lo to hi of rows, which reach over the image's sides.
func (p *lineTransform) edges(r lineRoom, v, x []float32, rows, lo, hi int) {
	if lo == hi {
		return
	}
	col, width := lo*lineTile-p.left, edgeWidth(hi-lo)
	from := min(max(-col, 0), width) // the pixels of a row that lie in the image, to those that do not
	to := max(min(p.width-col, width), from)
	for i := range rows {
		row := r.edge[i*width*Lanes:][:width*Lanes]
		clear(row[:from*Lanes])
		if from < to {
			copy(row[from*Lanes:], x[(i*p.width+col+from)*Lanes:][:(to-from)*Lanes])
		}
		clear(row[to*Lanes:])
	}
	p.transform(r, v, r.edge, rows, width*Lanes, lo, hi-lo)
}

// edgeWidth is the pixels that so many tiles see.
func edgeWidth(tiles int) int { return tiles*lineTile + lineSide - lineTile }

// transform transforms n tiles of each row from the first one on. Rows of x are line elements apart.
func (p *lineTransform) transform(r lineRoom, v, x []float32, rows, line, first, n int) {
	most := max(callWork/(n*lineCost*Lanes), 1)
	for i := 0; i < rows; i += most {
		for lane := 0; lane < Lanes; lane += p.k.laneWidth {
			p.k.lineWinoIn(min(most, rows-i), n, &x[i*line+lane], 4*line, &v[i*p.line()+first*Lanes+lane],
				4*p.line(), 4*p.stride(), &r.sums[lane])
		}
	}
}
