package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/internal/rescue"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/shape"
)

// The tolerances of onnx.backend.test: outputs are equal to within Absolute + Relative*|expected|.
// Integers and bools are equal exactly, and NaN is equal to NaN.
const (
	Relative = 1e-3
	Absolute = 1e-7
)

// maxData is the largest size in bytes of a file of inputs or outputs.
const maxData = 1 << 30

// Options configure [Run].
type Options struct {
	Engine engine.Engine
	Only   *regexp.Regexp // tests to run, by name; nil means all
	See    func(Result)   // if not nil, called after each test
}

// Result is the result of a test.
type Result struct {
	Name string // of its folder
	Err  error  // nil if it passed
}

// Run runs the tests in the folders of dir, or the one test that dir is, in alphabetical order. It
// returns an error only if there are none, or ctx ends.
func Run(ctx context.Context, dir string, o Options) ([]Result, error) {
	if ctx == nil || isnil.Of(o.Engine) {
		return nil, errors.New("conformance: want a context and an engine")
	}
	folders, err := tests(dir)
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, f := range folders {
		name := filepath.Base(f)
		if o.Only != nil && !o.Only.MatchString(name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return results, err
		}
		r := Result{name, rescue.Do(func() error { return test(ctx, f, o.Engine) })}
		results = append(results, r)
		if o.See != nil {
			o.See(r)
		}
	}
	return results, nil
}

// tests lists the folders of tests.
func tests(dir string) ([]string, error) {
	if isTest(dir) {
		return []string{dir}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var folders []string
	for _, e := range entries {
		if f := filepath.Join(dir, e.Name()); isTest(f) {
			folders = append(folders, f)
		}
	}
	if len(folders) == 0 {
		return nil, fmt.Errorf("%s has no tests: no folder with a model.onnx", dir)
	}
	return folders, nil
}

func isTest(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, "model.onnx"))
	return err == nil && info.Mode().IsRegular()
}

// test runs one test. It passes if it has data and all outputs of all of them are right.
func test(ctx context.Context, dir string, e engine.Engine) error {
	m, err := onnx.ReadFile(filepath.Join(dir, "model.onnx"), onnx.Options{Name: "model.onnx"})
	if err != nil {
		return err
	}
	err = data(ctx, m, dir, e)
	if missing := m.Missing(); err != nil && len(missing) > 0 { // the more useful error
		return missingError(missing)
	}
	return err
}

// data runs all sets of data of a test.
func data(ctx context.Context, m *onnx.Model, dir string, e engine.Engine) error {
	sets, err := filepath.Glob(filepath.Join(dir, "test_data_set_*"))
	if err != nil || len(sets) == 0 {
		return errors.Join(err, errors.New("there are no data"))
	}
	s, err := m.NewSession(e, nil)
	if err != nil {
		return err
	}
	slices.Sort(sets)
	for _, set := range sets {
		if err := testSet(ctx, m, s, set); err != nil {
			return err
		}
	}
	return nil
}

func missingError(missing []onnx.Missing) error {
	names := make([]string, len(missing))
	for i, m := range missing {
		names[i] = m.Operator
	}
	return fmt.Errorf("not supported: %s", plain.Names(names, 5))
}

// testSet compares the outputs for one set of inputs. Files are in the order of all inputs and
// outputs of the graph.
func testSet(ctx context.Context, m *onnx.Model, s *onnx.Session, set string) error {
	inputs := map[string]*onnx.Tensor{}
	for i, in := range m.Proto().Graph.Inputs {
		path := filepath.Join(set, fmt.Sprintf("input_%d.pb", i))
		if _, err := os.Stat(path); err != nil {
			break // the rest have initialisers, or the run says what is missing
		}
		t, err := readValue(path, in.Type)
		if err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
		inputs[in.Name] = t
	}
	outs, err := s.Run(ctx, inputs)
	if err != nil {
		return err
	}
	for i, out := range m.Proto().Graph.Outputs {
		want, err := readValue(filepath.Join(set, fmt.Sprintf("output_%d.pb", i)), out.Type)
		if err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
		if err := Compare(outs[out.Name], want); err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
	}
	return nil
}

// readValue reads a file of test data.
func readValue(path string, t *ir.Type) (*onnx.Tensor, error) {
	if t != nil && t.Kind != ir.TensorKind {
		return nil, errors.New("sequences and optionals are not supported")
	}
	b, err := regular.ReadFile(path, maxData)
	if err != nil {
		return nil, err
	}
	proto, err := ir.UnmarshalTensor(b)
	if err != nil {
		return nil, err
	}
	return onnx.FromProto(proto)
}

// Compare returns an error if the element types, extents or elements differ.
func Compare(have, want *onnx.Tensor) error {
	if have == nil || want == nil {
		return errors.New("there is none")
	}
	if have.Type != want.Type || !slices.Equal(have.Dims, want.Dims) {
		return fmt.Errorf("%v; want %v", have, want)
	}
	switch want.Type { // NaN has many codes
	case ir.Float8E4M3FN, ir.Float8E4M3FNUZ, ir.Float8E5M2, ir.Float8E5M2FNUZ, ir.Float4E2M1, ir.Float8E8M0:
		return near(have.Numbers(), want.Numbers(), func(v float64) float64 { return v })
	}
	switch w := want.Data.(type) {
	case []float32:
		return near(have.Data.([]float32), w, func(v float32) float64 { return float64(v) })
	case []float64:
		return near(have.Data.([]float64), w, func(v float64) float64 { return v })
	case []shape.Half:
		return near(have.Data.([]shape.Half), w, func(v shape.Half) float64 { return float64(v.Float32()) })
	case []shape.Brain:
		return near(have.Data.([]shape.Brain), w, func(v shape.Brain) float64 { return float64(v.Float32()) })
	case []int8:
		return equal(have.Data.([]int8), w)
	case []int16:
		return equal(have.Data.([]int16), w)
	case []int32:
		return equal(have.Data.([]int32), w)
	case []int64:
		return equal(have.Data.([]int64), w)
	case []uint8:
		return equal(have.Data.([]uint8), w)
	case []uint16:
		return equal(have.Data.([]uint16), w)
	case []uint32:
		return equal(have.Data.([]uint32), w)
	case []uint64:
		return equal(have.Data.([]uint64), w)
	case []bool:
		return equal(have.Data.([]bool), w)
	case []string:
		return equal(have.Data.([]string), w)
	}
	return fmt.Errorf("elements of type %v cannot be compared", want.Type)
}

func near[T any](have, want []T, number func(T) float64) error {
	if len(have) != len(want) {
		return fmt.Errorf("%d elements; want %d", len(have), len(want))
	}
	for i := range want {
		h, w := number(have[i]), number(want[i])
		if h == w || math.IsNaN(h) && math.IsNaN(w) {
			continue
		}
		if !(math.Abs(h-w) <= Absolute+Relative*math.Abs(w)) {
			return fmt.Errorf("element %d is %v; want %v", i, h, w)
		}
	}
	return nil
}

func equal[T comparable](have, want []T) error {
	if len(have) != len(want) {
		return fmt.Errorf("%d elements; want %d", len(have), len(want))
	}
	for i := range want {
		if have[i] != want[i] {
			return fmt.Errorf("element %d is %v; want %v", i, have[i], want[i])
		}
	}
	return nil
}

// Passed counts the results without an error.
func Passed(results []Result) (n int) {
	for _, r := range results {
		if r.Err == nil {
			n++
		}
	}
	return n
}

// Line returns the error of r as one line.
func (r Result) Line() string {
	return r.Name + ": " + plain.Line(strings.TrimSpace(fmt.Sprint(r.Err)))
}
