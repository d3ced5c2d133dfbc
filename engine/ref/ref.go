package ref

import (
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
)

// Engine is the reference engine. The zero Engine is ready to use. As a gorgonia tensor.Engine it
// is StdEng: tensors made with it are in ordinary memory.
type Engine struct{ tensor.StdEng }

var (
	_ engine.Engine     = Engine{}
	_ engine.Mapper     = Engine{}
	_ engine.Reducer    = Engine{}
	_ engine.Softmaxer  = Engine{}
	_ engine.Normaliser = Engine{}
	_ engine.Recurrer   = Engine{}
	_ engine.Randomer   = Engine{}
)

const name = "ref"

// Name implements [engine.Engine].
func (Engine) Name() string { return name }

func bound(k engine.Kernel, inPlace ...engine.Overwrite) engine.Bound {
	return engine.Bound{Kernel: k, InPlace: inPlace, By: name}
}

func unsupported(kernel string, in []engine.Operand) (engine.Bound, error) {
	return engine.Bound{}, engine.Unsupported(name, kernel, in)
}
