package vm_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// undoing has a rule that turns it into its opposite, which has one that turns it back.
type undoing struct{ Up bool }

func (undoing) Name() string                              { return "Undoing" }
func (undoing) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (u undoing) Simplify(n *graph.Node) *graph.Node      { return graph.Apply(undoing{!u.Up}, n.In(0)) }
func (undoing) Map(_ []shape.Type, out shape.Type) engine.Map {
	return engine.MapOf(engine.Copy, out.DType, engine.In(0))
}

// growing has a rule that makes the graph larger each time.
type growing struct{}

func (growing) Name() string                              { return "Growing" }
func (growing) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (growing) Simplify(n *graph.Node) *graph.Node {
	return graph.Apply(growing{}, ops.Neg(ops.Neg(n.In(0))))
}
func (growing) Map(_ []shape.Type, out shape.Type) engine.Map {
	return engine.MapOf(engine.Copy, out.DType, engine.In(0))
}

// Theano#4797: rewriting went on for ever.
func TestPassesTerminate(t *testing.T) {
	for _, op := range []graph.Op{undoing{}, growing{}} {
		_, x := vector()
		y := graph.Apply(op, graph.Apply(op, graph.Apply(op, x)))
		done := make(chan error, 1)
		go func() {
			_, err := vm.Compile(ref.Engine{}, []*graph.Node{y}, vm.Checked)
			done <- err
		}()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(time.Minute): // a bound on a hang, not on speed
			t.Fatalf("%s: compiling does not end", op.Name())
		}
	}
}

// gorgonia's hash of ops (op_softmax.go, op_dropout.go) left attributes out, so that
// different ops became one node.
func TestSoftmaxIsNotLogSoftmax(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 3))
	outs := []*graph.Node{
		ops.Softmax(x, 1), ops.LogSoftmax(x, 1), ops.Softmax(x, 0),
		ops.LeakyReLU(x, .1), ops.LeakyReLU(x, .2), ops.Sum(x, 0), ops.Sum(x, 1), ops.MulScalar(x, 0), ops.Neg(ops.MulScalar(x, 0)),
	}
	got := compute(t, outs, f32([]float32{-1, 2, 3, 4, 5, 7}, 2, 3))
	for i := range got {
		for j := range i {
			a, b := floats(got[i]), floats(got[j])
			if len(a) == len(b) && i < 7 {
				require.NotEqual(t, a, b, "%v and %v", outs[i], outs[j])
			}
		}
	}
	require.Equal(t, float32(0), floats(got[7])[1])
}
