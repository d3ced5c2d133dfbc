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
	rowMajor  arrangement = iota
	thunk                 // transposed, nothing moved
	rowsOf                // some rows of another: no gaps
	columnsOf             // some columns of another
	columnMajor
	masked
	layouts
)

// sample returns a tensor of e, of the given shape and type, whose elements are drawn by r. Those
// that are the same for equal states of r are so for any engine.
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

// nonzero are odd ones but zeros: StdEng divides by these with a result of +Inf, whatever the
// dividend.
func nonzero(r *rand.Rand) float64 {
	if x := odd(r); x != 0 {
		return x
	}
	return 2
}

func positive(r *rand.Rand) float64 { return math.Abs(around(r)) }

// elements returns those of a tensor of any arrangement in row-major order, as numbers.
func elements(t tensor.Tensor) []float64 {
	if t.Shape().IsScalar() {
		return []float64{number64(t.ScalarValue())}
	}
	s := t.Shape().Clone()
	x := make([]float64, s.TotalSize())
	if isPlain(t.(*tensor.Dense)) {
		switch data := t.Data().(type) {
		case []float64:
			copy(x, data)
			return x
		case []float32:
			for i, v := range data {
				x[i] = float64(v)
			}
			return x
		}
	}
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
		return g == w || g != g && w != w || math.Abs(g-w) <= tolerance*max(0.1, math.Abs(w))
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

	draw   func(*rand.Rand) float64
	within float64 // relative error to the library's
}

var pairs = []binaryOp{
	{"Add", tensor.Add, odd, 0}, {"Sub", tensor.Sub, odd, 0}, {"Mul", tensor.Mul, odd, 0}, {"Div", tensor.Div, nonzero, 0}, {"Pow", tensor.Pow, odd, 0},
	{"Lt", tensor.Lt, odd, 0}, {"Lte", tensor.Lte, odd, 0}, {"Gt", tensor.Gt, odd, 0}, {"Gte", tensor.Gte, odd, 0}, {"ElEq", tensor.ElEq, odd, 0}, {"ElNe", tensor.ElNe, odd, 0},
	{"MinBetween", tensor.MinBetween, odd, 0}, {"MaxBetween", tensor.MaxBetween, odd, 0},
}

// unaryOp is an operation on one tensor, with the relative error to the library's that it may have.
type unaryOp struct {
	name   string
	do     func(a tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error)
	within float64
	draw   func(*rand.Rand) float64
}

var singles = []unaryOp{
	{"Neg", tensor.Neg, 0, odd}, {"Inv", tensor.Inv, 0, odd}, {"Square", tensor.Square, 0, odd}, {"Cube", tensor.Cube, 0, odd},
	{"Abs", tensor.Abs, 0, odd}, {"Sign", tensor.Sign, 0, odd}, {"Exp", tensor.Exp, 1e-5, around}, {"Tanh", tensor.Tanh, 1e-6, odd},
	{"Log", tensor.Log, 1e-6, positive}, {"Log2", tensor.Log2, 1e-6, positive}, {"Log10", tensor.Log10, 1e-6, positive},
	{"Sqrt", tensor.Sqrt, 1e-7, positive}, {"Cbrt", tensor.Cbrt, 1e-6, odd}, {"InvSqrt", tensor.InvSqrt, 1e-6, positive},
	{"Clamp", func(a tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
		if a.Dtype() == tensor.Float32 {
			return tensor.Clamp(a, float32(-1), float32(1.5), opts...)
		}
		return tensor.Clamp(a, -1.0, 1.5, opts...)
	}, 0, odd},
	{"Clamp to nothing", func(a tensor.Tensor, opts ...tensor.FuncOpt) (tensor.Tensor, error) {
		if a.Dtype() == tensor.Float32 {
			return tensor.Clamp(a, float32(2), float32(1), opts...)
		}
		return tensor.Clamp(a, 2.0, 1.0, opts...)
	}, 0, odd},
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

// agree says how two trials of the same seed differ, or returns nil: ours may do what StdEng panics
// at. What the tensors that were given hold must be alike too, results and operands.
func agree[T float32 | float64](std, ours *trial[T], want, got outcome, within float64) error {
	switch {
	case want.panics != nil:
		return nil
	case got.panics != nil:
		return fmt.Errorf("panic: %v", got.panics)
	case (want.err == nil) != (got.err == nil):
		return fmt.Errorf("errors: want %v, got %v", want.err, got.err)
	case want.err != nil:
		return nil
	case want.result.Dtype() != got.result.Dtype() || !slices.Equal(want.result.Shape(), got.result.Shape()):
		return fmt.Errorf("want a %v%v, got a %v%v", want.result.Dtype(), want.result.Shape(), got.result.Dtype(), got.result.Shape())
	case !near(elements(got.result), elements(want.result), within):
		return fmt.Errorf("want %v, got %v", elements(want.result), elements(got.result))
	case got.result.Engine() != ours.engine:
		return fmt.Errorf("a result of %T", got.result.Engine())
	}
	for i, w := range std.given {
		if (w == want.result) != (ours.given[i] == got.result) {
			return fmt.Errorf("tensor %d is a result of one engine alone", i)
		}
		if !near(elements(ours.given[i]), elements(w), within) {
			return fmt.Errorf("tensor %d: want %v, got %v", i, elements(w), elements(ours.given[i]))
		}
	}
	return nil
}

// sound reports whether StdEng is right about single elements: from and to a result that is
// named, it takes them for numbers and writes to its operands.
func sound(dims []int, opt string) bool {
	return tensor.Shape(dims).TotalSize() != 1 || opt == "" || opt == "safe"
}

func TestElementwiseAgreesWithStdEng(t *testing.T) {
	t.Run("float32", testElementwise[float32])
	t.Run("float64", testElementwise[float64])
}

func testElementwise[T float32 | float64](t *testing.T) {
	const seeds = 12
	kinds := []string{"tensors", "number right", "number left", "scalar right", "scalar left"}
	for _, op := range pairs {
		t.Run(op.name, func(t *testing.T) {
			for i := range seeds * len(options) * len(kinds) {
				seed, opt, kind := uint64(i/len(options)/len(kinds)), options[i/len(kinds)%len(options)], kinds[i%len(kinds)]
				run := func(e tensor.Engine) (*trial[T], outcome) {
					tr := newTrial[T](e, seed, op.draw)
					opts := tr.opts(opt)
					s := sample[T](e, tr.r, rowMajor, tr.draw)
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
				std, want := run(tensor.StdEng{})
				ours, got := run(New())
				if !sound(std.dims, opt) {
					continue
				}
				require.NoError(t, agree(std, ours, want, got, op.within), "%q, %s, seed %d, shape %v", opt, kind, seed, std.dims)
			}
		})
	}
	for _, op := range singles {
		t.Run(op.name, func(t *testing.T) {
			for i := range seeds * len(options) {
				seed, opt := uint64(i/len(options)), options[i%len(options)]
				run := func(e tensor.Engine) (*trial[T], outcome) {
					tr := newTrial[T](e, seed, op.draw)
					opts := tr.opts(opt)
					return tr, try(func() (tensor.Tensor, error) { return op.do(tr.a, opts...) })
				}
				std, want := run(tensor.StdEng{})
				ours, got := run(New())
				require.NoError(t, agree(std, ours, want, got, op.within), "%q, seed %d, shape %v", opt, seed, std.dims)
			}
		})
	}
}

func TestProductsOfMatricesAsTheyLie(t *testing.T) {
	t.Run("float32", testProducts[float32])
	t.Run("float64", testProducts[float64])
}

func testProducts[T float32 | float64](t *testing.T) {
	e := New()
	extents := []int{2, 3, 5, 16, 33, 70}
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 2))
		extent := func() int { return extents[r.IntN(len(extents))] }
		kind := func() arrangement { return arrangement(r.IntN(int(layouts))) }
		m, n, k := extent(), extent(), extent()
		a, b := sample[T](e, r, kind(), around, m, k), sample[T](e, r, kind(), around, k, n)
		to := sample[T](e, r, []arrangement{rowMajor, columnMajor, rowsOf}[r.IntN(3)], around, m, n)
		if r.IntN(4) == 0 {
			b, to = sample[T](e, r, kind(), around, k, k), a // over an operand
			n = k
		}
		want := make([]float64, 0, m*n)
		x, y := elements(a), elements(b)
		for i := range m {
			for j := range n {
				sum := 0.0
				for l := range k {
					sum += x[i*k+l] * y[l*n+j]
				}
				want = append(want, sum)
			}
		}
		got, err := a.MatMul(b)
		require.NoError(t, err)
		require.True(t, near(elements(got), want, 1e-3), "seed %d", seed)
		require.Equal(t, tensor.Engine(e), got.Engine())

		require.NoError(t, e.MatMul(a, b, to))
		require.True(t, near(elements(to), want, 1e-3), "seed %d", seed)
	}
}

func TestProductsOfVectors(t *testing.T) {
	t.Run("float32", testVectors[float32])
	t.Run("float64", testVectors[float64])
}

func testVectors[T float32 | float64](t *testing.T) {
	e := New()
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 3))
		kind := func() arrangement { return arrangement(r.IntN(int(layouts))) }
		m, n := 2+r.IntN(40), 2+r.IntN(40)
		a := sample[T](e, r, kind(), around, m, n)
		vector := func(n int) *tensor.Dense { // a row, a column, neither, or a column of a matrix
			switch r.IntN(4) {
			case 0:
				return sample[T](e, r, rowMajor, around, n, 1)
			case 1:
				return sample[T](e, r, thunk, around, 1, n)
			case 2:
				v, err := sample[T](e, r, rowMajor, around, n, 3).Slice(nil, tensor.S(1))
				require.NoError(t, err)
				return v.(*tensor.Dense)
			}
			return sample[T](e, r, rowMajor, around, n)
		}
		x, y := vector(n), vector(m)
		right, left := make([]float64, m), make([]float64, n)
		outer := make([]float64, 0, m*n)
		matrix := elements(a)
		for i, v := range elements(y) {
			for j, w := range elements(x) {
				right[i] += matrix[i*n+j] * w
				left[j] += matrix[i*n+j] * v
				outer = append(outer, v*w)
			}
		}
		inner := 0.0
		for _, v := range elements(x) {
			inner += v * v
		}
		check := func(got tensor.Tensor, err error, want []float64) {
			require.NoError(t, err)
			require.True(t, near(elements(got), want, 1e-3), "seed %d: want %v, got %v", seed, want, elements(got))
			require.Equal(t, tensor.Engine(e), got.Engine())
		}
		got, err := a.MatVecMul(x)
		check(got, err, right)
		got, err = a.MatVecMul(x, tensor.WithReuse(sample[T](e, r, rowMajor, around, m)))
		check(got, err, right)
		dot, err := tensor.Dot(a, x)
		check(dot, err, right)
		dot, err = tensor.Dot(y, a)
		check(dot, err, left)
		dot, err = tensor.Dot(x, x)
		check(dot, err, []float64{inner})
		dot, err = tensor.Dot(y, a, tensor.WithReuse(sample[T](e, r, rowMajor, around, n)))
		if !a.RequiresIterator() && a.DataOrder().IsRowMajor() && y.DataOrder().IsContiguous() { // what StdEng can
			check(dot, err, left)
		}
		got, err = y.Outer(x)
		check(got, err, outer)
	}
}

// A sum of many parts is a sum of the parts, for any number of processors.
func TestLongInnerProducts(t *testing.T) {
	e := New()
	r := rand.New(rand.NewPCG(4, 4))
	for _, n := range []int{innerPart - 1, innerPart, innerPart + 1, 3*innerPart + 17} {
		x, y := sample[float64](e, r, rowMajor, around, n), sample[float64](e, r, rowMajor, around, n)
		want := 0.0
		for i, v := range x.Float64s() {
			want += v * y.Float64s()[i]
		}
		got, err := x.Inner(y)
		require.NoError(t, err)
		require.InEpsilon(t, want, got, 1e-9)
	}
}

func TestReductionsFollowTheDefinition(t *testing.T) {
	e := New()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 5))
		dims := []int{}
		for range 1 + r.IntN(5) {
			dims = append(dims, 1+r.IntN(6))
		}
		if seed%20 == 0 {
			dims = []int{1 + r.IntN(3), 1 + r.IntN(40000), 1 + r.IntN(3)}
		}
		if seed%20 == 1 {
			dims = []int{1 + r.IntN(40), 3, 1 + r.IntN(9000)}
		}
		var x *tensor.Dense
		kind := []arrangement{rowMajor, thunk, rowsOf, columnsOf}[r.IntN(4)]
		switch r.IntN(4) {
		case 0:
			x = sample[float32](e, r, kind, around, dims...)
		case 1:
			x = sample[float64](e, r, kind, around, dims...)
		case 2:
			x = tensor.New(tensor.WithEngine(e), tensor.WithShape(dims...), tensor.Of(tensor.Int64))
			for i := range x.Int64s() {
				x.Int64s()[i] = int64(r.IntN(200) - 100)
			}
		default:
			x = tensor.New(tensor.WithEngine(e), tensor.WithShape(dims...), tensor.Of(tensor.Uint8))
			for i := range x.Uint8s() {
				x.Uint8s()[i] = uint8(r.IntN(256))
			}
		}
		var along []int
		for i := range dims {
			if r.IntN(2) == 0 {
				along = append(along, i)
			}
		}
		r.Shuffle(len(along), func(i, j int) { along[i], along[j] = along[j], along[i] })
		for _, op := range []reduction{summing, maximum, minimum} {
			var got tensor.Tensor
			var err error
			switch op {
			case summing:
				got, err = x.Sum(along...)
			case maximum:
				got, err = x.Max(along...)
			default:
				got, err = x.Min(along...)
			}
			require.NoError(t, err)
			want, shape := folded(op, elements(x), dims, along)
			if x.Dtype() == tensor.Uint8 {
				for i := range want {
					want[i] = math.Mod(want[i], 256)
				}
			}
			require.Equal(t, x.Dtype(), got.Dtype())
			require.True(t, slices.Equal(got.Shape(), shape), "%v", got.Shape())
			require.True(t, near(elements(got), want, 1e-3), "seed %d: %v of %v along %v", seed, op, dims, along)
			require.Equal(t, tensor.Engine(e), got.Engine())
		}
	}
}

// folded is a reduction by its definition, and the shape of the result.
func folded(op reduction, x []float64, dims, along []int) (out []float64, kept []int) {
	stride, n := make([]int, len(dims)), 1 // in the result
	for i := len(dims) - 1; i >= 0; i-- {
		if len(along) > 0 && !slices.Contains(along, i) {
			stride[i] = n
			n *= dims[i]
			kept = slices.Insert(kept, 0, dims[i])
		}
	}
	out = make([]float64, n)
	seen := make([]bool, n)
	for i, v := range x {
		to := 0
		for k, rest := len(dims)-1, i; k >= 0; k-- {
			to += rest % dims[k] * stride[k]
			rest /= dims[k]
		}
		switch {
		case !seen[to]:
			out[to] = v
		case op == summing:
			out[to] += v
		case op == maximum:
			out[to] = max(out[to], v)
		default:
			out[to] = min(out[to], v)
		}
		seen[to] = true
	}
	return out, kept
}

func TestNaNIsTheMaximumAndTheMinimum(t *testing.T) {
	t.Run("float32", testNaN[float32])
	t.Run("float64", testNaN[float64])
}

// testNaN puts one among numbers, everywhere in rows of some lengths, and beside infinities.
func testNaN[T float32 | float64](t *testing.T) {
	e := New()
	r := rand.New(rand.NewPCG(10, 10))
	for _, n := range []int{1, 2, 3, 4, 5, 9, 255, 256, 257, 300} {
		for place := -1; place < n; place += 1 + n/40 {
			x := sample[T](e, r, rowMajor, around, n, 2)
			data := memory[T](x)
			if n > 3 {
				data[2], data[5] = T(math.Inf(1)), T(math.Inf(-1))
			}
			if place >= 0 {
				data[2*place] = T(math.NaN())
			}
			rows := x.Clone().(*tensor.Dense) // the same along contiguous rows
			require.NoError(t, rows.T())
			require.NoError(t, rows.Transpose())
			for _, op := range []reduction{maximum, minimum} {
				want, _ := folded(op, elements(x), []int{n, 2}, []int{0})
				across, err := map[reduction]func(...int) (*tensor.Dense, error){maximum: x.Max, minimum: x.Min}[op](0)
				require.NoError(t, err)
				along, err := map[reduction]func(...int) (*tensor.Dense, error){maximum: rows.Max, minimum: rows.Min}[op](1)
				require.NoError(t, err)
				require.True(t, near(elements(across), want, 0), "%v of %d, NaN at %d", op, n, place)
				require.True(t, near(elements(along), want, 0), "%v of %d, NaN at %d", op, n, place)
			}
		}
	}
}

// What is empty gives no more than StdEng gives, and no panic of ours.
func TestEmptyTensors(t *testing.T) {
	for _, dims := range [][]int{{0}, {0, 3}, {3, 0}} {
		run := func(e tensor.Engine, op func(x *tensor.Dense) (tensor.Tensor, error)) outcome {
			return try(func() (tensor.Tensor, error) {
				return op(tensor.New(tensor.WithEngine(e), tensor.WithShape(dims...), tensor.WithBacking([]float32{})))
			})
		}
		for i, op := range []func(x *tensor.Dense) (tensor.Tensor, error){
			func(x *tensor.Dense) (tensor.Tensor, error) { return x.Add(x) },
			func(x *tensor.Dense) (tensor.Tensor, error) { return x.AddScalar(float32(1), true) },
			func(x *tensor.Dense) (tensor.Tensor, error) { return tensor.Exp(x) },
			func(x *tensor.Dense) (tensor.Tensor, error) { return x.Sum(0) },
			func(x *tensor.Dense) (tensor.Tensor, error) { return x.Sum() },
			func(x *tensor.Dense) (tensor.Tensor, error) {
				y := tensor.New(tensor.WithEngine(x.Engine()), tensor.WithShape(3, 2), tensor.WithBacking(make([]float32, 6)))
				return x.MatMul(y)
			},
		} {
			want, got := run(tensor.StdEng{}, op), run(New(), op)
			require.True(t, got.ok() || !want.ok(), "%v, %d: %v", dims, i, got)
			require.True(t, got.panics == nil || want.panics != nil, "%v, %d: %v", dims, i, got)
		}
	}
}

func TestMistakesAreErrors(t *testing.T) {
	e := New()
	x := tensor.New(tensor.WithEngine(e), tensor.WithShape(2, 3), tensor.WithBacking(make([]float32, 6)))
	y := tensor.New(tensor.WithEngine(e), tensor.WithShape(4, 5), tensor.WithBacking(make([]float32, 20)))
	z := tensor.New(tensor.WithEngine(e), tensor.WithShape(2, 3), tensor.WithBacking(make([]float64, 6)))
	v := tensor.New(tensor.WithEngine(e), tensor.WithShape(7), tensor.WithBacking(make([]float32, 7)))
	mistakes := map[string]func() (any, error){
		"axis beyond the rank":      func() (any, error) { return x.Sum(2) },
		"axis below 0":              func() (any, error) { return x.Max(-1) },
		"axis twice":                func() (any, error) { return x.Min(0, 0) },
		"axis of a scalar":          func() (any, error) { return tensor.New(tensor.WithEngine(e), tensor.FromScalar(1.0)).Sum(0) },
		"sum of shapes":             func() (any, error) { return x.Add(y) },
		"sum of types":              func() (any, error) { return x.Add(z) },
		"number of another type":    func() (any, error) { return x.AddScalar(1.0, true) },
		"product of shapes":         func() (any, error) { return x.MatMul(y) },
		"product of types":          func() (any, error) { return nil, e.MatMul(x, z, x) },
		"product into a shape":      func() (any, error) { return nil, e.MatMul(x, y, x) },
		"vector of another size":    func() (any, error) { return x.MatVecMul(v) },
		"vector into a shape":       func() (any, error) { return nil, e.MatVecMul(x, v, v) },
		"outer into a shape":        func() (any, error) { return nil, e.Outer(v, v, x) },
		"vectors of two sizes":      func() (any, error) { return tensor.Dot(v, x) },
		"inner product of a matrix": func() (any, error) { return x.Inner(v) },
	}
	for what, f := range mistakes {
		require.NotPanics(t, func() {
			_, err := f()
			require.Error(t, err, what)
		}, what)
	}
}

func TestARefusedProductNamesItsFactorsInTheirOrder(t *testing.T) {
	e := New()
	a := tensor.New(tensor.WithShape(2, 3), tensor.Of(tensor.Float32))
	x := tensor.New(tensor.WithShape(3), tensor.Of(tensor.Float32))
	require.EqualError(t, e.MatVecMul(a, x, x), "engine cpu cannot put the product of (2, 3) and (3) into (3)")
}

// Every operation that makes a tensor makes it one of the engine.
func TestResultsKeepTheEngine(t *testing.T) {
	e := New()
	r := rand.New(rand.NewPCG(6, 6))
	ids := tensor.New(tensor.WithEngine(e), tensor.WithShape(2), tensor.WithBacking([]int{1, 0}))
	ints := tensor.New(tensor.WithEngine(e), tensor.WithShape(3, 3), tensor.WithBacking(tensor.Range(tensor.Int, 1, 10)))
	for _, kind := range []arrangement{rowMajor, thunk, columnsOf, masked} {
		x := sample[float64](e, r, kind, positive, 3, 3)
		results := map[string]func() (tensor.Tensor, error){
			"Reduce": func() (tensor.Tensor, error) {
				return x.Reduce(func(a, b float64) float64 { return a + b }, 0, 0.0)
			},
			"Apply":       func() (tensor.Tensor, error) { return x.Apply(math.Sqrt) },
			"Argmax":      func() (tensor.Tensor, error) { return tensor.Argmax(x, 0) },
			"Argmin":      func() (tensor.Tensor, error) { return tensor.Argmin(x, 1) },
			"Argmax flat": func() (tensor.Tensor, error) { return tensor.Argmax(x, tensor.AllAxes) },
			"Concat":      func() (tensor.Tensor, error) { return tensor.Concat(0, x, x) },
			"Stack":       func() (tensor.Tensor, error) { return tensor.Stack(0, x, x) },
			"Hstack":      func() (tensor.Tensor, error) { return x.Hstack(x) },
			"Repeat":      func() (tensor.Tensor, error) { return tensor.Repeat(x, 0, 2) },
			"Diag":        func() (tensor.Tensor, error) { return tensor.Diag(x) },
			"ByIndices":   func() (tensor.Tensor, error) { return tensor.ByIndices(x, ids, 0) },
			"SoftMax":     func() (tensor.Tensor, error) { return tensor.SoftMax(x, 1) },
			"LogSoftMax":  func() (tensor.Tensor, error) { return tensor.LogSoftMax(x, 1) },
			"SoftMaxB":    func() (tensor.Tensor, error) { return tensor.SoftMaxB(x, x, 1) },
			"LogSoftMaxB": func() (tensor.Tensor, error) { return tensor.LogSoftMaxB(x, x, 1) },
			"Contract":    func() (tensor.Tensor, error) { return tensor.Contract(x, x, []int{0}, []int{1}) },
			"Clone":       func() (tensor.Tensor, error) { return x.Clone().(tensor.Tensor), nil },
			"Materialize": func() (tensor.Tensor, error) { return x.Materialize(), nil },
			"FMA":         func() (tensor.Tensor, error) { return tensor.FMA(x, 2.0, x.Clone().(tensor.Tensor)) },
			"Norm":        func() (tensor.Tensor, error) { return x.Norm(tensor.FrobeniusNorm()) },
			"ints":        func() (tensor.Tensor, error) { return ints.Add(ints) },
			"ints below":  func() (tensor.Tensor, error) { return ints.Lt(ints) },
			"ints mod":    func() (tensor.Tensor, error) { return ints.ModScalar(2, true) },
			"ints sum":    func() (tensor.Tensor, error) { return ints.Sum(0) },
		}
		for _, op := range pairs {
			results[op.name] = func() (tensor.Tensor, error) { return op.do(x, x) }
			results[op.name+" number"] = func() (tensor.Tensor, error) { return op.do(2.0, x) }
		}
		for _, op := range singles {
			results[op.name] = func() (tensor.Tensor, error) { return op.do(x) }
		}
		made := 0
		for what, f := range results {
			o := try(f)
			if !o.ok() || o.result == nil {
				require.NotEqual(t, rowMajor, kind, "%s: %v %v", what, o.err, o.panics)
				continue
			}
			made++
			require.Equal(t, tensor.Engine(e), o.result.Engine(), what)
		}
		require.Greater(t, made, 20)
		s, u, v, err := x.SVD(true, false)
		require.NoError(t, err)
		for _, d := range []*tensor.Dense{s, u, v} {
			require.Equal(t, tensor.Engine(e), d.Engine())
		}
	}
}

// What the caller passes in for a result keeps the engine that it has.
func TestAGivenTensorKeepsItsEngine(t *testing.T) {
	e := New()
	r := rand.New(rand.NewPCG(7, 7))
	x, to := sample[float32](e, r, rowMajor, around, 3, 3), sample[float32](tensor.StdEng{}, r, rowMajor, around, 3, 3)
	for _, f := range []func() (tensor.Tensor, error){
		func() (tensor.Tensor, error) { return x.Add(x, tensor.WithReuse(to)) },
		func() (tensor.Tensor, error) { return x.Pow(x, tensor.WithReuse(to)) },
		func() (tensor.Tensor, error) { return x.MatMul(x, tensor.WithReuse(to)) },
	} {
		got, err := f()
		require.NoError(t, err)
		require.Same(t, to, got)
		require.Equal(t, tensor.Engine(tensor.StdEng{}), got.Engine())
	}
}

// tensorOps are operations large enough to be shared out.
func tensorOps(t *testing.T, e Engine) []float32 {
	r := rand.New(rand.NewPCG(8, 8))
	x, y := sample[float32](e, r, rowMajor, around, 300, 400), sample[float32](e, r, rowMajor, around, 300, 400)
	var out []float32
	add := func(d *tensor.Dense, err error) {
		require.NoError(t, err)
		if d.IsScalar() {
			out = append(out, d.ScalarValue().(float32))
			return
		}
		out = append(out, d.Float32s()...)
	}
	add(x.Add(y))
	add(x.Mul(y, tensor.WithIncr(y.Clone().(tensor.Tensor))))
	add(x.Sum())
	add(x.Sum(0))
	add(x.Max(1))
	turned := y.ShallowClone()
	require.NoError(t, turned.T())
	add(x.MatMul(turned))
	flat := sample[float32](e, r, rowMajor, around, 100_000)
	v, err := flat.Inner(flat)
	require.NoError(t, err)
	return append(out, v.(float32))
}

func TestTensorsAreTheSameBitsForAnyGOMAXPROCS(t *testing.T) {
	e := New()
	want := tensorOps(t, e)
	for _, n := range []int{1, 2, 8} {
		old := runtime.GOMAXPROCS(n)
		got := tensorOps(t, e)
		runtime.GOMAXPROCS(old)
		require.Equal(t, want, got)
	}
}

func TestTensorsAreSharedByGoroutines(t *testing.T) {
	e := New()
	r := rand.New(rand.NewPCG(9, 9))
	a, b := sample[float64](e, r, rowMajor, around, 60, 70), sample[float64](e, r, thunk, around, 70, 50)
	x := sample[float64](e, r, rowMajor, around, 60)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				for _, f := range []func() (tensor.Tensor, error){
					func() (tensor.Tensor, error) { return a.MatMul(b) },
					func() (tensor.Tensor, error) { return tensor.Dot(x, a) },
					func() (tensor.Tensor, error) { return a.Mul(a) },
					func() (tensor.Tensor, error) { return tensor.Exp(a) },
					func() (tensor.Tensor, error) { return a.Sum(0) },
					func() (tensor.Tensor, error) { return b.Max(1) },
					func() (tensor.Tensor, error) { return a.AddScalar(1.0, true) },
				} {
					if _, err := f(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
}

func TestAnEngineIsComparable(t *testing.T) {
	require.True(t, tensor.Engine(New()) == tensor.Engine(New()))
}
