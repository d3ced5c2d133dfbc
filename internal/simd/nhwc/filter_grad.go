package nhwc

import (
	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// FilterGrad is the gradient of the filters of a convolution: from images (N,H,W,Groups*C) and dy
// (N,OH,OW,Groups*M) to dw (Groups*M,C,KH,KW). It is immutable and safe for concurrent use.
//
// It is a product over windows: dy transposed, by the windows unfolded. A task has a part of the windows,
// and in a group a chunk of the unfolded columns and of the filters; the sums of the parts are added up
// afterwards.
type FilterGrad struct {
	Op
	k *Kernels

	chunks []columnChunk // of a group's columns, tap by tap
	cuts   int           // chunks of a group's filters
	parts  int           // of the windows
	block  int           // windows that are multiplied at once

	whole *Conv // of all columns: unfolds chunks that are, and knows where taps lie
}

// columnChunk is channels from first on of taps from tap on.
type columnChunk struct {
	panels
	tap, taps, first, channels int
}

const (
	// maxChunk is the most columns of a chunk, gradBlock the most windows that are multiplied at once: such
	// a block stays in the second-level cache.
	maxChunk  = 384
	gradBlock = 192
)

// NewFilterGrad plans the gradient of op, whose bias and activation it does not look at.
func NewFilterGrad(k *Kernels, op Op) *FilterGrad {
	op.Window = op.WithDefaults()
	op.Bias, op.Add, op.Act = false, false, isa.NoAct
	g := &FilterGrad{Op: op, k: k, whole: NewConv(k, op)}
	g.block = isa.Even(op.pixels(), gradBlock)
	if op.Rows()*op.M*op.pixels() == 0 {
		return g
	}
	g.cut()
	want := isa.Ceil(goodTasks, len(g.chunks)*op.Groups)
	g.parts = min(want, max(op.pixels()/(2*gradBlock), 1))
	g.cuts = min(isa.Ceil(want, g.parts), max(op.M/(4*k.gemm.F32.Tallest(g.chunks[0].vecs)), 1))
	return g
}

// cut chooses the chunks of columns: whole taps, or channels of one.
func (g *FilterGrad) cut() {
	taps := g.KH * g.KW
	add := func(c columnChunk) {
		c.panels = panelsOf(g.k, g.M, c.taps*c.channels)
		g.chunks = append(g.chunks, c)
	}
	if g.C <= maxChunk {
		each := isa.Even(taps, maxChunk/g.C)
		for t := 0; t < taps; t += each {
			add(columnChunk{tap: t, taps: min(each, taps-t), channels: g.C})
		}
		return
	}
	each := isa.Even(g.C, maxChunk)
	for t := range taps {
		for c := 0; c < g.C; c += each {
			add(columnChunk{tap: t, taps: 1, first: c, channels: min(each, g.C-c)})
		}
	}
}

// Tasks is the number of tasks of Run.
func (g *FilterGrad) Tasks() int { return g.parts * g.Groups * len(g.chunks) * g.cuts }

// Work is how often Run multiplies.
func (g *FilterGrad) Work() int { return g.pixels() * g.filters() * g.Rows() }

// SumsLen is the number of elements that Run fills, and ScratchLen that of the scratch memory of a worker.
func (g *FilterGrad) SumsLen() int { return g.parts * g.filters() * g.Rows() }

// ScratchLen is the number of elements of scratch memory that a worker needs.
func (g *FilterGrad) ScratchLen() int {
	n := g.block * min(g.Rows(), maxChunk)
	if g.k.gemm.F32.Flushes() {
		n += g.block * g.M
	}
	return n
}

// Run does tasks lo to hi of making sums of x and dy.
func (g *FilterGrad) Run(sums, x, dy, scratch []float32, lo, hi int) {
	need("sums", len(sums), g.SumsLen())
	need("images", len(x), g.N*g.H*g.W*g.channels())
	need("gradient", len(dy), g.pixels()*g.filters())
	need("scratch", len(scratch), g.ScratchLen())
	for i := lo; i < hi; i++ {
		cut, rest := i%g.cuts, i/g.cuts
		chunk, rest := &g.chunks[rest%len(g.chunks)], rest/len(g.chunks)
		group, part := rest%g.Groups, rest/g.Groups
		t := gradTask{g, chunk, group, g.M * cut / g.cuts, g.M * (cut + 1) / g.cuts}
		of := sums[part*g.filters()*g.Rows():]
		for p := g.pixels() * part / g.parts; ; {
			end := min(p+g.block, g.pixels()*(part+1)/g.parts)
			t.multiply(of, x, dy, scratch, p, end, p > g.pixels()*part/g.parts)
			if p = end; p == g.pixels()*(part+1)/g.parts {
				break
			}
		}
	}
}

// gradTask is filters m0 to m1 of a group, and a chunk of its columns.
type gradTask struct {
	*FilterGrad
	chunk  *columnChunk
	group  int
	m0, m1 int
}

// multiply makes the sums of windows first to last, and adds them to what is there if add is set.
func (t *gradTask) multiply(sums, x, dy, scratch []float32, first, last int, add bool) {
	flags := 0
	if add {
		flags = abi.FlagAdd
	}
	b, ldb := t.windows(x, scratch, first, last)
	a, lda := dy[first*t.filters()+t.group*t.M:], t.filters()
	if t.k.gemm.F32.Flushes() {
		a, lda = t.flushed(a, scratch[len(scratch)-t.block*t.M:], last-first), t.M
	}
	c := t.chunk
	at := (t.group*t.M+t.m0)*t.Rows() + c.tap*t.C + c.first
	c.product(sums[at:], t.Rows(), a[t.m0:], 1, lda, b, ldb, c.nr, nil, t.m1-t.m0, last-first, 0, c.count, flags)
}

// flushed copies n rows of a group's dy without denormals.
func (t *gradTask) flushed(dy, to []float32, n int) []float32 {
	for i := range n {
		row := to[i*t.M:][:t.M]
		copy(row, dy[i*t.filters():])
		isa.FlushAll(row)
	}
	return to
}

// windows returns the chunk's columns of windows first to last as rows, and the distance from row to
// row.
func (t *gradTask) windows(x, scratch []float32, first, last int) (b []float32, ldb int) {
	c := t.chunk
	width := c.taps * c.channels
	switch {
	case !t.whole.unfolds:
		return x[first*t.channels()+t.group*t.C+c.first:], t.channels()
	case width == t.Rows():
		t.whole.unfold(scratch, x, t.group, first, last)
		return scratch, width
	}
	for tap := range c.taps {
		t.copyTap(scratch[tap*c.channels:], width, x, c.tap+tap, first, last)
	}
	if t.k.gemm.F32.Flushes() {
		isa.FlushAll(scratch[:(last-first)*width])
	}
	return scratch, width
}

// copyTap copies what a tap of windows first to last meets to rows of dst, ld elements apart.
func (t *gradTask) copyTap(dst []float32, ld int, x []float32, tap, first, last int) {
	n := t.chunk.channels
	from, to := t.whole.columns.Windows(tap % t.KW)
	for p := first; p < last; {
		row, ox := p/t.OW, p%t.OW
		end := min(t.OW, ox+last-p)
		lo, hi := min(max(from, ox), end), max(min(to, end), ox)
		iy := t.whole.rows.At(row%t.OH, tap/t.KW)
		if uint(iy) >= uint(t.H) || lo >= hi {
			lo, hi = end, end
		}
		zeroRows(dst, ld, n, lo-ox)
		if lo < hi {
			at := ((row/t.OH*t.H+iy)*t.W+t.whole.columns.At(lo, tap%t.KW))*t.channels() + t.group*t.C + t.chunk.first
			t.k.copy(hi-lo, n/t.k.width, n%t.k.width, &x[at], 4*t.SW*t.channels(), &dst[(lo-ox)*ld], 4*ld)
		}
		if lo < hi && hi < end {
			zeroRows(dst[(hi-ox)*ld:], ld, n, end-hi)
		}
		p += end - ox
		if p < last {
			dst = dst[(end-ox)*ld:]
		}
	}
}

// Totals is the number of tasks of Total: filters.
func (g *FilterGrad) Totals() int { return g.filters() }

// TotalScratch is the number of elements of scratch memory that a worker of Total needs.
func (g *FilterGrad) TotalScratch() int { return g.Rows() }

// Total does tasks lo to hi of setting dw to the totals of sums.
func (g *FilterGrad) Total(dw, sums, scratch []float32, lo, hi int) {
	if g.parts == 0 {
		clear(dw[lo*g.Rows() : hi*g.Rows()])
		return
	}
	taps, all := g.KH*g.KW, g.filters()*g.Rows()
	for f := lo; f < hi; f++ {
		total := sums[f*g.Rows():][:g.Rows()]
		if g.parts > 1 {
			total = scratch[:g.Rows()]
			copy(total, sums[f*g.Rows():])
			for part := 1; part < g.parts; part++ {
				for i, v := range sums[part*all+f*g.Rows():][:g.Rows()] {
					total[i] += v
				}
			}
		}
		gemm.Transpose(g.k.gemm, dw[f*g.Rows():][:g.Rows()], taps, total, g.C, taps, g.C)
	}
}
