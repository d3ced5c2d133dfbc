package ops

import (
	"fmt"
	"math/rand/v2"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/philox"
	"github.com/plexaura/plexaura/shape"
)

var randomOps = []graph.Op{randomOp{Type: shape.F32()}}

// RNG returns the state of the random generator of g: the State "rng", Int64(2). It contains a
// seed, which is drawn when the store initialises it, and the number of training steps made. The
// first call adds it, together with the update that counts the steps.
func RNG(g *graph.Graph) *graph.Node {
	if g == nil {
		return g.Reject("RNG", nil)
	}
	if rng := g.Leaf("rng"); rng != nil {
		return rng
	}
	rng := g.State("rng", rngType, drawSeed{})
	if rng.Valid() {
		g.Update(rng, Add(rng, g.Const(rngType, []float64{0, 1})))
	}
	return rng
}

var rngType = shape.I64(2)

// drawSeed initialises the state of an RNG.
type drawSeed struct{}

// Fill sets a seed that float64 represents exactly, and step 0.
func (drawSeed) Fill(v []float64, _ shape.Type, r *rand.Rand) {
	v[0], v[1] = float64(r.Uint64()>>11), 0
}

// Random returns random numbers of shape s, with the floating-point type of like. They change with
// every training step. Each use has its own stream, identified by its layer and its index there, so
// that nodes added elsewhere do not change its numbers.
func Random(like *graph.Node, s shape.Shape, d engine.Distribution) *graph.Node {
	if bad := refusedUnlessFloat("Random", like); bad != nil {
		return bad
	}
	g := like.Graph()
	return graph.Apply(randomOp{like.Type().Of(s), d, stream(g)}, RNG(g))
}

// stream returns the number of the next stream in g's current layer.
func stream(g *graph.Graph) uint64 {
	s := g.Memo(streamsKey{}, func() any { return &streams{layers: map[string]int{}} }).(*streams)
	for _, n := range g.Nodes()[s.looked:] {
		if _, ok := n.Op().(randomOp); ok {
			s.layers[n.Layer()]++
		}
	}
	s.looked = len(g.Nodes())
	return philox.ID(fmt.Sprintf("%s#%d", g.Layer(), s.layers[g.Layer()]))
}

type streamsKey struct{}

// streams counts the random ops of each layer among the nodes of a graph seen so far.
type streams struct {
	looked int
	layers map[string]int
}

type randomOp struct {
	Type         shape.Type // not inferable, because the only input is the state
	Distribution engine.Distribution
	Stream       uint64
}

func (randomOp) Name() string { return "Random" }

func (op randomOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	if in[0] != rngType {
		return t, fmt.Errorf("the state of the generator is %v; want %v, as RNG makes it", in[0], rngType)
	}
	return op.Type, op.Type.Shape.Err()
}

func (randomOp) Grad(_, _ *graph.Node) []*graph.Node { return one(nil) }

// WithDType implements [graph.Retyper].
func (op randomOp) WithDType(d shape.DType) graph.Op {
	op.Type = op.Type.As(d)
	return op
}

func (op randomOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	r, ok := e.(engine.Randomer)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "random numbers")
	}
	return r.BindRandom(op.Distribution, op.Stream, in, out)
}

// Dropout sets each element of x to 0 with probability p, 0 <= p < 1, and divides the others by 1-p
// (Srivastava et al., 2014). In inference it returns x.
func Dropout(x *graph.Node, p float64) *graph.Node {
	bad := refused("Dropout", func() error {
		if !(p >= 0 && p < 1) {
			return fmt.Errorf("probability %v; want 0 <= p < 1", p)
		}
		return wantFloat(x.Type())
	}, x)
	if bad != nil {
		return bad
	}
	if p == 0 || x.Graph().Infers() {
		return x
	}
	u := Random(x, x.Type().Shape, engine.Uniform)
	keep := GreaterEqual(u, Scalar(u, p))
	return ByMode(Where(keep, MulScalar(x, 1/(1-p)), Scalar(x, 0)), x)
}
