package std

import (
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/shape"
)

// Engine computes using the capabilities of another tensor.Engine. As a tensor.Engine itself it is
// tensor.StdEng.
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

// New returns an engine that computes using e, which must be safe for concurrent use. If Go code
// cannot access e's memory, nothing of it is used. A nil e means tensor.StdEng.
func New(e tensor.Engine) Engine {
	if e == nil {
		e = tensor.StdEng{}
	}
	return Engine{of: e}
}

// Name implements [engine.Engine].
func (Engine) Name() string { return name }

// Fuses implements [engine.Fuser]. It is always false, so that the library computes the op.
func (Engine) Fuses(engine.Epilogue) bool { return false }

// FusesMaxPool implements [engine.ConvPooler]. It is always false, for the same reason as Fuses.
func (Engine) FusesMaxPool(engine.Conv2D, engine.Pool2D, []shape.Type, shape.Type, shape.Type) bool {
	return false
}

// computes reports whether e's engine handles all of ts: floating-point tensors of the same element
// type with more than one element.
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

// dense returns a tensor of e's engine in the memory of b, beginning at element start.
func (e Engine) dense(b engine.Buffer, start int, dims ...int) *tensor.Dense {
	s, from := shape.OfInts(dims...), start*b.DType().Width()
	part := engine.BufferAt(b.Bytes()[from:], b.DType(), s.Len())
	return engine.DenseOf(s, part, tensor.WithEngine(e.of))
}
