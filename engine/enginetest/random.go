package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Random numbers must be bit-identical to ref's: a seed gives the same run on every engine.
func randomTrial(d engine.Distribution, stream uint64, out shape.Type) trial {
	return trial{
		op: fmt.Sprintf("Random{distribution %d stream %d}", d, stream),
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Randomer).BindRandom(d, stream, in, out)
		}),
		in: []shape.Type{shape.I64(2)}, out: []shape.Type{out}, data: []source{nil}, limit: limit{bits: true},
	}
}

func randomTable(*gen) (all []trial) {
	for _, d := range []engine.Distribution{engine.Uniform, engine.Normal} {
		all = append(all, randomTrial(d, 3, shape.F32(20_011)), randomTrial(d, 1<<63, shape.F64(1001)), randomTrial(d, 0, shape.F32()))
	}
	return all
}

func randomRandom(g *gen) trial {
	out := shape.Type{DType: pick(g, floats...), Shape: g.shape(g.IntN(4), 1000)}
	return randomTrial(pick(g, engine.Uniform, engine.Normal), g.Uint64(), out)
}
