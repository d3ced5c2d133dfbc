package nhwc

import (
	"math"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// sliding is windows over N images (N,H,W,C) to (N,OH,OW,C), each channel by itself. Windows of a row
// that meet the same taps are one run. A task is a row of windows.
type sliding struct {
	window.Window
	n int

	runs [][]run // of each row of windows
}

// run is a range of windows in a row that meet the same taps.
type run struct {
	taps  []abi.Tap // from the first window's first tap
	x, xs int       // where that lies in the image, and elements from there to the next window's
	y, ys int       // the first window, and how far the next one is
	n     int       // how many
	count int       // elements that a mean is of
}

// slideOver plans windows over n images. counted says how many elements of window o along an axis
// (0 rows, 1 columns) a mean divides by, and is nil for other sums.
func slideOver(w window.Window, n int, counted func(axis, o int) int) sliding {
	w = w.WithDefaults()
	rows, columns := w.Axes()
	return slideAlong(w, n, rows.Runs(), columns.Runs(), counted)
}

// slideAlong plans results of w.OH×w.OW pixels from images of w.H×w.W, of which the runs along the axes
// say what meets what.
func slideAlong(w window.Window, n int, rows, columns []window.Run, counted func(axis, o int) int) sliding {
	s := sliding{Window: w, n: n, runs: make([][]run, w.OH)}
	for _, v := range rows {
		taps := s.tapsOf(v, columns)
		for i := range v.N {
			oy := v.Out + i*v.Step
			for j, h := range columns {
				r := run{taps: taps[j], y: h.Out, ys: h.Step, xs: h.InStep * s.C, n: h.N, count: 1}
				if len(r.taps) > 0 {
					r.x = ((v.In+i*v.InStep)*s.W + h.In) * s.C
				}
				s.runs[oy] = append(s.runs[oy], r.byCount(counted, oy)...)
			}
		}
	}
	return s
}

// tapsOf returns the taps of each run of columns in a run of rows.
func (s *sliding) tapsOf(v window.Run, columns []window.Run) (all [][]abi.Tap) {
	for _, h := range columns {
		var taps []abi.Tap
		for a := range v.Taps {
			for b := range h.Taps {
				taps = append(taps, abi.Tap{
					X: 4 * (a*v.InTap*s.W + b*h.InTap) * s.C,
					W: 4 * ((v.Tap+a*v.TapStep)*s.KW + h.Tap + b*h.TapStep) * s.C,
				})
			}
		}
		all = append(all, taps)
	}
	return all
}

// byCount cuts a run where the number of elements that count changes.
func (r run) byCount(counted func(axis, o int) int, oy int) (cut []run) {
	if counted == nil {
		return []run{r}
	}
	for r.n > 0 {
		p := r
		p.count, p.n = counted(1, r.y), 1
		for p.n < r.n && counted(1, r.y+p.n*r.ys) == p.count {
			p.n++
		}
		r.x, r.y, r.n = r.x+p.n*r.xs, r.y+p.n*r.ys, r.n-p.n
		p.count *= counted(0, oy)
		cut = append(cut, p)
	}
	return cut
}

// Tasks is the number of tasks: rows of windows.
func (s *sliding) Tasks() int { return s.n * s.OH }

// each calls f for the pieces of rows lo to hi that a call of a kernel does: windows of a run, from x
// and y on.
func (s *sliding) each(lo, hi int, f func(r *run, x, y, pixels int)) {
	for i := lo; i < hi; i++ {
		image, oy := i/s.OH, i%s.OH
		runs := s.runs[oy]
		for j := range runs {
			r := &runs[j]
			most := max(isa.CallWork/max(len(r.taps)*s.C, 1), 1)
			for at := 0; at < r.n; at += most {
				f(r, image*s.H*s.W*s.C+r.x+at*r.xs, (i*s.OW+r.y+at*r.ys)*s.C, min(most, r.n-at))
			}
		}
	}
}

// vectors are those of a pixel, and the channels in the last one.
func (s *sliding) vectors(k *Kernels) (n, last int) {
	n = isa.Ceil(s.C, k.width)
	return n, s.C - (n-1)*k.width
}

func (s *sliding) elems() int   { return s.n * s.H * s.W * s.C }
func (s *sliding) results() int { return s.n * s.Cols() * s.C }

// table is the address of taps, which a kernel takes where it has any.
func table(taps []abi.Tap) *int { return (*int)(unsafe.Pointer(unsafe.SliceData(taps))) }

// Depthwise is a convolution in which each channel has one filter. It is immutable and safe for
// concurrent use.
type Depthwise struct {
	sliding
	k     *Kernels
	flags int
}

// NewDepthwise plans the convolution of n images with w.C filters, whose results get a bias and are
// rectified where asked.
func NewDepthwise(k *Kernels, w window.Window, n int, bias bool, act isa.Act) *Depthwise {
	return &Depthwise{sliding: slideOver(w, n, nil), k: k, flags: finishing(bias, act)}
}

// PackedLen is the number of elements of packed filters.
func (d *Depthwise) PackedLen() int { return d.C * d.KH * d.KW }

// Work is how often Run multiplies.
func (d *Depthwise) Work() int { return d.results() * d.KH * d.KW }

// Pack packs the filters w (C,1,KH,KW): all channels' numbers of a tap together.
func (d *Depthwise) Pack(packed, w []float32) {
	taps := d.KH * d.KW
	need("packed filters", len(packed), d.PackedLen())
	need("filters", len(w), d.PackedLen())
	gemm.Transpose(d.k.gemm, packed, d.C, w, taps, d.C, taps)
}

// Run does tasks lo to hi. Nothing may overlap y.
func (d *Depthwise) Run(y, x, packed, bias []float32, lo, hi int) {
	need("results", len(y), d.results())
	need("images", len(x), d.elems())
	need("packed filters", len(packed), d.PackedLen())
	if d.flags&abi.FlagColBias != 0 {
		need("bias", len(bias), d.C)
	}
	vectors, last := d.vectors(d.k)
	d.each(lo, hi, func(r *run, at, out, pixels int) {
		d.k.depthwise(pixels, vectors, last, len(r.taps), table(r.taps), isa.Elem(x, at), 4*r.xs, &packed[0],
			&y[out], 4*r.ys*d.C, isa.Elem(bias, 0), 0, d.flags)
	})
}

// Pool is a pooling. It is immutable and safe for concurrent use.
type Pool struct {
	sliding
	k *Kernels
}

// NewPool plans the pooling of n images. counted says how many elements of window o along an axis (0
// rows, 1 columns) a mean divides by; it may be nil where none is asked for.
func NewPool(k *Kernels, w window.Window, n int, counted func(axis, o int) int) *Pool {
	return &Pool{slideOver(w, n, counted), k}
}

// Work is how many elements a pooling reads.
func (p *Pool) Work() int { return p.results() * p.KH * p.KW }

// Max does tasks lo to hi of setting y to the largest element of each window: of equal ones the
// first, and the first NaN rather than any number; of none -Inf.
func (p *Pool) Max(y, x []float32, lo, hi int) {
	p.slide(p.k.max, float32(math.Inf(-1)), y, x, lo, hi)
}

// Mean does tasks lo to hi of setting y to the means of windows, 0 for a window of nothing.
func (p *Pool) Mean(y, x []float32, lo, hi int) { p.slide(p.k.sum, 0, y, x, lo, hi) }

func (p *Pool) slide(kernel slideFunc, empty float32, y, x []float32, lo, hi int) {
	need("results", len(y), p.results())
	need("images", len(x), p.elems())
	vectors, last := p.vectors(p.k)
	p.each(lo, hi, func(r *run, at, out, pixels int) {
		if len(r.taps) == 0 {
			fill(y[out:][:pixels*p.C], empty)
			return
		}
		kernel(pixels, vectors, last, len(r.taps), table(r.taps), &x[at], 4*r.xs, nil, &y[out], 4*r.ys*p.C, nil, float32(r.count), 0)
	})
}

// Whole is the mean of whole images. It adds up parts of an image, so that many workers share one, and each reads what it has made
// itself, rather than what is in the caches of others. It is immutable and safe for concurrent use.
type Whole struct {
	Pool
	window run // the only one of an image
	part   int // taps of a part
	parts  int // of an image
	sums   []abi.Tap
}

// NewWhole plans the mean of n images as [NewPool] does. It reports false where images have more than one window or none, or are
// enough for all workers.
func NewWhole(k *Kernels, w window.Window, n int, counted func(axis, o int) int) (*Whole, bool) {
	p := &Whole{Pool: *NewPool(k, w, n, counted)}
	if p.Cols() != 1 || n >= goodTasks || len(p.runs[0]) != 1 || len(p.runs[0][0].taps) == 0 {
		return nil, false
	}
	p.window = p.runs[0][0]
	taps := len(p.window.taps)
	most := max(isa.Ceil(taps, goodTasks), isa.Ceil(leastPart, p.C))
	p.part = isa.Even(taps, max(min(most, isa.CallWork/p.C), 1))
	p.parts = isa.Ceil(taps, p.part)
	for i := range p.parts {
		p.sums = append(p.sums, abi.Tap{X: 4 * i * p.C})
	}
	return p, true
}

// leastPart is the fewest elements of a part that are worth a sum of their own.
const leastPart = 2048

// Tasks is the number of tasks of Sum.
func (p *Whole) Tasks() int { return p.n * p.parts }

// SumsLen is the number of elements of memory, in any state, that Sum fills and Mean reads.
func (p *Whole) SumsLen() int { return p.Tasks() * p.C }

// Sum does tasks lo to hi of adding up the parts of x.
func (p *Whole) Sum(sums, x []float32, lo, hi int) {
	need("sums", len(sums), p.SumsLen())
	need("images", len(x), p.elems())
	vectors, last := p.vectors(p.k)
	for i := lo; i < hi; i++ {
		first := i % p.parts * p.part
		taps := p.window.taps[first:min(first+p.part, len(p.window.taps))]
		p.k.sum(1, vectors, last, len(taps), table(taps), &x[i/p.parts*p.H*p.W*p.C+p.window.x], 0, nil, &sums[i*p.C], 0, nil, 1, 0)
	}
}

// Mean sets y to the means, given the sums of all parts.
func (p *Whole) Mean(y, sums []float32) {
	need("results", len(y), p.results())
	need("sums", len(sums), p.SumsLen())
	vectors, last := p.vectors(p.k)
	for i := range p.n {
		p.k.sum(1, vectors, last, p.parts, table(p.sums), &sums[i*p.parts*p.C], 0, nil, &y[i*p.C], 0, nil, float32(p.window.count), 0)
	}
}

func fill(v []float32, x float32) {
	for i := range v {
		v[i] = x
	}
}
