package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// wrongFusion is ref, but what the fuse pass makes it compute is a little off.
type wrongFusion struct{ ref.Engine }

func (e wrongFusion) BindMap(m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindMap(m, in, out)
	if len(m.Steps) < 4 || err != nil {
		return b, err
	}
	right := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		err := right(c)
		if v := engine.Slice[float32](c.Out[0]); len(v) > 0 {
			v[0] += .1
		}
		return err
	}
	return b, nil
}

// wrongEpilogue is ref, but a convolution with bias and activation is off.
type wrongEpilogue struct{ ref.Engine }

func (e wrongEpilogue) BindConv2D(p engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindConv2D(p, in, out)
	if !p.Epilogue.ReLU || err != nil {
		return b, err
	}
	right := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		err := right(c)
		v := engine.Floats(c.Out[0])
		for i := range v {
			v[i] *= 2
		}
		engine.Load(c.Out[0], v)
		return err
	}
	return b, nil
}

func (wrongEpilogue) FusesMaxPool(engine.Conv2D, engine.Pool2D, []shape.Type, shape.Type, shape.Type) bool {
	return false
}

func TestVerifyNamesPassInstructionLayerAndLine(t *testing.T) {
	m := models()["lenet"]
	infer := verifyPart{"infer", m.infer(), nil}
	_, err := infer.verify(context.Background(), wrongEpilogue{}, m, 2)
	require.ErrorContains(t, err, "pass absorb changes the result")
	require.ErrorContains(t, err, `Conv2D+Bias+ReLU, layer "conv1", line models.go:`)

	train := verifyPart{"train", m.train(optim.SGD{LR: .1, Momentum: .9}), []vm.Option{vm.Train}}
	_, err = train.verify(context.Background(), wrongFusion{}, m, 2)
	require.ErrorContains(t, err, "pass fuse changes the result")
	require.ErrorContains(t, err, `Fused, layer "optim.`)

	worst, err := train.verify(context.Background(), ref.Engine{}, m, 2)
	require.NoError(t, err)
	require.Less(t, worst, tolerance)
}
