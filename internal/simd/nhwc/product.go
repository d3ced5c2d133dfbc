package nhwc

import (
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// product is a convolution that multiplies its windows by packed filters.
type product struct {
	Op
	k *Kernels

	panels // of a group
	source filters
	strips par.Free[strip]
}

// newProduct plans the panels of op, whose filters lie as source says.
func newProduct(k *Kernels, op Op, source filters) product {
	op.Window = op.WithDefaults()
	p := product{Op: op, k: k, panels: panelsOf(k, op.pixels(), op.M), source: source}
	if p.count > 0 {
		p.strips = source.strips(k, p.nr)
	}
	return p
}

// PackedLen is the number of elements of packed filters.
func (p *product) PackedLen() int { return p.Groups * p.count * p.nr * p.Rows() }

// Packs is the number of tasks of Pack.
func (p *product) Packs() int { return p.Groups * p.count }

// Form names the form of packed filters: convolutions of equal filters and Form can share them.
type Form struct {
	groups, m, c, taps, nr int
	turned, planes         bool
}

// Form returns the name of the form that Pack makes.
func (p *product) Form() Form {
	return Form{p.Groups, p.M, p.C, p.KH * p.KW, p.nr, p.source.turned, p.source.planes}
}

// Pack does tasks lo to hi of packing the filters w (Groups*M,C,KH,KW): for each panel of filters,
// numbers of which one tap and channel stand together, channels follow each other, then taps.
func (p *product) Pack(packed, w []float32, lo, hi int) {
	need("packed filters", len(packed), p.PackedLen())
	need("filters", len(w), p.Groups*p.source.inputs*p.source.columns*p.source.taps)
	for i := lo; i < hi; i++ {
		panel := packed[i*p.nr*p.Rows():][:p.nr*p.Rows()]
		first := i % p.count * p.nr
		st := p.strips.Take()
		p.source.pack(p.k, st, panel, w, i/p.count, first, min(p.nr, p.M-first), p.nr)
		p.strips.Give(st)
		if p.tiles.Flushes() {
			isa.FlushAll(panel)
		}
	}
}

// Work is how often Run multiplies.
func (p *product) Work() int { return p.pixels() * p.filters() * p.Rows() }

// Results is the number of elements of y.
func (p *product) Results() int { return p.pixels() * p.filters() }

// places are where windows lie in a strip: element i of one at[i] bytes from its first, the next window window elements on,
// and the one below row elements.
type places struct {
	at          []int
	window, row int
}

// inPlace multiplies so many rows of windows of a strip by the filters of a group. Windows below each other are one call,
// since a call takes about as long as some windows.
func (p *product) inPlace(y, strip, packed, bias []float32, of places, rows int) {
	tiles := isa.Ceil(p.OW, p.tiles.Tallest(p.vecs))
	flags := p.flags(p.Add, true)
	ys := p.OW * p.pitch()
	for t := range tiles {
		from, to := p.OW*t/tiles, p.OW*(t+1)/tiles
		work := len(of.at) * (to - from)
		p.each(0, p.count, work, func(j, n, vecs, last int) {
			most := max(isa.CallWork/(work*p.nr*n), 1)
			for row := 0; row < rows; row += most {
				p.k.stem[vecs][to-from](min(most, rows-row), n, len(of.at), &of.at[0], &strip[row*of.row+from*of.window], 4*of.row, 4*of.window,
					&packed[j*p.nr*p.Rows()], 4*p.nr, 4*p.nr*p.Rows(), &y[row*ys+from*p.pitch()+j*p.nr], 4*ys, 4*p.pitch(),
					isa.Elem(bias, j*p.nr), flags, last)
			}
		})
	}
}
