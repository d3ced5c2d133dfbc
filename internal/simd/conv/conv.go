package conv

import (
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// Plan is a convolution of float32 planned for a level: directly on the images, without unfolding
// them to a matrix. It is immutable and safe for concurrent use.
type Plan struct {
	window.Conv
	k *Kernels

	// The image that kernels see has ph rows of pw elements. Where pads is set, it is a copy: of
	// each row first the columns that a stride reaches from the first one, pc of them, then those
	// from the second one, and so on, SW times.
	ph, pw, pc int
	pads       bool

	taps         []int // for each element of a filter, bytes from the window's first element; then a few more
	strips       []strip
	pieces       int         // tasks that an image is cut into
	filterPanels []gradPanel // of the gradient; none where pixels are in lanes
	grain        int         // tasks handed out at once

	jobs par.Free[job]
}

// strip is a range of output columns that one panel covers.
type strip struct {
	rows   int // output rows in a panel
	panels int // the last may have fewer rows
	group  int // panels that all filters pass over before the next ones
	whole  [maxVecs]abi.ConvVector
	last   [maxVecs]abi.ConvVector
	reach  int // bytes from a panel's first element to the end of its last vector, all lanes used
}

// maxVecs is the most vectors in a panel.
const maxVecs = 4

// tileFunc computes n panels for as many filters as the kernel is for. Filters of k elements are
// ars bytes apart, and taps says where in the image their elements go; panels are bps bytes apart
// in the image b and cps in the output c, whose channels are cs bytes apart. vectors points at a
// panel's convVectors.
type tileFunc func(n, k int, a *float32, ars int, taps *int, b *float32, bps int, c *float32, cs, cps int, vectors *int, bias *float32, flags int) (csr uint32)

// Kernels are the kernels of one level.
type Kernels struct {
	vector bool // instructions that read denormals as zero; plain Go needs images that have none

	tile        []tileFunc // by filters
	vecs, lanes int        // vectors in a panel, outputs in a vector

	grad     []gradFunc // by filters
	gradTaps int        // elements of a filter that grad computes
	gradPanels

	gemm *gemm.Kernels
}

// At returns the kernels for a level, whose products are g, or nil where there are none.
func At(l isa.Level, g *gemm.Kernels) *Kernels {
	k, ok := tables[l]
	if !ok {
		return nil
	}
	k.gemm = g
	return &k
}

// Vector reports whether the kernels are vector instructions, which read images where they lie.
func (k *Kernels) Vector() bool { return k.vector }

// maxTaps is the most elements of a filter that one call of a kernel multiplies by.
const maxTaps = 8192

// New plans op for k. It reports false for filters without elements.
func New(k *Kernels, op window.Conv) (*Plan, bool) {
	op.Window = op.Window.WithDefaults()
	if op.Rows() == 0 {
		return nil, false
	}
	p := &Plan{Conv: op, k: k}
	p.jobs = par.NewFree(64, p.newJob)
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
func (p *Plan) frame() {
	rows, cols := (p.OH-1)*p.SH+(p.KH-1)*p.DH+1, (p.OW-1)*p.SW+(p.KW-1)*p.DW+1
	p.pads = p.Top > 0 || p.Left > 0 || rows > p.H || cols > p.W || p.SW > 1 || !p.k.vector
	p.ph, p.pc = p.H, p.W
	if p.pads {
		p.ph, p.pc = rows, isa.Ceil(cols, p.SW)
	}
	p.pw = p.SW * p.pc
}

func (p *Plan) tap() {
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

// split covers the output with strips, and each strip with panels of as many rows as fill the
// vectors.
func (p *Plan) split() {
	lanes, vecs := p.k.lanes, p.k.vecs
	for x := 0; x < p.OW; x += lanes * vecs {
		cols := min(lanes*vecs, p.OW-x)
		s := strip{rows: min(max(vecs/isa.Ceil(cols, lanes), 1), p.OH)}
		s.panels = isa.Ceil(p.OH, s.rows)
		s.whole = p.vectors(x, cols, s.rows)
		s.last = p.vectors(x, cols, p.OH-(s.panels-1)*s.rows)
		for _, v := range s.whole {
			s.reach = max(s.reach, v.B+4*lanes)
		}
		// What a group of panels reads stays in the first-level cache from filter to filter.
		line := 4 * p.C * min(p.SW*cols+p.KW*p.DW, p.pw)
		room := isa.CacheSizes().L1/2/line - p.KH*p.DH
		s.group = max(room/(s.rows*p.SH), 1)
		p.strips = append(p.strips, s)
	}
}

// vectors lays out a panel of columns x to x+cols.
func (p *Plan) vectors(x, cols, rows int) (v [maxVecs]abi.ConvVector) {
	i, lanes := 0, p.k.lanes
	for y := range rows {
		for at := x; at < x+cols; at += lanes {
			v[i] = abi.ConvVector{B: 4 * (y*p.SH*p.pw + at), C: 4 * (y*p.OW + at), Lanes: min(lanes, x+cols-at)}
			i++
		}
	}
	return v
}

// share cuts the work into tasks.
func (p *Plan) share() {
	work := p.M * p.Rows() * p.Cols()
	p.pieces = min(max(work/isa.TaskWork/2, 1), isa.Ceil(isa.MaxTasks, p.N), p.strips[0].panels)
	p.grain = max(isa.TaskWork*p.pieces/max(work, 1), 1)
}

// Scratch returns the number of elements of scratch memory that Run needs.
func (p *Plan) Scratch() int { return p.padded(p.N) }

// padded is the number of elements of so many images in their frames, if they are copied there.
func (p *Plan) padded(images int) int {
	if !p.pads {
		return 0
	}
	return images*p.C*p.ph*p.pw + p.slack()
}

// slack is what whole vectors may reach beyond the last image.
func (p *Plan) slack() int { return p.k.lanes * p.k.vecs }

// Run computes y from the images x, the filters w and bias, which may be nil where the op has none.
// The bits of y do not depend on the pool; nil means the calling goroutine. scratch needs Scratch
// elements, in any state; nothing may overlap it or y.
func (p *Plan) Run(pool *par.Pool, y, x, w, bias, scratch []float32) {
	biases := 0
	if p.Bias != isa.NoBias {
		biases = p.M
	}
	if len(y) < p.N*p.M*p.Cols() || len(x) < p.N*p.C*p.H*p.W || len(w) < p.M*p.Rows() || len(bias) < biases || len(scratch) < p.Scratch() {
		panic(fmt.Sprintf("conv: %+v with %d, %d, %d, %d and %d elements in y, x, w, bias and scratch",
			p.Conv, len(y), len(x), len(w), len(bias), len(scratch)))
	}
	if p.strips == nil {
		return
	}
	r := p.jobs.Take()
	r.y, r.w, r.bias, r.x, r.images = y, w, bias, x, p.N
	r.pad(pool, scratch)
	pool.For(p.N*p.pieces, p.grain, r.tasks)
	p.give(r)
}

// pad puts the images into frames where the windows reach beyond them.
func (r *job) pad(pool *par.Pool, scratch []float32) {
	if !r.pads {
		return
	}
	r.frames = scratch[:r.padded(r.images)]
	pool.For(r.images*r.C, max(1, (1<<14)/(r.ph*r.pw)), r.padding)
	r.x = r.frames
}

// job is a convolution under way.
type job struct {
	*Plan
	y, x, w, bias []float32
	images        int       // that x has
	frames        []float32 // the images in their frames
	sums          []float32 // of a gradient
	dyt           []float32 // dy with the channels of a pixel together

	padding, tasks, grads, turning, panelGrads func(lo, hi int) // bound once, so that loops allocate nothing
}

func (p *Plan) newJob() *job {
	r := &job{Plan: p}
	r.padding, r.tasks, r.grads = r.padPlanes, r.runTasks, r.runGrads
	r.turning, r.panelGrads = r.turnImages, r.runPanels
	return r
}

func (p *Plan) give(r *job) {
	r.y, r.x, r.w, r.bias, r.frames, r.sums, r.dyt = nil, nil, nil, nil, nil, nil, nil
	p.jobs.Give(r)
}

// padPlanes copies channels lo to hi of the images into their frames.
func (r *job) padPlanes(lo, hi int) {
	for plane := lo; plane < hi; plane++ {
		src, dst := r.x[plane*r.H*r.W:], r.frames[plane*r.ph*r.pw:][:r.ph*r.pw]
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
		if !r.k.vector {
			isa.FlushAll(dst)
		}
	}
}

func (r *job) padRow(row, src []float32) {
	clear(row[:r.Left])
	n := copy(row[r.Left:], src)
	clear(row[r.Left+n:])
}

// splitRow sorts the columns by their places within a stride.
func (r *job) splitRow(row, src []float32) {
	src = src[:min(len(src), r.pw-r.Left)]
	for place := range r.SW {
		part := row[place*r.pc:][:r.pc]
		clear(part[:max(isa.Ceil(r.Left-place, r.SW), 0)])
		clear(part[max(isa.Ceil(r.Left+len(src)-place, r.SW), 0):])
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
	gemm.Transpose(r.k.gemm, row[at/r.SW:], r.pc, src, 0, strides, r.SW)
	at += strides * r.SW
	for _, x := range src[strides*r.SW:] {
		one(x)
	}
}

// runTasks computes pieces of images.
func (r *job) runTasks(lo, hi int) {
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
func (r *job) panels(image int, s *strip, from, to int) {
	tall := len(r.k.tile) - 1
	tiles := isa.Ceil(r.M, tall)
	for i := range tiles {
		m := r.M * i / tiles
		r.tile(image, s, from, to, m, r.M*(i+1)/tiles-m)
	}
}

// tile computes panels for count filters from m on, elements of the filters block by block.
func (r *job) tile(image int, s *strip, from, to, m, count int) {
	most := max(isa.CallWork/(min(r.Rows(), maxTaps)*count*r.k.lanes*r.k.vecs), 1)
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
func (r *job) call(image int, s *strip, vectors *[maxVecs]abi.ConvVector, from, n, m, count, k int) {
	depth := min(r.Rows()-k, maxTaps)
	b, step := image*r.C*r.ph*r.pw+from*s.rows*r.SH*r.pw, 4*s.rows*r.SH*r.pw
	flags := r.flags(k, k+depth)
	if 4*b+(n-1)*step+r.taps[k+depth-1]+s.reach > 4*len(r.x) {
		flags |= abi.FlagMasked
	}
	r.k.tile[count](n, depth, &r.w[m*r.Rows()+k], 4*r.Rows(), &r.taps[k], &r.x[b], step,
		&r.y[(image*r.M+m)*r.Cols()+from*s.rows*r.OW], 4*r.Cols(), 4*s.rows*r.OW,
		&vectors[0].B, r.biasAt(m), flags)
}

func (r *job) biasAt(m int) *float32 {
	if r.Bias == isa.NoBias {
		return nil
	}
	return &r.bias[m]
}

// flags says what a block of elements k to end does beside multiplying: the first one may overwrite
// y, the last one finishes.
func (r *job) flags(k, end int) int {
	f := 0
	if r.Add || k > 0 {
		f |= abi.FlagAdd
	}
	if end < r.Rows() {
		return f
	}
	if r.Bias != isa.NoBias {
		f |= abi.FlagRowBias
	}
	return f | r.Act.Flags()
}

// plain are the plain-Go twins.
var plain = Kernels{tile: []tileFunc{1: tileGo}, vecs: 1, lanes: lanesGo, grad: []gradFunc{1: gradGo}, gradTaps: 1}

// tileGo is the plain-Go twin: one filter, a panel of one vector. Images come without denormals.
func tileGo(n, k int, a *float32, _ int, taps *int, b *float32, bps int, c *float32, _, cps int, vectors *int, bias *float32, flags int) uint32 {
	v := (*abi.ConvVector)(unsafe.Pointer(vectors))
	filter, at := unsafe.Slice(a, k), unsafe.Slice(taps, k)
	for p := range n {
		var sum [lanesGo]float32
		for i, w := range filter {
			w = isa.Flush(w)
			for j, x := range unsafe.Slice(isa.Add(b, p*bps+v.B+at[i]), v.Lanes) {
				sum[j] += w * x
			}
		}
		isa.Finish(unsafe.Slice(isa.Add(c, p*cps+v.C), v.Lanes), sum[:], bias, 0, 0, flags)
	}
	return 0
}

// lanesGo is how many sums tileGo keeps.
const lanesGo = 16
