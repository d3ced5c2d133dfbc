package simd

// laneWindow are the distances, in bytes, within and between windows.
type laneWindow struct {
	col, row int // from an element to the next, and from behind a row to the next
	next     int // from a window to the next
}

// These functions pool n windows side by side, of rows×cols elements. s points at a laneWindow.
type (
	laneMaxFunc     func(n, rows, cols int, s *int, x, y *float32)
	laneScatterFunc func(n, rows, cols int, s *int, x, dy, dx *float32, flags int)
	laneMeanFunc    func(n, rows, cols int, s *int, x, y *float32, count float32) (csr uint32)
)

// Bits of the flags of laneScatterFunc.
const (
	laneApart = 1 << iota // no element is in two windows: set rather than add
	laneReLU
)

// LanePool is a pooling of planes in lanes planned for a level: KH×KW windows over H×W pixels. It is immutable and safe for concurrent
// use.
type LanePool struct {
	w     Window
	k     *Kernels
	rects []lanePoolRect
	empty []int // results whose windows hold nothing, in pixels
	apart bool  // windows do not overlap
	whole bool  // and leave no element out
}

// lanePoolRect are lines of windows, all of as many elements.
type lanePoolRect struct {
	steps        laneWindow
	lines, n     int
	rows, cols   int
	x, y         int // where the first window and result are, in elements of a plane
	xLine, yLine int
	count        float32
	square       bool
	pieces       []lanePiece // of a window whose mean is of more than laneMeanPart elements
}

// lanePiece is a part of a window: n of them side by side, each of so many rows and columns.
type lanePiece struct {
	steps         laneWindow
	x             int // where the first one is in the window, in elements
	n, rows, cols int
}

// NewLanePool plans pooling. counted tells how many elements the mean of a window is of, along an axis; nil where no means are
// asked for.
func NewLanePool(k *Kernels, w Window, counted func(axis, o int) int) *LanePool {
	w = w.withDefaults()
	p := &LanePool{w: w, k: k}
	rows, cols := w.laneAxes()
	split := func(axis int, a laneAxis) (all []laneRun) {
		for _, r := range a.runs() {
			if counted == nil {
				all = append(all, r)
				continue
			}
			all = append(all, r.splitBy(func(o int) int { return counted(axis, o) })...)
		}
		return all
	}
	held := 0
	for _, r := range split(0, rows) {
		for _, c := range split(1, cols) {
			if r.taps*c.taps == 0 {
				for i := range r.n {
					for j := range c.n {
						p.empty = append(p.empty, (r.out+i)*w.OW+c.out+j)
					}
				}
				continue
			}
			held += r.n * r.taps * c.n * c.taps
			rect := p.rect(r, c)
			if counted != nil {
				rect.count = float32(max(counted(0, r.out)*counted(1, c.out), 1))
				rect.cut()
			}
			p.rects = append(p.rects, rect)
		}
	}
	p.apart = (rows.apart() || w.OH == 1) && (cols.apart() || w.OW == 1)
	p.whole = p.apart && held == w.H*w.W
	return p
}

func (p *LanePool) rect(r, c laneRun) lanePoolRect {
	s := laneWindow{col: c.inTap * lanePixel, next: c.inStep * lanePixel}
	s.row = r.inTap*p.w.W*lanePixel - c.taps*s.col
	return lanePoolRect{
		steps: s, lines: r.n, n: c.n, rows: r.taps, cols: c.taps, square: r.taps == 2 && c.taps == 2,
		x: (r.in*p.w.W + c.in) * Lanes, y: (r.out*p.w.OW + c.out) * Lanes,
		xLine: r.inStep * p.w.W * Lanes, yLine: r.step * p.w.OW * Lanes,
	}
}

// laneMeanPart is the most elements that are added up in float32, one after the other, and laneMeanParts how many
// such sums are folded by halves before they go into one of float64.
const laneMeanPart, laneMeanParts = 64, 64

// cut cuts a large window into pieces of equal columns, and what is left of them.
func (r *lanePoolRect) cut() {
	if r.rows*r.cols <= laneMeanPart {
		return
	}
	cols := min(r.cols, laneMeanPart)
	for at := 0; at < r.cols; {
		p := lanePiece{steps: r.steps, x: at * r.steps.col / 4, rows: max(laneMeanPart/cols, 1), cols: min(cols, r.cols-at)}
		p.n = (r.cols - at) / p.cols
		p.steps.next = p.cols * r.steps.col
		p.steps.row += (r.cols - p.cols) * r.steps.col
		r.pieces = append(r.pieces, p)
		at += p.n * p.cols
	}
}

// line is the elements from a row of a window to the next.
func (r *lanePoolRect) line() int { return (r.steps.row + r.cols*r.steps.col) / 4 }

func (p *LanePool) xPlane() int { return p.w.H * p.w.W * Lanes }
func (p *LanePool) yPlane() int { return p.w.OH * p.w.OW * Lanes }

// each calls f for parts of lines of windows of plane i, short enough for one call, with the places of the first window and its
// result.
func (p *LanePool) each(f func(r *lanePoolRect, n, x, y int)) {
	for i := range p.rects {
		r := &p.rects[i]
		most := max(callLen/(r.rows*r.cols*Lanes), 1)
		for line := range r.lines {
			for at := 0; at < r.n; at += most {
				f(r, min(most, r.n-at), r.x+line*r.xLine+at*r.steps.next/4, r.y+line*r.yLine+at*Lanes)
			}
		}
	}
}

// Max sets planes lo to hi of y to the largest elements of the windows of x: of equal ones the first, the first NaN
// rather than any number, and none where there is no element.
func (p *LanePool) Max(y, x []float32, none float32, lo, hi int) {
	for i := lo; i < hi; i++ {
		x, y := x[i*p.xPlane():][:p.xPlane()], y[i*p.yPlane():][:p.yPlane()]
		p.fillEmpty(y, none)
		p.each(func(r *lanePoolRect, n, from, to int) {
			kernel := p.k.laneMax
			if r.square {
				kernel = p.k.laneMaxSquare
			}
			for lane := 0; lane < Lanes; lane += p.k.laneWidth {
				kernel(n, r.rows, r.cols, &r.steps.col, &x[from+lane], &y[to+lane])
			}
		})
	}
}

// Scatter sets planes lo to hi of dx, laid out like x, to the sums of dy at the places of those elements, and to 0 elsewhere; with relu
// also where x is at most 0.
func (p *LanePool) Scatter(dx, x, dy []float32, relu bool, lo, hi int) {
	flags := 0
	if relu {
		flags |= laneReLU
	}
	if p.apart {
		flags |= laneApart
	}
	for i := lo; i < hi; i++ {
		x, dx, dy := x[i*p.xPlane():][:p.xPlane()], dx[i*p.xPlane():][:p.xPlane()], dy[i*p.yPlane():][:p.yPlane()]
		if !p.whole {
			clear(dx)
		}
		p.each(func(r *lanePoolRect, n, from, to int) {
			kernel := p.k.laneScatter
			if r.square {
				kernel = p.k.laneScatterSquare
			}
			for lane := 0; lane < Lanes; lane += p.k.laneWidth {
				kernel(n, r.rows, r.cols, &r.steps.col, &x[from+lane], &dy[to+lane], &dx[from+lane], flags)
			}
		})
	}
}

// MeanScratch returns the number of elements of scratch memory that Mean needs.
func (p *LanePool) MeanScratch() int {
	for i := range p.rects {
		if p.rects[i].pieces != nil {
			return laneMeanParts * Lanes
		}
	}
	return 0
}

// Mean sets planes lo to hi of y to the means of the windows of x, 0 where there is no element. What is added up in
// float32 is so little that the error does not grow with the window. scratch needs MeanScratch elements.
func (p *LanePool) Mean(y, x, scratch []float32, lo, hi int) {
	for i := lo; i < hi; i++ {
		x, y := x[i*p.xPlane():][:p.xPlane()], y[i*p.yPlane():][:p.yPlane()]
		p.fillEmpty(y, 0)
		p.each(func(r *lanePoolRect, n, from, to int) {
			if r.pieces != nil {
				for w := range n {
					p.meanByPieces(r, y[to+w*Lanes:][:Lanes], x[from+w*r.steps.next/4:], scratch)
				}
				return
			}
			for lane := 0; lane < Lanes; lane += p.k.laneWidth {
				p.k.laneMean(n, r.rows, r.cols, &r.steps.col, &x[from+lane], &y[to+lane], r.count)
			}
		})
	}
}

// meanByPieces sets y to the mean of the window that x begins with.
func (p *LanePool) meanByPieces(r *lanePoolRect, y, x, sums []float32) {
	var total [Lanes]float64
	have := 0
	for i := range r.pieces {
		piece := &r.pieces[i]
		for row := 0; row < r.rows; row += piece.rows {
			for at := 0; at < piece.n; {
				n := min(piece.n-at, laneMeanParts-have)
				from := piece.x + row*r.line() + at*piece.steps.next/4
				for lane := 0; lane < Lanes; lane += p.k.laneWidth {
					p.k.laneMean(n, min(piece.rows, r.rows-row), piece.cols, &piece.steps.col, &x[from+lane], &sums[have*Lanes+lane], 1)
				}
				at, have = at+n, have+n
				if have == laneMeanParts {
					p.addPixels(&total, sums, have)
					have = 0
				}
			}
		}
	}
	p.addPixels(&total, sums, have)
	for lane, t := range total {
		y[lane] = flush(float32(t / float64(r.count)))
	}
}

// addPixels adds the sum of n pixels, by halves, to total. It writes over them.
func (p *LanePool) addPixels(total *[Lanes]float64, pixels []float32, n int) {
	if n == 0 {
		return
	}
	for n > 1 {
		half := n / 2
		p.k.Map(OpAdd, pixels[:half*Lanes], pixels, pixels[(n-half)*Lanes:n*Lanes], 0)
		n -= half
	}
	for lane := range total {
		total[lane] += float64(pixels[lane])
	}
}

// MeanGrad sets planes lo to hi of dx to the gradient of Mean.
func (p *LanePool) MeanGrad(dx, dy []float32, lo, hi int) {
	for i := lo; i < hi; i++ {
		dx, dy := dx[i*p.xPlane():][:p.xPlane()], dy[i*p.yPlane():][:p.yPlane()]
		clear(dx)
		p.each(func(r *lanePoolRect, n, from, to int) {
			for lane := 0; lane < Lanes; lane += p.k.laneWidth {
				p.k.laneMeanGrad(n, r.rows, r.cols, &r.steps.col, &dx[from+lane], &dy[to+lane], r.count)
			}
		})
	}
}

func (p *LanePool) fillEmpty(y []float32, v float32) {
	for _, pixel := range p.empty {
		for lane := range Lanes {
			y[pixel*Lanes+lane] = v
		}
	}
}
