package ref

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// block is the number of elements that a map computes at a time: a register of float32 is 2 KiB.
const block = 512

// BindMap implements [engine.Mapper]. A map is computed block by block: it reads the inputs of a
// block, each step fills a register in the scratch memory, and the outputs are written last, so
// that an output may overwrite any input of its shape and width.
func (Engine) BindMap(m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	ins, outs, err := engine.MapTypes(in, out)
	if err != nil {
		return engine.Bound{}, err
	}
	p, err := CompileMap(m, ins, outs)
	if err != nil {
		return engine.Bound{}, err
	}
	b := bound(func(c *engine.Call) error {
		p.Run(c, c.Scratch.Bytes(), 0, p.n)
		return nil
	})
	b.Scratch = p.scratch
	for o, to := range out {
		for i, from := range in {
			if from.Shape == to.Shape && from.Width() == to.Width() {
				b.InPlace = append(b.InPlace, engine.Overwrite{Out: o, In: i})
			}
		}
	}
	return b, nil
}

// MapProgram is a map compiled for given types, for engines that divide its work.
type MapProgram struct {
	n       int           // number of elements of the result
	once    []func(frame) // fill the registers that are the same for every block
	steps   []func(frame) // for every block: gather, compute, store
	inputs  []operand     // by input
	results []operand     // by step
	numbers map[number]operand
	scratch int
}

// frame is the current block of a run: n elements from start, and memory for the registers.
type frame struct {
	call     *engine.Call
	scratch  []byte
	start, n int
}

// operand is the location of an argument or result of a step: an input that has the shape of the
// result, or a register.
type operand struct {
	dtype  shape.DType
	direct bool
	at     int // index of the input, or offset of the register
}

// number is an immediate of a map, converted to an element type.
type number struct {
	dtype shape.DType
	value engine.Arg
}

// view returns the elements of o in the current block.
func view[T shape.Elem](f frame, o operand) []T { return engine.Slice[T](f.buffer(o)) }

// words returns them as words of their width.
func words[W word](f frame, o operand) []W { return elems[W](f.buffer(o)) }

func (f frame) buffer(o operand) engine.Buffer {
	if o.direct {
		return f.call.In[o.at].At(f.start*o.dtype.Width(), o.dtype, f.n)
	}
	return engine.BufferAt(f.scratch[o.at:], o.dtype, f.n)
}

// MapBlock is the number of elements that a [MapProgram] computes at a time.
const MapBlock = block

// CompileMap compiles m, or returns an error if there is no kernel for it.
func CompileMap(m engine.Map, in, out []shape.Type) (*MapProgram, error) {
	if err := m.Check(in, out); err != nil {
		return nil, err
	}
	p := &MapProgram{n: out[0].Len(), numbers: map[number]operand{}}
	for i, t := range in {
		p.input(i, t, out[0].Shape)
	}
	for _, s := range m.Steps {
		args := make([]operand, s.Fn.Arity())
		for j := range args {
			args[j] = p.arg(s.Args[j], argType(m, s, j, in))
		}
		dst := p.register(s.DType)
		p.results = append(p.results, dst)
		f := compileStep(s.Fn, dst, args)
		if f == nil {
			return nil, fmt.Errorf("engine ref has no function %v of %v giving %v", s.Fn, typesOf(args), s.DType)
		}
		p.steps = append(p.steps, f)
	}
	for o, s := range m.Outs {
		p.steps = append(p.steps, store(o, p.results[s]))
	}
	return p, nil
}

// argType returns the element type of argument j of s.
func argType(m engine.Map, s engine.Step, j int, in []shape.Type) shape.DType {
	if _, imm := s.Args[j].Number(); imm && s.Fn == engine.Select && j == 0 {
		return shape.Bool
	}
	return m.ArgType(s, s.Args[j], in)
}

func typesOf(args []operand) []shape.DType {
	ds := make([]shape.DType, len(args))
	for i, a := range args {
		ds[i] = a.dtype
	}
	return ds
}

// register allocates a block of scratch memory.
func (p *MapProgram) register(d shape.DType) operand {
	o := operand{dtype: d, at: p.scratch}
	p.scratch += block * d.Width() // block is a multiple of 64, so that alignment is kept
	return o
}

// input makes input i, of type t, readable as if it had the shape of the result.
func (p *MapProgram) input(i int, t shape.Type, to shape.Shape) {
	o := operand{dtype: t.DType, direct: true, at: i}
	if t.Shape != to {
		o = p.register(t.DType)
		if t.Len() == 1 {
			p.once = append(p.once, spreadBlock(i, o, spread(t.Shape, to)))
		} else {
			p.steps = append(p.steps, spreadBlock(i, o, spread(t.Shape, to)))
		}
	}
	p.inputs = append(p.inputs, o)
}

func (p *MapProgram) arg(a engine.Arg, d shape.DType) operand {
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
	v, _ := a.Number()
	o := p.register(d)
	p.numbers[key] = o
	p.once = append(p.once, fill(o, v))
	return o
}

// Scratch returns the number of bytes of memory, aligned to 64, that each concurrent Run needs.
func (p *MapProgram) Scratch() int { return p.scratch }

// Run computes elements lo to hi of the outputs, where lo must be a multiple of [MapBlock]. Runs of
// different elements may be concurrent if each has its own scratch memory.
func (p *MapProgram) Run(c *engine.Call, scratch []byte, lo, hi int) {
	first := frame{c, scratch, lo, min(block, hi-lo)}
	for _, f := range p.once {
		f(first)
	}
	for start := lo; start < hi; start += block {
		at := frame{c, scratch, start, min(block, hi-start)}
		for _, step := range p.steps {
			step(at)
		}
	}
}

func fillWith[T shape.Elem](o operand, v T) func(frame) {
	return func(f frame) { fillSlice(view[T](f, o), v) }
}

func fillSlice[T any](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

// store copies a result to output o.
func store(o int, from operand) func(frame) {
	w := from.dtype.Width()
	return func(f frame) {
		copy(f.call.Out[o].Bytes()[f.start*w:], f.scratch[from.at:from.at+f.n*w])
	}
}
