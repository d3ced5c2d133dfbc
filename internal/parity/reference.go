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

// read decodes a file of the folder pytorch, a value a line.
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

// Reference is a result of PyTorch. Of more than 1,000 elements so many are kept, with the norm and
// the sum of all.
type Reference struct {
	Shape     []int
	Norm, Sum float64
	V         Numbers
}

// Numbers are written apart by spaces, "nan" and "inf" among them.
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

// measure relates how far an element is off to its size and to that of the largest.
type measure func(far, size, largest float64) float64

// overall is relative to the largest element.
func overall(far, _, largest float64) float64 {
	if largest == 0 {
		return far
	}
	return far / largest
}

// apart is relative to the element itself, or to 1 where it is smaller.
func apart(far, size, _ float64) float64 {
	if math.IsNaN(size) || math.IsInf(size, 1) {
		return far // which is infinite too
	}
	return far / max(size, 1)
}

// compare returns the error of all elements of a result of type t. It is infinite where one side
// alone has a NaN or an infinity.
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

// distance is |a-b|, 0 for two NaN or equal infinities, and infinite for one.
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

// compareSums returns the error of the norm, and that of the sum relative to what it is at most for
// such a norm.
func (r Reference) compareSums(all []float64) float64 {
	squares, sum := 0., 0.
	for _, v := range all {
		squares += v * v
		sum += v
	}
	most := r.Norm * math.Sqrt(float64(len(all)))
	return max(overall(distance(math.Sqrt(squares), r.Norm), 0, r.Norm), overall(distance(sum, r.Sum), 0, most))
}
