package enginetest

import (
	"fmt"
	"math/rand/v2"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// trial is one kernel to be bound for given types, and the numbers to run it on.
type trial struct {
	op       string // name and attributes
	bind     binder
	in, out  []shape.Type
	layout   engine.Layout // of the first laidIn inputs and, if laidOut is set, of the output
	laidIn   int
	laidTail int // number of the last inputs that have the layout of the output
	laidOut  bool
	data     []source // by input
	limit    limit
	fails    bool            // the numbers are such that the kernel must return an error
	chooses  bool            // input 0 selects the terms, and is not a term itself
	keeps    bool            // denormals count, even for an engine that flushes them in arithmetic
	weights  *engine.Weights // which input is weights, if one is
	twice    bool            // an input may share the memory of another even if an output overwrites both
}

type binder func(e engine.Engine, in, out []engine.Operand) (engine.Bound, error)

// one makes a binder from the usual Bind method, for one output.
func one(bind func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error)) binder {
	return func(e engine.Engine, in, out []engine.Operand) (engine.Bound, error) { return bind(e, in, out[0]) }
}

// String returns "Sum{axes 3}: float32(2,3,4) -> float32(4)".
func (tr trial) String() string {
	return fmt.Sprintf("%s: %v -> %v", tr.op, tr.operands(), tr.results())
}

// gen draws trials for an engine.
type gen struct {
	*rand.Rand
	engine engine.Engine
	opts   Options
}

// extents are those at which kernels tend to fail: one, primes, and around the widths of vectors.
var extents = []int{1, 1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 15, 16, 17, 23, 31, 32, 33, 63, 64, 65, 127, 129}

// edges are the extents in every table: zero, one, primes, and one more or less than the widths of
// vectors.
var edges = []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 61, 63, 64, 65}

// extent draws an extent of at most most, and occasionally 0.
func (g *gen) extent(most int) int {
	if g.IntN(40) == 0 {
		return 0
	}
	return g.positive(most)
}

func (g *gen) positive(most int) int {
	for {
		if e := extents[g.IntN(len(extents))]; e <= most {
			return e
		}
	}
}

// shape draws a shape of the given rank with at most about size elements.
func (g *gen) shape(rank, size int) shape.Shape {
	dims := make([]int, rank)
	for i := range g.Perm(rank) {
		dims[i] = g.extent(max(size, 1))
		size /= max(dims[i], 1)
	}
	g.Shuffle(rank, func(i, j int) { dims[i], dims[j] = dims[j], dims[i] })
	return shape.OfInts(dims...)
}

var (
	floats  = []shape.DType{shape.Float32, shape.Float32, shape.Float64}
	numeric = []shape.DType{shape.Float32, shape.Float64, shape.Int32, shape.Int64, shape.Uint8}
	dtypes  = shape.DTypes()
)

func pick[T any](g *gen, of ...T) T { return of[g.IntN(len(of))] }

func (g *gen) bool() bool { return g.IntN(2) == 0 }

// repeat returns n times s.
func repeat(s source, n int) []source {
	all := make([]source, n)
	for i := range all {
		all[i] = s
	}
	return all
}
