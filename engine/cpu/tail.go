package cpu

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// mapTail is a map that follows a kernel, and is applied to parts of its result while they are in the
// cache.
type mapTail struct {
	simd    *simd.Kernels
	chain   chain    // if the map is one
	program *program // otherwise
	own     int      // inputs of the kernel; those of the map follow
	regs    region[uint8]
	calls   par.Free[engine.Call]
}

// newTail compiles m, whose input 0 is the result out of a kernel with own inputs. It reports false
// where the map cannot be computed over its input.
func (e Engine) newTail(m engine.Map, own int, in []engine.Operand, out engine.Operand) (_ *mapTail, ok bool) {
	all := append([]engine.Operand{out}, in...)
	if m.Check(engine.Types(all), []shape.Type{out.Type}) != nil {
		return nil, false
	}
	ins, outs, err := engine.MapTypes(all, []engine.Operand{out})
	if err != nil || !vectorial(m, ins) {
		return nil, false
	}
	t := &mapTail{simd: e.simd, own: own}
	if t.chain, ok = chainOf(m, ins); !ok {
		t.program = e.compileMap(m, ins, outs)
		if slices.Contains(t.program.apart, engine.Overwrite{}) {
			return nil, false
		}
	}
	t.calls = par.NewFree(16, func() *engine.Call { return &engine.Call{In: make([]engine.Buffer, len(all))} })
	return t, true
}

// activation is what an epilogue does last.
func activation(ep engine.Epilogue) isa.Act {
	if ep.ReLU {
		return isa.ReLU
	}
	return isa.NoAct
}

// relu6 is what [isa.ReLU6] computes.
var relu6 = chain{{op: binaryOps[engine.Max].right, c: 0}, {op: binaryOps[engine.Min].right, c: 6}}

// withoutReLU6 returns the tail behind the ReLU6 that t begins with, nil if there is none.
func (t *mapTail) withoutReLU6() (rest *mapTail, ok bool) {
	if len(t.chain) < len(relu6) || !slices.Equal(t.chain[:len(relu6)], relu6) {
		return nil, false
	}
	if t.chain = t.chain[len(relu6):]; len(t.chain) == 0 {
		return nil, true
	}
	return t, true
}

// reserve lays out the scratch memory of so many slots.
func (t *mapTail) reserve(l *layout, slots int) {
	if t != nil && t.program != nil {
		t.regs = reserve[uint8](l, slots, t.program.registers)
	}
}

// apply computes elements from to to of the result, which are there.
func (t *mapTail) apply(c *engine.Call, slot, from, to int) {
	if t == nil || from == to {
		return
	}
	of := t.calls.Take()
	of.Out, of.In[0] = c.Out, c.Out[0]
	copy(of.In[1:], c.In[t.own:])
	if t.program == nil {
		t.chain.run(t.simd.Vec, of, from, to)
	} else {
		t.program.run(of, t.regs.of(c, slot), from, to)
	}
	of.Out = nil
	clear(of.In)
	t.calls.Give(of)
}
