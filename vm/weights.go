package vm

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// checkWeights rejects small weights where there can be none.
func (o *options) checkWeights(e engine.Engine) error {
	switch {
	case o.weights == shape.Invalid || e == nil:
		return nil
	case o.train:
		return errors.New("vm: WithWeights: weights that are trained stay in float32; compile the inference program with it")
	case !onHost(engine.MemoryOf(e)):
		return fmt.Errorf("vm: WithWeights: the values of engine %s are on %s, whose kernels have weights in float32; compile without it", e.Name(), engine.MemoryOf(e).Name())
	}
	return nil
}

// weights has kernels use rounded weights, those that are leaves or computed once from leaves.
func weights(p *plan) error {
	as := p.prog.unit.opts.weights
	if as == shape.Invalid {
		return nil
	}
	for _, in := range p.instrs {
		op, ok := in.op.(Weighted)
		if !ok || in.kind != compute {
			continue
		}
		p.working.at(in.node())
		w, ok := op.Weights(types(in.in))
		if !ok {
			continue
		}
		v := in.in[w.In]
		if v.root().from == fromLeaf && v.typ.DType == shape.Float32 && v.layout == engine.Rows {
			in.bound, in.weights = in.bound.WithWeights(w, v.typ, as), as
		}
	}
	return nil
}
