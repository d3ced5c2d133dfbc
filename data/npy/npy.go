package npy

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/npy"
	"github.com/plexaura/plexaura/shape"
)

// Load reads the dataset of the inputs in the file x and the targets in the file y, arrays with the
// examples along axis 0. Inputs are float32, float64, or uint8, which are intensities from 0 to 255 and
// become 0 to 1. Targets are integers, class numbers, or float32 or float64, numbers; one for each
// example, or an array. info has the rest, such as Classes; its Input and Target are those of the files.
func Load(x, y string, info data.Info) (data.Dataset, error) {
	inputs, err := read(x)
	if err != nil {
		return nil, err
	}
	targets, err := read(y)
	if err != nil {
		return nil, err
	}
	if inputs.Shape[0] != targets.Shape[0] {
		return nil, fmt.Errorf("npy: %s has %d examples, %s has %d", x, inputs.Shape[0], y, targets.Shape[0])
	}
	info.Input = each(shape.Float32, inputs)
	if bytes, ok := inputs.Data.([]uint8); ok {
		return with(bytes, y, targets, info)
	}
	v, err := float32s(x, inputs)
	if err != nil {
		return nil, err
	}
	return with(v, y, targets, info)
}

// with makes the dataset of inputs with the targets in a file.
func with[X uint8 | float32](x []X, file string, targets *npy.Array, info data.Info) (data.Dataset, error) {
	if labels, ok, err := integers(targets.Data); ok {
		if err != nil {
			return nil, fmt.Errorf("npy: %s: %w", file, err)
		}
		info.Target = each(shape.Int32, targets)
		return made(data.New(x, labels, info))
	}
	y, err := float32s(file, targets)
	if err != nil {
		return nil, err
	}
	info.Target = each(shape.Float32, targets)
	return made(data.New(x, y, info))
}

// made keeps a nil pointer from becoming a dataset.
func made[X uint8 | float32](ds *data.Memory[X], err error) (data.Dataset, error) {
	if err != nil {
		return nil, err
	}
	return ds, nil
}

func read(path string) (*npy.Array, error) {
	a, err := npy.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	if len(a.Shape) == 0 || len(a.Shape) > shape.MaxRank {
		return nil, fmt.Errorf("npy: %s: an array of %d axes; want 1 to %d, the first of them the examples", path, len(a.Shape), shape.MaxRank)
	}
	return a, nil
}

// each is the type of one example.
func each(d shape.DType, a *npy.Array) shape.Type {
	var dims []shape.Dim
	for _, n := range a.Shape[1:] {
		dims = append(dims, shape.Dim(n))
	}
	return shape.Make(d, dims...)
}

func float32s(path string, a *npy.Array) ([]float32, error) {
	n := 1
	for _, d := range a.Shape {
		n *= d
	}
	v := make([]float32, n)
	if err := a.Float32s(v); err != nil {
		return nil, fmt.Errorf("npy: %s: %w", path, err)
	}
	for i, f := range v {
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			return nil, fmt.Errorf("npy: %s: element %d is %v; want finite numbers", path, i, f)
		}
	}
	return v, nil
}

// integers returns class numbers, and false if v has none.
func integers(v any) (labels []int64, ok bool, err error) {
	switch v := v.(type) {
	case []int64:
		return v, true, nil
	case []int32:
		return widened(v), true, nil
	case []int16:
		return widened(v), true, nil
	case []int8:
		return widened(v), true, nil
	case []uint8:
		return widened(v), true, nil
	case []uint16:
		return widened(v), true, nil
	case []uint32:
		return widened(v), true, nil
	case []uint64:
		for i, n := range v {
			if n > math.MaxInt32 {
				return nil, true, fmt.Errorf("element %d is %d, which is no class number", i, n)
			}
		}
		return widened(v), true, nil
	}
	return nil, false, nil
}

func widened[T int32 | int16 | int8 | uint8 | uint16 | uint32 | uint64](v []T) []int64 {
	out := make([]int64, len(v))
	for i, n := range v {
		out[i] = int64(n)
	}
	return out
}
