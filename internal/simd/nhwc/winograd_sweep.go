package nhwc

import (
	"runtime"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// WinogradSweep is [Winograd], with the same bits, for so many filters that no cache of a processor holds
// what they are transformed to. It transforms all tiles of a group first. Then it goes through the filters
// once: it transforms a panel of them, and multiplies all tiles by it while it is near, where Winograd
// reads all transformed filters from memory for every few tiles. It is immutable and safe for concurrent
// use.
type WinogradSweep struct {
	plan   *Winograd
	group  int // tiles that are transformed before they are multiplied
	groups int
	rows   int // tiles that are multiplied at once
	cuts   int // tasks that a panel is multiplied in
}

// sweptBytes is how much memory the transformed filters take at least that are swept.
const sweptBytes = 16 << 20

// Sweeps reports whether op has so many filters that [NewWinogradSweep] serves it better than
// [NewWinograd].
func Sweeps(op Op) bool { return 4*values*op.C*op.M >= sweptBytes }

// NewWinogradSweep plans op for k, or reports false where the algorithm does not apply.
func NewWinogradSweep(k *Kernels, op Op) (*WinogradSweep, bool) {
	w, ok := NewWinograd(k, op)
	if !ok {
		return nil, false
	}
	return w.sweep(groupBytes), true
}

// NewWinogradSweepInputGrad plans the gradient of the images of op, as [NewWinogradInputGrad] does.
func NewWinogradSweepInputGrad(k *Kernels, op Op) (*WinogradSweep, bool) {
	w, ok := NewWinogradInputGrad(k, op)
	if !ok {
		return nil, false
	}
	return w.sweep(groupBytes), true
}

// sweep plans groups of tiles that take about so many bytes.
func (w *Winograd) sweep(bytes int) *WinogradSweep {
	s := &WinogradSweep{plan: w}
	tall := w.panels.tiles.Tallest(w.vecs)
	s.group = isa.Even(w.tiles(), max(bytes/(4*values*w.depth), tall))
	s.groups = isa.Ceil(w.tiles(), s.group)
	s.cuts = min(isa.Ceil(runtime.NumCPU(), w.count), isa.Ceil(s.group, tall)) // each packs its panel
	most := max(isa.CacheSizes().L2/2/(4*values*w.nr)/tall*tall, tall)
	s.rows = min(isa.RoundUp(isa.Even(isa.Ceil(s.group, s.cuts), most), tall), most)
	return s
}

// Strides differ from powers of two, as those of Winograd do.

func (s *WinogradSweep) tilesStride() int    { return s.group*s.plan.depth + isa.Alignment }
func (s *WinogradSweep) productsStride() int { return s.rows*s.plan.nr + isa.Alignment }

// Groups is the number of groups of tiles: for each, Transform does Transforms tasks, and then Run Tasks
// tasks.
func (s *WinogradSweep) Groups() int { return s.groups }

// Transforms is the number of tasks of Transform for a group.
func (s *WinogradSweep) Transforms() int { return isa.Ceil(s.group, tilesPerTask) }

// Tasks is the number of tasks of Run for a group.
func (s *WinogradSweep) Tasks() int { return s.plan.count * s.cuts }

// TilesLen is the number of elements that Transform fills.
func (s *WinogradSweep) TilesLen() int { return values * s.tilesStride() }

// CellsLen is the number of elements of the scratch memory of a worker of Transform.
func (s *WinogradSweep) CellsLen() int { return s.plan.k.cellsLen() }

// ScratchLen is the number of elements of scratch memory, aligned to a cache line, that a worker of Run
// needs.
func (s *WinogradSweep) ScratchLen() int {
	return values*s.productsStride() + s.plan.panelLen() + s.CellsLen()
}

// Transform does tasks lo to hi of transforming a group of tiles of the images x, and reports false where
// it met numbers that are not finite.
func (s *WinogradSweep) Transform(tiles, x, cells []float32, group, lo, hi int) (finite bool) {
	w := s.plan
	need("images", len(x), w.N*w.H*w.W*w.C)
	need("tiles", len(tiles), s.TilesLen())
	w.k.clearSums(cells)
	first := lo * tilesPerTask
	n := min(hi*tilesPerTask, s.tiles(group)) - first
	w.transform(tiles[first*w.depth:], s.tilesStride(), x, cells, group*s.group+first, n)
	return w.k.finite(cells)
}

// tiles is how many tiles a group has.
func (s *WinogradSweep) tiles(group int) int { return min(s.group, s.plan.tiles()-group*s.group) }

// Run does tasks lo to hi of multiplying a group of tiles by the filters v, (M,C,3,3), and reports false
// where it met numbers that are not finite: then the results are no good. Nothing may overlap y.
func (s *WinogradSweep) Run(y, tiles, v, bias, scratch []float32, group, lo, hi int) (finite bool) {
	w := s.plan
	need("results", len(y), w.results())
	need("tiles", len(tiles), s.TilesLen())
	need("filters", len(v), w.M*w.C*9)
	need("scratch", len(scratch), s.ScratchLen())
	if w.Bias {
		need("bias", len(bias), w.M)
	}
	p := strided{scratch, w.nr, s.productsStride()}
	filters := scratch[values*s.productsStride():]
	cells := filters[w.panelLen():]
	w.k.clearSums(cells)
	n, packed := s.tiles(group), -1
	for i := lo; i < hi; i++ {
		panel, cut := i/s.cuts, i%s.cuts
		if panel != packed {
			w.pack(filters, v, panel)
			packed = panel
		}
		end := n * (cut + 1) / s.cuts
		for first := n * cut / s.cuts; first < end; first += s.rows {
			rows := min(s.rows, end-first)
			w.multiply(p, tiles[first*w.depth:], s.tilesStride(), filters, rows, panel, panel+1)
			w.finish(y, p, bias, cells, group*s.group+first, rows, panel*w.nr, min((panel+1)*w.nr, w.M))
		}
	}
	return w.k.finite(cells)
}
