package nhwc

import (
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// InputGrad is the gradient of the images of a convolution: from dy (N,OH,OW,Groups*M) to dx
// (N,H,W,Groups*C). It is immutable and safe for concurrent use.
//
// Pixels of dx that are a stride apart meet the same taps. Those of each such phase are a convolution of
// dy with stride 1, by the filters' taps turned round.
type InputGrad struct {
	Op     // of the convolution
	phases []phase
	tasks  int
	packed int
	shared int
}

// phase is the pixels of dx that meet some taps; conv is nil if they meet none.
type phase struct {
	conv  *Conv
	place placement
	rows  int // of dx, and pixels in one
	cols  int

	firstTask, firstPacked, firstShared int
}

// placement says where pixels lie: of the first image the first one, and how far apart images, rows and
// pixels are, in elements.
type placement struct{ start, image, row, pixel int }

// NewInputGrad plans the gradient of op, whose bias and activation it does not look at.
func NewInputGrad(k *Kernels, op Op) *InputGrad {
	op.Window = op.WithDefaults()
	g := &InputGrad{Op: op}
	if op.N*op.H*op.W*op.channels() == 0 {
		return g
	}
	rows, columns := op.Axes()
	for _, r := range phasesOf(rows) {
		for _, c := range phasesOf(columns) {
			g.add(k, r, c)
		}
	}
	return g
}

// axisPhase is the places of an axis of dx that are a stride apart: how many there are from the first
// one on, and the windows that they meet, taps turned round.
type axisPhase struct {
	first, n int
	taps     []int // of the filter, in the order of the axis
	axis     window.Axis
}

// phasesOf returns the phases of an axis.
func phasesOf(a window.Axis) (all []axisPhase) {
	for first := range min(a.Stride, a.In) {
		p := axisPhase{first: first, n: isa.Ceil(a.In-first, a.Stride)}
		var at []int // where a place meets a window's taps, less its number in the phase
		for tap := a.Kernel - 1; tap >= 0; tap-- {
			if d := first + a.Before - tap*a.Dilation; mod(d, a.Stride) == 0 {
				p.taps, at = append(p.taps, tap), append(at, (d-mod(d, a.Stride))/a.Stride)
			}
		}
		p.axis = window.Axis{In: a.Out, Out: p.n, Kernel: len(at), Stride: 1, Dilation: 1}
		if len(at) > 0 {
			p.axis.Before = -at[0]
		}
		if len(at) > 1 {
			p.axis.Dilation = at[1] - at[0]
		}
		all = append(all, p)
	}
	return all
}

func mod(a, b int) int { return (a%b + b) % b }

// add adds the phase of some rows and columns.
func (g *InputGrad) add(k *Kernels, r, c axisPhase) {
	channels := g.channels()
	p := phase{rows: r.n, cols: c.n, firstTask: g.tasks, firstPacked: g.packed, firstShared: g.shared}
	p.place = placement{(r.first*g.W + c.first) * channels, g.H * g.W * channels, g.SH * g.W * channels, g.SW * channels}
	if len(r.taps) == 0 || len(c.taps) == 0 {
		g.tasks += g.N * p.rows
		g.phases = append(g.phases, p)
		return
	}
	op := Op{N: g.N, Groups: g.Groups, M: g.C, Window: window.Window{
		C: g.M, H: g.OH, W: g.OW, KH: len(r.taps), KW: len(c.taps), OH: r.n, OW: c.n,
		DH: r.axis.Dilation, DW: c.axis.Dilation, Top: r.axis.Before, Left: c.axis.Before,
	}}
	source := filters{inputs: g.M, columns: g.C, taps: g.KH * g.KW, turned: true}
	for _, y := range r.taps {
		for _, x := range c.taps {
			source.use = append(source.use, y*g.KW+x)
		}
	}
	var place *placement
	if g.SH > 1 || g.SW > 1 {
		place = &p.place
	}
	p.conv = newConv(k, op, source, place)
	g.tasks, g.packed, g.shared = g.tasks+p.conv.Tasks(), g.packed+p.conv.PackedLen(), g.shared+p.conv.SharedLen()
	g.phases = append(g.phases, p)
}

// PackedLen, Packs, SharedLen, ScratchLen, Unfolds, Tasks and Work are what those of [Conv] are.

// PackedLen is the number of elements of packed filters.
func (g *InputGrad) PackedLen() int { return g.packed }

// Packs is the number of tasks of Pack.
func (g *InputGrad) Packs() int { return g.sum((*Conv).Packs) }

// SharedLen is the number of elements that Unfold fills.
func (g *InputGrad) SharedLen() int { return g.shared }

// Unfolds is the number of tasks of Unfold.
func (g *InputGrad) Unfolds() int { return g.sum((*Conv).Unfolds) }

// Tasks is the number of tasks of Run.
func (g *InputGrad) Tasks() int { return g.tasks }

// Work is how often Run multiplies.
func (g *InputGrad) Work() int { return g.sum((*Conv).Work) }

func (g *InputGrad) sum(of func(c *Conv) int) (n int) {
	for _, p := range g.phases {
		if p.conv != nil {
			n += of(p.conv)
		}
	}
	return n
}

// ScratchLen is the number of elements of scratch memory that a worker needs.
func (g *InputGrad) ScratchLen() (n int) {
	for _, p := range g.phases {
		if p.conv != nil {
			n = max(n, p.conv.ScratchLen())
		}
	}
	return n
}

// each calls f with the tasks lo to hi of all phases, of which each that has filters has so many.
func (g *InputGrad) each(of func(c *Conv) int, lo, hi int, f func(p *phase, lo, hi int)) {
	for i := range g.phases {
		p := &g.phases[i]
		if p.conv == nil {
			continue
		}
		n := of(p.conv)
		if lo < n && hi > 0 {
			f(p, max(lo, 0), min(hi, n))
		}
		lo, hi = lo-n, hi-n
	}
}

// Pack does tasks lo to hi of packing the filters w (Groups*M,C,KH,KW).
func (g *InputGrad) Pack(packed, w []float32, lo, hi int) {
	g.each((*Conv).Packs, lo, hi, func(p *phase, lo, hi int) { p.conv.Pack(packed[p.firstPacked:], w, lo, hi) })
}

// Unfold does tasks lo to hi of unfolding dy.
func (g *InputGrad) Unfold(shared, dy []float32, lo, hi int) {
	g.each((*Conv).Unfolds, lo, hi, func(p *phase, lo, hi int) { p.conv.Unfold(shared[p.firstShared:], dy, lo, hi) })
}

// Results is the number of elements of dx.
func (g *InputGrad) Results() int { return g.N * g.H * g.W * g.channels() }

// whole returns the convolution that all pixels of dx are of, or nil if they are of several phases.
func (g *InputGrad) whole() *Conv {
	if len(g.phases) != 1 {
		return nil
	}
	return g.phases[0].conv
}

// Shares reports whether tasks do not have all channels of pixels that follow each other.
func (g *InputGrad) Shares() bool {
	c := g.whole()
	return c == nil || c.Shares()
}

// Task returns the elements of dx that task i makes, and whether they are all of those from one to the other.
func (g *InputGrad) Task(i int) (from, to int, all bool) {
	if c := g.whole(); c != nil {
		return c.Task(i)
	}
	return 0, 0, false
}

// Run does tasks lo to hi. Nothing may overlap dx.
func (g *InputGrad) Run(dx, dy, packed, _, shared, scratch []float32, lo, hi int) {
	need("images", len(dx), g.N*g.H*g.W*g.channels())
	for i := range g.phases {
		p := &g.phases[i]
		n := g.N * p.rows
		if p.conv != nil {
			n = p.conv.Tasks()
		}
		from, to := max(lo-p.firstTask, 0), min(hi-p.firstTask, n)
		switch {
		case from >= to:
		case p.conv == nil:
			p.clear(dx, g.channels(), from, to)
		default:
			p.conv.Run(dx, dy, packed[p.firstPacked:], nil, shared[p.firstShared:], scratch, from, to)
		}
	}
}

// clear sets rows from to to of pixels, which meet no tap, to 0.
func (p *phase) clear(dx []float32, channels, from, to int) {
	for i := from; i < to; i++ {
		at := p.place.start + i/p.rows*p.place.image + i%p.rows*p.place.row
		for range p.cols {
			clear(dx[at:][:channels])
			at += p.place.pixel
		}
	}
}

// NewWinogradInputGrad plans the gradient of the images of op, a convolution from dy, or reports false
// where the algorithm does not apply.
func NewWinogradInputGrad(k *Kernels, op Op) (*Winograd, bool) {
	op.Window = op.WithDefaults()
	if !op.suitsWinograd() {
		return nil, false
	}
	return planWinograd(k, op.adjoint(), true), true
}

// adjoint is the convolution of dy that gives dx, if the stride is 1.
func (op Op) adjoint() Op {
	a := Op{N: op.N, Groups: op.Groups, M: op.C, Window: op.Window}
	a.C, a.H, a.W, a.OH, a.OW = op.M, op.OH, op.OW, op.H, op.W
	a.Top, a.Left = (op.KH-1)*op.DH-op.Top, (op.KW-1)*op.DW-op.Left
	return a
}
