package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// weighted returns tr, whose input 1 is weights, with these in each small type. The kernel of ref
// computes with what [engine.Round] gives.
func (tr trial) weighted(w engine.Weights) (all []trial) {
	if tr.in[w.In].DType != shape.Float32 {
		return nil
	}
	for _, as := range []shape.DType{shape.BFloat16, shape.Int8} {
		small := tr
		small.op += fmt.Sprintf(" with weights in %v", as)
		small.bind = func(e engine.Engine, in, out []engine.Operand) (engine.Bound, error) {
			b, err := tr.bind(e, in, out)
			if err != nil {
				return b, err
			}
			return b.WithWeights(w, tr.in[w.In], as), nil
		}
		all = append(all, small)
	}
	return all
}
