package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/shape"
)

// Engine computes on the processor. It is comparable and safe for use by many goroutines;
// all Engines share one pool of workers, which sleep while there is nothing to do. The zero
// Engine is not ready: see [New].
type Engine struct {
	ref.Engine
	pool *par.Pool
	simd *simd.Kernels
}

var (
	_ engine.Engine    = Engine{}
	_ engine.Mapper    = Engine{}
	_ engine.Reducer   = Engine{}
	_ engine.MatMuler  = Engine{}
	_ engine.Conv2Der  = Engine{}
	_ engine.MaxPooler = Engine{}
	_ engine.AvgPooler = Engine{}
	_ engine.Softmaxer = Engine{}
	_ engine.Mover     = Engine{}
	_ engine.Randomer  = Engine{}
	_ engine.Fuser     = Engine{}
	_ engine.Sharer    = Engine{}

	_ engine.ConvPooler   = Engine{}
	_ engine.WindowSummer = Engine{}
)

const name = "cpu"

// New returns the engine with the fastest kernels that this processor runs.
func New() Engine { return Engine{pool: par.Default(), simd: simd.Best()} }

// Name implements [engine.Engine].
func (Engine) Name() string { return name }

// Share implements [engine.Sharer].
func (e Engine) Share(n int, body func(lo, hi int)) { e.pool.For(n, 1, body) }

// sameDType reports whether all of ts have element type d.
func sameDType(d shape.DType, ts []shape.Type) bool {
	for _, t := range ts {
		if t.DType != d {
			return false
		}
	}
	return true
}
