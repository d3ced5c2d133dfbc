package gemm

import (
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Storage is the type in which a [Small] product keeps B.
type Storage uint8

// The types: upper halves of float32, and multiples of a float32 for each column.
const (
	BFloat16 Storage = iota
	Int8
)

// size is the bytes of an element.
func (s Storage) size() int { return [...]int{BFloat16: 2, Int8: 1}[s] }

// smallFunc computes rows of a times one panel of B: sums[i], of a panel's columns, is set to row i
// of a, which are as bytes apart, times the k rows of the panel, or with more that is added. Rows
// of sums follow each other.
type smallFunc func(k int, a *float32, as int, b *byte, sums *float32, more int) (csr uint32)

// widenFunc sets dst to k rows of a panel of B, times scale, which has a number for each column.
type widenFunc func(k int, b *byte, scale, dst *float32) (csr uint32)

// smallPanel are the kernels for panels of so many vectors in one Storage.
type smallPanel struct {
	vecs  int
	rows  []smallFunc // by rows, from 1
	widen widenFunc
}

// smalls are those of a level: narrow panels, then wide ones, by Storage.
type smalls [2][]smallPanel

// Small is a plan for C = act(A·B + bias) where B, which is float32 to those who give it, is kept
// in a small type. Memory limits such products where A has few rows, so that they gain what B has
// fewer bytes. Arithmetic is in float32.
//
// B's form has a scale for each column, then panels of Cols columns, which have K rows each. What
// is beyond the last column is not used.
type Small struct {
	Op
	As   Storage
	Cols int // of a panel

	tiles  *Tiles[float32]
	level  isa.Level
	panel  smallPanel
	widens bool
	each   int // panels of a task
}

const (
	// smallDepth is how many rows of B are multiplied at a time: a widened panel of them stays in
	// the second-level cache, and sums lose little.
	smallDepth = 256

	// smallTask is how many elements of B a task has at least.
	smallTask = 1 << 15

	// widenRows is the number of rows of A from which on a panel is widened once for all of them.
	widenRows = 13
)

// NewSmall plans op, of which A is stored as it is multiplied and no extent is 0.
func NewSmall(k *Kernels, op Op, as Storage) *Small {
	if op.TransA || op.Add || op.Bias == isa.RowBias || min(op.M, op.N, op.K) < 1 {
		panic(fmt.Sprintf("gemm: no small product %+v", op))
	}
	panels := k.small[as]
	for len(panels) > 1 && panels[0].vecs*k.F32.Width < op.N { // a narrow panel for few columns
		panels = panels[1:]
	}
	return newSmall(k, op, as, panels[0])
}

// NewSmallVectors plans B's form of n columns of k elements, which follow each other in memory, with panels of one vector,
// for those who widen it: it is not to be run.
func NewSmallVectors(ks *Kernels, n, k int, as Storage) *Small {
	return newSmall(ks, Op{M: 1, N: n, K: k, TransB: true}, as, ks.small[as][0])
}

func newSmall(k *Kernels, op Op, as Storage, panel smallPanel) *Small {
	p := &Small{Op: op.withStrides(), As: as, tiles: k.F32, level: k.level, panel: panel}
	p.Cols = p.panel.vecs * p.tiles.Width
	p.widens = op.M >= widenRows
	p.each = max(1, smallTask/(op.K*p.Cols))
	return p
}

// Widen sets dst to n rows, from row k on, of a panel in a form.
func (p *Small) Widen(dst []float32, form []byte, panel, k, n int) {
	if len(form) < p.Bytes() || k+n > p.K || len(dst) < n*p.Cols {
		panic(fmt.Sprintf("gemm: rows %d to %d of %d to %d elements, of a form of %d bytes", k, k+n, p.K, len(dst), len(form)))
	}
	if n > 0 {
		p.panel.widen(n, &p.Panel(form, panel)[k*p.Cols*p.As.size()], unsafe.SliceData(p.scales(form, panel)), &dst[0])
	}
}

// scales are those of a panel.
func (p *Small) scales(form []byte, panel int) []float32 {
	if p.As != Int8 {
		return nil
	}
	return p.Scales(form)[panel*p.Cols:][:p.Cols]
}

// SmallForm names the form of B: equal ones have the same bytes.
type SmallForm struct {
	level      isa.Level
	as         Storage
	n, k, cols int
}

// Form is the name of the form.
func (p *Small) Form() SmallForm { return SmallForm{p.level, p.As, p.N, p.K, p.Cols} }

// Panels is how many there are.
func (p *Small) Panels() int { return isa.Ceil(p.N, p.Cols) }

// Bytes is the size of B's form, which begins a cache line.
func (p *Small) Bytes() int { return p.scaleBytes() + p.Panels()*p.panelBytes() }

func (p *Small) scaleBytes() int {
	if p.As != Int8 {
		return 0
	}
	return isa.RoundUp(4*p.Panels()*p.Cols, 64)
}

func (p *Small) panelBytes() int { return p.K * p.Cols * p.As.size() }

// Scales are the scales of columns in a form, of Int8.
func (p *Small) Scales(form []byte) []float32 {
	if p.As != Int8 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(form))), p.Panels()*p.Cols)
}

// Panel is a panel in a form, row by row.
func (p *Small) Panel(form []byte, i int) []byte {
	return form[p.scaleBytes()+i*p.panelBytes():][:p.panelBytes()]
}

// Tasks is into how many tasks Run can be divided; Work is their multiplications.
func (p *Small) Tasks() int { return isa.Ceil(p.Panels(), p.each) }
func (p *Small) Work() int  { return p.M * p.Panels() * p.Cols * p.K }

// Scratch is the number of elements of scratch memory that a call of Run needs.
func (p *Small) Scratch() int {
	if p.widens {
		return min(p.K, smallDepth) * p.Cols
	}
	return (len(p.panel.rows) - 1) * p.Cols
}

// Run does tasks lo to hi. Each task writes columns of its own, and sums depend only on the plan.
func (p *Small) Run(c, a []float32, form []byte, bias, scratch []float32, lo, hi int) {
	checkMatrix("Small", "A", len(a), p.M, p.K, p.LDA)
	checkMatrix("Small", "C", len(c), p.M, p.N, p.LDC)
	if len(form) < p.Bytes() || len(bias) < p.biasLen() || len(scratch) < p.Scratch() {
		panic(fmt.Sprintf("gemm: Small has %d bytes of B, %d values of bias and %d of scratch, needs %d, %d and %d",
			len(form), len(bias), len(scratch), p.Bytes(), p.biasLen(), p.Scratch()))
	}
	for i := lo * p.each; i < min(hi*p.each, p.Panels()); i++ {
		scale := p.scales(form, i)
		if p.widens {
			p.wide(c, a, p.Panel(form, i), scale, bias, scratch, i*p.Cols)
		} else {
			p.few(c, a, p.Panel(form, i), scale, bias, scratch, i*p.Cols)
		}
	}
}

// few multiplies by the panel from column j on as it is, some rows at a time.
func (p *Small) few(c, a []float32, panel []byte, scale, bias, sums []float32, j int) {
	cols, row := min(p.Cols, p.N-j), p.Cols*p.As.size()
	groups := isa.Ceil(p.M, len(p.panel.rows)-1)
	for g := range groups {
		i := p.M * g / groups
		rows := p.M*(g+1)/groups - i
		for k := 0; k < p.K; k += smallDepth {
			p.panel.rows[rows](min(smallDepth, p.K-k), &a[i*p.LDA+k], 4*p.LDA, &panel[k*row], &sums[0], k)
		}
		for r := range rows {
			s := sums[r*p.Cols:][:cols]
			for n := range scale[:min(len(scale), cols)] {
				s[n] *= scale[n]
			}
			isa.Finish(c[(i+r)*p.LDC+j:][:cols], s, p.biasAt(bias, j), 0, 0, p.flags(0, p.K))
		}
	}
}

// wide widens the panel from column j on, and multiplies all rows by it.
func (p *Small) wide(c, a []float32, panel []byte, scale, bias, widened []float32, j int) {
	row, tail := p.Cols*p.As.size(), min(p.Cols, p.N-j)
	vecs := isa.Ceil(tail, p.tiles.Width)
	last := tail - (vecs-1)*p.tiles.Width
	groups := isa.Ceil(p.M, p.tiles.Tallest(vecs))
	for k := 0; k < p.K; k += smallDepth {
		depth := min(smallDepth, p.K-k)
		p.panel.widen(depth, &panel[k*row], unsafe.SliceData(scale), &widened[0])
		for g := range groups {
			i := p.M * g / groups
			p.tiles.Kernel[vecs][p.M*(g+1)/groups-i](1, 1, depth, &a[i*p.LDA+k], 4*p.LDA, 4, &widened[0], 4*p.Cols, 0,
				&c[i*p.LDC+j], 4*p.LDC, p.biasAt(bias, j), p.flags(k, k+depth), last)
		}
	}
}

func (p *Small) biasAt(bias []float32, j int) *float32 {
	if p.Bias != isa.ColBias {
		return nil
	}
	return &bias[j]
}

// flags says what rows k to k1 do beside multiplying.
func (p *Small) flags(k, k1 int) (f int) {
	if k > 0 {
		f |= abi.FlagAdd
	}
	if k1 < p.K {
		return f
	}
	if p.Bias == isa.ColBias {
		f |= abi.FlagColBias
	}
	return f | p.Act.Flags()
}
