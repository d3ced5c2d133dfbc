package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// arrangement is how a tensor of a test lies in memory.
type arrangement int

const (
	rowMajor arrangement = iota
	thunk           // transposed, nothing moved
	rowsOf          // some rows of another: no gaps
	columnsOf       // some columns of another
	columnMajor
	masked
	layouts
)

// sample returns a tensor of e, of the given shape and type, whose elements are drawn by r. Those that
// are the same for equal states of r are so for any engine.
func sample[T float32 | float64](e tensor.Engine, r *rand.Rand, l arrangement, draw func(*rand.Rand) float64, dims ...int) *tensor.Dense {
	numbers := func(n int) []T {
		x := make([]T, n)
		for i := range x {
			x[i] = T(draw(r))
		}
		return x
	}
	size := tensor.Shape(dims).TotalSize()
	dense := func(x []T, dims ...int) *tensor.Dense {
		return tensor.New(tensor.WithEngine(e), tensor.WithShape(dims...), tensor.WithBacking(x))
	}
	if len(dims) == 0 {
		return tensor.New(tensor.WithEngine(e), tensor.FromScalar(numbers(1)[0]))
	}
	last := len(dims) - 1
	switch {
	case l == thunk && len(dims) > 1:
		turned := slices.Clone(dims)
		slices.Reverse(turned)
		d := dense(numbers(size), turned...)
		if d.T() == nil && slices.Equal(d.Shape(), dims) {
			return d
		}
	case l == rowsOf && dims[0] > 1:
		larger := slices.Clone(dims)
		larger[0] += 3
		d := dense(numbers(size/dims[0]*larger[0]), larger...)
		return slab(d, 0, 2, 2+dims[0])
	case l == columnsOf && len(dims) > 1 && dims[last] > 1:
		larger := slices.Clone(dims)
		larger[last] += 3
		d := dense(numbers(size/dims[last]*larger[last]), larger...)
		return slab(d, last, 1, 1+dims[last])
	case l == columnMajor && len(dims) == 2 && dims[0] > 1 && dims[1] > 1:
		return tensor.New(tensor.WithEngine(e), tensor.WithShape(dims...), tensor.AsFortran(numbers(size)))
	case l == masked:
		mask := make([]bool, size)
		for i := range mask {
			mask[i] = r.IntN(3) == 0
		}
		return tensor.New(tensor.WithEngine(e), tensor.WithShape(dims...), tensor.WithBacking(numbers(size), mask))
	}
	return dense(numbers(size), dims...)
}

// slab slices an axis.
func slab(d *tensor.Dense, axis, from, to int) *tensor.Dense {
	s := make([]tensor.Slice, axis+1)
	s[axis] = tensor.S(from, to)
	v, err := d.Slice(s...)
	if err != nil {
		panic(err)
	}
	return v.(*tensor.Dense)
}

// around are ordinary numbers, some of them equal, and zeros.
func around(r *rand.Rand) float64 {
	if r.IntN(8) == 0 {
		return float64(r.IntN(5) - 2)
	}
	return float64(float32(8*r.Float64() - 4))
}

// odd are NaN, infinities and zeros of both signs among ordinary numbers.
func odd(r *rand.Rand) float64 {
	if r.IntN(3) > 0 {
		return around(r)
	}
	return []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1e30, -1e-30}[r.IntN(7)]
}

// elements returns those of a tensor of any arrangement in row-major order, as numbers.
func elements(t tensor.Tensor) []float64 {
	if t.Shape().IsScalar() {
		return []float64{number64(t.ScalarValue())}
	}
	s := t.Shape().Clone()
	x := make([]float64, s.TotalSize())
	at := make([]int, len(s))
	for i := range x {
		v, err := t.At(at...)
		if err != nil {
			panic(err)
		}
		x[i] = number64(v)
		for k := len(at) - 1; k >= 0; k-- {
			if at[k]++; at[k] < s[k] {
				break
			}
			at[k] = 0
		}
	}
	return x
}

func number64(v any) float64 {
	switch v := v.(type) {
	case float32:
		return float64(v)
	case float64:
		return v
	case int:
		return float64(v)
	case uint8:
		return float64(v)
	case int64:
		return float64(v)
	case bool:
		if v {
			return 1
		}
		return 0
	}
	panic(fmt.Sprintf("a number of type %T", v))
}

// near reports whether numbers agree to a relative error; NaN agrees with NaN.
func near(got, want []float64, tolerance float64) bool {
	return slices.EqualFunc(got, want, func(g, w float64) bool {
		return g == w || g != g && w != w || math.Abs(g-w) <= tolerance*max(1e-3, math.Abs(w))
	})
}

// outcome is what came of an operation.
type outcome struct {
	result tensor.Tensor
	err    error
	panics any
}

func (o outcome) ok() bool { return o.err == nil && o.panics == nil }

func try(f func() (tensor.Tensor, error)) (o outcome) {
	defer func() { o.panics = recover() }()
	o.result, o.err = f()
	return o
}

// binaryOp is an operation on two operands, either of which may be a number.
type binaryOp struct {
	name string
	do   func(a, b any, opts ...tensor.FuncOpt) (tensor.Tensor, error)
}

var binaryOps2 = []binaryOp{
	{"Add", tensor.Add}, {"Sub", tensor.Sub}, {"Mul", tensor.Mul}, {"Div", tensor.Div}, {"Pow", tensor.Pow},
	{"Lt", tensor.Lt}, {"Lte", tensor.Lte}, {"Gt", tensor.Gt}, {"Gte", tensor.Gte}, {"ElEq", tensor.ElEq}, {"ElNe", tensor.ElNe},
	{"MinBetween", tensor.MinBetween}, {"MaxBetween", tensor.MaxBetween},
}

// unaryOp is an operation on one tensor, with the relative error to the library's that it may have.
type unaryOp struct {
	name     string
	do       func(a tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error)
	within   float64
	positive bool
}

var unaryOps2 = []unaryOp{
	{"Neg", tensor.Neg, 0, false}, {"Inv", tensor.Inv, 0, false}, {"Square", tensor.Square, 0, false}, {"Cube", tensor.Cube, 0, false},
	{"Abs", tensor.Abs, 0, false}, {"Sign", tensor.Sign, 0, false}, {"Exp", tensor.Exp, 1e-6, false}, {"Tanh", tensor.Tanh, 1e-6, false},
	{"Log", tensor.Log, 1e-6, true}, {"Log2", tensor.Log2, 1e-6, true}, {"Log10", tensor.Log10, 1e-6, true},
	{"Sqrt", tensor.Sqrt, 1e-7, true}, {"Cbrt", tensor.Cbrt, 1e-6, false}, {"InvSqrt", tensor.InvSqrt, 1e-6, true},
	{"Clamp", func(a tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
		if a.Dtype() == tensor.Float32 {
			return tensor.Clamp(a, float32(-1), float32(1.5), opts...)
		}
		return tensor.Clamp(a, -1.0, 1.5, opts...)
	}, 0, false},
	{"Clamp to nothing", func(a tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
		if a.Dtype() == tensor.Float32 {
			return tensor.Clamp(a, float32(2), float32(1), opts...)
		}
		return tensor.Clamp(a, 2.0, 1.0, opts...)
	}, 0, false},
}

// options are the ways to say where a result goes.
var options = []string{"", "safe", "unsafe", "reuse", "incr", "reuse and incr", "reuse a", "incr a", "reuse b", "other shape", "other size", "other type", "same"}

// trial is one operation on tensors of one engine, drawn from a seed.
type trial[T float32 | float64] struct {
	engine tensor.Engine
	r      *rand.Rand
	draw   func(*rand.Rand) float64
	dims   []int
	a, b   *tensor.Dense
	given  []tensor.Tensor
	place  *tensor.Dense
}

func newTrial[T float32 | float64](e tensor.Engine, seed uint64, draw func(*rand.Rand) float64) *trial[T] {
	r := rand.New(rand.NewPCG(seed, 1))
	t := &trial[T]{engine: e, r: r, draw: draw}
	for range r.IntN(4) {
		t.dims = append(t.dims, []int{1, 2, 3, 5, 8, 17, 40}[r.IntN(7)])
	}
	t.a, t.b = t.sample(t.dims), t.sample(t.dims)
	t.given = []tensor.Tensor{t.a, t.b}
	return t
}

func (t *trial[T]) sample(dims []int) *tensor.Dense {
	l := rowMajor // half of them
	if t.r.IntN(2) == 0 {
		l = arrangement(t.r.IntN(int(layouts)))
	}
	return sample[T](t.engine, t.r, l, t.draw, dims...)
}

// opts are the options of a name.
func (t *trial[T]) opts(name string) []tensor.FuncOpt {
	t.place = t.sample(t.dims)
	switch name {
	case "":
		return nil
	case "safe":
		return []tensor.FuncOpt{tensor.UseSafe()}
	case "unsafe":
		return []tensor.FuncOpt{tensor.UseUnsafe()}
	case "same":
		return []tensor.FuncOpt{tensor.AsSameType()}
	case "reuse a":
		t.place = t.a
	case "reuse b":
		t.place = t.b
	case "incr a":
		t.place = t.a
		return []tensor.FuncOpt{tensor.WithIncr(t.a)}
	case "other shape":
		t.place = t.sample([]int{tensor.Shape(t.dims).TotalSize(), 1})
	case "other size":
		t.place = t.sample([]int{tensor.Shape(t.dims).TotalSize() + 1})
	case "other type":
		t.place = tensor.New(tensor.Of(tensor.Int), tensor.WithShape(t.dims...), tensor.WithEngine(t.engine))
	}
	t.given = append(t.given, t.place)
	if name == "incr" {
		return []tensor.FuncOpt{tensor.WithIncr(t.place)}
	}
	if name == "reuse and incr" {
		other := t.sample(t.dims)
		t.given = append(t.given, other)
		return []tensor.FuncOpt{tensor.WithIncr(t.place), tensor.WithReuse(other)}
	}
	return []tensor.FuncOpt{tensor.WithReuse(t.place)}
}

// agree fails unless two trials of the same seed ended alike: ours may do what StdEng panics at.
// What the tensors that were given hold must be alike too, results and operands.
func agree[T float32 | float64](t *testing.T, std, ours *trial[T], want, got outcome, within float64) {
	if want.panics != nil {
		return
	}
	require.Nil(t, got.panics)
	require.Equal(t, want.err == nil, got.err == nil, "%v\n%v", want.err, got.err)
	if !want.ok() {
		return
	}
	require.Equal(t, want.result.Dtype(), got.result.Dtype())
	require.Equal(t, []int(want.result.Shape()), []int(got.result.Shape()))
	require.True(t, near(elements(got.result), elements(want.result), within), "%v\n%v", elements(want.result), elements(got.result))
	require.Equal(t, ours.engine, got.result.Engine())
	for i, w := range std.given {
		require.Equal(t, w == want.result, ours.given[i] == got.result)
		require.True(t, near(elements(ours.given[i]), elements(w), within), "tensor %d:\n%v\n%v", i, w, ours.given[i])
	}
}

func TestElementwiseAgreesWithStdEng(t *testing.T) {
	t.Run("float32", testElementwise[float32])
	t.Run("float64", testElementwise[float64])
}

func testElementwise[T float32 | float64](t *testing.T) {
	draws := []func(*rand.Rand) float64{around, odd}
	for seed := range uint64(60) {
		draw := draws[seed%2]
		for _, opt := range options {
			for _, op := range binaryOps2 {
				for _, kind := range []string{"tensors", "number right", "number left", "scalar right", "scalar left"} {
					t.Run(fmt.Sprintf("%s/%s/%s/%d", op.name, opt, kind, seed), func(t *testing.T) {
						run := func(e tensor.Engine) (*trial[T], outcome) {
							tr := newTrial[T](e, seed, draw)
							opts := tr.opts(opt)
							s := sample[T](e, tr.r, rowMajor, draw)
							tr.given = append(tr.given, s)
							a, b := any(tr.a), any(tr.b)
							switch kind {
							case "number right":
								b = s.ScalarValue()
							case "number left":
								a = s.ScalarValue()
							case "scalar right":
								b = s
							case "scalar left":
								a = s
							}
							return tr, try(func() (tensor.Tensor, error) { return op.do(a, b, opts...) })
						}
						if len(newTrial[T](New(), seed, draw).dims) == 0 && kind != "tensors" && (opt == "unsafe" || opt == "reuse a" || opt == "reuse b" || opt == "same") {
							t.Skip("StdEng writes to its operands")
						}
						std, want := run(tensor.StdEng{})
						ours, got := run(New())
						agree(t, std, ours, want, got, 1e-6)
					})
				}
			}
			for _, op := range unaryOps2 {
				t.Run(fmt.Sprintf("%s/%s/%d", op.name, opt, seed), func(t *testing.T) {
					draw := draw
					if op.positive {
						draw = func(r *rand.Rand) float64 { return math.Abs(around(r)) }
					}
					run := func(e tensor.Engine) (*trial[T], outcome) {
						tr := newTrial[T](e, seed, draw)
						opts := tr.opts(opt)
						return tr, try(func() (tensor.Tensor, error) { return op.do(tr.a, opts...) })
					}
					std, want := run(tensor.StdEng{})
					ours, got := run(New())
					agree(t, std, ours, want, got, op.within)
				})
			}
		}
	}
}

func BenchmarkTensorMatMul(b *testing.B) {
	for _, n := range []int{512, 1024} {
		for _, e := range []tensor.Engine{tensor.StdEng{}, New()} {
			b.Run(fmt.Sprintf("%d/float32/%T", n, e), func(b *testing.B) { benchmarkMatMul[float32](b, e, n) })
			b.Run(fmt.Sprintf("%d/float64/%T", n, e), func(b *testing.B) { benchmarkMatMul[float64](b, e, n) })
		}
	}
}

func benchmarkMatMul[T float32 | float64](b *testing.B, e tensor.Engine, n int) {
	r := rand.New(rand.NewPCG(1, 2))
	x, y, to := sample[T](e, r, rowMajor, around, n, n), sample[T](e, r, rowMajor, around, n, n), sample[T](e, r, rowMajor, around, n, n)
	for b.Loop() {
		if _, err := x.MatMul(y, tensor.WithReuse(to)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(2*float64(n*n*n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

var _ = runtime.NumCPU
var _ sync.Mutex
