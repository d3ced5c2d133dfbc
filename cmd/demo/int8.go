package main

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/regular"
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
		quantised, err := make(e, append(opts, vm.Quantise(ranges))...)
		if err != nil {
			return nil, err
		}
		quantised.err, err = quantised.distanceFrom(w)
		return quantised, err
	}
}

// distanceFrom is the distance of the first output of w from that of exact, relative to its length.
func (w *workload) distanceFrom(exact *workload) (float64, error) {
	want, err := exact.run()
	if err != nil {
		return 0, err
	}
	got, err := w.run()
	if err != nil {
		return 0, err
	}
	off, length := 0.0, 0.0
	for i, x := range want[0].Float32s() {
		d := float64(got[0].Float32s()[i]) - float64(x)
		off, length = off+d*d, length+float64(x)*float64(x)
	}
	return math.Sqrt(off / length), nil
}

// benchInt8Layers is benchLayers for inference in 8-bit integers.
func benchInt8Layers(ctx context.Context, out io.Writer, e engine.Engine, m model, batch int) error {
	w, err := inInt8(ctx, func(e engine.Engine, opts ...vm.Option) (*workload, error) { return inferCase(e, m, batch, opts...) })(e)
	if err != nil {
		return err
	}
	return benchInstructions(ctx, out, w, "inference in 8-bit integers", batch, measureLimits())
}

// fewerBits is the flags that have an inference program compute with fewer bits.
type fewerBits struct {
	weights weightsType
	ranges  *string
}

func (c *call) pickFewerBits() fewerBits {
	return fewerBits{c.pickWeightsType(), c.String("ranges", "", "compute in 8-bit integers by the ranges in this `file`, which demo calibrate writes")}
}

// options returns the options of the program: none for float32.
func (s fewerBits) options() ([]vm.Option, error) {
	opts, err := s.weights.options()
	if err != nil || *s.ranges == "" {
		return opts, err
	}
	if len(opts) > 0 {
		return nil, usagef("-ranges: weights are int8 then; run it without -weights-type")
	}
	f, err := regular.Open(*s.ranges)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ranges, err := vm.ReadRanges(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", *s.ranges, err)
	}
	return []vm.Option{vm.Quantise(ranges)}, nil
}

// what names what is in fewer bits: the arithmetic, or only the weights.
func (s fewerBits) what() string {
	if *s.ranges != "" {
		return "arithmetic"
	}
	return "weights"
}
