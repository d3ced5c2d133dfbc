package nhwc

import (
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// Stem is a convolution of one group whose images are in rows, (N,C,H,W), and whose results have channels last or are in rows
// too: what a network of such images begins with. It is immutable and safe for concurrent use.
//
// A task has some rows of windows. It copies what they see of an image to a strip, with zeros for what lies over the edge,
// and multiplies the windows where they lie there: windows of few channels would make many short copies.
type Stem struct {
	product
	bands
	rows, columns window.Axis
	toRows        bool // results are turned to rows, a task's at a time

	plane, line int   // elements of a strip from a channel to the next one, and from a row to the next one
	at          []int // where the elements of a window lie, in bytes
}

// leastRows is the fewest rows of windows of a task: tasks read the rows that their windows share twice.
const leastRows = 4

// NewStem plans op, of one group, for k.
func NewStem(k *Kernels, op Op) *Stem { return newStem(k, op, false) }

// NewStemToRows plans op, of one group, for k. Its results are in rows too, (N,M,OH,OW): op has neither Add nor a pitch.
func NewStemToRows(k *Kernels, op Op) *Stem { return newStem(k, op, true) }

// newStem sums in the order of other kernels whose results lie so, which gives the same bits: over the taps of a channel after
// the other, or the channels of a tap.
func newStem(k *Kernels, op Op, toRows bool) *Stem {
	source := op.source(false)
	source.planes = toRows
	s := &Stem{product: newProduct(k, op, source), toRows: toRows}
	s.split()
	return s
}

// Strip plans rows lo to hi of the results of an image, by the filters as Pack leaves them.
func (s *Stem) Strip(lo, hi int) *Stem {
	part := &Stem{product: s.product}
	part.N, part.OH, part.Top = 1, hi-lo, s.Top-lo*s.SH
	part.split()
	return part
}

// split chooses the tasks, and places the elements of windows.
func (s *Stem) split() {
	if s.count == 0 || s.OH == 0 {
		return
	}
	s.rows, s.columns = s.Axes()
	most := isa.Ceil(s.N*s.OH, goodTasks)
	if s.toRows {
		most = min(most, blockElems/(s.OW*s.M))
	}
	s.bands = bandsOf(s.N, s.OH, max(most, leastRows))
	s.line = seen(s.columns, s.OW)
	s.plane = seen(s.rows, s.block) * s.line
	place := func(ch, ky, kx int) { s.at = append(s.at, 4*(ch*s.plane+ky*s.DH*s.line+kx*s.DW)) }
	for i := range s.C * s.KH * s.KW {
		if taps := s.KH * s.KW; s.toRows {
			place(i/taps, i%taps/s.KW, i%s.KW)
		} else {
			place(i%s.C, i/s.C/s.KW, i/s.C%s.KW)
		}
	}
}

// seen is how many elements n windows side by side reach over.
func seen(a window.Axis, n int) int { return (n-1)*a.Stride + (a.Kernel-1)*a.Dilation + 1 }

// ScratchLen is the number of elements of scratch memory, in any state, that a worker needs.
func (s *Stem) ScratchLen() int { return s.C*s.plane + s.turned() }

// turned is the number of results that a task turns to rows.
func (s *Stem) turned() int {
	if !s.toRows {
		return 0
	}
	return s.block * s.OW * s.M
}

// Task returns which elements of y, from from to to, task i makes, if channels are last.
func (s *Stem) Task(i int) (from, to int) {
	from, to = s.rowsOf(i)
	row := s.OW * s.M
	return from * row, to * row
}

// Run does tasks lo to hi. The bits of y do not depend on how tasks are shared out. Nothing may overlap y.
func (s *Stem) Run(y, x, packed, bias, scratch []float32, lo, hi int) {
	need("results", len(y), s.results())
	need("images", len(x), s.N*s.H*s.W*s.C)
	need("packed filters", len(packed), s.PackedLen())
	need("scratch", len(scratch), s.ScratchLen())
	if s.Bias {
		need("bias", len(bias), s.M)
	}
	results, strip := scratch[:s.turned()], scratch[s.turned():]
	of := places{s.at, s.SW, s.SH * s.line}
	for i := lo; i < hi; i++ {
		image, first, last := s.band(i)
		s.copyStrip(strip, x[image*s.C*s.H*s.W:], first, last)
		if !s.toRows {
			s.inPlace(y[(image*s.OH+first)*s.OW*s.pitch():], strip, packed, bias, of, last-first)
			continue
		}
		s.inPlace(results, strip, packed, bias, of, last-first)
		gemm.Transpose(s.k.gemm, y[image*s.M*s.Cols()+first*s.OW:], s.Cols(), results, s.M, (last-first)*s.OW, s.M)
	}
}

// copyStrip copies what rows first to last of windows see of an image.
func (s *Stem) copyStrip(strip, image []float32, first, last int) {
	top, lines := s.rows.At(first, 0), seen(s.rows, last-first)
	from, to := min(max(-top, 0), lines), min(max(s.H-top, 0), lines) // lines of the image
	to = max(from, to)
	for ch := range s.C {
		plane := strip[ch*s.plane:][:lines*s.line]
		clear(plane[:from*s.line])
		clear(plane[to*s.line:])
		if from == to {
			continue
		}
		seen, rows := plane[from*s.line:to*s.line], image[(ch*s.H+top+from)*s.W:]
		if s.Left == 0 && s.line == s.W {
			copy(seen, rows)
			continue
		}
		for i := range to - from {
			copyPadded(seen[i*s.line:][:s.line], rows[i*s.W:][:s.W], s.Left)
		}
	}
	if s.tiles.Flushes() {
		isa.FlushAll(strip[:s.C*s.plane])
	}
}

// copyPadded sets dst to src behind so many zeros, or without its first elements where left is negative, with zeros behind it.
func copyPadded(dst, src []float32, left int) {
	if left < 0 {
		src, left = src[min(-left, len(src)):], 0
	}
	left = min(left, len(dst))
	clear(dst[:left])
	n := copy(dst[left:], src)
	clear(dst[left+n:])
}
