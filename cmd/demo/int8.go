package main

import (
	"context"
	"io"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/vm"
)

// inInt8 makes the workload of make in 8-bit integers, by the ranges that its own inputs give.
func inInt8(ctx context.Context, make func(e engine.Engine, opts ...vm.Option) (*workload, error)) func(e engine.Engine, opts ...vm.Option) (*workload, error) {
	return func(e engine.Engine, opts ...vm.Option) (*workload, error) {
		w, err := make(e, opts...)
		if err != nil {
			return nil, err
		}
		ranges := vm.Ranges{}
		if err := w.machine.Calibrate(ctx, ranges, w.inputs...); err != nil {
			return nil, err
		}
		return make(e, append(opts, vm.Quantise(ranges))...)
	}
}

// benchInt8Layers is benchLayers for inference in 8-bit integers.
func benchInt8Layers(ctx context.Context, out io.Writer, e engine.Engine, m model, batch int) error {
	w, err := inInt8(ctx, func(e engine.Engine, opts ...vm.Option) (*workload, error) { return inferCase(e, m, batch, opts...) })(e)
	if err != nil {
		return err
	}
	return benchInstructions(ctx, out, w, "inference in 8-bit integers", batch, measureLimits())
}
