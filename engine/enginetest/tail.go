package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// tails returns tr, whose kernel b can be followed by maps, with maps: one that needs only the
// result, one that adds an input of its type, and one that reads the result twice.
func (tr trial) tails(b engine.Bound) (all []trial) {
	if b.Then == nil {
		return nil
	}
	d := tr.out[0].DType
	clip := engine.MapOf(engine.Max, d, engine.In(0), engine.Imm(0))
	add := engine.MapOf(engine.Add, d, engine.In(0), engine.In(1))
	add.Steps = append(add.Steps, engine.Step{Fn: engine.Max, DType: d, Args: [3]engine.Arg{engine.Res(0), engine.Imm(0)}})
	add.Outs = []int{1}
	halves := engine.MapOf(engine.Mul, d, engine.In(0), engine.Imm(.5))
	halves.Steps = append(halves.Steps, engine.Step{Fn: engine.Add, DType: d, Args: [3]engine.Arg{engine.Res(0), engine.In(0)}})
	halves.Outs = []int{1}
	return []trial{tr.followed(clip), tr.followed(add, tr.out[0]), tr.followed(halves)}
}

// followed returns tr with a map of its result, whose further inputs have types more.
func (tr trial) followed(m engine.Map, more ...shape.Type) trial {
	own, bind := len(tr.in), tr.bind
	tr.op += fmt.Sprintf(" then %v", m)
	tr.in = append(tr.in[:own:own], more...)
	for range more {
		tr.data = append(tr.data[:len(tr.data):len(tr.data)], signed)
	}
	tr.laidTail = len(more)
	tr.bind = func(e engine.Engine, in, out []engine.Operand) (engine.Bound, error) {
		b, err := bind(e, in[:own], out)
		if err != nil {
			return b, err
		}
		if b.Then == nil {
			return thenMap(e, b, m, own, in, out)
		}
		after, ok := b.Then(m, in[own:])
		if !ok {
			return b, fmt.Errorf("the kernel cannot be followed by %v", m)
		}
		return after, nil
	}
	return tr
}

// thenMap returns the kernel that is b, then the map of a copy of its result.
func thenMap(e engine.Engine, b engine.Bound, m engine.Map, own int, in, out []engine.Operand) (engine.Bound, error) {
	after, err := e.(engine.Mapper).BindMap(m, append([]engine.Operand{out[0]}, in[own:]...), out)
	if err != nil {
		return b, err
	}
	return engine.Bound{By: b.By, Kernel: func(c *engine.Call) error {
		of := engine.Call{In: c.In[:own], Out: c.Out, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
		if err := b.Kernel(&of); err != nil {
			return err
		}
		y := newBuffer(out[0].DType, out[0].Len())
		copy(y.Bytes(), c.Out[0].Bytes())
		of = engine.Call{In: append([]engine.Buffer{y}, c.In[own:]...), Out: c.Out, Scratch: engine.BufferOf(engine.Aligned(after.Scratch))}
		return after.Kernel(&of)
	}}, nil
}
