package cpu

import (
	"slices"
	"unsafe"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/shape"
)

// block is how many elements a map computes at a time: a register of float32 takes 4 KiB. Where there are no
// results in registers it is longBlock, or tiledBlock if inputs repeat themselves, which stay in the first-level cache
// beside it. Of a single step it is wholeBlock: no step finds in the cache what another one left there.
const block, tiledBlock, longBlock, wholeBlock = 1024, 2 * 1024, 4 * 1024, 1 << 20

// BindMap implements [engine.Mapper]: by vectors for maps of float32, float64 and Bool, whose inputs and
// outputs may be cast from and to the types of casts, by ref's loops for those that compute with
// other types. Each step goes over a block before the next one does, from
// registers in scratch memory to registers, and the blocks are shared out.
func (e Engine) BindMap(m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindMap(m, in, out)
	if err != nil {
		return b, err
	}
	ins, outs, err := engine.MapTypes(in, out)
	if err != nil {
		return b, err
	}
	if onlyCopies(m, ins, outs) {
		if work, ok := e.broadcasting(ins[0], outs[0]); ok {
			b.Kernel, b.Scratch, b.By, b.Serial = work.kernel(), 0, name, work.serial()
			return b, nil
		}
	}
	if !vectorial(m, ins) {
		return e.sharedMap(b, m, engine.InRows(ins...), engine.InRows(outs...))
	}
	p := e.compileMap(m, ins, outs)
	b.Kernel, b.Scratch, b.By, b.Serial = p.loop.kernel(), p.loop.slots*p.registers, name, p.loop.serial()
	b.InPlace = slices.DeleteFunc(b.InPlace, func(o engine.Overwrite) bool { return slices.Contains(p.apart, o) })
	return b, nil
}

// onlyCopies reports whether m gives its only input as it is, perhaps broadcast.
func onlyCopies(m engine.Map, in, out []shape.Type) bool {
	return len(m.Steps) == 1 && m.Steps[0].Fn == engine.Copy && len(in) == 1 && len(out) == 1 && in[0].DType == out[0].DType
}

// sharedMap is ref's kernel, shared out.
func (e Engine) sharedMap(b engine.Bound, m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	p, err := ref.CompileMap(m, engine.Types(in), engine.Types(out))
	if err != nil {
		return b, err
	}
	cost := 2 * ref.MapBlock * len(m.Steps)
	for _, s := range m.Steps {
		cost += stepCost(s.Fn)
	}
	var regs region[uint8]
	n := out[0].Len()
	blocks := e.newLoop((n+ref.MapBlock-1)/ref.MapBlock, cost, func(c *engine.Call, slot, lo, hi int) {
		p.Run(c, regs.of(c, slot), lo*ref.MapBlock, min(hi*ref.MapBlock, n))
	})
	var l layout
	regs = reserve[uint8](&l, blocks.slots, p.Scratch())
	b.Kernel, b.Scratch, b.By = blocks.kernel(), int(l), name
	return b, nil
}

// vectorial reports whether m computes only with float32, float64 and Bool, and casts only from and to the
// types of casts.
func vectorial(m engine.Map, in []shape.Type) bool {
	return !slices.ContainsFunc(m.Steps, func(s engine.Step) bool {
		if s.Fn == engine.Copy {
			return !copies(s.DType, m.ArgType(s, s.Args[0], in))
		}
		return !native(s.DType) || !native(m.ComputeType(s, in))
	})
}

// native reports whether there are vectors of d.
func native(d shape.DType) bool {
	return d == shape.Float32 || d == shape.Float64 || d == shape.Bool
}

// program is a map compiled for given types.
type program struct {
	simd      *simd.Kernels
	in        []shape.Type
	to        shape.Shape // of the results
	m         engine.Map
	once      []action // fill the registers that are the same for every block
	each      []action // for every block: gather, compute, store
	inputs    []operand
	idioms    map[int]found      // by their last step
	results   []operand          // by step
	last      []int              // the last step that reads each step's result
	apart     []engine.Overwrite // outputs, and inputs that are read after they are written
	numbers   map[number]operand
	free      map[shape.DType][]operand // registers not in use
	registers int                       // their bytes
	tiles     int                       // those of them that have room for any block
	length    int                       // of a block
	cuts      cuts
	frames    par.Free[frame]
	loop      *loop
}

// action does something for the block at hand.
type action func(*frame)

// frame is a block of a run: n elements from start, and the registers.
type frame struct {
	call     *engine.Call
	in, out  [][]byte // the inputs and outputs, whole
	regs     []byte
	start, n int
}

// begin makes f a frame of c.
func (f *frame) begin(c *engine.Call, regs []byte) {
	f.call, f.regs = c, regs
	for _, b := range c.In {
		f.in = append(f.in, b.Bytes())
	}
	for _, b := range c.Out {
		f.out = append(f.out, b.Bytes())
	}
}

// end forgets the call.
func (f *frame) end() {
	clear(f.in)
	clear(f.out)
	*f = frame{in: f.in[:0], out: f.out[:0]}
}

// operand is where a step finds an argument, or leaves its result.
type operand struct {
	place place
	dtype shape.DType
	at    int // number of the input or output, or offset of the register

	period int // of inPeriod and inTiles
}

type place uint8

const (
	inRegister place = iota
	inInput          // one in the shape of the result
	inOutput
	inPeriod // an input that repeats itself after so many elements, where no block goes beyond
	inTiles  // likewise, in a register that has room for a block from any of its elements on
	inRow    // an input of which a block sees one element: see constant
)

// number is a constant that has a register.
type number struct {
	dtype shape.DType
	value engine.Arg
}

// view returns the elements of o in the block at hand.
func view[T shape.Elem](f *frame, o operand) []T {
	b := bytesOf(f, o)
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))/unsafe.Sizeof(zero))
}

// bytesOf returns them as bytes.
func bytesOf(f *frame, o operand) []byte {
	width := o.dtype.Width()
	at, n := f.start, f.n*width
	if o.period > 0 {
		at %= o.period
	}
	switch o.place {
	case inInput, inPeriod:
		return f.in[o.at][at*width:][:n]
	case inOutput:
		return f.out[o.at][at*width:][:n]
	case inTiles:
		return f.regs[o.at+at*width:][:n]
	}
	return f.regs[o.at:][:n]
}

func floats(f *frame, o operand) []float32 { return view[float32](f, o) }

// compileMap compiles m, which ref has found to be sound.
func (e Engine) compileMap(m engine.Map, in, out []shape.Type) *program {
	p := &program{simd: e.simd, in: in, to: out[0].Shape, m: m, numbers: map[number]operand{}, free: map[shape.DType][]operand{}}
	p.frames = par.NewFree(16, func() *frame { return new(frame) })
	p.findIdioms()
	p.last = p.lastReads()
	p.spreadInputs()
	for i, s := range m.Steps {
		if p.last[i] > i || slices.Contains(m.Outs, i) {
			p.step(i, s)
		} else {
			p.results = append(p.results, operand{}) // nobody reads it
		}
	}
	for o, s := range m.Outs {
		if from := p.results[s]; from.place != inOutput || from.at != o {
			p.each = append(p.each, store(operand{place: inOutput, dtype: from.dtype, at: o}, from))
		}
	}
	switch {
	case p.registers > p.tiles:
		p.length = block
	case p.tiles > 0:
		p.length = tiledBlock
	case len(p.each) > 1:
		p.length = longBlock
	default:
		p.length = wholeBlock
	}
	n := out[0].Len()
	cost := 50 * len(p.each)
	for i, s := range m.Steps {
		if p.last[i] > 0 {
			cost += p.costOf(i) + castCost(s, m.ArgType(s, s.Args[0], in))
		}
	}
	p.loop = e.newLoop((n+block-1)/block, cost, func(c *engine.Call, slot, lo, hi int) {
		regs := c.Scratch.Bytes()[slot*p.registers:][:p.registers]
		p.run(c, regs, lo*block, min(hi*block, n))
	})
	return p
}

// run computes elements start to end.
func (p *program) run(c *engine.Call, regs []byte, start, end int) {
	f := p.frames.Take()
	f.begin(c, regs)
	f.start, f.n = start, min(p.length, end-start)
	for _, act := range p.once {
		act(f)
	}
	for ; f.start < end; f.start += f.n {
		f.n = min(p.cuts.next(f.start, p.length), end-f.start)
		for _, act := range p.each {
			act(f)
		}
	}
	f.end()
	p.frames.Give(f)
}

// reads are the arguments that step i is computed from.
func (p *program) reads(i int) []engine.Arg {
	if of, ok := p.idioms[i]; ok {
		return of.args
	}
	if a, ok := p.axpy(i); ok {
		return []engine.Arg{a.x, a.y}
	}
	s := &p.m.Steps[i]
	return s.Args[:s.Fn.Arity()]
}

func (p *program) lastReads() []int {
	last := make([]int, len(p.m.Steps))
	for i := len(last) - 1; i >= 0; i-- {
		if last[i] == 0 && !slices.Contains(p.m.Outs, i) {
			continue // nobody reads it, and it reads nothing
		}
		for _, a := range p.reads(i) {
			if s, ok := a.Step(); ok {
				last[s] = max(last[s], i)
			}
		}
	}
	for _, o := range p.m.Outs {
		last[o] = len(last)
	}
	return last
}

// step compiles step i.
func (p *program) step(i int, s engine.Step) {
	var args []operand
	for j, a := range p.reads(i) {
		d := p.m.ArgType(s, a, p.in)
		if _, ok := p.idioms[i]; ok {
			d = s.DType
		} else if s.Fn == engine.Select && j == 0 && a == s.Args[0] {
			d = shape.Bool // even if it is a number
		}
		if _, number := a.Number(); number && p.byNumber(i) {
			args = append(args, operand{dtype: d}) // which nobody looks at
			continue
		}
		args = append(args, p.arg(a, d))
	}
	for _, a := range p.reads(i) {
		if k, ok := a.Step(); ok && p.last[k] == i {
			p.release(p.results[k])
		}
	}
	dst, ok := p.directOutput(i)
	if !ok {
		dst = p.register(s.DType)
	}
	p.results = append(p.results, dst)
	p.each = append(p.each, p.compile(i, s, dst, args))
}

// directOutput returns the output that step i may write at once. Inputs in the shape of the
// result that are read later must not be in the same memory; but where that leaves none to
// overwrite, the output is written last.
func (p *program) directOutput(i int) (operand, bool) {
	o := slices.Index(p.m.Outs, i)
	if o < 0 {
		return operand{}, false
	}
	var later []engine.Overwrite
	left := 0
	for n, in := range p.inputs {
		switch {
		case in.place != inInput:
		case p.readAfter(i, n):
			later = append(later, engine.Overwrite{Out: o, In: n})
		default:
			left++
		}
	}
	if len(later) > 0 && left == 0 {
		return operand{}, false
	}
	p.apart = append(p.apart, later...)
	return operand{place: inOutput, dtype: p.m.Steps[i].DType, at: o}, true
}

// readAfter reports whether a step after i reads input n.
func (p *program) readAfter(i, n int) bool {
	for k := i + 1; k < len(p.m.Steps); k++ {
		if slices.Contains(p.reads(k), engine.In(n)) {
			return true
		}
	}
	return false
}

// register takes a register.
func (p *program) register(d shape.DType) operand {
	if n := len(p.free[d]); n > 0 {
		o := p.free[d][n-1]
		p.free[d] = p.free[d][:n-1]
		return o
	}
	o := operand{dtype: d, at: p.registers}
	p.registers += block * d.Width()
	return o
}

// release gives one back. It may come twice, for x*x.
func (p *program) release(o operand) {
	if o.place == inRegister && !slices.Contains(p.free[o.dtype], o) {
		p.free[o.dtype] = append(p.free[o.dtype], o)
	}
}

// fill doubles what is filled, since copying goes by vectors.
func fill[T any](dst []T, v T) {
	const first = 16
	for i := range dst[:min(len(dst), first)] {
		dst[i] = v
	}
	for n := first; n < len(dst); n *= 2 {
		copy(dst[n:], dst[:n])
	}
}

// arg is where an argument of type d is found; a number gets a register of its own.
func (p *program) arg(a engine.Arg, d shape.DType) operand {
	if i, ok := a.Input(); ok {
		return p.inputs[i]
	}
	if i, ok := a.Step(); ok {
		return p.results[i]
	}
	key := number{d, a}
	if o, ok := p.numbers[key]; ok {
		return o
	}
	o := operand{dtype: d, at: p.registers} // not one that was free: it is filled before all steps
	p.registers += block * d.Width()
	p.numbers[key] = o
	v, _ := a.Number()
	switch d {
	case shape.Bool:
		p.once = append(p.once, func(f *frame) { fill(view[bool](f, o), v != 0) })
	case shape.Float64:
		p.once = append(p.once, func(f *frame) { fill(view[float64](f, o), v) })
	default:
		p.once = append(p.once, func(f *frame) { fill(floats(f, o), float32(v)) })
	}
	return o
}

func store(to, from operand) action {
	return func(f *frame) { copy(bytesOf(f, to), bytesOf(f, from)) }
}

// axpy is c*x + y.
type axpy struct {
	c    float64
	x, y engine.Arg
}

// axpy reports whether step i is one: a sum with, or a difference less, a multiple.
func (p *program) axpy(i int) (a axpy, ok bool) {
	s := &p.m.Steps[i]
	if s.DType != shape.Float32 && s.DType != shape.Float64 {
		return a, false
	}
	switch s.Fn {
	case engine.Add:
		if a.c, a.x, ok = p.multiple(s.Args[0]); ok {
			a.y = s.Args[1]
			return a, true
		}
		a.c, a.x, ok = p.multiple(s.Args[1])
	case engine.Sub:
		a.c, a.x, ok = p.multiple(s.Args[1])
		a.c = -a.c
	}
	a.y = s.Args[0]
	return a, ok
}

// multiple reports whether a is a step that multiplies x, no number, by c.
func (p *program) multiple(a engine.Arg) (c float64, x engine.Arg, ok bool) {
	k, isStep := a.Step()
	if !isStep || p.m.Steps[k].Fn != engine.Mul {
		return 0, x, false
	}
	args := p.m.Steps[k].Args
	for i := range 2 {
		v, constant := args[i].Number()
		if _, both := args[1-i].Number(); constant && !both {
			return v, args[1-i], true
		}
	}
	return 0, x, false
}
