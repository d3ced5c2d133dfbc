package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// filterPacking says how the filters of a convolution, its second input, are packed: into so many
// elements, by pack in so many tasks. Equal forms make the same of the same filters; nil is equal to
// no other.
type filterPacking struct {
	elems, tasks int
	form         any
	pack         func(packed, w []float32, lo, hi int)
}

// packer has filters that are packed once, where they stay, or else in each run.
type packer struct {
	filterPacking
	engine Engine
	own    region[float32]
}

func (e Engine) packer(f filterPacking) *packer {
	return &packer{filterPacking: f, engine: e}
}

// of returns the packed filters of a run.
func (p *packer) of(c *engine.Call) []float32 {
	if c.Packed.Valid() {
		return engine.Slice[float32](c.Packed.At(0, shape.Float32, p.elems))
	}
	return p.own.of(c, 0)
}

// loop packs input in.
func (p *packer) loop(in int, to func(c *engine.Call) []float32) *loop {
	return p.engine.newLoop(p.tasks, p.elems/max(p.tasks, 1), func(c *engine.Call, _, lo, hi int) {
		p.pack(to(c), engine.Slice[float32](c.In[in]), lo, hi)
	})
}

// bind returns the kernel that is run, with the filters packed before. The rest of its scratch memory
// is laid out in l.
func (p *packer) bind(l *layout, alg string, run engine.Kernel) engine.Bound {
	rest := int(*l)
	p.own = reserve[float32](l, 1, p.elems)
	packs := p.loop(1, p.of)
	kernel := func(c *engine.Call) error {
		if !c.Packed.Valid() {
			packs.run(c)
		}
		return run(c)
	}
	return engine.Bound{Kernel: kernel, Scratch: int(*l), By: name, Alg: alg, Packing: p.packing(rest)}
}

// packing says how the filters are packed before, for a kernel that then needs rest bytes of scratch memory.
func (p *packer) packing(rest int) engine.Packing {
	if p.elems == 0 {
		return engine.Packing{}
	}
	pack := p.loop(0, func(c *engine.Call) []float32 { return engine.Slice[float32](c.Out[0].At(0, shape.Float32, p.elems)) })
	return engine.Packing{In: 1, Bytes: p.elems * shape.Float32.Width(), Rest: rest, Form: p.form, Replaces: true, Kernel: pack.kernel()}
}
