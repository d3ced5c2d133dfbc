package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx"
)

// onnxVerify compares the outputs of a file with those of ONNX Runtime.
func onnxVerify(ctx context.Context, c *call) error {
	in := c.pickInputs(1)
	tolerance := c.Float64("tolerance", 1e-4, "the largest error that is accepted, over the largest value of an output")
	engineName := c.String("engine", "cpu", "one of "+list(engines()))
	path, err := c.only("file")
	if err != nil {
		return err
	}
	m, inputs, outs, err := onnxOutputs(ctx, path, *engineName, in)
	if err != nil {
		return err
	}
	r, err := startRuntime(ctx, path, inputs, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	defer r.close()
	var off []string
	for _, o := range m.Outputs() {
		worst, largest, err := outputError(outs[o.Name], r.outputs[o.Name])
		if err != nil {
			return fmt.Errorf("output %s: %w", plain.Name(o.Name), err)
		}
		if !(worst <= *tolerance) {
			off = append(off, o.Name)
		}
		if _, err := fmt.Fprintf(c.stdout, "%s %v: the largest value is %.6g, the largest error %.2g of it\n", plain.Name(o.Name), outs[o.Name], largest, worst); err != nil {
			return err
		}
	}
	if len(off) > 0 {
		return fmt.Errorf("not as in ONNX Runtime %s to within %v: %s", r.version, *tolerance, plain.Names(off, 5))
	}
	_, err = fmt.Fprintf(c.stdout, "as in ONNX Runtime %s to within %v\n", r.version, *tolerance)
	return err
}

// outputError returns the largest error of got over the largest finite value of want, and that value. It
// is the error itself where all of want are 0, and infinite where only one of the two is not finite.
func outputError(got, want *onnx.Tensor) (worst, largest float64, err error) {
	if want == nil || got == nil {
		return 0, 0, fmt.Errorf("it is %v, and %v in ONNX Runtime", got, want)
	}
	a, b := got.Numbers(), want.Numbers()
	if !slices.Equal(got.Dims, want.Dims) || len(a) != len(b) {
		return 0, 0, fmt.Errorf("it is %v, and %v in ONNX Runtime", got, want)
	}
	for i, x := range b {
		if !math.IsInf(x, 0) {
			largest = max(largest, math.Abs(x))
		}
		switch d := math.Abs(a[i] - x); {
		case a[i] == x, math.IsNaN(a[i]) && math.IsNaN(x):
		case math.IsNaN(d):
			worst = math.Inf(1)
		default:
			worst = max(worst, d)
		}
	}
	if largest > 0 {
		worst /= largest
	}
	return worst, largest, nil
}
