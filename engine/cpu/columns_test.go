package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// sumsOf reduces x, of that shape, at a level.
func sumsOf(t testing.TB, level isa.Level, x []float32, s shape.Shape, axes ...int) []float32 {
	e := New()
	e.simd = simd.With(level)
	out := shape.F32()
	for i, d := range s.Dims() {
		if !engine.AxesOf(axes...).Has(i) {
			out.Shape = out.Insert(out.Rank(), d)
		}
	}
	got := run(t, func() (engine.Bound, error) {
		return e.BindReduce(engine.Sum, engine.AxesOf(axes...), engine.InRows(shape.Type{DType: shape.Float32, Shape: s}), engine.InRow(out))
	}, []engine.Buffer{engine.BufferOf(x)}, out)
	return engine.Slice[float32](got)
}

// TestSumsOfManyRowsLoseLittle: sums over leading axes, over middle ones and over rows that do not
// adjoin, at every level, of equal numbers, whose roundings have one sign, and of random ones.
func TestSumsOfManyRowsLoseLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	for _, c := range []struct {
		s    shape.Shape
		axes []int
	}{
		{shape.Of(100_003, 8), []int{0}}, {shape.Of(300_001, 3), []int{0}}, {shape.Of(70_001, 1, 13), []int{0, 1}},
		{shape.Of(2000, 600), []int{0}}, {shape.Of(3, 40_001, 5), []int{1}}, {shape.Of(501, 4, 31, 7), []int{0, 2}},
		{shape.Of(17, 600), []int{0}}, {shape.Of(2, 3), []int{0}}, {shape.Of(1, 5), []int{0}}, {shape.Of(400_009), []int{0}}, {shape.Of(5, 70_001), []int{1}},
		{shape.Of(40, 28, 28), []int{1}}, {shape.Of(900, 7, 7), []int{1}}, {shape.Of(3, 64, 5000), []int{1}}, {shape.Of(2, 65, 30), []int{1}},
		{shape.Of(20, 30, 900), []int{0, 2}}, {shape.Of(70, 40, 49), []int{0, 2}}, {shape.Of(3, 40, 1537), []int{0, 2}}, {shape.Of(50, 2, 1001), []int{0, 2}},
	} {
		n := c.s.Len()
		for name, draw := range map[string]func() float32{
			"equal":  func() float32 { return .1 },
			"random": func() float32 { return r.Float32() },
		} {
			x := make([]float32, n)
			for i := range x {
				x[i] = draw()
			}
			want := exactSums(x, c.s, c.axes)
			for _, level := range isa.Levels() {
				for i, v := range sumsOf(t, level, x, c.s, c.axes...) {
					if !(math.Abs(float64(v)-want[i]) <= 2e-7*want[i]) {
						require.InEpsilon(t, want[i], v, 2e-7, "%s numbers, %v over %v at level %v: sum %d", name, c.s, c.axes, level, i)
					}
				}
			}
		}
	}
}

// TestTensorsSumsOfManyRowsLoseLittle: sums of gorgonia's tensors, narrow, wide and cut into
// columns.
func TestTensorsSumsOfManyRowsLoseLittle(t *testing.T) {
	for _, s := range []tensor.Shape{{100_003, 8}, {50_001, 3}, {3001, 100}, {77, 5000}, {3, 20_001, 5}} {
		axis := len(s) - 2
		n := s[axis]
		x := make([]float32, s.TotalSize())
		for i := range x {
			x[i] = .1
		}
		for _, level := range isa.Levels() {
			e := New()
			e.simd = simd.With(level)
			got, err := e.Sum(tensor.New(tensor.WithShape(s...), tensor.WithBacking(x), tensor.WithEngine(e)), axis)
			require.NoError(t, err)
			for i, v := range got.Data().([]float32) {
				require.InEpsilon(t, float64(n)*float64(float32(.1)), v, 2e-7, "%v at level %v: sum %d", s, level, i)
			}
		}
	}
}

// exactSums adds up in float64.
func exactSums(x []float32, s shape.Shape, axes []int) []float64 {
	plan := sumOf(engine.AxesOf(axes...), s)
	sums := make([]float64, plan.kept.size()*plan.width)
	for o := range plan.kept.size() {
		for r := range plan.reduced.size() {
			for i, v := range x[plan.kept.offset(o)+plan.reduced.offset(r):][:plan.length] {
				sums[o*plan.width+i%plan.width] += float64(v)
			}
		}
	}
	return sums
}

// BenchmarkSumRows sums over the leading axis: biases' gradients of small and large layers, and
// tall columns.
func BenchmarkSumRows(b *testing.B) {
	for _, s := range []shape.Shape{shape.Of(64, 10), shape.Of(64, 120), shape.Of(64, 4096), shape.Of(100_000, 8), shape.Of(1_000_000, 8), shape.Of(4096, 512), shape.Of(1000, 4096)} {
		b.Run(s.String(), func(b *testing.B) {
			x, y := shape.Type{DType: shape.Float32, Shape: s}, shape.F32(s.Dim(1))
			bound, err := New().BindReduce(engine.Sum, engine.AxesOf(0), engine.InRows(x), engine.InRow(y))
			require.NoError(b, err)
			benchmark(b, bound, 0, []shape.Type{x}, y)
		})
	}
}

// BenchmarkSumLong sums all of a vector.
func BenchmarkSumLong(b *testing.B) {
	for _, s := range []shape.Shape{shape.Of(2048), shape.Of(32768), shape.Of(1 << 20)} {
		b.Run(s.String(), func(b *testing.B) {
			x, y := shape.Type{DType: shape.Float32, Shape: s}, shape.F32()
			bound, err := New().BindReduce(engine.Sum, engine.AxesOf(0), engine.InRows(x), engine.InRow(y))
			require.NoError(b, err)
			benchmark(b, bound, 0, []shape.Type{x}, y)
		})
	}
}
