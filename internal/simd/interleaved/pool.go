package interleaved

import (
	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// These functions pool n windows side by side, of rows×cols elements. s points at a WindowSteps.
type (
	maxFunc     func(n, rows, cols int, s *int, x, y *float32)
	scatterFunc func(n, rows, cols int, s *int, x, dy, dx *float32, flags int)
	meanFunc    func(n, rows, cols int, s *int, x, y *float32, count float32) (csr uint32)
)

// Pool is a pooling of planes of interleaved batches planned for a level: KH×KW windows over H×W
// pixels. It is immutable and safe for concurrent use.
type Pool struct {
	w     window.Window
	k     *Kernels
	rects []poolRectangle
	empty []int // results whose windows hold nothing, in pixels
	apart bool  // windows do not overlap
	whole bool  // and leave no element out
}

// poolRectangle are lines of windows, all of as many elements.
type poolRectangle struct {
	steps        abi.WindowSteps
	lines, n     int
	rows, cols   int
	x, y         int // where the first window and result are, in elements of a plane
	xLine, yLine int
	count        float32
	square       bool
	pieces       []poolPiece // of a window whose mean is of more than meanPart elements
}

// poolPiece is a part of a window: n of them side by side, each of so many rows and columns.
type poolPiece struct {
	steps         abi.WindowSteps
	x             int // where the first one is in the window, in elements
	n, rows, cols int
}

// NewPool plans pooling. counted returns how many elements along an axis the mean of a window is
// of; nil where no means are asked for.
func NewPool(k *Kernels, w window.Window, counted func(axis, o int) int) *Pool {
	w = w.WithDefaults()
	p := &Pool{w: w, k: k}
	rows, cols := w.Axes()
	split := func(axis int, a window.Axis) (all []window.Run) {
		for _, r := range a.Runs() {
			if counted == nil {
				all = append(all, r)
				continue
			}
			all = append(all, r.SplitBy(func(o int) int { return counted(axis, o) })...)
		}
		return all
	}
	held := 0
	for _, r := range split(0, rows) {
		for _, c := range split(1, cols) {
			if r.Taps*c.Taps == 0 {
				for i := range r.N {
					for j := range c.N {
						p.empty = append(p.empty, (r.Out+i)*w.OW+c.Out+j)
					}
				}
				continue
			}
			held += r.N * r.Taps * c.N * c.Taps
			rect := p.rect(r, c)
			if counted != nil {
				rect.count = float32(max(counted(0, r.Out)*counted(1, c.Out), 1))
				rect.cut()
			}
			p.rects = append(p.rects, rect)
		}
	}
	p.apart = (rows.Apart() || w.OH == 1) && (cols.Apart() || w.OW == 1)
	p.whole = p.apart && held == w.H*w.W
	return p
}

func (p *Pool) rect(r, c window.Run) poolRectangle {
	s := abi.WindowSteps{Col: c.InTap * abi.PixelBytes, Next: c.InStep * abi.PixelBytes}
	s.Row = r.InTap*p.w.W*abi.PixelBytes - c.Taps*s.Col
	return poolRectangle{
		steps: s, lines: r.N, n: c.N, rows: r.Taps, cols: c.Taps, square: r.Taps == 2 && c.Taps == 2,
		x: (r.In*p.w.W + c.In) * Images, y: (r.Out*p.w.OW + c.Out) * Images,
		xLine: r.InStep * p.w.W * Images, yLine: r.Step * p.w.OW * Images,
	}
}

// meanPart is the most elements that are added up in float32, one after the other, and meanParts
// how many such sums are folded by halves before they go into one of float64.
const meanPart, meanParts = 64, 64

// cut cuts a large window into pieces of equal columns, and the rest.
func (r *poolRectangle) cut() {
	if r.rows*r.cols <= meanPart {
		return
	}
	cols := min(r.cols, meanPart)
	for at := 0; at < r.cols; {
		p := poolPiece{steps: r.steps, x: at * r.steps.Col / 4, rows: max(meanPart/cols, 1), cols: min(cols, r.cols-at)}
		p.n = (r.cols - at) / p.cols
		p.steps.Next = p.cols * r.steps.Col
		p.steps.Row += (r.cols - p.cols) * r.steps.Col
		r.pieces = append(r.pieces, p)
		at += p.n * p.cols
	}
}

// line is the elements from a row of a window to the next.
func (r *poolRectangle) line() int { return (r.steps.Row + r.cols*r.steps.Col) / 4 }

func (p *Pool) xPlane() int { return p.w.H * p.w.W * Images }
func (p *Pool) yPlane() int { return p.w.OH * p.w.OW * Images }

// each calls f for parts of lines of windows of plane i, short enough for one call, with the places
// of the first window and its result.
func (p *Pool) each(f func(r *poolRectangle, n, x, y int)) {
	for i := range p.rects {
		r := &p.rects[i]
		most := max(isa.CallLen/(r.rows*r.cols*Images), 1)
		for line := range r.lines {
			for at := 0; at < r.n; at += most {
				f(r, min(most, r.n-at), r.x+line*r.xLine+at*r.steps.Next/4, r.y+line*r.yLine+at*Images)
			}
		}
	}
}

// Max sets planes lo to hi of y to the largest elements of the windows of x: of equal ones the
// first, the first NaN rather than any number, and none where there is no element.
func (p *Pool) Max(y, x []float32, none float32, lo, hi int) {
	for i := lo; i < hi; i++ {
		x, y := x[i*p.xPlane():][:p.xPlane()], y[i*p.yPlane():][:p.yPlane()]
		p.fillEmpty(y, none)
		p.each(func(r *poolRectangle, n, from, to int) {
			kernel := p.k.max
			if r.square {
				kernel = p.k.maxSquare
			}
			for lane := 0; lane < Images; lane += p.k.width {
				kernel(n, r.rows, r.cols, &r.steps.Col, &x[from+lane], &y[to+lane])
			}
		})
	}
}

// Scatter sets planes lo to hi of dx, laid out like x, to the sums of dy at the places of those
// elements, and to 0 elsewhere; with relu also where x is at most 0.
func (p *Pool) Scatter(dx, x, dy []float32, relu bool, lo, hi int) {
	flags := 0
	if relu {
		flags |= abi.FlagRectify
	}
	if p.apart {
		flags |= abi.FlagApart
	}
	for i := lo; i < hi; i++ {
		x, dx, dy := x[i*p.xPlane():][:p.xPlane()], dx[i*p.xPlane():][:p.xPlane()], dy[i*p.yPlane():][:p.yPlane()]
		if !p.whole {
			clear(dx)
		}
		p.each(func(r *poolRectangle, n, from, to int) {
			kernel := p.k.scatter
			if r.square {
				kernel = p.k.scatterSquare
			}
			for lane := 0; lane < Images; lane += p.k.width {
				kernel(n, r.rows, r.cols, &r.steps.Col, &x[from+lane], &dy[to+lane], &dx[from+lane], flags)
			}
		})
	}
}

// MeanScratch returns the number of elements of scratch memory that Mean needs.
func (p *Pool) MeanScratch() int {
	for i := range p.rects {
		if p.rects[i].pieces != nil {
			return meanParts * Images
		}
	}
	return 0
}

// Mean sets planes lo to hi of y to the means of the windows of x, 0 where there is no element.
// What is added up in float32 is so little that the error does not grow with the window. scratch
// needs MeanScratch elements.
func (p *Pool) Mean(y, x, scratch []float32, lo, hi int) {
	for i := lo; i < hi; i++ {
		x, y := x[i*p.xPlane():][:p.xPlane()], y[i*p.yPlane():][:p.yPlane()]
		p.fillEmpty(y, 0)
		p.each(func(r *poolRectangle, n, from, to int) {
			if r.pieces != nil {
				for w := range n {
					p.meanByPieces(r, y[to+w*Images:][:Images], x[from+w*r.steps.Next/4:], scratch)
				}
				return
			}
			for lane := 0; lane < Images; lane += p.k.width {
				p.k.mean(n, r.rows, r.cols, &r.steps.Col, &x[from+lane], &y[to+lane], r.count)
			}
		})
	}
}

// meanByPieces sets y to the mean of the window that x begins with.
func (p *Pool) meanByPieces(r *poolRectangle, y, x, sums []float32) {
	var total [Images]float64
	have := 0
	for i := range r.pieces {
		piece := &r.pieces[i]
		for row := 0; row < r.rows; row += piece.rows {
			for at := 0; at < piece.n; {
				n := min(piece.n-at, meanParts-have)
				from := piece.x + row*r.line() + at*piece.steps.Next/4
				for lane := 0; lane < Images; lane += p.k.width {
					p.k.mean(n, min(piece.rows, r.rows-row), piece.cols, &piece.steps.Col, &x[from+lane], &sums[have*Images+lane], 1)
				}
				at, have = at+n, have+n
				if have == meanParts {
					p.addPixels(&total, sums, have)
					have = 0
				}
			}
		}
	}
	p.addPixels(&total, sums, have)
	for lane, t := range total {
		y[lane] = isa.Flush(float32(t / float64(r.count)))
	}
}

// addPixels adds the sum of n pixels, by halves, to total. It writes over them.
func (p *Pool) addPixels(total *[Images]float64, pixels []float32, n int) {
	if n == 0 {
		return
	}
	for n > 1 {
		half := n / 2
		p.k.vec.Map(vec.Add, pixels[:half*Images], pixels, pixels[(n-half)*Images:n*Images], 0)
		n -= half
	}
	for lane := range total {
		total[lane] += float64(pixels[lane])
	}
}

// MeanGrad sets planes lo to hi of dx to the gradient of Mean.
func (p *Pool) MeanGrad(dx, dy []float32, lo, hi int) {
	for i := lo; i < hi; i++ {
		dx, dy := dx[i*p.xPlane():][:p.xPlane()], dy[i*p.yPlane():][:p.yPlane()]
		clear(dx)
		p.each(func(r *poolRectangle, n, from, to int) {
			for lane := 0; lane < Images; lane += p.k.width {
				p.k.meanGrad(n, r.rows, r.cols, &r.steps.Col, &dx[from+lane], &dy[to+lane], r.count)
			}
		})
	}
}

func (p *Pool) fillEmpty(y []float32, v float32) {
	for _, pixel := range p.empty {
		for lane := range Images {
			y[pixel*Images+lane] = v
		}
	}
}
