package simd

import (
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/internal/par"
)

// Conv is a convolution of float32 planned for a level: directly on the images, without the matrix
// of Im2Col. It is immutable and safe for concurrent use.
type Conv struct {
	ConvOp
	k *Kernels

	// The image that kernels see has ph rows of pw elements. Where pads is set, it is a copy: of each row
	// first the columns that a stride reaches from the first one, pc of them, then those from the second
	// one, and so on, SW times.
	ph, pw, pc int
	pads       bool

	taps         []int // for each element of a filter, bytes from the window's first element; then a few more
	strips       []convStrip
	pieces       int         // tasks that an image is cut into
	filterPanels []gradPanel // of the gradient; none where pixels are in lanes
	grain        int         // tasks handed out at once

	idle chan *convRun
}

// convStrip is a range of output columns that one panel covers.
type convStrip struct {
	rows   int // output rows in a panel
	panels int // the last may have fewer rows
	group  int // panels that all filters pass over before the next ones
	whole  [maxConvVecs]convVector
	last   [maxConvVecs]convVector
	reach  int // bytes from a panel's first element to the end of its last vector, all lanes used
}

// convVector is one vector of outputs in a panel: where it begins, in bytes from the panel's first
// element in image and output, and how many lanes are used. The kernels know its layout.
type convVector struct{ b, c, lanes int }

// maxConvVecs is the most vectors in a panel.
const maxConvVecs = 4

// flagMasked says that whole vectors could reach beyond the memory of the image.
const flagMasked = 1 << 8

// convFunc computes n panels for as many filters as the kernel is for. Filters of k elements are
// ars bytes apart, and taps says where in the image their elements go; panels are bps bytes
// apart in the image b and cps in the output c, whose channels are cs bytes apart. vectors points at
// a panel's convVectors.
type convFunc func(n, k int, a *float32, ars int, taps *int, b *float32, bps int, c *float32, cs, cps int, vectors *int, bias *float32, flags int) (csr uint32)

// maxTaps is the most elements of a filter that one call of a kernel multiplies by.
const maxTaps = 8192

// NewConv plans op for k. It reports false for filters without elements.
func NewConv(k *Kernels, op ConvOp) (*Conv, bool) {
	op.Window = op.Window.withDefaults()
	if op.Rows() == 0 {
		return nil, false
	}
	p := &Conv{ConvOp: op, k: k, idle: make(chan *convRun, 64)}
	if op.N == 0 || op.M == 0 || op.Cols() == 0 {
		return p, true
	}
	p.filterPanels = p.gradPanels()
	p.frame()
	p.tap()
	p.split()
	p.share()
	return p, true
}

// frame finds the image that has all that windows look at.
func (p *Conv) frame() {
	rows, cols := (p.OH-1)*p.SH+(p.KH-1)*p.DH+1, (p.OW-1)*p.SW+(p.KW-1)*p.DW+1
	p.pads = p.Top > 0 || p.Left > 0 || rows > p.H || cols > p.W || p.SW > 1 || p.k.level == Generic
	p.ph, p.pc = p.H, p.W
	if p.pads {
		p.ph, p.pc = rows, ceil(cols, p.SW)
	}
	p.pw = p.SW * p.pc
}

func (p *Conv) tap() {
	for c := range p.C {
		for i := range p.KH {
			for j := range p.KW {
				p.taps = append(p.taps, 4*((c*p.ph+i*p.DH)*p.pw+j*p.DW%p.SW*p.pc+j*p.DW/p.SW))
			}
		}
	}
	for n := len(p.taps); n > 0 && len(p.taps) < max(p.sumStride(), p.panelTaps()); {
		p.taps = append(p.taps, p.taps[n-1]) // for the rest of the last gradient tile
	}
}

// split covers the output with strips, and each strip with panels of as many rows as fill the vectors.
func (p *Conv) split() {
	lanes, vecs := p.k.convLanes, p.k.convVecs
	for x := 0; x < p.OW; x += lanes * vecs {
		cols := min(lanes*vecs, p.OW-x)
		s := convStrip{rows: min(max(vecs/ceil(cols, lanes), 1), p.OH)}
		s.panels = ceil(p.OH, s.rows)
		s.whole = p.vectors(x, cols, s.rows)
		s.last = p.vectors(x, cols, p.OH-(s.panels-1)*s.rows)
		for _, v := range s.whole {
			s.reach = max(s.reach, v.b+4*lanes)
		}
		// What a group of panels reads stays in the first-level cache from filter to filter.
		line := 4 * p.C * min(p.SW*cols+p.KW*p.DW, p.pw)
		room := cacheSizes().l1/2/line - p.KH*p.DH
		s.group = max(room/(s.rows*p.SH), 1)
		p.strips = append(p.strips, s)
	}
}

// vectors lays out a panel of columns x to x+cols.
func (p *Conv) vectors(x, cols, rows int) (v [maxConvVecs]convVector) {
	i, lanes := 0, p.k.convLanes
	for y := range rows {
		for at := x; at < x+cols; at += lanes {
			v[i] = convVector{4 * (y*p.SH*p.pw + at), 4 * (y*p.OW + at), min(lanes, x+cols-at)}
			i++
		}
	}
	return v
}

// share cuts the work into tasks.
func (p *Conv) share() {
	work := p.M * p.Rows() * p.Cols()
	p.pieces = min(max(work/taskWork/2, 1), ceil(maxTasks, p.N), p.strips[0].panels)
	p.grain = max(taskWork*p.pieces/max(work, 1), 1)
}

// Scratch returns the number of elements of scratch memory that Run needs.
func (p *Conv) Scratch() int {
	if !p.pads {
		return 0
	}
	return p.N*p.C*p.ph*p.pw + p.slack()
}

// slack is what whole vectors may reach beyond the last image.
func (p *Conv) slack() int { return p.k.convLanes * p.k.convVecs }

// Run computes y from the images x, the filters w and bias, which may be nil where the op has none. The
// bits of y do not depend on the pool; nil means the calling goroutine. scratch needs Scratch
// elements, in any state; nothing may overlap it or y.
func (p *Conv) Run(pool *par.Pool, y, x, w, bias, scratch []float32) {
	biases := 0
	if p.Bias != NoBias {
		biases = p.M
	}
	if len(y) < p.N*p.M*p.Cols() || len(x) < p.N*p.C*p.H*p.W || len(w) < p.M*p.Rows() || len(bias) < biases || len(scratch) < p.Scratch() {
		panic(fmt.Sprintf("simd: Conv %+v with %d, %d, %d, %d and %d elements in y, x, w, bias and scratch",
			p.ConvOp, len(y), len(x), len(w), len(bias), len(scratch)))
	}
	if p.strips == nil {
		return
	}
	r := p.take()
	r.y, r.w, r.bias, r.x = y, w, bias, x
	r.pad(pool, scratch)
	pool.For(p.N*p.pieces, p.grain, r.tasks)
	p.give(r)
}

// pad puts the images into frames where the windows reach beyond them.
func (r *convRun) pad(pool *par.Pool, scratch []float32) {
	if !r.pads {
		return
	}
	r.padded = scratch[:r.Scratch()]
	pool.For(r.N*r.C, max(1, (1<<14)/(r.ph*r.pw)), r.padding)
	r.x = r.padded
}

// convRun is a convolution under way.
type convRun struct {
	*Conv
	y, x, w, bias []float32
	padded        []float32
	sums          []float32 // of a gradient
	dyt           []float32 // dy with the channels of a pixel together

	padding, tasks, grads, turning, panelGrads func(lo, hi int) // bound once, so that loops allocate nothing
}

func (p *Conv) take() *convRun {
	select {
	case r := <-p.idle:
		return r
	default:
	}
	r := &convRun{Conv: p}
	r.padding, r.tasks, r.grads = r.padPlanes, r.runTasks, r.runGrads
	r.turning, r.panelGrads = r.turnImages, r.runPanels
	return r
}

func (p *Conv) give(r *convRun) {
	r.y, r.x, r.w, r.bias, r.padded, r.sums, r.dyt = nil, nil, nil, nil, nil, nil, nil
	select {
	case p.idle <- r:
	default:
	}
}

// padPlanes copies channels lo to hi of all images into their frames.
func (r *convRun) padPlanes(lo, hi int) {
	for plane := lo; plane < hi; plane++ {
		src, dst := r.x[plane*r.H*r.W:], r.padded[plane*r.ph*r.pw:][:r.ph*r.pw]
		for i := range r.ph {
			row := dst[i*r.pw:][:r.pw]
			switch {
			case i < r.Top || i >= r.Top+r.H || r.Left >= r.pw:
				clear(row)
			case r.SW == 1:
				r.padRow(row, src[(i-r.Top)*r.W:][:r.W])
			default:
				r.splitRow(row, src[(i-r.Top)*r.W:][:r.W])
			}
		}
		if r.k.level == Generic {
			flushAll(dst)
		}
	}
}

func (r *convRun) padRow(row, src []float32) {
	clear(row[:r.Left])
	n := copy(row[r.Left:], src)
	clear(row[r.Left+n:])
}

// splitRow sorts the columns by their places within a stride.
func (r *convRun) splitRow(row, src []float32) {
	src = src[:min(len(src), r.pw-r.Left)]
	for place := range r.SW {
		part := row[place*r.pc:][:r.pc]
		clear(part[:max(ceil(r.Left-place, r.SW), 0)])
		clear(part[max(ceil(r.Left+len(src)-place, r.SW), 0):])
	}
	at := r.Left
	one := func(x float32) {
		row[at%r.SW*r.pc+at/r.SW] = x
		at++
	}
	for len(src) > 0 && at%r.SW > 0 {
		one(src[0])
		src = src[1:]
	}
	strides := len(src) / r.SW
	Transpose(r.k, row[at/r.SW:], r.pc, src, 0, strides, r.SW)
	at += strides * r.SW
	for _, x := range src[strides*r.SW:] {
		one(x)
	}
}

// runTasks computes pieces of images.
func (r *convRun) runTasks(lo, hi int) {
	for task := lo; task < hi; task++ {
		image, piece := task/r.pieces, task%r.pieces
		for i := range r.strips {
			s := &r.strips[i]
			end := s.panels * (piece + 1) / r.pieces
			for at := s.panels * piece / r.pieces; at < end; at += s.group {
				r.panels(image, s, at, min(at+s.group, end))
			}
		}
	}
}

// panels computes panels from to to of a strip, for all filters.
func (r *convRun) panels(image int, s *convStrip, from, to int) {
	tall := len(r.k.conv) - 1
	tiles := ceil(r.M, tall)
	for i := range tiles {
		m := r.M * i / tiles
		r.tile(image, s, from, to, m, r.M*(i+1)/tiles-m)
	}
}

// tile computes panels for count filters from m on, elements of the filters block by block.
func (r *convRun) tile(image int, s *convStrip, from, to, m, count int) {
	most := max(callWork/(min(r.Rows(), maxTaps)*count*r.k.convLanes*r.k.convVecs), 1)
	for from < to {
		n, vectors := min(to-from, most), &s.whole
		if from == s.panels-1 {
			vectors = &s.last
		} else if from+n == s.panels {
			n--
		}
		for k := 0; k < r.Rows(); k += maxTaps {
			r.call(image, s, vectors, from, n, m, count, k)
		}
		from += n
	}
}

// call runs a kernel on n panels, count filters and the block of their elements from k on.
func (r *convRun) call(image int, s *convStrip, vectors *[maxConvVecs]convVector, from, n, m, count, k int) {
	depth := min(r.Rows()-k, maxTaps)
	b, step := image*r.C*r.ph*r.pw+from*s.rows*r.SH*r.pw, 4*s.rows*r.SH*r.pw
	flags := r.flags(k, k+depth)
	if 4*b+(n-1)*step+r.taps[k+depth-1]+s.reach > 4*len(r.x) {
		flags |= flagMasked
	}
	r.k.conv[count](n, depth, &r.w[m*r.Rows()+k], 4*r.Rows(), &r.taps[k], &r.x[b], step,
		&r.y[(image*r.M+m)*r.Cols()+from*s.rows*r.OW], 4*r.Cols(), 4*s.rows*r.OW,
		&vectors[0].b, r.biasAt(m), flags)
}

func (r *convRun) biasAt(m int) *float32 {
	if r.Bias == NoBias {
		return nil
	}
	return &r.bias[m]
}

// flags says what a block of elements k to end does beside multiplying: the first one may overwrite
// y, the last one finishes.
func (r *convRun) flags(k, end int) int {
	f := 0
	if r.Add || k > 0 {
		f |= flagAdd
	}
	if end < r.Rows() {
		return f
	}
	if r.Bias != NoBias {
		f |= flagRowBias
	}
	if r.Act == ReLU {
		f |= flagReLU
	}
	return f
}

// convGo is the plain-Go twin: one filter, a panel of one vector. Images come without denormals.
func convGo(n, k int, a *float32, _ int, taps *int, b *float32, bps int, c *float32, _, cps int, vectors *int, bias *float32, flags int) uint32 {
	v := (*convVector)(unsafe.Pointer(vectors))
	filter, at := unsafe.Slice(a, k), unsafe.Slice(taps, k)
	for p := range n {
		var sum [convLanesGo]float32
		for i, w := range filter {
			w = flush(w)
			for j, x := range unsafe.Slice(add(b, p*bps+v.b+at[i]), v.lanes) {
				sum[j] += w * x
			}
		}
		finish(unsafe.Slice(add(c, p*cps+v.c), v.lanes), sum[:], bias, 0, 0, flags)
	}
	return 0
}

// convLanesGo is how many sums convGo keeps.
const convLanesGo = 16
