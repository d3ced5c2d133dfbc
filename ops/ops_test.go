package ops_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/autodiff/gradcheck/cases"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// reason says why an op has no gradient, or is "".
func reason(op graph.Op) string {
	if no, ok := op.(autodiff.NotDifferentiable); ok {
		return no.NotDifferentiable()
	}
	return ""
}

func TestCatalogueOpsAreComparableAndNamed(t *testing.T) {
	names := map[string]graph.Op{}
	for _, op := range ops.All {
		require.True(t, reflect.TypeOf(op).Comparable(), "%T", op)
		require.NotEmpty(t, op.Name(), "%T", op)
		require.NotContains(t, names, op.Name(), "%T has the name of another op", op)
		names[op.Name()] = op
	}
}

func TestCatalogueOpsCanBeComputed(t *testing.T) {
	for _, op := range ops.All {
		_, bindable := op.(vm.Bindable)
		_, elementwise := op.(engine.ElementwiseOp)
		_, uniform := op.(engine.UniformOp)
		_, aliaser := op.(vm.Aliaser)
		require.True(t, bindable || elementwise || uniform || aliaser, "%s is neither Bindable, Elementwise, Uniform nor an Aliaser", op.Name())
	}
}

func TestCatalogueOpsAreDifferentiableOrSayWhyNot(t *testing.T) {
	for _, op := range ops.All {
		_, differentiable := op.(autodiff.Differentiable)
		require.True(t, differentiable || reason(op) != "", "%s has neither a gradient nor a reason for having none", op.Name())
	}
}

func TestCatalogueOpsRefuseAnyNumberOfInputsButTheirs(t *testing.T) {
	for _, op := range ops.All {
		_, err := op.Infer(nil)
		require.Error(t, err, "%s without inputs", op.Name())
		if op.Name() == "Concat" {
			continue
		}
		_, err = op.Infer(make([]shape.Type, 9))
		require.Error(t, err, "%s of 9 inputs", op.Name())
	}
}

// Every op is met in the graphs of the table of gradient checks, or its gradients, and
// those are made of nothing but the catalogue.
func TestCatalogueIsClosedAndInTheTableOfGradients(t *testing.T) {
	known, met := map[reflect.Type]bool{}, map[string]bool{}
	for _, op := range ops.All {
		known[reflect.TypeOf(op)] = true
	}
	for _, c := range cases.All() {
		met[c.Op] = true
		for _, n := range gradients(t, c, 2) {
			if n.Kind() != graph.Computed {
				continue
			}
			require.True(t, known[reflect.TypeOf(n.Op())], "%s/%s uses %T, which ops.All does not list", c.Op, c.Label, n.Op())
			met[n.Op().Name()] = true
		}
	}
	for _, op := range ops.All {
		require.True(t, met[op.Name()] || reason(op) != "", "%s is in no row of autodiff/gradcheck/cases", op.Name())
	}
}

// gradients returns the nodes of a row's graph with its gradients up to an order.
func gradients(t *testing.T, c cases.Case, order int) []*graph.Node {
	t.Helper()
	g := graph.New()
	var xs, by []*graph.Node
	for i, in := range c.In {
		x := g.Input(fmt.Sprintf("x%d", i), in.Type)
		xs = append(xs, x)
	}
	y := c.F(xs...)
	g = y.Graph()
	for _, x := range xs {
		if x := g.Leaf(x.Name()); x != nil && x.Type().IsFloat() {
			by = append(by, x)
		}
	}
	ys := []*graph.Node{y}
	for k := range order {
		var next []*graph.Node
		for i, y := range ys {
			dy := g.Input(fmt.Sprintf("dy%d.%d", k, i), y.Type())
			next = append(next, autodiff.VJP(y, dy, by...)...)
			by = append(by, dy)
		}
		ys = next
	}
	require.NoError(t, g.Err(), "%s/%s", c.Op, c.Label)
	return g.Nodes()
}
