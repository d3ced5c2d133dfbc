package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/internal/npy"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/shape"
)

// named is a flag NAME=VALUE that may be given several times.
type named map[string]string

// String implements [flag.Value].
func (n named) String() string { return "" }

// Get implements [flag.Getter].
func (n named) Get() any { return map[string]string(n) }

// Set implements [flag.Value].
func (n named) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if _, twice := n[name]; !ok || name == "" || value == "" || twice {
		return fmt.Errorf("want NAME=VALUE, each name once")
	}
	n[name] = value
	return nil
}

// onnxInputs are the flags that say what a model is run with.
type onnxInputs struct {
	files, dims named
	seed        *uint64
}

// pickInputs declares them. A seed of 0 makes up nothing.
func (c *call) pickInputs(seed uint64) onnxInputs {
	p := onnxInputs{files: named{}, dims: named{}}
	c.Var(p.files, "in", "an input, as `NAME=FILE.npy` in NumPy's format; once for each")
	c.Var(p.dims, "dim", "the extent of an open axis of inputs that are made up, as `NAME=NUMBER`; an axis without a name is INPUT.AXIS, such as x.0")
	p.seed = c.Uint64("random", seed, "make up the inputs that are not given: normal numbers, and of integers and bools 0 and 1, from this `seed`; 0 means none")
	return p
}

// maxMadeUp is how many elements an input that is made up may have.
const maxMadeUp = 1 << 28

// tensors returns the inputs of m.
func (p onnxInputs) tensors(m *onnx.Model) (map[string]*onnx.Tensor, error) {
	inputs, sizes := map[string]*onnx.Tensor{}, map[string]int{}
	for name, path := range p.files {
		if !slices.ContainsFunc(m.Proto().Graph.Inputs, func(v ir.ValueInfo) bool { return v.Name == name }) {
			return nil, usagef("-in %s: the model has no such input; demo onnx info lists them", plain.Name(name))
		}
		a, err := npy.ReadFile(path)
		if err != nil {
			return nil, err
		}
		inputs[name] = tensorOf(a)
		i := slices.IndexFunc(m.Inputs(), func(in onnx.Input) bool { return in.Name == name })
		if i < 0 {
			continue // may replace an initialiser
		}
		for k, d := range m.Inputs()[i].Dims {
			if d.Name != "" && k < len(a.Shape) {
				sizes[d.Name] = a.Shape[k]
			}
		}
	}
	missing := slices.DeleteFunc(m.Inputs(), func(in onnx.Input) bool { return inputs[in.Name] != nil })
	if len(missing) == 0 {
		return inputs, p.unused(nil)
	}
	if *p.seed == 0 {
		var names []string
		for _, in := range missing {
			names = append(names, in.String())
		}
		return nil, usagef("not given: %s; give -in NAME=FILE.npy for each, or -random 1 for numbers that are made up", strings.Join(names, ", "))
	}
	shapes, err := p.shapes(missing, sizes)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(*p.seed, 0))
	for i, in := range missing {
		if inputs[in.Name], err = madeUp(in, shapes[i], r); err != nil {
			return nil, err
		}
	}
	return inputs, nil
}

// shapes returns the shapes of inputs, whose open axes are those of the sizes and of -dim.
func (p onnxInputs) shapes(inputs []onnx.Input, sizes map[string]int) (shapes [][]int, err error) {
	var open []string
	used := map[string]bool{}
	for _, in := range inputs {
		if in.Kind != ir.TensorKind || in.Dims == nil {
			return nil, fmt.Errorf("input %v cannot be made up; give it by -in", in)
		}
		dims := make([]int, len(in.Dims))
		for k, d := range in.Dims {
			name := extentName(in, k)
			used[name] = true
			size, known := sizes[name]
			switch value, given := p.dims[name]; {
			case d.Size >= 0:
				size = d.Size
			case given:
				if size, err = strconv.Atoi(value); err != nil || size < 0 {
					return nil, usagef("-dim %s=%s: want a number", plain.Name(name), plain.Name(value))
				}
			case !known && !slices.Contains(open, name):
				open = append(open, name)
			}
			dims[k] = size
		}
		shapes = append(shapes, dims)
	}
	if len(open) > 0 {
		flags := ""
		for _, name := range open {
			flags += " -dim " + shellWord(name) + "=1"
		}
		return nil, usagef("extents of inputs are open: give them, such as by%s", flags)
	}
	return shapes, p.unused(used)
}

// extentName is how -dim calls an extent.
func extentName(in onnx.Input, axis int) string {
	if name := in.Dims[axis].Name; name != "" {
		return name
	}
	return fmt.Sprintf("%s.%d", in.Name, axis)
}

// unused returns an error if -dim names an extent that is not used.
func (p onnxInputs) unused(used map[string]bool) error {
	for name := range p.dims {
		if !used[name] {
			return usagef("-dim %s: no input that is made up has such an extent", plain.Name(name))
		}
	}
	return nil
}

// madeUp returns an input of random numbers.
func madeUp(in onnx.Input, dims []int, r *rand.Rand) (*onnx.Tensor, error) {
	n := 1
	for _, d := range dims {
		if n *= d; n > maxMadeUp {
			return nil, fmt.Errorf("input %v of extents %v would have more than %s elements", in, dims, thousands(maxMadeUp))
		}
	}
	bit := func() int { return r.IntN(2) }
	t := &onnx.Tensor{Type: in.Type, Dims: dims}
	switch in.Type {
	case ir.Float:
		t.Data = filled(n, func() float32 { return float32(r.NormFloat64()) })
	case ir.Double:
		t.Data = filled(n, r.NormFloat64)
	case ir.Float16:
		t.Data = filled(n, func() shape.Half { return shape.HalfOf32(float32(r.NormFloat64())) })
	case ir.Bool:
		t.Data = filled(n, func() bool { return bit() == 1 })
	case ir.Int8:
		t.Data = filled(n, func() int8 { return int8(bit()) })
	case ir.Int16:
		t.Data = filled(n, func() int16 { return int16(bit()) })
	case ir.Int32:
		t.Data = filled(n, func() int32 { return int32(bit()) })
	case ir.Int64:
		t.Data = filled(n, func() int64 { return int64(bit()) })
	case ir.Uint8:
		t.Data = filled(n, func() uint8 { return uint8(bit()) })
	case ir.Uint16:
		t.Data = filled(n, func() uint16 { return uint16(bit()) })
	case ir.Uint32:
		t.Data = filled(n, func() uint32 { return uint32(bit()) })
	case ir.Uint64:
		t.Data = filled(n, func() uint64 { return uint64(bit()) })
	default:
		return nil, fmt.Errorf("input %v cannot be made up; give it by -in", in)
	}
	return t, nil
}

func filled[T any](n int, f func() T) []T {
	v := make([]T, n)
	for i := range v {
		v[i] = f()
	}
	return v
}

// tensorOf returns an array of NumPy's as a tensor.
func tensorOf(a *npy.Array) *onnx.Tensor {
	t := &onnx.Tensor{Dims: a.Shape, Data: a.Data}
	switch a.Data.(type) {
	case []float32:
		t.Type = ir.Float
	case []float64:
		t.Type = ir.Double
	case []shape.Half:
		t.Type = ir.Float16
	case []bool:
		t.Type = ir.Bool
	case []int8:
		t.Type = ir.Int8
	case []int16:
		t.Type = ir.Int16
	case []int32:
		t.Type = ir.Int32
	case []int64:
		t.Type = ir.Int64
	case []uint8:
		t.Type = ir.Uint8
	case []uint16:
		t.Type = ir.Uint16
	case []uint32:
		t.Type = ir.Uint32
	case []uint64:
		t.Type = ir.Uint64
	}
	return t
}

// arrayOf returns a tensor as an array of NumPy's: in its own type where NumPy has that, else in
// float32.
func arrayOf(t *onnx.Tensor) *npy.Array {
	a := &npy.Array{Shape: t.Dims, Data: t.Data}
	if tensorOf(a).Type == t.Type {
		return a
	}
	v := make([]float32, 0, t.Len())
	for _, x := range t.Numbers() {
		v = append(v, float32(x))
	}
	a.Data = v
	return a
}
