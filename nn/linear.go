package nn

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// Linear is x·Wᵀ + b along the last axis. Its parameters are weight (Out,In) and, unless NoBias is
// set, bias (Out).
type Linear struct {
	Name   string
	Out    int // features of the result
	NoBias bool

	// Init initialises the weight and BiasInit the bias. The default for both is uniform on
	// ±1/sqrt(In), as in PyTorch.
	Init, BiasInit graph.Initializer
}

// Label is l.Name.
func (l Linear) Label() string { return l.Name }

// Apply returns a node (N,...,Out) for an x of (N,...,In).
func (l Linear) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within(l.Name, x, func(s Scope) *graph.Node {
		in, err := l.features(x.Type())
		if err != nil {
			return s.g.Reject("Linear", err, x)
		}
		t := x.Type()
		w := s.Param("weight", t.Of(shape.OfInts(l.Out, in)), or(l.Init, standard(in)))
		y := ops.MatMul(x, w, ops.MatMulOp{TransB: true})
		if l.NoBias {
			return y
		}
		return ops.Add(y, s.Param("bias", t.Of(shape.OfInts(l.Out)), or(l.BiasInit, standard(in))))
	})
}

func (l Linear) features(t shape.Type) (int, error) {
	if t.Rank() < 2 {
		return 0, fmt.Errorf("want a batch (N,features), have %v", t)
	}
	if err := trainable(t); err != nil {
		return 0, err
	}
	in, ok := t.Dim(-1).Int()
	switch {
	case !ok:
		return 0, errors.New("the number of features must not depend on the batch size")
	case l.Out <= 0:
		return 0, fmt.Errorf("want a positive Out, the features of the result; have %d", l.Out)
	}
	return in, nil
}
