package data

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/shape"
)

// Memory is a dataset in memory. It is immutable if the inputs given to [New] are.
type Memory[X uint8 | float32] struct {
	info       Info
	n          int // number of examples
	size, each int // number of elements of one input and of one target
	x          []X
	labels     []int32 // one of labels and targets is nil
	targets    []float32
	levels     [][256]float32 // the value for each byte, by channel
}

// New returns the dataset of the inputs x and targets y. Both contain one example after the other,
// in row-major order. Bytes are intensities from 0 to 255, which become 0 to 1; then
// info.Preprocess is applied.
//
// New completes info: an Input without an element type is float32; a zero Target is one class
// number for integers y and one float32 for float32. For images with class numbers, Info{Input:
// shape.F32(1, 28, 28)} is therefore sufficient. x is not copied. A class number below 0, or one
// without a name if info has Classes, is an error.
func New[X uint8 | float32, Y Target](x []X, y []Y, info Info) (*Memory[X], error) {
	info.Input.DType = cmp.Or(info.Input.DType, shape.Float32)
	info.Target.DType = cmp.Or(info.Target.DType, targetType[Y]())
	if err := info.Err(); err != nil {
		return nil, prefixed(err)
	}
	if info.Target.DType != targetType[Y]() {
		return nil, fmt.Errorf("data: target type %v, but the targets are %T", info.Target, y)
	}
	info.Classes = slices.Clone(info.Classes)
	d := &Memory[X]{info: info, size: info.Input.Len(), each: info.Target.Len(), x: x}
	d.n = len(x) / d.size
	switch {
	case len(x) != d.n*d.size:
		return nil, fmt.Errorf("data: %d elements are not a whole number of inputs %v", len(x), info.Input)
	case len(y) != d.n*d.each:
		return nil, fmt.Errorf("data: %d inputs %v, but %d elements of targets %v", d.n, info.Input, len(y), info.Target)
	}
	if _, bytes := any(x).([]uint8); bytes {
		d.levels = levels(info.Preprocess)
	}
	if info.Target.DType == shape.Float32 {
		d.targets = convert[float32](y)
		return d, nil
	}
	if err := checkLabels(y, d.each, info.Classes); err != nil {
		return nil, err
	}
	d.labels = convert[int32](y)
	return d, nil
}

// Target is the element type of the targets that [New] takes: class numbers or numbers.
type Target interface {
	int | int64 | int32 | uint8 | float32
}

func checkLabels[Y Target](y []Y, each int, classes []string) error {
	last := int64(math.MaxInt32)
	if classes != nil {
		last = int64(len(classes)) - 1
	}
	for i, v := range y {
		if v := int64(v); v < 0 || v > last {
			return fmt.Errorf("data: example %d has class %d; want 0 to %d", i/each, v, last)
		}
	}
	return nil
}

// Len returns the number of examples.
func (d *Memory[X]) Len() int {
	if d == nil {
		return 0
	}
	return d.n
}

// Info describes the examples.
func (d *Memory[X]) Info() Info {
	if d == nil {
		return Info{}
	}
	return d.info
}

// Read writes example i into e.
func (d *Memory[X]) Read(i int, e Example) error {
	if n := d.Len(); i < 0 || i >= n {
		return fmt.Errorf("data: no example %d among %d", i, n)
	}
	room := len(e.Labels)
	if d.labels == nil {
		room = len(e.Targets)
	}
	if len(e.X) != d.size || room != d.each {
		return fmt.Errorf("data: room for %d and %d elements; want %v and %v", len(e.X), room, d.info.Input, d.info.Target)
	}
	switch x := any(d.x).(type) {
	case []float32:
		copy(e.X, x[i*d.size:])
		d.info.Preprocess.Apply(e.X)
	case []uint8:
		d.expand(e.X, x[i*d.size:][:d.size])
	}
	if d.labels != nil {
		copy(e.Labels, d.labels[i*d.each:])
	} else {
		copy(e.Targets, d.targets[i*d.each:])
	}
	return nil
}

// Label implements [Labelled].
func (d *Memory[X]) Label(i int) (int32, bool) {
	if i < 0 || i >= d.Len() || d.info.Target != shape.I32() {
		return 0, false
	}
	return d.labels[i], true
}

// expand converts bytes to preprocessed intensities by table lookup, channel by channel.
func (d *Memory[X]) expand(dst []float32, src []uint8) {
	plane := len(dst) / len(d.levels)
	for c := range d.levels {
		level, dst := &d.levels[c], dst[c*plane:][:plane]
		for i, v := range src[c*plane:][:plane] {
			dst[i] = level[v]
		}
	}
}

// levels tabulates the preprocessed value of each byte, for each channel.
func levels(p Preprocess) [][256]float32 {
	t := make([][256]float32, p.channels())
	for c := range t {
		for v := range t[c] {
			t[c][v] = p.normalise(c, float32(v)/255)
		}
	}
	return t
}

func targetType[Y Target]() shape.DType {
	if _, ok := any(*new(Y)).(float32); ok {
		return shape.Float32
	}
	return shape.Int32
}

func convert[To int32 | float32, From Target](from []From) []To {
	to := make([]To, len(from))
	for i, v := range from {
		to[i] = To(v)
	}
	return to
}
