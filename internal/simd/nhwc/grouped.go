package nhwc

import (
	"slices"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// Grouped is a convolution of several groups of few channels. It is immutable and safe for concurrent use.
//
// A task has some rows of windows. It copies what they see of an image to a strip, with zeros for what lies over the edge,
// and multiplies the windows of each group where they lie there. Unfolded, each pixel would be copied once for every tap,
// and would be multiplied by no more filters than a group has. Groups of few channels and as many filters share vectors.
type Grouped struct {
	product
	bands
	diagonals *diagonals // of groups that share vectors; else nil

	rows, columns window.Axis

	line int   // elements of a line of a strip
	at   []int // where the elements of a window of a group lie, in bytes
}

// InStrips reports whether a convolution is one for [NewGrouped]: of groups whose windows one product sums up.
func InStrips(op Op) bool {
	op.Window = op.WithDefaults()
	return op.Groups > 1 && op.Rows() <= maxDepth && !op.pointwise()
}

// NewGrouped plans op for k. Unless groups share vectors, the filters are packed as for [Conv], and results have the same bits.
func NewGrouped(k *Kernels, op Op) *Grouped { return newGrouped(k, op, op.source(false)) }

// NewGroupedInputGrad plans the gradient of the images of op, a convolution from dy, or reports false where that is none in
// strips: with a stride, pixels meet different taps.
func NewGroupedInputGrad(k *Kernels, op Op) (*Grouped, bool) {
	adjoint, ok := AdjointInStrips(op)
	if !ok {
		return nil, false
	}
	source := filters{inputs: adjoint.C, columns: adjoint.M, taps: op.KH * op.KW, turned: true, use: all(op.KH * op.KW)}
	slices.Reverse(source.use)
	return newGrouped(k, adjoint, source), true
}

// AdjointInStrips returns the convolution of dy that gives dx, and whether it is one in strips.
func AdjointInStrips(op Op) (adjoint Op, ok bool) {
	op.Window = op.WithDefaults()
	adjoint = op.adjoint()
	return adjoint, op.SH == 1 && op.SW == 1 && InStrips(adjoint)
}

func newGrouped(k *Kernels, op Op, source filters) *Grouped {
	g := &Grouped{product: newProduct(k, op, source)}
	if g.count == 0 || g.OH == 0 {
		return g
	}
	g.diagonals = diagonalsOf(k, g.Op, source)
	g.rows, g.columns = g.Axes()
	g.line = seen(g.columns, g.OW) * g.channels()
	fits := (blockElems/g.line-(g.KH-1)*g.DH-1)/g.SH + 1
	g.bands = bandsOf(g.N, g.OH, max(min(isa.Ceil(g.N*g.OH, goodTasks), fits), 1))
	elements := g.C // of a tap, which are read one by one
	if g.diagonals != nil {
		elements = 1
	}
	for ky := range g.KH {
		for kx := range g.KW {
			for ch := range elements {
				g.at = append(g.at, 4*(ky*g.DH*g.line+kx*g.DW*g.channels()+ch))
			}
		}
	}
	return g
}

// PackedLen is the number of elements of packed filters.
func (g *Grouped) PackedLen() int {
	if g.diagonals == nil {
		return g.product.PackedLen()
	}
	return g.diagonals.packedLen()
}

// Packs is the number of tasks of Pack.
func (g *Grouped) Packs() int {
	if g.diagonals == nil {
		return g.product.Packs()
	}
	return g.diagonals.vectors
}

// Form returns the name of the form that Pack makes. Diagonals are no panels, which have columns.
func (g *Grouped) Form() Form {
	f := g.product.Form()
	if g.diagonals != nil {
		f.nr = 0
	}
	return f
}

// Pack does tasks lo to hi of packing the filters w (Groups*M,C,KH,KW).
func (g *Grouped) Pack(packed, w []float32, lo, hi int) {
	if g.diagonals == nil {
		g.product.Pack(packed, w, lo, hi)
		return
	}
	need("packed filters", len(packed), g.PackedLen())
	need("filters", len(w), g.filters()*g.Rows())
	for i := lo; i < hi; i++ {
		g.diagonals.pack(packed, w, i)
	}
}

// Unfolds, SharedLen and Unfold are those of [Conv], which may unfold images first.

// Unfolds is 0.
func (g *Grouped) Unfolds() int { return 0 }

// SharedLen is 0.
func (g *Grouped) SharedLen() int { return 0 }

// Unfold does nothing.
func (g *Grouped) Unfold(_, _ []float32, _, _ int) {}

// Shares is false: a task makes all filters of its windows.
func (g *Grouped) Shares() bool { return false }

// ScratchLen is the number of elements of scratch memory, in any state, that a worker needs.
func (g *Grouped) ScratchLen() int {
	if g.blocks == 0 {
		return 0
	}
	return seen(g.rows, g.block)*g.line + g.slack()
}

// slack is what whole vectors may reach beyond the channels of the last pixel of a strip.
func (g *Grouped) slack() int {
	if g.diagonals == nil {
		return 0
	}
	return g.k.width
}

// Task returns which elements of y, from from to to, task i makes: all filters of its windows.
func (g *Grouped) Task(i int) (from, to int, all bool) {
	from, to = g.rowsOf(i)
	row := g.OW * g.filters()
	return from * row, to * row, true
}

// Run does tasks lo to hi. The bits of y do not depend on how tasks are shared out. Nothing may overlap y.
func (g *Grouped) Run(y, x, packed, bias, _, scratch []float32, lo, hi int) {
	need("results", len(y), g.results())
	need("images", len(x), g.N*g.H*g.W*g.channels())
	need("packed filters", len(packed), g.PackedLen())
	need("scratch", len(scratch), g.ScratchLen())
	if g.Bias {
		need("bias", len(bias), g.filters())
	}
	of := places{g.at, g.SW * g.channels(), g.SH * g.line}
	for i := lo; i < hi; i++ {
		image, first, last := g.band(i)
		g.copyStrip(scratch, x[image*g.H*g.W*g.channels():], first, last)
		rows := y[(image*g.OH+first)*g.OW*g.pitch():]
		if g.diagonals != nil {
			g.diagonals.multiply(rows, scratch, packed, bias, of, last-first)
			continue
		}
		for group := range g.Groups {
			g.inPlace(rows[group*g.M:], scratch[group*g.C:], packed[group*g.count*g.nr*g.Rows():], isa.Behind(bias, group*g.M), of, last-first)
		}
	}
}

// copyStrip copies what rows first to last of windows see of an image.
func (g *Grouped) copyStrip(strip, image []float32, first, last int) {
	top, row := g.rows.At(first, 0), g.W*g.channels()
	for i := range seen(g.rows, last-first) {
		line := strip[i*g.line:][:g.line]
		if uint(top+i) >= uint(g.H) {
			clear(line)
			continue
		}
		copyPadded(line, image[(top+i)*row:][:row], g.Left*g.channels())
	}
	if g.tiles.Flushes() {
		isa.FlushAll(strip[:seen(g.rows, last-first)*g.line])
	}
}
