package nhwc

import (
	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// WinogradFilterGrad is the gradient of the filters of a convolution that [Winograd] takes, by the
// adjoint of its algorithm: of groups of tiles, the transformed images and gradients are multiplied over
// the tiles, and their sums transformed to filters. It is immutable and safe for concurrent use.
type WinogradFilterGrad struct {
	forward *Winograd // places its tiles
	panels
	k      *Kernels
	group  int // tiles that are transformed before they are multiplied
	groups int
	cuts   int // tasks that multiply one of the 36 values
}

// groupBytes is about the memory of the transformed tiles of a group, which the last-level cache keeps.
const groupBytes = 12 << 20

// tilesPerTask is how many tiles a task transforms.
const tilesPerTask = 8

// NewWinogradFilterGrad plans the gradient of op, or reports false where the algorithm does not apply.
func NewWinogradFilterGrad(k *Kernels, op Op) (*WinogradFilterGrad, bool) {
	op.Window = op.WithDefaults()
	op.Bias, op.Add, op.Act = false, false, isa.NoAct
	f, ok := NewWinograd(k, op)
	if !ok {
		return nil, false
	}
	g := &WinogradFilterGrad{forward: f, k: k, panels: panelsOf(k, op.C, op.M)}
	most := min(max(groupBytes/(4*values*(op.C+op.M)), 64), 1024)
	g.group = isa.Even(f.tiles(), most)
	g.groups = isa.Ceil(f.tiles(), g.group)
	g.cuts = min(max(op.C/(4*g.tiles.Tallest(g.vecs)), 1), 4)
	return g, true
}

// Strides differ from powers of two.

func (g *WinogradFilterGrad) imageStride() int { return g.forward.depth + isa.Alignment }
func (g *WinogradFilterGrad) dyStride() int {
	return isa.RoundUp(g.forward.M, g.k.width) + isa.Alignment
}

// Groups is the number of groups of tiles: for each, Transform does Transforms tasks, and then Run Tasks
// tasks.
func (g *WinogradFilterGrad) Groups() int { return g.groups }

// Transforms is the number of tasks of Transform for a group.
func (g *WinogradFilterGrad) Transforms() int { return isa.Ceil(g.group, tilesPerTask) }

// Tasks is the number of tasks of Run for a group.
func (g *WinogradFilterGrad) Tasks() int { return values * g.cuts }

// TilesLen and SumsLen are the numbers of elements that Transform and Run fill, and CellsLen that of the
// scratch memory of a worker.
func (g *WinogradFilterGrad) TilesLen() int {
	return values * g.group * (g.imageStride() + g.dyStride())
}

// SumsLen is the number of elements that Run fills.
func (g *WinogradFilterGrad) SumsLen() int { return values * g.forward.C * g.dyStride() }

// CellsLen is the number of elements of the scratch memory of a worker.
func (g *WinogradFilterGrad) CellsLen() int { return g.k.cellsLen() }

// Transform does tasks lo to hi of transforming a group of tiles of x and dy, and reports false where it
// met numbers that are not finite.
func (g *WinogradFilterGrad) Transform(tiles, x, dy, cells []float32, group, lo, hi int) (finite bool) {
	f := g.forward
	need("images", len(x), f.N*f.H*f.W*f.C)
	need("gradient", len(dy), f.pixels()*f.M)
	need("tiles", len(tiles), g.TilesLen())
	g.k.clearSums(cells)
	first := group * g.group
	for i := lo * tilesPerTask; i < min(hi*tilesPerTask, g.group, f.tiles()-first); i++ {
		at, origin := f.seen(first + i)
		g.k.transformTile(g.k.tileIn, tiles[i*g.imageStride():], g.group*g.imageStride(), x, origin, f.C, f.W, f.masks, f.in[at], cells)
		at, origin = f.made(first + i)
		g.k.transformTile(f.form.dy, tiles[values*g.group*g.imageStride()+i*g.dyStride():], g.group*g.dyStride(), dy, origin, f.M, f.OW, f.masks, f.out[at], cells)
	}
	return g.k.finite(cells)
}

// Run does tasks lo to hi of adding up the products of a group of tiles.
func (g *WinogradFilterGrad) Run(sums, tiles []float32, group, lo, hi int) {
	need("sums", len(sums), g.SumsLen())
	need("tiles", len(tiles), g.TilesLen())
	f := g.forward
	flags, n := 0, min(g.group, f.tiles()-group*g.group)
	if group > 0 {
		flags = abi.FlagAdd
	}
	whole := g.panels
	whole.m = isa.RoundUp(f.M, g.k.width)
	for i := lo; i < hi; i++ {
		e, cut := i/g.cuts, i%g.cuts
		a := tiles[e*g.group*g.imageStride():]
		b := tiles[values*g.group*g.imageStride()+e*g.group*g.dyStride():]
		c0, c1 := f.C*cut/g.cuts, f.C*(cut+1)/g.cuts
		if c0 < c1 {
			whole.product(sums[(e*f.C+c0)*g.dyStride():], g.dyStride(), a[c0:], 1, g.imageStride(), b, g.dyStride(), g.nr, nil, c1-c0, n, 0, g.count, flags)
		}
	}
}

// Totals is the number of tasks of Total: channels; TotalLen the number of elements that it fills.
func (g *WinogradFilterGrad) Totals() int { return g.forward.C }

// TotalLen is the number of elements that Total fills.
func (g *WinogradFilterGrad) TotalLen() int {
	return g.forward.C * g.forward.source.taps * g.dyStride()
}

// Total does tasks lo to hi of transforming sums to filters, channel by channel.
func (g *WinogradFilterGrad) Total(total, sums, cells []float32, lo, hi int) {
	n, f := isa.Ceil(g.forward.M, g.k.width), g.forward
	for c := lo; c < hi; c++ {
		f.form.filterGrad(n, &sums[c*g.dyStride()], 4*f.C*g.dyStride(), 4*g.k.width, &total[c*f.source.taps*g.dyStride()], 4*g.dyStride(), 4*g.k.width, &cells[0])
	}
}

// Turn sets dw (M,C,KH,KW) to total.
func (g *WinogradFilterGrad) Turn(dw, total []float32) {
	f := g.forward
	gemm.Transpose(g.k.gemm, dw, f.Rows(), total, g.dyStride(), f.Rows(), f.M)
}
