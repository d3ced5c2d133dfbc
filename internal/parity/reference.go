package parity

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/shape"
)

//go:embed pytorch/*.json.gz
var files embed.FS

// read decodes a file of the folder pytorch, with one value per line.
func read[T any](name string) (all []T, err error) {
	data, err := files.ReadFile("pytorch/" + name)
	if err != nil {
		return nil, fmt.Errorf("parity: %w", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("parity: %s: %w", name, err)
	}
	d := json.NewDecoder(z)
	d.DisallowUnknownFields()
	for {
		var v T
		switch err := d.Decode(&v); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("parity: %s: value %d: %w", name, len(all), err)
		}
		all = append(all, v)
	}
}

// Reference is a result of PyTorch. If it has more than 1,000 elements, only 1,000 are kept, with
// the norm and the sum of all.
type Reference struct {
	Shape     []int
	Norm, Sum float64
	V         Numbers
}

// Numbers are written separated by spaces, including "nan" and "inf".
type Numbers []float64

// UnmarshalText implements [encoding.TextUnmarshaler].
func (n *Numbers) UnmarshalText(text []byte) error {
	fields := strings.Fields(string(text))
	*n = make(Numbers, len(fields))
	for i, f := range fields {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return err
		}
		(*n)[i] = v
	}
	return nil
}

// measure returns the error of an element, given its distance, its size and the largest size.
type measure func(far, size, largest float64) float64

// overall returns the error relative to the largest element.
func overall(far, _, largest float64) float64 {
	if largest == 0 {
		return far
	}
	return far / largest
}

// apart returns the error relative to the element itself, or to 1 if it is smaller.
func apart(far, size, _ float64) float64 {
	if math.IsNaN(size) || math.IsInf(size, 1) {
		return far // also infinite
	}
	return far / max(size, 1)
}

// compare returns the error of all elements of a result of type t. It is infinite if only one side
// has a NaN or an infinity.
func (r Reference) compare(t shape.Type, all []float64, m measure) (worst float64, err error) {
	if !slices.Equal(t.Ints(), r.Shape) {
		return 0, fmt.Errorf("the result is %v, PyTorch's has shape %v", t, r.Shape)
	}
	got := kept(all)
	if len(got) != len(r.V) {
		return 0, fmt.Errorf("PyTorch's result has %d elements, want %d", len(r.V), len(got))
	}
	want := slices.Clone(r.V)
	largest := 0.
	for i, w := range want {
		if t.DType == shape.Float32 && math.Abs(w) > math.MaxFloat32 {
			want[i] = math.Copysign(inf, w)
		}
		if size := math.Abs(want[i]); size < inf {
			largest = max(largest, size)
		}
	}
	for i, w := range want {
		if far := distance(got[i], w); far > 0 {
			worst = max(worst, m(far, math.Abs(w), largest))
		}
	}
	if len(all) > whole {
		worst = max(worst, r.compareSums(all))
	}
	return worst, nil
}

// distance returns |a-b|: 0 for two NaNs or equal infinities, and infinite if only one is NaN or
// infinite.
func distance(a, b float64) float64 {
	switch d := math.Abs(a - b); {
	case a == b || math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(d):
		return inf
	default:
		return d
	}
}

// compareSums returns the error of the norm, and that of the sum relative to the largest sum
// possible for such a norm.
func (r Reference) compareSums(all []float64) float64 {
	squares, sum := 0., 0.
	for _, v := range all {
		squares += v * v
		sum += v
	}
	most := r.Norm * math.Sqrt(float64(len(all)))
	return max(overall(distance(math.Sqrt(squares), r.Norm), 0, r.Norm), overall(distance(sum, r.Sum), 0, most))
}
