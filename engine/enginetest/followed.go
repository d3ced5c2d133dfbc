package enginetest

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
)

// Followed is ref.Engine whose convolutions can be followed by any map: an engine for tests of what
// asks for that.
type Followed struct{ ref.Engine }

// Name implements [engine.Engine].
func (Followed) Name() string { return "followed" }

// BindConv2D implements [engine.Conv2Der].
func (e Followed) BindConv2D(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindConv2D(c, in, out)
	if err != nil {
		return b, err
	}
	conv := b
	b.Then = func(m engine.Map, more []engine.Operand) (engine.Bound, bool) {
		after, err := thenMap(e, conv, m, len(in), append(in[:len(in):len(in)], more...), []engine.Operand{out})
		return after, err == nil
	}
	return b, nil
}
