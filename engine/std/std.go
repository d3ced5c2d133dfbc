package std

import (
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/shape"
)

// Engine computes with the capabilities of another tensor.Engine. As a tensor.Engine itself it
// is tensor.StdEng.
type Engine struct {
	ref.Engine
	of tensor.Engine
}

var (
	_ engine.Engine   = Engine{}
	_ engine.Mapper   = Engine{}
	_ engine.MatMuler = Engine{}
	_ engine.Fuser    = Engine{}
)

const name = "std"

// New returns the engine that computes with e, which must be safe for use by many goroutines.
// Of one whose memory Go cannot reach nothing is used; nil stands for tensor.StdEng.
func New(e tensor.Engine) Engine {
	if e == nil {
		e = tensor.StdEng{}
	}
	return Engine{of: e}
}

// Name implements [engine.Engine].
func (Engine) Name() string { return name }

// Fuses implements [engine.Fuser]: nothing is taken in, so that the library gets to do it.
func (Engine) Fuses(engine.Epilogue) bool { return false }

// FusesMaxPool implements [engine.ConvPooler]: no, as for Fuses.
func (Engine) FusesMaxPool(engine.Conv2D, engine.Pool2D, []shape.Type, shape.Type, shape.Type) bool {
	return false
}

// computes reports whether e's engine works with all of ts: floating-point tensors of more than
// one element, of which scalars and empty ones are not.
func (e Engine) computes(ts ...shape.Type) bool {
	if !e.of.AllocAccessible() {
		return false
	}
	for _, t := range ts {
		if t.Len() < 2 || t.DType != ts[0].DType || !e.accepts(t.DType) {
			return false
		}
	}
	return true
}

func (e Engine) accepts(d shape.DType) bool {
	switch e.of.(type) {
	case tensor.Float32Engine, *tensor.Float32Engine:
		return d == shape.Float32
	case tensor.Float64Engine, *tensor.Float64Engine:
		return d == shape.Float64
	}
	return d.IsFloat()
}

// dense returns a tensor of e's engine in the memory of b, from element start on.
func (e Engine) dense(b engine.Buffer, start int, dims ...int) *tensor.Dense {
	s, from := shape.OfInts(dims...), start*b.DType().Width()
	part := engine.BufferAt(b.Bytes()[from:], b.DType(), s.Len())
	return engine.DenseOf(s, part, tensor.WithEngine(e.of))
}
