package cpu

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/interleaved"
	"github.com/plexaura/plexaura/internal/simd/window"
	"github.com/plexaura/plexaura/shape"
)

// A convolution whose result is pooled need not put it into main memory: a task makes some rows of
// it, which stay in the cache, and pools them.

// FusesMaxPool implements [engine.ConvPooler]: interleaved, and from images of few channels, where
// windows overlap little, since tasks make the rows that they share twice; and where the direct algorithm
// has images enough to make one after the other.
func (e Engine) FusesMaxPool(c engine.Conv2D, p engine.Pool2D, in []shape.Type, y, out shape.Type) bool {
	if out.Len() == 0 || p.Adaptive || vast(engine.InRows(in...), engine.InRow(y)) {
		return false
	}
	if e.prefersInterleaved(c, in[0], in[1], y) {
		return overlapLittle(poolStrips(poolOf(p, y, out), y.Int(0)/interleaved.Images, y.Bytes(), stripBytes), y.Int(2))
	}
	if stems(c, in[0]) && e.nhwcGain(c, forward, in[0], in[1], y) > 0 {
		return overlapLittle(e.stemStrips(p, y, out), y.Int(2))
	}
	_, ok := e.imageConvPool(c, p, in, y, out)
	return ok
}

// overlapLittle reports whether strips make few of the rows of results twice.
func overlapLittle(strips []poolStrip, rows int) bool {
	made := 0
	for _, s := range strips {
		made += s.hi - s.lo
	}
	return made*stripOverlap <= (stripOverlap+1)*rows
}

// BindConv2DMaxPool implements [engine.ConvPooler].
func (e Engine) BindConv2DMaxPool(c engine.Conv2D, p engine.Pool2D, in []engine.Operand, y shape.Type, out engine.Operand) (engine.Bound, error) {
	switch from, to := in[0].Layout, out.Layout; {
	case from == channelsLast, to != engine.Rows && p.Adaptive:
		return e.convThenPool(c, p, in, engine.Operand{Type: y, Layout: to}, out)
	case from == byImages:
		return e.interleavedConvPool(c, p, in, y, out)
	case to == channelsLast:
		return e.stemConvPool(c, p, in, y, out)
	}
	b, err := e.convPoolInRows(c, p, in, y, out)
	switch {
	case err != nil:
	case e.prefersInterleaved(c, in[0].Type, in[1].Type, y):
		b = e.arranged(b, byImages, engine.Always, 1, in, out)
	default:
		b = e.arrangedForward(b, c, in, y, out)
	}
	return b, err
}

func (e Engine) convPoolInRows(c engine.Conv2D, p engine.Pool2D, in []engine.Operand, y shape.Type, out engine.Operand) (engine.Bound, error) {
	if b, ok := e.imageConvPool(c, p, engine.Types(in), y, out.Type); ok {
		return b, nil
	}
	return e.convThenPool(c, p, in, engine.InRow(y), out)
}

// convThenPool is one kernel after the other.
func (e Engine) convThenPool(c engine.Conv2D, p engine.Pool2D, in []engine.Operand, y, out engine.Operand) (engine.Bound, error) {
	conv, err := e.BindConv2D(c, in, y)
	if err != nil {
		return engine.Bound{}, err
	}
	pool, err := e.BindMaxPool2D(p, []engine.Operand{y}, out)
	if err != nil {
		return engine.Bound{}, err
	}
	return oneAfterTheOther(conv, pool, y.Type), nil
}

// oneAfterTheOther returns the kernel that pools the result y of a convolution, which is in scratch
// memory.
func oneAfterTheOther(conv, pool engine.Bound, y shape.Type) engine.Bound {
	var l layout
	result := reserve[byte](&l, 1, y.Bytes())
	free := par.NewFree(16, func() *[2]engine.Call {
		return &[2]engine.Call{{Out: make([]engine.Buffer, 1)}, {In: make([]engine.Buffer, 1)}}
	})
	kernel := func(c *engine.Call) error {
		calls := free.Take()
		first, second, rest := &calls[0], &calls[1], c.Scratch.At(int(l), shape.Uint8, c.Scratch.Len()-int(l))
		first.In, first.Packed, first.Scratch = c.In, c.Packed, rest
		first.Out[0] = engine.BufferAt(result.of(c, 0), y.DType, y.Len())
		second.In[0], second.Out, second.Scratch = first.Out[0], c.Out, rest
		err := conv.Kernel(first)
		if err == nil {
			err = pool.Kernel(second)
		}
		free.Give(calls)
		return err
	}
	b := engine.Bound{Kernel: kernel, Scratch: int(l) + max(conv.Scratch, pool.Scratch), By: name, Alg: conv.Alg, Choice: conv.Choice, Fails: conv.Fails || pool.Fails, Packing: conv.Packing}
	b.Packing.Rest = int(l) + max(conv.Packing.Rest, pool.Scratch)
	if conv.Lean != nil {
		b.Lean = func() engine.Bound { return oneAfterTheOther(conv.Lean(), pool, y) }
	}
	if conv.Narrow != nil {
		b.Narrow = func(as shape.DType) (engine.Bound, bool) {
			n, ok := conv.Narrow(as)
			return oneAfterTheOther(n, pool, y), ok
		}
	}
	return b
}

const (
	// stripTasks is how many tasks there are at least, where an image has enough rows of windows.
	stripTasks = 8
	// stripBytes is about how much of a convolution's result stays in the second-level cache beside
	// what makes it.
	stripBytes = 256 << 10
	// stripRows is the fewest rows of results that are worth a task.
	stripRows = 4
	// stripOverlap is how many rows of results there are for each that is made twice, at least.
	stripOverlap = 8
)

// poolStrip is some rows of windows and the rows lo to hi of the convolution's result that they
// look at.
type poolStrip struct{ first, windows, lo, hi int }

// of returns the windows w of the strip over the rows that they look at.
func (s poolStrip) of(w window.Window) window.Window {
	w.H, w.OH, w.Top = s.hi-s.lo, s.windows, w.Top-s.first*w.SH+s.lo
	return w
}

// poolStrips cuts the windows of p for a batch of so many blocks, whose results take so many bytes, those of a strip at
// most about most.
func poolStrips(p *pooling, blocks, bytes, most int) (strips []poolStrip) {
	blocks = max(blocks, 1)
	n := max((stripTasks+blocks-1)/blocks, (bytes/blocks+most-1)/most)
	n = max(min(n, p.H/stripRows, p.OH), 1)
	for i := range n {
		first, end := p.OH*i/n, p.OH*(i+1)/n
		s := poolStrip{first: first, windows: end - first, lo: p.H}
		for o := first; o < end; o++ {
			if rows := p.Vertical().Taps(o); rows.N > 0 {
				s.lo, s.hi = min(s.lo, rows.At), max(s.hi, rows.At+(rows.N-1)*rows.Step+1)
			}
		}
		s.lo = min(s.lo, s.hi) // windows that hold only padding look at no row
		strips = append(strips, s)
	}
	return strips
}

func (e Engine) interleavedConvPool(c engine.Conv2D, p engine.Pool2D, in []engine.Operand, y shape.Type, out engine.Operand) (engine.Bound, error) {
	if !e.isInterleaved(in[0], out) || !e.interleavable(y) || !sameDType(shape.Float32, engine.Types(in)) {
		return engine.Bound{}, engine.Unsupported(name, "interleaved Conv2D and MaxPool2D", in)
	}
	op, windows := interleavedOp(c, in[0].Type, in[1].Type, y), poolOf(p, y, out.Type)
	strips := poolStrips(windows, y.Int(0)/interleaved.Images, y.Bytes(), stripBytes)
	direct := interleaved.NewConv(e.simd.Interleaved, op)
	exact := e.bindInterleaved(direct, e.newPooledInterleaved(op, windows, strips, func(lo, hi int) interleavedRunner {
		return exactInterleaved{interleaved.NewConvRows(e.simd.Interleaved, op, lo, hi)}
	}), c.Epilogue)
	return e.cheapestInterleaved(op, forward, exact, func() engine.Bound {
		plan, _ := interleaved.NewWinograd(e.simd.Interleaved, op)
		pooled := e.newPooledInterleaved(op, windows, strips, func(lo, hi int) interleavedRunner {
			rows, _ := interleaved.NewWinogradRows(e.simd.Interleaved, op, lo, hi)
			return rows
		})
		return withExact(in[1].Type, exact, func(exact engine.Bound) engine.Bound {
			return e.bindInterleavedWinograd(plan, pooled, c.Epilogue, exact)
		})
	}), nil
}

// pooledInterleaved is a convolution of interleaved images of whose result the maxima of windows
// are kept. A task is a strip of a block.
type pooledInterleaved struct {
	blocks, images, planes, plane int // elements of a block of images; planes of a block of maxima, and elements of one
	strips                        []interleavedStrip
	results, scratch              int // elements, of the results of a strip and for making them
	work                          int
}

type interleavedStrip struct {
	conv     interleavedRunner // nil where windows look at nothing
	pool     *interleaved.Pool
	plane    int // elements of a plane of results
	first, n int // of a plane of maxima, in elements
}

// newPooledInterleaved takes what plans rows lo to hi of the results of a block.
func (e Engine) newPooledInterleaved(op interleaved.Op, p *pooling, strips []poolStrip, rows func(lo, hi int) interleavedRunner) *pooledInterleaved {
	l := &pooledInterleaved{blocks: op.Blocks, images: op.Groups * op.C * op.H * op.W * interleaved.Images, planes: op.Groups * op.M, plane: p.yPlane() * interleaved.Images}
	for _, s := range strips {
		part := interleavedStrip{plane: (s.hi - s.lo) * p.W * interleaved.Images, first: s.first * p.OW * interleaved.Images, n: s.windows * p.OW * interleaved.Images}
		part.pool = interleaved.NewPool(e.simd.Interleaved, s.of(p.Window), nil)
		if s.lo < s.hi {
			part.conv = rows(s.lo, s.hi)
			l.scratch = max(l.scratch, part.conv.Scratch())
			l.work += op.Blocks * part.conv.Work()
		}
		l.results = max(l.results, l.planes*part.plane)
		l.strips = append(l.strips, part)
	}
	return l
}

func (l *pooledInterleaved) Tasks() int   { return l.blocks * len(l.strips) }
func (l *pooledInterleaved) Work() int    { return l.work }
func (l *pooledInterleaved) Scratch() int { return l.results + l.scratch }

func (l *pooledInterleaved) Run(out, x, packed, bias, scratch []float32, lo, hi int) (finite bool) {
	for task := lo; task < hi; task++ {
		block, s := task/len(l.strips), &l.strips[task%len(l.strips)]
		if s.conv != nil && !s.conv.Run(scratch[:l.results], nth(x, block, l.images), packed, bias, scratch[l.results:], 0, s.conv.Tasks()) {
			return false
		}
		for i := range l.planes {
			s.pool.Max(nth(out, block*l.planes+i, l.plane)[s.first:][:s.n], nth(scratch, i, s.plane), float32(math.Inf(-1)), 0, 1)
		}
	}
	return true
}

const (
	// imagesPerWorker is how many images each processor has at least, so that they end together.
	imagesPerWorker = 4
	// imageBytes is about how large the result of an image may be to stay in the second-level cache.
	imageBytes = 1 << 20
)

// imageConvPool goes by the direct algorithm, a task an image. It reports false where another
// algorithm serves, or it would not gain.
func (e Engine) imageConvPool(c engine.Conv2D, p engine.Pool2D, in []shape.Type, y, out shape.Type) (engine.Bound, bool) {
	batch := y.Int(0)
	if !sameDType(shape.Float32, in) || !e.simd.Conv.Vector() || batch < imagesPerWorker*e.pool.Workers() || y.Bytes()/batch > imageBytes {
		return engine.Bound{}, false
	}
	g := convOf(c, in[0], in[1], y)
	windows, ok := poolOf(p, y, out).inner()
	choice := e.candidates(g, forward)
	if !ok || choose(choice) != directAlg {
		return engine.Bound{}, false
	}
	g.batch = 1
	plan := e.direct(g, c.Epilogue)
	var result, scratch region[float32]
	cost := vectorCost(g.filters * g.depth() * g.yPlane())
	images := e.newLoop(batch, cost, func(call *engine.Call, slot, lo, hi int) {
		x, w, maxima := engine.Slice[float32](call.In[0]), engine.Slice[float32](call.In[1]), engine.Slice[float32](call.Out[0])
		y := result.of(call, slot)
		for n := lo; n < hi; n++ {
			plan.Run(nil, y, nth(x, n, g.images()), w, bias[float32](call, c.Epilogue), scratch.of(call, slot))
			windows.max(e, maxima[n*g.filters*windows.yPlane():], y, 0, g.filters)
		}
	})
	var l layout
	result, scratch = reserve[float32](&l, images.slots, g.results()), reserve[float32](&l, images.slots, plan.Scratch())
	return engine.Bound{Kernel: images.kernel(), Scratch: int(l), By: name, Alg: directAlg, Choice: choice}, true
}
