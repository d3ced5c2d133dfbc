package nhwc

import (
	"runtime"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// WinogradSweep is [Winograd], with the same bits, for filters that take more memory than the tiles of a
// task: it transforms all tiles of a group first, and then reads each panel of filters once for all of
// them, where Winograd reads all filters for every few tiles. So many filters that no cache of a processor
// holds what they are transformed to, which for 3×3 is four times as large, are packed as they are: a panel is transformed
// right before the tiles are multiplied by it. It is immutable and safe for concurrent use.
type WinogradSweep struct {
	plan   *Winograd
	strips par.Free[strip]
	group  int // tiles that are transformed before they are multiplied
	groups int
	rows   int // tiles that are multiplied at once
	cuts   int // tasks that a panel is multiplied in
	inTurn bool
	thirds bool // a third of a panel's values is transformed at a time
}

const (
	// largeBytes is how much memory transformed filters take at least that no cache holds.
	largeBytes = 16 << 20

	// inTurnVecs is the most vectors of a panel that is transformed in turn: more would not stay in the second-level cache.
	inTurnVecs = 2

	// thirdTiles is the most tiles that a panel is multiplied by a third at a time: filters that are not packed are
	// then read three times.
	thirdTiles = 24

	// sharedBytes is how much memory all transformed tiles take at most that are swept by packed filters.
	sharedBytes = 2 << 20
)

// TransformsInTurn reports whether Winograd's algorithm transforms the filters of op anew in each run: not those of
// 5×5, which are hardly smaller than what they are transformed to.
func TransformsInTurn(op Op) bool { return op.KH == 3 && largeFilters(op) }

func largeFilters(op Op) bool { return 4*values*op.C*op.M >= largeBytes }

// Sweep returns the sweep of w, or false where Winograd is faster.
func (w *Winograd) Sweep() (*WinogradSweep, bool) {
	shared := w.blocks > 1 && w.parts > 1 && 4*values*w.tiles()*w.depth <= sharedBytes
	if !shared && !largeFilters(w.Op) {
		return nil, false
	}
	return w.sweep(groupBytes, TransformsInTurn(w.Op)), true
}

// sweep plans groups of tiles that take about so many bytes.
func (w *Winograd) sweep(bytes int, inTurn bool) *WinogradSweep {
	if inTurn {
		w = w.narrow(inTurnVecs)
	}
	s := &WinogradSweep{plan: w, strips: w.source.strips(w.k, w.k.width), inTurn: inTurn}
	tall := w.panels.tiles.Tallest(w.vecs)
	s.group = isa.Even(w.tiles(), max(bytes/(4*values*w.depth), tall))
	s.groups = isa.Ceil(w.tiles(), s.group)
	s.cuts = min(isa.Ceil(runtime.NumCPU(), w.count), isa.Ceil(s.group, tall)) // each reads its panel
	s.split(max(isa.CacheSizes().L2/2/(4*values*w.nr)/tall*tall, tall))
	return s
}

// split plans tasks that multiply at most so many tiles at once.
func (s *WinogradSweep) split(most int) {
	cut := isa.Ceil(s.group, s.cuts)
	s.rows = min(isa.RoundUp(isa.Even(cut, most), s.plan.panels.tiles.Tallest(s.plan.vecs)), most)
	s.thirds = s.inTurn && s.plan.form.thirds != nil && cut <= min(s.rows, thirdTiles)
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

// SweptFilters are those of a sweep: as Pack packs them, or else, where they are transformed in turn, in a form that Small plans
// or as they lie in memory (M,C,KH,KW).
type SweptFilters struct {
	Packed []float32
	Small  *gemm.Small
	Form   []byte
	Plain  []float32
}

// InTurn reports whether filters are transformed in turn.
func (s *WinogradSweep) InTurn() bool { return s.inTurn }

// PackedLen is the number of elements of packed filters.
func (s *WinogradSweep) PackedLen() int {
	if s.inTurn {
		return s.vectors() * s.vectorLen()
	}
	return s.plan.PackedLen()
}

// vectorLen is the number of elements of a vector of filters.
func (s *WinogradSweep) vectorLen() int { return s.plan.Rows() * s.plan.k.width }

// Packs is the number of tasks of Pack.
func (s *WinogradSweep) Packs() int {
	if s.inTurn {
		return s.vectors()
	}
	return s.plan.Packs()
}

// vectors is how many vectors of filters there are.
func (s *WinogradSweep) vectors() int { return isa.Ceil(s.plan.M, s.plan.k.width) }

// Form returns the name of the form that Pack makes.
func (s *WinogradSweep) Form() Form {
	if !s.inTurn {
		return s.plan.Form()
	}
	return Form{1, s.plan.M, s.plan.C, s.plan.source.taps, s.plan.k.width, s.plan.source.turned, true}
}

// Pack does tasks lo to hi of packing the filters v. Those that are transformed in turn are for each vector of filters its taps,
// of which a channel's stand together.
func (s *WinogradSweep) Pack(packed, v []float32, lo, hi int) {
	w := s.plan
	if !s.inTurn {
		w.Pack(packed, v, lo, hi)
		return
	}
	need("packed filters", len(packed), s.PackedLen())
	need("filters", len(v), w.M*w.Rows())
	for i := lo; i < hi; i++ {
		w.source.fill(w.k.gemm, packed[i*s.vectorLen():], v, 0, i*w.k.width, s.columns(i), w.k.width, 0, w.C)
	}
}

// columns is how many filters vector i has.
func (s *WinogradSweep) columns(i int) int { return min(s.plan.k.width, s.plan.M-i*s.plan.k.width) }

// Small plans the form of filters in a small type that are transformed in turn, of which a tap of a channel is a row.
func (s *WinogradSweep) Small(as gemm.Storage) *gemm.Small {
	return gemm.NewSmallVectors(s.plan.k.gemm, s.plan.M, s.plan.Rows(), as)
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

// ownLen is the number of elements of the values that a task transforms at a time.
func (s *WinogradSweep) ownLen() int {
	switch {
	case !s.inTurn:
		return 0
	case s.thirds:
		return s.plan.panelLen() / len(thirds)
	default:
		return s.plan.panelLen()
	}
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

// Run does tasks lo to hi of multiplying a group of tiles by filters, and reports false where it met numbers that are
// not finite: then the results are no good. Nothing may overlap y.
func (s *WinogradSweep) Run(y, tiles []float32, filters SweptFilters, bias, scratch []float32, group, lo, hi int) (finite bool) {
	w := s.plan
	need("results", len(y), w.results())
	need("tiles", len(tiles), s.TilesLen())
	switch {
	case filters.Small != nil && s.inTurn:
		need("bytes of filters", len(filters.Form), filters.Small.Bytes())
	case filters.Plain != nil && s.inTurn:
		need("filters", len(filters.Plain), w.M*w.Rows())
	default:
		need("packed filters", len(filters.Packed), s.PackedLen())
	}
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
		first, end := n*cut/s.cuts, n*(cut+1)/s.cuts
		if s.thirds {
			for third := range thirds {
				s.transformPanel(own, filters, panel, third)
				s.multiplyThird(p, tiles[first*w.depth:], own, end-first, panel, third)
			}
			s.finish(y, p, bias, cells, group, first, end-first, panel)
			continue
		}
		panelOf := own
		switch {
		case !s.inTurn:
			panelOf = filters.Packed[panel*w.panelLen():]
		case panel != last:
			s.transformPanel(own, filters, panel, -1)
			last = panel
		}
		for ; first < end; first += s.rows {
			rows := min(s.rows, end-first)
			w.multiply(p, tiles[first*w.depth:], s.tilesStride(), panelOf, rows, panel, panel+1)
			s.finish(y, p, bias, cells, group, first, rows, panel)
		}
	}
	return w.k.finite(cells)
}

// multiplyThird multiplies n tiles by a third of the values of a panel.
func (s *WinogradSweep) multiplyThird(p strided, tiles, own []float32, n, panel, third int) {
	w, columns := s.plan, thirds[third]
	if n == 0 {
		return
	}
	for i := range values / len(thirds) {
		e := i/len(columns)*side + columns[i%len(columns)]
		w.multiplyValue(p, e, tiles, s.tilesStride(), own[i*w.filtersStride():], n, panel, panel+1)
	}
}

// finish transforms the products of n tiles of a group and a panel.
func (s *WinogradSweep) finish(y []float32, p strided, bias, cells []float32, group, first, n, panel int) {
	w := s.plan
	w.finish(y, p, bias, cells, group*s.group+first, n, panel*w.nr, min((panel+1)*w.nr, w.M))
}

// transformPanel sets own to values of a panel: a third of them, or all for -1.
func (s *WinogradSweep) transformPanel(own []float32, filters SweptFilters, panel, third int) {
	w, st := s.plan, s.strips.Take()
	per, end := w.source.perStrip(w.k.width), min((panel+1)*w.vecs, s.vectors())
	for i := panel * w.vecs; i < end; i++ {
		to := own[(i-panel*w.vecs)*w.k.width:]
		for in := 0; in < w.C; in += per {
			m := min(per, w.C-in)
			s.transformVector(to[in*w.nr:], s.taps(st, filters, i, in, m), st.cells, m, third)
		}
	}
	s.strips.Give(st)
}

// taps returns those of m channels from in on of a vector of filters.
func (s *WinogradSweep) taps(st *strip, filters SweptFilters, vector, in, m int) []float32 {
	w := s.plan
	switch {
	case filters.Small != nil:
		filters.Small.Widen(st.filters, filters.Form, vector, w.source.taps*in, w.source.taps*m)
	case filters.Packed != nil:
		return filters.Packed[vector*s.vectorLen()+in*w.source.taps*w.k.width:]
	default:
		w.source.fill(w.k.gemm, st.filters, filters.Plain, 0, vector*w.k.width, s.columns(vector), w.k.width, in, m)
	}
	return st.filters
}

// transformVector transforms the taps of m channels of a vector of filters.
func (s *WinogradSweep) transformVector(to, taps, cells []float32, m, third int) {
	w, width, n := s.plan, s.plan.k.width, s.plan.source.taps
	from, step := 0, 4*width
	if w.source.turned { // as filters that are turned round
		from, step = (n-1)*width, -step
	}
	if third < 0 {
		w.form.filter(m, &taps[from], step, 4*n*width, &to[0], 4*w.filtersStride(), 4*w.nr, &cells[0])
		return
	}
	w.form.thirds[third](m, &taps[from], step, 4*n*width, &to[0], 4*w.filtersStride(), 4*w.nr)
}
