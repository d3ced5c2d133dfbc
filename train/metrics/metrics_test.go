package metrics_test

import (
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train/metrics"
)

// fixture is a case of testdata/fixtures.py.
type fixture struct {
	Name           string
	Output, Target []int
	DType          string `json:"dtype"`
	TargetsDType   string `json:"targets_dtype"`
	Outputs        []float64
	Targets        []float64
	Ends           []int // of the batches
	Want           map[string]*float64
}

func fixtures(t testing.TB) []fixture {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "scikit-learn.json"))
	require.NoError(t, err)
	var all struct{ Cases []fixture }
	require.NoError(t, json.Unmarshal(b, &all))
	require.NotEmpty(t, all.Cases)
	return all.Cases
}

func typeOf(dtype string, dims []int) shape.Type {
	d := map[string]shape.DType{"float32": shape.Float32, "float64": shape.Float64, "int32": shape.Int32}[dtype]
	s := shape.Of()
	for i, n := range dims {
		if i == 0 {
			s = s.Insert(i, shape.N)
		} else {
			s = s.Insert(i, shape.Dim(n))
		}
	}
	return shape.Type{DType: d, Shape: s}
}

func (f fixture) data() metrics.Data {
	return metrics.Data{Output: typeOf(f.DType, f.Output), Target: typeOf(f.TargetsDType, f.Target), Examples: f.Output[0]}
}

// dense returns examples from to end of values as a tensor.
func dense(dtype string, dims []int, values []float64, from, end int) *tensor.Dense {
	each := len(values) / dims[0]
	values = values[from*each : end*each]
	s := append([]int{end - from}, dims[1:]...)
	var backing any
	switch dtype {
	case "float32":
		backing = converted[float32](values)
	case "int32":
		backing = converted[int32](values)
	default:
		backing = values
	}
	return tensor.New(tensor.WithShape(s...), tensor.WithBacking(backing))
}

func converted[T float32 | int32](values []float64) []T {
	to := make([]T, len(values))
	for i, v := range values {
		to[i] = T(v)
	}
	return to
}

func (f fixture) batch(from, end int) (output, target *tensor.Dense) {
	return dense(f.DType, f.Output, f.Outputs, from, end), dense(f.TargetsDType, f.Target, f.Targets, from, end)
}

// set returns a Set of all metrics that the fixture has.
func (f fixture) set(t testing.TB) *metrics.Set {
	t.Helper()
	var all []metrics.Metric
	for _, name := range slices.Sorted(maps.Keys(f.Want)) {
		m, err := metrics.Named(name)
		require.NoError(t, err)
		all = append(all, m)
	}
	s, err := metrics.NewSet(f.data(), all...)
	require.NoError(t, err, f.Name)
	return s
}

func (f fixture) compare(t *testing.T, s *metrics.Set) {
	t.Helper()
	values, err := s.Values()
	require.NoError(t, err)
	require.Len(t, values, len(f.Want))
	for name, want := range f.Want {
		got, ok := values.Get(name)
		require.True(t, ok)
		if want == nil {
			require.True(t, math.IsNaN(got), "%s: %s is %v", f.Name, name, got)
			continue
		}
		require.InDelta(t, *want, got, 1e-12*max(1, math.Abs(*want)), "%s: %s", f.Name, name)
	}
}

func TestMetricsAreThoseOfScikitLearn(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range fixtures(t) {
		s, from := f.set(t), 0
		for _, end := range f.Ends {
			require.NoError(t, s.Add(f.batch(from, end)), f.Name)
			from = end
		}
		f.compare(t, s)
		for name := range f.Want {
			seen[name] = true
		}
	}
	for _, name := range metrics.Names() {
		if !strings.HasSuffix(name, ".class") && name != "topK" {
			require.True(t, seen[name], "%s is compared with nothing", name)
		}
	}
}

// Parts that different processes compute, encoded on the way, give what one process computes.
func TestMergedAndEncodedPartsAreTheWhole(t *testing.T) {
	for _, f := range fixtures(t) {
		whole, again, from := f.set(t), f.set(t), 0
		for _, end := range f.Ends {
			part := empty(t, f, whole)
			require.NoError(t, part.Add(f.batch(from, end)))
			from = end
			b, err := part.AppendBinary(nil)
			require.NoError(t, err)
			received := empty(t, f, whole)
			require.NoError(t, received.UnmarshalBinary(b))
			require.NoError(t, whole.Merge(part))

			b, err = whole.AppendBinary(nil)
			require.NoError(t, err)
			again = empty(t, f, whole)
			require.NoError(t, again.UnmarshalBinary(b))
			require.Error(t, again.UnmarshalBinary(append(b, 0)))
			require.Error(t, empty(t, f, whole).UnmarshalBinary(b[:len(b)-1]))
			require.NoError(t, again.UnmarshalBinary(b))
		}
		f.compare(t, whole)
		f.compare(t, again)
		whole.Reset()
		b, err := whole.AppendBinary(nil)
		require.NoError(t, err)
		want, err := empty(t, f, whole).AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, want, b, "Reset leaves something")
	}
}

// empty returns an empty Set of the metrics of s.
func empty(t *testing.T, f fixture, s *metrics.Set) *metrics.Set {
	t.Helper()
	e, err := metrics.NewSet(f.data(), s.Metrics()...)
	require.NoError(t, err)
	return e
}

// However many processes compute the parts, the sums are made in the order of the parts.
func TestSumsHaveTheBitsOfTheOrderOfParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	numbers := typeOf("float32", []int{0, 3})
	d := metrics.Data{Output: numbers, Target: numbers, Examples: 64}
	all := []metrics.Metric{metrics.MAE{}, metrics.RMSE{}, metrics.R2{}}
	fresh := func() *metrics.Set {
		s, err := metrics.NewSet(d, all...)
		require.NoError(t, err)
		return s
	}
	var parts []*metrics.Set
	for range 8 {
		x, y := make([]float32, 24), make([]float32, 24)
		for i := range x {
			x[i], y[i] = rng.Float32(), rng.Float32()
		}
		p := fresh()
		require.NoError(t, p.Add(tensor.New(tensor.WithShape(8, 3), tensor.WithBacking(x)), tensor.New(tensor.WithShape(8, 3), tensor.WithBacking(y))))
		parts = append(parts, p)
	}
	var bits []byte
	for _, sent := range []bool{false, true} {
		sum := fresh()
		for _, p := range parts {
			if sent {
				b, err := p.AppendBinary(nil)
				require.NoError(t, err)
				p = fresh()
				require.NoError(t, p.UnmarshalBinary(b))
			}
			require.NoError(t, sum.Merge(p))
		}
		b, err := sum.AppendBinary(nil)
		require.NoError(t, err)
		if sent {
			require.Equal(t, bits, b)
		}
		bits = b
	}
}

func TestNamesAreThoseOfTheTable(t *testing.T) {
	for _, name := range append(metrics.Names(), "top2", "top17", "f1.class.3", "roc_auc.class.0") {
		m, err := metrics.Named(name)
		if name == "topK" {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, name, m.Name())
	}
	for _, name := range []string{"", "f2", "F1", "top", "top0", "top-1", "top05", "f1.class.-1", "f1.class.01", "roc_auc.micro", "accuracy,f1", strings.Repeat("x", 1e6)} {
		_, err := metrics.Named(name)
		require.ErrorContains(t, err, "there are accuracy, balanced_accuracy, precision")
		require.Less(t, len(err.Error()), 1000)
	}
	all, err := metrics.Parse(" f1.macro, top5 ")
	require.NoError(t, err)
	require.Equal(t, []metrics.Metric{metrics.PerClass{Of: metrics.F1, Average: metrics.Macro}, metrics.TopK{K: 5}}, all)
	all, err = metrics.Parse("")
	require.NoError(t, err)
	require.Empty(t, all)
	_, err = metrics.Parse("f1.macro,,top5")
	require.ErrorContains(t, err, `no metric ""`)
}

func logits(classes int) metrics.Data {
	return metrics.Data{Output: typeOf("float32", []int{0, classes}), Target: typeOf("int32", []int{0}), Examples: 100}
}

func TestWhatDoesNotFitTheDataIsRefused(t *testing.T) {
	numbers := metrics.Data{Output: typeOf("float32", []int{0, 3}), Target: typeOf("float32", []int{0, 3})}
	for _, c := range []struct {
		data metrics.Data
		name string
		want string
	}{
		{logits(3), "f1", "metrics: f1: it is that of class 1 of two, and there are 3 classes; take f1.macro, f1.micro, f1.weighted, f1.class"},
		{logits(3), "roc_auc", "metrics: roc_auc: it is that of class 1 of two, and there are 3 classes; take roc_auc.macro, roc_auc.weighted, roc_auc.class"},
		{logits(3), "f1.class.3", "metrics: f1.class.3: there is no class 3: there are 3, counted from 0"},
		{logits(3), "top3", "metrics: top3: there are 3 classes; K must be at least 1 and less"},
		{logits(3), "mae", "metrics: mae: the output is float32(N,3) and the target int32(N); want floating point of the same shape"},
		{numbers, "top2", "metrics: top2: there are 2 classes; K must be at least 1 and less"},
		{numbers, "top1", "metrics: top1: the output is float32(N,3); want one for each class"},
		{metrics.Data{Output: logits(3).Output, Target: typeOf("float32", []int{0})}, "accuracy", "metrics: accuracy: the output is float32(N,3) and the target float32(N); want logits (N,C,...) for class numbers (N,...), or one logit for each target that is 0 or 1"},
		{metrics.Data{}, "accuracy", "metrics: accuracy: the output is"},
		{metrics.Data{Output: logits(3).Output, Target: logits(3).Target, Examples: 1e6, Limit: 1e6}, "roc_auc.macro", "metrics: roc_auc.macro: it keeps 16 bytes for each of 1000000 targets, and may keep 1000000 in all"},
		{metrics.Data{Output: logits(3).Output, Target: logits(3).Target, Examples: -1}, "accuracy", "Examples is -1"},
		{metrics.Data{Output: logits(1 << 21).Output, Target: logits(3).Target}, "f1.class", "2097152 classes; at most 1048576 are counted"},
	} {
		m, err := metrics.Named(c.name)
		require.NoError(t, err)
		_, err = metrics.NewSet(c.data, m)
		require.ErrorContains(t, err, c.want)
	}
	for want, m := range map[string]metrics.Metric{
		"is nil or cannot be compared": nil,
		"there is no Kind 17":          metrics.PerClass{Of: 17},
		"there is no Kind 4":           metrics.PerClass{Of: metrics.ROCAUC, Average: metrics.Micro},
		"its function is nil":          metrics.Mean("own", false, nil),
		`the name "a b"`:               metrics.Mean("a b", false, func(_, _ []float64) float64 { return 0 }),
	} {
		_, err := metrics.NewSet(logits(4), m)
		require.ErrorContains(t, err, want)
	}
	_, err := metrics.NewSet(logits(4), metrics.Accuracy{}, metrics.Accuracy{})
	require.ErrorContains(t, err, "accuracy is there twice")
}

func TestAMetricOfEachClassIsAsManyMetrics(t *testing.T) {
	s, err := metrics.NewSet(logits(3), metrics.PerClass{Of: metrics.F1, Average: metrics.EachClass}, metrics.Accuracy{})
	require.NoError(t, err)
	var names []string
	for _, m := range s.Metrics() {
		names = append(names, m.Name())
	}
	require.Equal(t, []string{"f1.class.0", "f1.class.1", "f1.class.2", "accuracy"}, names)
}

func TestAUsersMetricIsAMeanOfExamples(t *testing.T) {
	off := metrics.Mean("off", true, func(output, target []float64) float64 { return math.Abs(output[2] - target[0]) })
	require.True(t, off.Lower())
	s, err := metrics.NewSet(logits(3), off)
	require.NoError(t, err)
	require.NoError(t, s.Add(tensor.New(tensor.WithBacking([]float32{0, 0, 5, 0, 0, 3}), tensor.WithShape(2, 3)), tensor.New(tensor.WithBacking([]int32{1, 2}), tensor.WithShape(2))))
	values, err := s.Values()
	require.NoError(t, err)
	require.Equal(t, metrics.Values{{Name: "off", Value: 2.5}}, values)

	bad := metrics.Mean("bad", true, func(output, _ []float64) float64 { return output[3] })
	s, err = metrics.NewSet(logits(3), bad)
	require.NoError(t, err)
	err = s.Add(tensor.New(tensor.WithBacking([]float32{0, 0, 5}), tensor.WithShape(1, 3)), tensor.New(tensor.WithBacking([]int32{1}), tensor.WithShape(1)))
	require.ErrorContains(t, err, "metrics: bad: panic: runtime error: index out of range [3] with length 3 at metrics_test.go:")
}

func TestBatchesThatAreWrongAreErrors(t *testing.T) {
	s, err := metrics.NewSet(metrics.Data{Output: typeOf("float32", []int{0, 2}), Target: typeOf("float32", []int{0, 2}), Examples: 2}, metrics.PerClass{}, metrics.PerClass{Of: metrics.ROCAUC})
	require.NoError(t, err)
	x := tensor.New(tensor.WithBacking([]float32{1, 2, 3, 4}), tensor.WithShape(2, 2))
	require.ErrorContains(t, s.Add(x, tensor.New(tensor.WithBacking([]float32{0, 1, 0.5, 1}), tensor.WithShape(2, 2))), "metrics: precision: target 0.5, element 2 of a batch, is neither 0 nor 1")
	y := tensor.New(tensor.WithBacking([]float32{0, 1, 0, 1}), tensor.WithShape(2, 2))
	require.ErrorContains(t, s.Add(x, nil), "nil")
	require.ErrorContains(t, s.Add(x, tensor.New(tensor.WithBacking([]float32{0, 1}), tensor.WithShape(1, 2))), "4 outputs and 2 targets do not belong together")
	s.Reset()
	require.NoError(t, s.Add(x, y))
	require.ErrorContains(t, s.Add(x, y), "metrics: roc_auc: more than 4 targets")
	other, err := metrics.NewSet(logits(2), metrics.PerClass{}, metrics.PerClass{Of: metrics.ROCAUC})
	require.NoError(t, err)
	require.ErrorContains(t, s.Merge(other), "metrics: precision: the other state is of another statistic, or of other data")
	require.Error(t, s.Merge(nil))
}

func TestValuesAreAnObjectOfJSON(t *testing.T) {
	v := metrics.Values{{"b", 0.1}, {"a", math.NaN()}, {"c", 1e-300}}
	b, err := json.Marshal(v)
	require.NoError(t, err)
	require.Equal(t, `{"b":0.1,"a":null,"c":1e-300}`, string(b))
	var again metrics.Values
	require.NoError(t, json.Unmarshal(b, &again))
	require.Len(t, again, 3)
	require.True(t, math.IsNaN(again[1].Value))
	again[1].Value = 0
	require.Equal(t, metrics.Values{{"b", 0.1}, {"a", 0}, {"c", 1e-300}}, again)
	for _, bad := range []string{`[1]`, `{"a":"b"}`, `3`, `{"a":{}}`} {
		require.Error(t, json.Unmarshal([]byte(bad), &again), bad)
	}
}

func TestAddingAllocatesNothing(t *testing.T) {
	for _, f := range fixtures(t) {
		s, part := f.set(t), f.set(t)
		x, y := f.batch(0, f.Output[0])
		var added, merged error
		step := func() {
			s.Reset()
			part.Reset()
			added = part.Add(x, y)
			merged = s.Merge(part)
		}
		step()
		require.NoError(t, added)
		require.NoError(t, merged)
		require.Zero(t, allocs.PerRun(100, step), f.Name)
	}
}

func FuzzStates(f *testing.F) {
	x, y := fixtures(f)[0].batch(0, 57)
	s := fixtures(f)[0].set(f)
	if err := s.Add(x, y); err != nil {
		f.Fatal(err)
	}
	b, err := s.AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s.UnmarshalBinary(b) == nil {
			if _, err := s.Values(); err != nil {
				t.Fatal(err)
			}
		}
		_ = s.Add(x, y)
	})
}
