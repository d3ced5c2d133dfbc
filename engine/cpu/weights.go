package cpu

import (
	"unsafe"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// smallStorage is what gemm calls the types of weights.
var smallStorage = map[shape.DType]gemm.Storage{shape.BFloat16: gemm.BFloat16, shape.Int8: gemm.Int8}

// narrow offers products by one matrix of weights in small types.
func (e Engine) narrow(p products, ep engine.Epilogue) func(as shape.DType) (engine.Bound, bool) {
	if p.batch != 1 || p.op.TransA || min(p.op.M, p.op.N, p.op.K) < 1 {
		return nil
	}
	return func(as shape.DType) (engine.Bound, bool) {
		storage, ok := smallStorage[as]
		if !ok {
			return engine.Bound{}, false
		}
		return e.bindSmall(gemm.NewSmall(e.simd.Gemm, p.op, storage), ep), true
	}
}

// bindSmall returns the kernel of plan.
func (e Engine) bindSmall(plan *gemm.Small, ep engine.Epilogue) engine.Bound {
	var l layout
	var scratch region[float32]
	packed := &smallPacker{engine: e, plan: plan}
	tasks := e.newLoop(plan.Tasks(), plan.Work()/max(plan.Tasks(), 1)/20, func(c *engine.Call, slot, lo, hi int) {
		plan.Run(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), packed.of(c), bias[float32](c, ep), scratch.of(c, slot), lo, hi)
	})
	scratch = reserve[float32](&l, tasks.slots, plan.Scratch())
	b := packed.bind(&l, "gemm", tasks.kernel())
	b.Serial = tasks.serial()
	return b
}

// smallPacker has weights, the second input, that are packed once in a small type, or else in each run.
type smallPacker struct {
	engine Engine
	plan   *gemm.Small
	own    region[float32]
}

// of returns the packed weights of a run.
func (p *smallPacker) of(c *engine.Call) []byte {
	if c.Packed.Valid() {
		return c.Packed.Bytes()
	}
	return engine.Slice[byte](c.Scratch.At(p.own.at, shape.Uint8, p.plan.Bytes()))
}

// bind returns the kernel that is run, with the weights packed before. The rest of its scratch memory is laid out in l.
func (p *smallPacker) bind(l *layout, alg string, run engine.Kernel) engine.Bound {
	rest := int(*l)
	p.own = reserve[float32](l, 1, isa.Ceil(p.plan.Bytes(), 4))
	packs := p.loop(1, p.of)
	kernel := func(c *engine.Call) error {
		if !c.Packed.Valid() {
			packs.run(c)
		}
		return run(c)
	}
	pack := p.loop(0, func(c *engine.Call) []byte { return c.Out[0].Bytes() })
	return engine.Bound{Kernel: kernel, Scratch: int(*l), By: name, Alg: alg,
		Packing: engine.Packing{In: 1, Bytes: p.plan.Bytes(), Kernel: pack.kernel(), Rest: rest, Form: p.plan.Form(), Replaces: true}}
}

// loop packs input in.
func (p *smallPacker) loop(in int, to func(c *engine.Call) []byte) *loop {
	plan := p.plan
	return p.engine.newLoop(plan.Panels(), 2*plan.Cols*plan.K, func(c *engine.Call, _, lo, hi int) {
		form, w := to(c), engine.Slice[float32](c.In[in])
		for i := lo; i < hi; i++ {
			s := smallPanel{Small: plan, w: w, first: i * plan.Cols}
			s.cols = min(plan.Cols, plan.N-s.first)
			if plan.As == gemm.Int8 {
				s.int8(plan.Panel(form, i), plan.Scales(form)[s.first:][:plan.Cols])
			} else {
				s.brain(plan.Panel(form, i))
			}
		}
	})
}

// smallPanel is a panel to be packed: cols columns of w from first on.
type smallPanel struct {
	*gemm.Small
	w           []float32
	first, cols int
}

// each visits the elements in the order in which they are stored: row k, column j of the panel.
func (s *smallPanel) each(visit func(k, j int, x float32)) {
	if s.TransB {
		for j := range s.cols {
			for k, x := range s.w[(s.first+j)*s.LDB:][:s.K] {
				visit(k, j, x)
			}
		}
		return
	}
	for k := range s.K {
		for j, x := range s.w[k*s.LDB+s.first:][:s.cols] {
			visit(k, j, x)
		}
	}
}

func (s *smallPanel) brain(panel []byte) {
	to := unsafe.Slice((*shape.Brain)(unsafe.Pointer(unsafe.SliceData(panel))), len(panel)/2)
	s.each(func(k, j int, x float32) { to[k*s.Small.Cols+j] = shape.BrainOf32(x) })
}

func (s *smallPanel) int8(panel []byte, scale []float32) {
	clear(scale)
	s.each(func(_, j int, x float32) { scale[j] = max(scale[j], max(x, -x)) })
	for j, most := range scale {
		scale[j] = engine.Int8Scale(most)
	}
	s.each(func(k, j int, x float32) { panel[k*s.Small.Cols+j] = byte(engine.Int8Of(x, scale[j])) })
}

// withExact returns the kernel that bind makes of exact, which computes where numbers are not
// finite: from the filters, of the given type, and not from their packed form. So that these need
// not be kept beside it in small types, exact rounds them then.
func withExact(filters shape.Type, exact engine.Bound, bind func(exact engine.Bound) engine.Bound) engine.Bound {
	b := bind(exact)
	b.Narrow = func(as shape.DType) (engine.Bound, bool) {
		w := engine.Weights{In: 1}
		n := bind(exact.WithWeights(w, filters, as))
		n.Packing.Replaces = true
		small := n.WithWeights(w, filters, as)
		small.Packing.Replaces = true
		return small, true
	}
	return b
}
