package cpu

import (
	"errors"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// Engine computes on the processor. It is comparable and safe for use by many goroutines;
// all Engines share one pool of workers, which sleep while there is nothing to do. The zero
// Engine is not ready: see [New].
type Engine struct {
	ref.Engine
	pool  *par.Pool
	simd  *simd.Kernels
	exact bool // no Winograd
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
	_ engine.Recurrer  = Engine{}
	_ engine.Mover     = Engine{}
	_ engine.Randomer  = Engine{}
	_ engine.Fuser     = Engine{}
	_ engine.Sharer    = Engine{}
	_ engine.Watchable = Engine{}
	_ engine.Limiter   = Engine{}

	_ engine.ConvPooler   = Engine{}
	_ engine.WindowSummer = Engine{}
	_ engine.Accumulator  = Engine{}
	_ engine.Resampler    = Engine{}
)

const name = "cpu"

// Option changes what [New] returns.
type Option func(*Engine)

// ExactConv forbids Winograd's algorithm: every convolution and gradient sums the products of its
// definition. With the usual weights and activations, errors in float32 are then at most 2e-6 of
// the largest result, or 4e-6 for gradients of filters. Without it they are at most 1e-5 and 2e-5
// where the algorithm is used, F(4x4,3x3), F(2x2,5x5), or F(4,5) of interleaved images, which
// multiplies up to four times less often. float64 never uses it.
func ExactConv(e *Engine) {
	if e != nil {
		e.exact = true
	}
}

// AtLevel takes the kernels of a level, one of [isa.Levels], for tests that compare them.
func AtLevel(l isa.Level) Option { return func(e *Engine) { e.simd = simd.With(l) } }

// New returns the engine with the fastest kernels that this processor runs. An option that is nil
// changes nothing.
func New(options ...Option) Engine {
	e := Engine{pool: par.Default(), simd: simd.Best()}
	for _, o := range options {
		if o != nil {
			o(&e)
		}
	}
	return e
}

// Name implements [engine.Engine].
func (Engine) Name() string { return name }

// Ready says that the zero Engine has no kernels. The vm asks it before it compiles.
func (e Engine) Ready() error {
	if e.simd == nil {
		return errors.New("the zero cpu.Engine has no kernels; make one by cpu.New()")
	}
	return nil
}

// Share implements [engine.Sharer].
func (e Engine) Share(n int, body func(lo, hi int)) { e.pool.For(n, 1, body) }

// Watched implements [engine.Watchable].
func (e Engine) Watched(w engine.Watcher) engine.Engine {
	e.pool = e.pool.Watched(w)
	return e
}

// Workers implements [engine.Watchable].
func (e Engine) Workers() int { return e.pool.Crew() }

// Limited implements [engine.Limiter].
func (e Engine) Limited(threads int) engine.Engine {
	e.pool = e.pool.AtMost(threads)
	return e
}

// sameDType reports whether all of ts have element type d.
func sameDType(d shape.DType, ts []shape.Type) bool {
	for _, t := range ts {
		if t.DType != d {
			return false
		}
	}
	return true
}
