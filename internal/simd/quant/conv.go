package quant

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// Op describes a convolution of N images (N,H,W,Groups*C) of bytes to (N,OH,OW,Groups*M): C channels
// and M filters in each group. Sums are of the products of weights and of what bytes are more than Zero. They
// are multiplied by Factor times the scale of their filter, and shifted by a number of it.
type Op struct {
	window.Window
	N, Groups, M int

	Zero   uint8
	Factor float32
	Tail   Tail
	Planes bool // the images are (N,C,H,W), of one group
}

func (op *Op) filters() int { return op.Groups * op.M }
func (op *Op) pixels() int  { return op.N * op.Cols() }

// Results is the number of elements of y.
func (op *Op) Results() int { return op.pixels() * op.filters() }

// Weights says where filters lie: element c of tap t of filter m of the group's is m*Filter +
// c*Channel + t*Tap from the group's first.
type Weights struct{ Filter, Channel, Tap int }

// Filters are the weights (Groups*M,C,KH,KW).
func (op *Op) Filters() Weights {
	taps := op.KH * op.KW
	return Weights{op.C * taps, taps, 1}
}

// Conv is a convolution planned for a level. It is immutable and safe for concurrent use.
//
// Tasks have a block of windows, and a chunk of the panels of filters where there are few windows.
type Conv struct {
	Op
	frame
	k *Kernels

	source Weights
	runs   []int // where runs of bytes that lie together begin in a window
	depth  int   // times four bytes of a run
	panels []panel
	packed int
	tail   abi.QuantTail

	block, blocks int // windows of a task
	chunk, chunks int // panels of a task
}

// panel has the filters that are multiplied at once.
type panel struct {
	group, first, n int // filters of a group
	vecs            int
	at              int // in the packed filters
}

const (
	// sweep is how many windows are multiplied by a panel before the next: their bytes stay in the
	// first-level cache. goodTasks is how many tasks even out workers.
	sweep     = 48
	goodTasks = 16
)

// NewConv plans op for k.
func NewConv(k *Kernels, op Op, source Weights) *Conv {
	op.Window = op.WithDefaults()
	c := &Conv{Op: op, k: k, source: source, tail: op.Tail.tail()}
	c.frame = frameOf(op.Window, op.N, op.Groups, isa.RoundUp(op.C, 4), 0, op.Zero, op.Planes)
	c.plan()
	for g := range op.Groups {
		for first := 0; first < op.M; first += k.vecs * k.lanes {
			n := min(op.M-first, k.vecs*k.lanes)
			p := panel{group: g, first: first, n: n, vecs: isa.Ceil(n, k.lanes), at: c.packed}
			c.panels = append(c.panels, p)
			c.packed += c.panelBytes(p.vecs)
		}
	}
	if c.pixels() == 0 || len(c.panels) == 0 {
		return c
	}
	c.block = min(isa.RoundUp(max(isa.Ceil(c.pixels(), goodTasks), sweep), sweep), c.pixels())
	c.blocks = isa.Ceil(c.pixels(), c.block)
	c.chunk = isa.Even(len(c.panels), max(len(c.panels)*c.blocks/goodTasks, 1))
	if c.blocks >= goodTasks {
		c.chunk = len(c.panels)
	}
	c.chunks = isa.Ceil(len(c.panels), c.chunk)
	return c
}

// plan finds the runs of bytes of a window.
func (c *Conv) plan() {
	c.depth = c.width / 4
	together := c.Groups == 1 && (c.DW == 1 || c.KW == 1)
	if together {
		c.depth *= c.KW
	}
	for ky := range c.KH {
		row := ky * c.DH * c.fw * c.pixel()
		for kx := range c.KW {
			if kx == 0 || !together {
				c.runs = append(c.runs, row+kx*c.DW*c.pixel())
			}
		}
	}
}

// element is the bytes of a packed number.
func (k *Kernels) element() int {
	if k.wide {
		return 2
	}
	return 1
}

// panelBytes is the bytes of a panel of filters, of their sums' first values and of their scales,
// which stand first.
func (c *Conv) panelBytes(vecs int) int {
	return vecs * c.k.lanes * (8 + 4*c.k.element()*c.depth*len(c.runs))
}

// PackedLen is the bytes of packed filters.
func (c *Conv) PackedLen() int { return c.packed }

// Packs is the number of tasks of Pack.
func (c *Conv) Packs() int { return len(c.panels) }

// Form names the form of packed filters: convolutions of equal filters and Form can share them.
type Form struct {
	groups, m, c, kh, kw int
	split                bool
	k                    int
	zero                 uint8
	factor               float32
	source               Weights
}

// Form returns the name of the form that Pack makes.
func (c *Conv) Form() Form {
	return Form{c.Groups, c.M, c.C, c.KH, c.KW, len(c.runs) != c.KH, c.k.lanes, c.Zero, c.Factor, c.source}
}

// Pack does tasks lo to hi of packing filters, which w has as multiples of their scales, to packed,
// which is aligned to 64 bytes.
func (c *Conv) Pack(packed []uint8, w []int8, scales []float32, lo, hi int) {
	need("packed filters", len(packed), c.packed)
	need("scales", len(scales), c.filters())
	for _, p := range c.panels[lo:hi] {
		lanes := p.vecs * c.k.lanes
		first, scale := words[int32](packed[p.at:], lanes), words[float32](packed[p.at+4*lanes:], lanes)
		dst := packed[p.at+8*lanes:][:c.panelBytes(p.vecs)-8*lanes]
		clear(dst)
		clear(first)
		clear(scale)
		for lane := range p.n {
			filter := p.group*c.M + p.first + lane
			scale[lane] = c.Factor * scales[filter]
			first[lane] = -int32(c.Zero) * c.packFilter(dst, w, filter, lane, lanes)
		}
	}
}

// packFilter packs a filter and returns the sum of its numbers.
func (c *Conv) packFilter(dst []uint8, w []int8, filter, lane, lanes int) (sum int32) {
	from := w[filter/c.M*c.groupWeights()+filter%c.M*c.source.Filter:]
	for tap := range c.KH * c.KW {
		for ch := range c.C {
			v := from[ch*c.source.Channel+tap*c.source.Tap]
			sum += int32(v)
			at := tap*c.width + ch // in the window, whose runs follow each other
			c.k.put(dst, at/4*lanes, lane, at%4, v)
		}
	}
	return sum
}

// groupWeights is the distance from the filters of a group to those of the next.
func (c *Conv) groupWeights() int { return c.M * c.C * c.KH * c.KW }

// put stores byte k of four, for the vectors from step on.
func (k *Kernels) put(dst []uint8, step, lane, byt int, v int8) {
	if !k.wide {
		dst[4*(step+lane)+byt] = uint8(v)
		return
	}
	vec, lane := lane/k.lanes, lane%k.lanes
	at := 2 * (4*(step+vec*k.lanes) + byt%2*2*k.lanes + 2*lane + byt/2)
	dst[at], dst[at+1] = uint8(v), uint8(int16(v)>>8)
}

// words views memory as n elements.
func words[T int | int32 | float32](mem []uint8, n int) []T {
	need("memory", len(mem), n*int(unsafe.Sizeof(T(0))))
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(mem))), n)
}

// Tasks is the number of tasks of Run.
func (c *Conv) Tasks() int { return c.blocks * c.chunks }

// Work is how often Run multiplies.
func (c *Conv) Work() int { return c.pixels() * c.filters() * c.Rows() }

// ScratchLen is the bytes of scratch memory that a worker needs, aligned to 64: the places of windows,
// and the results and the addends of panels that are not whole.
func (c *Conv) ScratchLen() int {
	return placesLen + 8*sweep*c.k.vecs*c.k.lanes
}

const placesLen = 8 * sweep

// ShiftLen is the number of shifts that Run is given for n filters, of which those behind the n are not
// used.
func ShiftLen(n int) int { return n + mostLanes }

const mostLanes = 64 // of a panel

// Run does tasks lo to hi. x is what Frame has filled if FrameLen is not 0, and else the images. y
// and addend are the memory of results and of what is added, as the tail says. shifts are [ShiftLen]
// long.
func (c *Conv) Run(y, x, packed []uint8, shifts []float32, addend, scratch []uint8, lo, hi int) {
	need("results", len(y), c.Results()*c.Tail.size())
	need("images", len(x), max(c.FrameLen(), c.N*c.fh*c.fw*c.pixel()))
	need("packed filters", len(packed), c.packed)
	need("scratch", len(scratch), c.ScratchLen())
	need("addends", len(addend), c.Results()*c.Tail.Adds.size())
	need("shifts", len(shifts), ShiftLen(c.filters()))
	r := run{Conv: c, y: y, x: x, packed: packed, shifts: shifts, addend: addend, scratch: scratch}
	for i := lo; i < hi; i++ {
		first := i / c.chunks * c.block
		last := min(first+c.block, c.pixels())
		from := i % c.chunks * c.chunk
		for ; first < last; first += sweep {
			r.sweep(first, min(last-first, sweep), c.panels[from:min(from+c.chunk, len(c.panels))])
		}
	}
}

// run has the memory of Run.
type run struct {
	*Conv
	y, x, packed    []uint8
	shifts          []float32
	addend, scratch []uint8
}

// sweep multiplies n windows from first on by panels.
func (r *run) sweep(first, n int, panels []panel) {
	pixels := words[int](r.scratch, n)
	r.places(pixels, first)
	for i := range panels {
		p := &panels[i]
		if p.n == p.vecs*r.k.lanes {
			r.whole(p, pixels, first)
		} else {
			r.ragged(p, pixels, first)
		}
	}
}

// places finds where windows from first on begin.
func (r *run) places(pixels []int, first int) {
	image, at := first/r.Cols(), first%r.Cols()
	oy, ox := at/r.OW, at%r.OW
	for i := range pixels {
		pixels[i] = r.at(image, oy*r.SH, ox*r.SW)
		if ox++; ox == r.OW {
			ox = 0
			if oy++; oy == r.OH {
				oy = 0
				image++
			}
		}
	}
}

// whole multiplies by a panel whose vectors are full.
func (r *run) whole(p *panel, pixels []int, first int) {
	filter, size, adds := p.group*r.M+p.first, r.Tail.size(), r.Tail.Adds.size()
	var addend []uint8
	if adds > 0 {
		addend = r.addend[adds*(first*r.filters()+filter):]
	}
	r.multiply(p, pixels, r.y[size*(first*r.filters()+filter):], size*r.filters(), addend, adds*r.filters())
}

// ragged multiplies by a panel whose last vector is not full: addends and results are copied. If it is
// the only one, what is behind the filters of a window goes where the next ones' results come later, but
// for the last windows.
func (r *run) ragged(p *panel, pixels []int, first int) {
	if len(r.panels) == 1 {
		direct := max(len(pixels)-isa.Ceil(p.vecs*r.k.lanes-p.n, p.n), 0)
		if direct > 0 {
			r.whole(p, pixels[:direct], first)
		}
		pixels, first = pixels[direct:], first+direct
	}
	filter, lanes, size, adds := p.group*r.M+p.first, p.vecs*r.k.lanes, r.Tail.size(), r.Tail.Adds.size()
	y := r.scratch[placesLen:]
	addend := y[4*sweep*lanes:]
	for i := range pixels {
		if adds > 0 {
			copy(addend[i*adds*lanes:], r.addend[adds*((first+i)*r.filters()+filter):][:adds*p.n])
		}
	}
	r.multiply(p, pixels, y, size*lanes, addend, adds*lanes)
	for i := range pixels {
		copy(r.y[size*((first+i)*r.filters()+filter):], y[i*size*lanes:][:size*p.n])
	}
}

// multiply multiplies windows, in tiles that are as high as each other, but for one.
func (r *run) multiply(p *panel, pixels []int, y []uint8, ys int, addend []uint8, as int) {
	k, lanes := r.k, p.vecs*r.k.lanes
	channels, w := words[float32](r.packed[p.at:], lanes), r.packed[p.at+8*lanes:]
	x, shifts := &r.x[p.group*r.width], &r.shifts[p.group*r.M+p.first]
	for rest := len(pixels); rest > 0; {
		tiles := isa.Ceil(rest, k.rows)
		rows := isa.Ceil(rest, tiles)
		if tiles > 1 {
			tiles = rest - tiles*(rows-1) // those of so many rows; the others have one less
		}
		tiles = min(tiles, max(isa.CallWork/(rows*lanes*4*r.depth*len(r.runs)), 1))
		k.tiles[p.vecs][rows](tiles, x, &pixels[0], len(r.runs), &r.runs[0], r.depth, (*int8)(unsafe.Pointer(&w[0])),
			&channels[0], shifts, &r.tail.Lo, &y[0], ys, unsafe.SliceData(addend), as)
		done := tiles * rows
		if rest -= done; rest == 0 {
			break
		}
		pixels, y = pixels[done:], y[done*ys:]
		if as > 0 {
			addend = addend[done*as:]
		}
	}
}
