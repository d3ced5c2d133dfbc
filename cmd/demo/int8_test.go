package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/vm"
)

// How far logits in 8-bit integers are from those in float32, relative to the length of these, with the
// values of bench. PERFORMANCE.md has the figures, and those of ONNX Runtime.
func TestLogitsInInt8(t *testing.T) {
	if testing.Short() {
		t.Skip("runs networks for ImageNet")
	}
	for name, limit := range map[string]float64{"alexnet": .006, "resnet18": .005, "resnet50": .003, "mobilenetv2": .003, "squeezenet": .005} {
		make := func(e engine.Engine, opts ...vm.Option) (*workload, error) {
			return inferCase(e, models()[name], 2, opts...)
		}
		w, err := inInt8(context.Background(), make)(cpu.New())
		require.NoError(t, err)
		t.Logf("%s: %.2g", name, w.err)
		require.Less(t, w.err, limit, name)
		require.NotZero(t, w.err, name)
	}
}
