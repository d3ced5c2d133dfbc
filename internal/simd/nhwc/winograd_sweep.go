package nhwc

import (
	"runtime"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// WinogradSweep is [Winograd], with the same bits, for filters that take more memory than the tiles of a
// task: it transforms all tiles of a group first, and then reads each panel of filters once for all of
// them, where Winograd reads all filters for every few tiles. So many filters that no cache of a processor
// holds what they are transformed to are not packed at all: a panel is transformed right before the tiles
// are multiplied by it. It is immutable and safe for concurrent use.
type WinogradSweep struct {
	plan   *Winograd
	group  int // tiles that are transformed before they are multiplied
	groups int
	rows   int // tiles that are multiplied at once
	cuts   int // tasks that a panel is multiplied in
	inTurn bool
}

const (
	// inTurnBytes is how much memory the transformed filters take at least that are not packed.
	inTurnBytes = 16 << 20

	// sharedBytes is how much memory all transformed tiles take at most that are swept by packed filters.
	sharedBytes = 2 << 20
)

// PacksInTurn reports whether Winograd's algorithm transforms the filters of op anew in each run.
func PacksInTurn(op Op) bool { return 4*values*op.C*op.M >= inTurnBytes }

// Sweep returns the sweep of w, or false where Winograd is faster.
func (w *Winograd) Sweep() (*WinogradSweep, bool) {
	inTurn := PacksInTurn(w.Op)
	if shared := w.blocks > 1 && w.parts > 1 && 4*values*w.tiles()*w.depth <= sharedBytes; !shared && !inTurn {
		return nil, false
	}
	return w.sweep(groupBytes, inTurn), true
}

// sweep plans groups of tiles that take about so many bytes.
func (w *Winograd) sweep(bytes int, inTurn bool) *WinogradSweep {
	s := &WinogradSweep{plan: w, inTurn: inTurn}
	tall := w.panels.tiles.Tallest(w.vecs)
	s.group = isa.Even(w.tiles(), max(bytes/(4*values*w.depth), tall))
	s.groups = isa.Ceil(w.tiles(), s.group)
	s.cuts = min(isa.Ceil(runtime.NumCPU(), w.count), isa.Ceil(s.group, tall)) // each reads its panel
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

// PackedLen is the number of elements of packed filters: none where filters are packed in turn.
func (s *WinogradSweep) PackedLen() int {
	if s.inTurn {
		return 0
	}
	return s.plan.PackedLen()
}

// Packs is the number of tasks of Pack.
func (s *WinogradSweep) Packs() int {
	if s.inTurn {
		return 0
	}
	return s.plan.Packs()
}

// Form returns the name of the form that Pack makes.
func (s *WinogradSweep) Form() Form { return s.plan.Form() }

// Pack does tasks lo to hi of packing the filters v.
func (s *WinogradSweep) Pack(packed, v []float32, lo, hi int) {
	if !s.inTurn {
		s.plan.Pack(packed, v, lo, hi)
	}
}

// TilesLen is the number of elements that Transform fills.
func (s *WinogradSweep) TilesLen() int { return values * s.tilesStride() }

// CellsLen is the number of elements of the scratch memory of a worker of Transform.
func (s *WinogradSweep) CellsLen() int { return s.plan.k.cellsLen() }

// ScratchLen is the number of elements of scratch memory, aligned to a cache line, that a worker of Run
// needs.
func (s *WinogradSweep) ScratchLen() int {
	return values*s.productsStride() + s.ownLen() + s.CellsLen()
}

// ownLen is the number of elements of the filters that a task packs.
func (s *WinogradSweep) ownLen() int {
	if s.inTurn {
		return s.plan.panelLen()
	}
	return 0
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

// Run does tasks lo to hi of multiplying a group of tiles by packed filters, or in turn by v, (M,C,3,3), and
// reports false where it met numbers that are not finite: then the results are no good. Nothing may overlap
// y.
func (s *WinogradSweep) Run(y, tiles, packed, v, bias, scratch []float32, group, lo, hi int) (finite bool) {
	w := s.plan
	need("results", len(y), w.results())
	need("tiles", len(tiles), s.TilesLen())
	need("packed filters", len(packed), s.PackedLen())
	need("filters", len(v), w.M*w.C*9)
	need("scratch", len(scratch), s.ScratchLen())
	if w.Bias {
		need("bias", len(bias), w.M)
	}
	p := strided{scratch, w.nr, s.productsStride()}
	own := scratch[values*s.productsStride():]
	cells := own[s.ownLen():]
	w.k.clearSums(cells)
	n, last := s.tiles(group), -1
	for i := lo; i < hi; i++ {
		panel, cut := i/s.cuts, i%s.cuts
		filters := own
		switch {
		case !s.inTurn:
			filters = packed[panel*w.panelLen():]
		case panel != last:
			w.pack(own, v, panel)
			last = panel
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
