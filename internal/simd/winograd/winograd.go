package winograd

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// Plan is a convolution of float32 with filters of 3×3 or 5×5 and stride 1 by Winograd's algorithm
// F(4×4, 3×3) or F(2×2, 5×5): tiles of 6×6 elements of the image and the filters are transformed to
// 36 values, of which products over the channels are transformed to 4×4 or 2×2 outputs. It
// multiplies 4 or 2.8 times less often than conv.Plan. It is immutable and safe for concurrent use.
//
// It is less exact: errors are 1e-6 to 1e-5 of the largest output, ten times those of conv.Plan. A
// NaN or infinity in an image makes all outputs of the tiles that see it NaN, not only those whose
// windows hold it; one in a filter makes the whole channel NaN. Elements of more than about 1e36
// overflow.
//
// See Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015.
type Plan struct {
	window.Conv
	k    *Kernels
	form form
	flip bool // filters are those of the convolution whose image gradient this is

	lanes   int // tiles in a vector, and columns of outputs in a group
	lines   int // lines of tiles in an image
	across  int // groups in a line of tiles
	vectors int // of tiles in all images; they number groups of columns, then bands of lines of tiles

	patterns []pattern
	period   int // bands after which patterns come again
	masks    []uint32

	vecs, panels int // vectors in a panel of products, panels in a block
	parts        int // tasks that share the filters of a block
	filters      int // filters that a task has in work at once
	factors      int // elements of a transformed filter's values for one of the 36, over all filters and channels
	slots        int // tasks under way at most

	gradVectors int     // of tiles in a block of the gradient
	gradOp      gemm.Op // the products of a block
	gradSlot    int     // elements for a product, or for what a transform puts down

	jobs par.Free[job]
}

// Kernels are the transforms of one level.
type Kernels struct {
	vector    bool // instructions rather than plain Go
	lanes     int  // tiles in a vector
	maskWords int  // words of a mask
	forms     []form

	gemm *gemm.Kernels
}

// At returns the kernels for a level, whose products are g, or nil where there are none whose
// vectors are as long as those of g.
func At(l isa.Level, g *gemm.Kernels) *Kernels {
	k, ok := tables[l]
	if !ok || k.lanes != g.F32.Width {
		return nil
	}
	k.gemm = g
	return &k
}

// Vector reports whether the transforms are vector instructions.
func (k *Kernels) Vector() bool { return k.vector }

// form is F(tile×tile, size×size), of tile+size-1 = 6, and its transforms. A vector of tiles is
// tile groups.
type form struct {
	tile int // outputs of a tile each way
	size int // elements of a filter each way

	in, dy             imageFunc
	out                outFunc
	filter, filterGrad flatFunc
}

// form is that for filters of so many elements each way.
func (k *Kernels) form(size int) (f form, ok bool) {
	i := slices.IndexFunc(k.forms, func(f form) bool { return f.size == size })
	if i < 0 {
		return f, false
	}
	return k.forms[i], true
}

// imageFunc transforms a vector of tiles of channels of an image x to 36 vectors es bytes apart in
// v. Channels are xs and cs bytes apart. at are offsets of the groups' first elements, in bytes;
// masks are those of each line, part of a line and group.
type imageFunc func(channels int, x *float32, xs int, at *int, row int, masks *uint32, v *float32, cs, es int, cells *float32, flags int) (csr uint32)

// outFunc transforms 36 vectors es bytes apart for channels ms bytes apart to outputs, ys bytes
// apart.
type outFunc func(channels int, m *float32, ms, es int, y *float32, ys int, at *int, row int, masks *uint32, bias, cells *float32, flags int) (csr uint32)

// flatFunc transforms n filters, to factors or back.
type flatFunc func(n int, w *float32, ws int, u *float32, us int, cells *float32) (csr uint32)

const (
	side   = 6  // elements of an image that a tile sees each way
	values = 36 // values that a tile is transformed to
	groups = 4  // groups in a vector of tiles at most

	// channelsPerCall is how many channels of a vector are transformed before the next vector has
	// its turn, which lies beside it in the same lines of memory.
	channelsPerCall = 16

	// filtersPerCall is the most filters that one call transforms.
	filtersPerCall = 1024

	// maxDepth is the most channels that the product's kernels take at once.
	maxDepth = 2048
)

// Work is how often the algorithm multiplies for op, or for its gradient, the empty parts of groups
// included and the transforms not. It reports false where the algorithm does not apply.
func Work(k *Kernels, op window.Conv) (multiplications int, ok bool) {
	op.Window = op.Window.WithDefaults()
	if !k.suits(op) {
		return 0, false
	}
	f, _ := k.form(op.KH)
	tiles := isa.Ceil(op.OH, f.tile) * isa.RoundUp(op.OW, k.lanes) / f.tile
	return op.N * tiles * values * op.C * op.M, true
}

// New plans op for k. It reports false where the algorithm does not apply. Where channels, filters
// or windows are few, conv.Plan is faster.
func New(k *Kernels, op window.Conv) (*Plan, bool) { return newPlan(k, op, false) }

// NewFlipped is New for filters of op.C×op.M that are to be turned round and have their
// axes changed, as by FlipFilters: those of the convolution whose image gradient op is.
func NewFlipped(k *Kernels, op window.Conv) (*Plan, bool) {
	return newPlan(k, op, true)
}

func newPlan(k *Kernels, op window.Conv, flip bool) (*Plan, bool) {
	op.Window = op.Window.WithDefaults()
	if !k.suits(op) {
		return nil, false
	}
	return planOf(k, op, flip), true
}

func (k *Kernels) suits(op window.Conv) bool {
	_, ok := k.form(op.KH)
	return ok && op.KH == op.KW && op.SH == 1 && op.SW == 1 && op.DH == 1 && op.DW == 1 &&
		op.C > 0 && op.C <= maxDepth && op.M > 0 && op.N > 0 && op.Cols() > 0
}

func planOf(k *Kernels, op window.Conv, flip bool) *Plan {
	p := &Plan{Conv: op, k: k, flip: flip, lanes: k.lanes}
	p.jobs = par.NewFree(64, p.newJob)
	p.form, _ = k.form(op.KH)
	p.lines, p.across = isa.Ceil(op.OH, p.form.tile), isa.Ceil(op.OW, p.lanes)
	p.vectors = isa.Ceil(op.N*p.lines, p.form.tile) * p.across
	p.factors = isa.RoundUp(op.M*op.C, isa.Alignment) + isa.Alignment
	p.pattern()
	p.split()
	p.splitGrad()
	return p
}

// split chooses blocks whose transformed tiles and products stay in the second-level cache, where
// the channels are few enough for panels as wide as multiply best.
func (p *Plan) split() {
	kernels := p.k.gemm.F32
	p.vecs = min(3, len(kernels.Kernel)-1, p.vectors)
	p.panels = max(blockTiles/(p.vecs*p.lanes), 1)
	p.parts = max(min(isa.Ceil(2*runtime.NumCPU(), p.blocks()), p.M/leastPart), 1)
	p.filters = isa.Ceil(p.M, p.parts)
	if room := isa.CacheSizes().L2*3/4/4/values/p.width() - p.C; room > 2*kernels.Tallest(p.vecs) {
		p.filters = isa.Even(p.filters, room)
	}
	p.slots = min(runtime.NumCPU(), p.tasks())
}

// leastPart is the fewest filters for which a task transforms the tiles that other tasks transform
// too.
const leastPart = 32

// blockTiles is how many tiles a block has.
const blockTiles = 48

// nr is the tiles in a panel, width those in a block.
func (p *Plan) nr() int     { return p.vecs * p.lanes }
func (p *Plan) width() int  { return p.panels * p.nr() }
func (p *Plan) blocks() int { return isa.Ceil(p.vectors, p.panels*p.vecs) }
func (p *Plan) tasks() int  { return p.blocks() * p.parts }

// A slot's memory: values of transformed tiles, products, and what a transform puts down. Strides
// between the 36 differ from powers of two, which would share few sets of the cache.
func (p *Plan) tilesStride() int    { return p.C*p.width() + isa.Alignment }
func (p *Plan) productsStride() int { return p.filters*p.width() + isa.Alignment }
func (p *Plan) cells() int          { return values * p.lanes }
func (p *Plan) slotLen() int {
	return values*(p.tilesStride()+p.productsStride()) + p.cells()
}

// pattern says what of a vector of tiles lies in the image and in the output: where its masks
// are, or that it needs none.
type pattern struct {
	in, out  int
	inFlags  int
	outFlags int
}

// pattern makes the masks of all vectors of tiles. They depend on the columns and on the lines of
// tiles, which come again after some bands; the last band may lack lines.
func (p *Plan) pattern() {
	bands := p.vectors / p.across
	p.period = p.lines
	for n := p.form.tile; n > 1 && p.period%2 == 0; n /= 2 {
		p.period /= 2
	}
	p.period = min(p.period, bands)
	made := map[string]int{}
	for band := range p.period + 1 {
		if band == p.period {
			band = bands - 1
		}
		for x := range p.across {
			var q pattern
			q.in, q.inFlags = p.mask(made, p.inMasks(band, x))
			q.out, q.outFlags = p.mask(made, p.outMasks(band, x))
			p.patterns = append(p.patterns, q)
		}
	}
}

// lineOf is the image and line of tiles of a group of a band; in the last one, there may be none.
func (p *Plan) lineOf(band, group int) (image, line int, ok bool) {
	i := band*p.form.tile + group
	return i / p.lines, i % p.lines, i < p.N*p.lines
}

// inMasks are the bits of the lanes on the image, for each line, part and group.
func (p *Plan) inMasks(band, x int) (bits []uint32) {
	tile := p.form.tile
	for i := range side {
		for part := range isa.Ceil(side, tile) {
			for g := range tile {
				_, line, ok := p.lineOf(band, g)
				row, col := line*tile+i-p.Top, x*p.lanes+part*tile-p.Left
				bits = append(bits, lanesOn(ok && row >= 0 && row < p.H, col, p.W, p.lanes))
			}
		}
	}
	return bits
}

// outMasks are those on the output, for each line and group.
func (p *Plan) outMasks(band, x int) (bits []uint32) {
	for i := range p.form.tile {
		for g := range p.form.tile {
			_, line, ok := p.lineOf(band, g)
			bits = append(bits, lanesOn(ok && line*p.form.tile+i < p.OH, x*p.lanes, p.OW, p.lanes))
		}
	}
	return bits
}

// lanesOn has a bit for each of the columns from col on that lie in [0, width).
func lanesOn(row bool, col, width, lanes int) (bits uint32) {
	for i := range lanes {
		if row && col+i >= 0 && col+i < width {
			bits |= 1 << i
		}
	}
	return bits
}

// mask stores masks, once, and returns where, and the flag of masks that leave nothing out.
func (p *Plan) mask(made map[string]int, bits []uint32) (at, flags int) {
	flags = abi.FlagWhole
	for _, b := range bits {
		if b != 1<<p.lanes-1 {
			flags = 0
		}
	}
	key := fmt.Sprint(bits)
	if at, ok := made[key]; ok {
		return at, flags
	}
	made[key] = len(p.masks)
	for _, b := range bits {
		for i := range p.k.maskWords {
			word := b
			if p.k.maskWords > 1 {
				word = -(b >> i & 1)
			}
			p.masks = append(p.masks, word)
		}
	}
	return made[key], flags
}

// Filters returns the number of elements of transformed filters.
func (p *Plan) Filters() int { return values * p.factors }

// Scratch returns the number of elements of scratch memory that Run needs. It grows with the
// processors.
func (p *Plan) Scratch() int {
	return p.Filters() + max(p.ScratchTransformed(), p.TransformScratch())
}

// ScratchTransformed returns the number of elements of scratch memory that RunTransformed needs.
func (p *Plan) ScratchTransformed() int { return p.slots*p.slotLen() + isa.Alignment }

// TransformScratch returns the number of elements of scratch memory that Transform needs.
func (p *Plan) TransformScratch() int { return p.taps()*p.factors + p.slots*p.cells() + isa.Alignment }

// taps is the elements of a filter.
func (p *Plan) taps() int { return p.KH * p.KW }

// Run computes y from the images x, the filters w and bias, which may be nil where the op has none.
// The bits of y do not depend on the pool; nil means the calling goroutine. scratch needs Scratch
// elements, in any state; nothing may overlap it or y.
func (p *Plan) Run(pool *par.Pool, y, x, w, bias, scratch []float32) {
	p.need("Winograd", len(scratch), p.Scratch())
	u, scratch := scratch[:p.Filters()], scratch[p.Filters():]
	p.Transform(pool, u, w, scratch)
	p.RunTransformed(pool, y, x, u, bias, scratch)
}

// Transform sets u, of Filters elements, to what RunTransformed takes for the filters w. scratch
// needs TransformScratch elements.
func (p *Plan) Transform(pool *par.Pool, u, w, scratch []float32) {
	p.need("filters", len(w), p.M*p.C*p.taps())
	p.need("transformed filters", len(u), p.Filters())
	p.need("scratch", len(scratch), p.TransformScratch())
	r := p.jobs.Take()
	r.u, r.w, r.scratch = u, w, isa.Aligned(scratch)
	r.next.Store(0)
	pool.For(p.slots, 1, r.filterTasks)
	p.give(r)
}

// RunTransformed is Run with filters that Transform has transformed. scratch needs
// ScratchTransformed elements.
func (p *Plan) RunTransformed(pool *par.Pool, y, x, u, bias, scratch []float32) {
	p.need("output", len(y), p.N*p.M*p.Cols())
	p.need("images", len(x), p.N*p.C*p.H*p.W)
	p.need("transformed filters", len(u), p.Filters())
	p.need("scratch", len(scratch), p.ScratchTransformed())
	if p.Bias != isa.NoBias {
		p.need("bias", len(bias), p.M)
	}
	r := p.jobs.Take()
	r.y, r.x, r.u, r.bias, r.scratch = y, x, u, bias, isa.Aligned(scratch)
	r.next.Store(0)
	pool.For(p.slots, 1, r.blockTasks)
	p.give(r)
}

func (p *Plan) need(what string, got, want int) {
	if got < want {
		panic(fmt.Sprintf("winograd: %+v with %d elements of %s, needs %d", p.Conv, got, what, want))
	}
}

// job is a convolution under way.
type job struct {
	*Plan
	y, x, w, u, bias []float32
	scratch          []float32
	next             atomic.Int64  // part that nobody has begun
	first, count     int           // vectors of the gradient's block
	at               [][groups]int // of each slot and vector in its block, where the groups lie

	// Bound once, so that loops allocate nothing.
	filterTasks, blockTasks                 func(lo, hi int)
	gradTransform, gradProducts, gradFinish func(lo, hi int)
}

func (p *Plan) newJob() *job {
	r := &job{Plan: p, at: make([][groups]int, p.slots*p.panels*p.vecs)}
	r.filterTasks, r.blockTasks = r.transformFilters, r.runBlocks
	r.gradTransform, r.gradProducts, r.gradFinish = r.transformTiles, r.multiplyTiles, r.finishGrad
	return r
}

func (p *Plan) give(r *job) {
	r.y, r.x, r.w, r.u, r.bias, r.scratch = nil, nil, nil, nil, nil, nil
	p.jobs.Give(r)
}

// each calls work for the parts that no other slot has begun, until none is left. So many slots as
// there are workers are busy, and each has memory of its own; what work does must not depend on the
// slot.
func (r *job) each(parts int, work func(part int)) {
	for part := int(r.next.Add(1)) - 1; part < parts; part = int(r.next.Add(1)) - 1 {
		work(part)
	}
}

// transformFilters transforms chunks of filters, numbered as they are stored. The scratch memory
// takes all first elements together, then all second ones.
func (r *job) transformFilters(slot, _ int) {
	taps := r.taps()
	cells := &r.scratch[taps*r.factors+slot*r.cells()]
	r.each(isa.Ceil(r.M*r.C, filtersPerCall), func(chunk int) {
		at := chunk * filtersPerCall
		n := min(filtersPerCall, r.M*r.C-at)
		r.separate(at, n)
		from, step := at, 4*r.factors
		if r.flip {
			from, step = at+(taps-1)*r.factors, -step
		}
		r.form.filter(n, &r.scratch[from], step, &r.u[at], 4*r.factors, cells)
	})
}

// separate copies the elements of n filters from the at-th on to scratch memory.
func (r *job) separate(at, n int) {
	taps := r.taps()
	if !r.flip {
		gemm.Transpose(r.k.gemm, r.scratch[at:], r.factors, r.w[at*taps:], 0, n, taps)
		return
	}
	for end := at + n; at < end; { // in w, the filters of one output do not follow each other
		m, c := at/r.C, at%r.C
		count := min(r.C-c, end-at)
		gemm.Transpose(r.k.gemm, r.scratch[at:], r.factors, r.w[(c*r.M+m)*taps:], r.M*taps, count, taps)
		at += count
	}
}

// runBlocks computes blocks in the memory of a slot, each in as many tasks as it has parts.
func (r *job) runBlocks(slot, _ int) {
	r.each(r.tasks(), func(task int) {
		part := task % r.parts
		r.block(slot, task/r.parts*r.panels*r.vecs, r.M*part/r.parts, r.M*(part+1)/r.parts)
	})
}

// block computes filters m0 to m1 of the block of tiles whose first vector is v.
func (r *job) block(slot, v, m0, m1 int) {
	most := r.panels * r.vecs
	at := r.at[slot*most:][:min(most, r.vectors-v)]
	mem := r.scratch[slot*r.slotLen():][:r.slotLen()]
	tiles, mem := mem[:values*r.tilesStride()], mem[values*r.tilesStride():]
	products, cells := mem[:values*r.productsStride()], mem[values*r.productsStride():]
	r.place(at, v, r.C, r.H, r.W, r.Top, r.Left)
	for c := 0; c < r.C; c += channelsPerCall {
		for i := range at {
			r.in(v+i, c, &at[i], tiles[(i/r.vecs*r.C+c)*r.nr()+i%r.vecs*r.lanes:], cells)
		}
	}
	r.place(at, v, r.M, r.OH, r.OW, 0, 0)
	for m := m0; m < m1; m += r.filters {
		count := min(r.filters, m1-m)
		for e := range values {
			r.multiply(products[e*r.productsStride():], tiles[e*r.tilesStride():], e, m, count, len(at))
		}
		for c := 0; c < count; c += channelsPerCall {
			for i := range at {
				r.out(v+i, m+c, min(channelsPerCall, count-c), &at[i], products[c*r.width()+i*r.lanes:], cells)
			}
		}
	}
}

// place sets at to the offsets, in bytes, of the groups of vectors from v on, in images whose tiles
// begin top and left before them.
func (r *job) place(at [][groups]int, v, channels, height, width, top, left int) {
	for i := range at {
		band, x := (v+i)/r.across, (v+i)%r.across
		for g := range r.form.tile {
			image, line, _ := r.lineOf(band, g)
			at[i][g] = 4 * (image*channels*height*width + (line*r.form.tile-top)*width + x*r.lanes - left)
		}
	}
}

func (r *job) patternOf(v int) *pattern {
	band, x := v/r.across, v%r.across
	i := band % r.period
	if band == r.vectors/r.across-1 {
		i = r.period
	}
	return &r.patterns[i*r.across+x]
}

// in transforms channels of a vector of tiles, from c on.
func (r *job) in(v, c int, at *[groups]int, tiles, cells []float32) {
	q := r.patternOf(v)
	r.form.in(min(channelsPerCall, r.C-c), &r.x[c*r.H*r.W], 4*r.H*r.W, &at[0], 4*r.W, &r.masks[q.in],
		&tiles[0], 4*r.nr(), 4*r.tilesStride(), &cells[0], q.inFlags)
}

// out finishes count filters from m on for a vector of tiles.
func (r *job) out(v, m, count int, at *[groups]int, products, cells []float32) {
	q := r.patternOf(v)
	flags := q.outFlags
	if r.Add {
		flags |= abi.FlagAdd
	}
	var bias *float32
	if r.Bias != isa.NoBias {
		flags |= abi.FlagRowBias
		bias = &r.bias[m]
	}
	flags |= r.Act.Flags()
	r.form.out(count, &products[0], 4*r.width(), 4*r.productsStride(),
		&r.y[m*r.Cols()], 4*r.Cols(), &at[0], 4*r.OW, &r.masks[q.out], bias, &cells[0], flags)
}

// multiply multiplies values e of n vectors of tiles by those of count filters from m on.
func (r *job) multiply(products, tiles []float32, e, m, count, n int) {
	kernels := r.k.gemm.F32
	rows := isa.Ceil(count, kernels.Tallest(r.vecs))
	for i := range rows {
		lo, hi := count*i/rows, count*(i+1)/rows
		a := &r.u[e*r.factors+(m+lo)*r.C]
		if i+1 < rows {
			r.fetch(e, m+hi, m+count*(i+2)/rows)
		} else if e+1 < values {
			r.fetch(e+1, m, m+count/rows)
		}
		whole := n / r.vecs
		most := max(isa.CallWork/((hi-lo)*r.nr()*r.C), 1)
		for j := 0; j < whole; j += most {
			kernels.Kernel[r.vecs][hi-lo](1, min(most, whole-j), r.C, a, 4*r.C, 4, &tiles[j*r.C*r.nr()], 4*r.nr(), 4*r.C*r.nr(),
				&products[lo*r.width()+j*r.nr()], 4*r.width(), nil, 0, kernels.Width)
		}
		if rest := n % r.vecs; rest > 0 {
			kernels.Kernel[rest][hi-lo](1, 1, r.C, a, 4*r.C, 4, &tiles[whole*r.C*r.nr()], 4*r.nr(), 0,
				&products[lo*r.width()+whole*r.nr()], 4*r.width(), nil, 0, kernels.Width)
		}
	}
}

// fetch asks for values e of filters m0 to m1, so that memory is read while the processor
// multiplies others.
func (r *job) fetch(e, m0, m1 int) {
	const line = 64 / 4
	if lines := (m1 - m0) * r.C / line; lines > 0 && r.k.gemm.F32.Fetch != nil {
		r.k.gemm.F32.Fetch(1, lines, (*byte)(unsafe.Pointer(&r.u[e*r.factors+m0*r.C])), 0)
	}
}
