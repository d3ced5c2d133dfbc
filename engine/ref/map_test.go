package ref

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var nan, inf, negZero = math.NaN(), math.Inf(1), math.Copysign(0, -1)

// mapper binds m for one output.
func mapper(m engine.Map) func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return Engine{}.BindMap(m, in, engine.InRows(out.Type))
	}
}

// vector is a value of rank 1.
func vector(d shape.DType, v ...float64) tensorOf {
	return tensorOf{shape.Make(d, shape.Dim(len(v))), v}
}

// sameNumbers compares bit by bit, but that any NaN equals any other.
func sameNumbers(t *testing.T, want, got []float64, msg ...any) {
	t.Helper()
	require.Len(t, got, len(want), msg...)
	for i := range want {
		if math.IsNaN(want[i]) && math.IsNaN(got[i]) || math.Float64bits(want[i]) == math.Float64bits(got[i]) {
			continue
		}
		require.Equal(t, want, got, msg...)
		require.Equal(t, math.Signbit(want[i]), math.Signbit(got[i]), "sign of element %d: %v", i, msg)
	}
}

func TestFunctionsOfOneFloat(t *testing.T) {
	in := []float64{0, negZero, 1, -1, 2.5, -2.5, 1e-3, -1e-3, 100, -100, inf, -inf, nan}
	for f, want := range map[engine.Fn]func(float64) float64{
		engine.Copy: func(x float64) float64 { return x },
		engine.Neg: func(x float64) float64 {
			return math.Copysign(x, map[bool]float64{true: 1, false: -1}[math.Signbit(x)])
		},
		engine.Abs:   func(x float64) float64 { return math.Copysign(x, 1) },
		engine.Exp:   math.Exp,
		engine.Log:   math.Log,
		engine.Log1p: math.Log1p,
		engine.Expm1: math.Expm1,
		engine.Sqrt:  math.Sqrt,
		engine.Sin:   math.Sin,
		engine.Cos:   math.Cos,
		engine.Tanh:  math.Tanh,
		engine.Floor: math.Floor,
		engine.Sign: func(x float64) float64 {
			if x == 0 || x != x {
				return x
			}
			return math.Copysign(1, x)
		},
	} {
		t.Run(f.String(), func(t *testing.T) {
			for _, d := range []shape.DType{shape.Float32, shape.Float64} {
				x := vector(d, in...)
				expected := make([]float64, len(in))
				for i, v := range in {
					if d == shape.Float32 {
						v = float64(float32(v))
					}
					if expected[i] = want(v); d == shape.Float32 {
						expected[i] = float64(float32(expected[i]))
					}
				}
				got, err := compute(t, x.Type, mapper(engine.MapOf(f, d, engine.In(0))), x)
				require.NoError(t, err)
				sameNumbers(t, expected, got, d)
			}
		})
	}
}

// The values are those of 1/(1+exp(-x)) computed with 30 digits.
func TestSigmoidNeitherOverflowsNorLosesItsTail(t *testing.T) {
	x := vector(shape.Float64, 0, 1, -1, 40, -40, 700, -700, 1e4, -1e4, inf, -inf, nan)
	want := []float64{.5, 0.73105857863000490, 0.26894142136999510, 1, 4.248354255291589e-18, 1, 9.859676543759771e-305, 1, 0, 1, 0, nan}
	got, err := compute(t, x.Type, mapper(engine.MapOf(engine.Sigmoid, shape.Float64, engine.In(0))), x)
	require.NoError(t, err)
	for i := range want {
		require.InEpsilon(t, 1+want[i], 1+got[i], 1e-15, x.v[i])
		if want[i] > 0 {
			require.InEpsilon(t, want[i], got[i], 1e-14, x.v[i])
		}
	}
}

func TestFunctionsOfTwoNumbers(t *testing.T) {
	fl := []shape.DType{shape.Float32, shape.Float64}
	whole := []shape.DType{shape.Float32, shape.Float64, shape.Int32, shape.Int64}
	all := append(slices.Clone(whole), shape.Uint8)
	for _, c := range []struct {
		f          engine.Fn
		types      []shape.DType
		a, b, want []float64
	}{
		{engine.Add, all, []float64{1, 2, 100}, []float64{3, 0, 100}, []float64{4, 2, 200}},
		{engine.Sub, whole, []float64{1, 2, 100}, []float64{3, 0, 100}, []float64{-2, 2, 0}},
		{engine.Mul, all, []float64{1, 2, 10}, []float64{3, 0, 10}, []float64{3, 0, 100}},
		{engine.Div, fl, []float64{1, 1, -1, 0, 7}, []float64{4, 0, 0, 0, negZero}, []float64{.25, inf, -inf, nan, -inf}},
		{engine.Div, []shape.DType{shape.Int32, shape.Int64}, []float64{7, -7, 7, 5}, []float64{2, 2, -2, 0}, []float64{3, -3, -3, 0}},
		{engine.Div, []shape.DType{shape.Uint8}, []float64{7, 255, 5}, []float64{2, 2, 0}, []float64{3, 127, 0}},
		{engine.Pow, fl, []float64{2, 0, 0, -2, -2, nan, 9}, []float64{10, 0, -1, 3, .5, 0, .5}, []float64{1024, 1, inf, -8, nan, 1, 3}},
		{engine.Max, fl, []float64{1, nan, 1, negZero, 0, -inf}, []float64{2, 1, nan, 0, negZero, -3}, []float64{2, nan, nan, 0, 0, -3}},
		{engine.Min, fl, []float64{1, nan, 1, negZero, 0, -inf}, []float64{2, 1, nan, 0, negZero, -3}, []float64{1, nan, nan, negZero, negZero, -inf}},
		{engine.Max, whole, []float64{1, -5}, []float64{2, -6}, []float64{2, -5}},
		{engine.Min, all, []float64{1, 5}, []float64{2, 3}, []float64{1, 3}},
		// Integers wrap around.
		{engine.Add, []shape.DType{shape.Int32}, []float64{math.MaxInt32}, []float64{1}, []float64{math.MinInt32}},
		{engine.Div, []shape.DType{shape.Int32}, []float64{math.MinInt32}, []float64{-1}, []float64{math.MinInt32}},
		{engine.Sub, []shape.DType{shape.Uint8}, []float64{1}, []float64{2}, []float64{255}},
		{engine.Mul, []shape.DType{shape.Uint8}, []float64{16}, []float64{17}, []float64{16}},
	} {
		for _, d := range c.types {
			x := vector(d, c.a...)
			got, err := compute(t, x.Type, mapper(engine.MapOf(c.f, d, engine.In(0), engine.In(1))), x, vector(d, c.b...))
			require.NoError(t, err)
			sameNumbers(t, c.want, got, c.f, d)
		}
	}
}

func TestFunctionsOfOneInteger(t *testing.T) {
	for _, c := range []struct {
		f        engine.Fn
		d        shape.DType
		in, want []float64
	}{
		{engine.Neg, shape.Int32, []float64{3, -3, math.MinInt32}, []float64{-3, 3, math.MinInt32}},
		{engine.Neg, shape.Uint8, []float64{0, 1}, []float64{0, 255}},
		{engine.Abs, shape.Int64, []float64{3, -3}, []float64{3, 3}},
		{engine.Abs, shape.Uint8, []float64{0, 200}, []float64{0, 200}},
		{engine.Sign, shape.Int32, []float64{0, 7, math.MinInt32}, []float64{0, 1, -1}},
		{engine.Sign, shape.Uint8, []float64{0, 200}, []float64{0, 1}},
	} {
		x := vector(c.d, c.in...)
		got, err := compute(t, x.Type, mapper(engine.MapOf(c.f, c.d, engine.In(0))), x)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%v of %v", c.f, c.d)
	}
}

func TestComparisonsAndLogic(t *testing.T) {
	for _, d := range dtypes[:5] {
		a, b := vector(d, 1, 2, 2), vector(d, 2, 2, 1)
		for f, want := range map[engine.Fn][]float64{
			engine.Eq: {0, 1, 0}, engine.Ne: {1, 0, 1}, engine.Lt: {1, 0, 0},
			engine.Le: {1, 1, 0}, engine.Gt: {0, 0, 1}, engine.Ge: {0, 1, 1},
		} {
			got, err := compute(t, shape.Mask(3), mapper(engine.MapOf(f, shape.Bool, engine.In(0), engine.In(1))), a, b)
			require.NoError(t, err)
			require.Equal(t, want, got, "%v of %v", f, d)
		}
	}
	for f, want := range map[engine.Fn]float64{engine.Eq: 0, engine.Ne: 1, engine.Lt: 0, engine.Le: 0, engine.Gt: 0, engine.Ge: 0} {
		got, err := compute(t, shape.Mask(1), mapper(engine.MapOf(f, shape.Bool, engine.In(0), engine.In(0))), vector(shape.Float32, nan))
		require.NoError(t, err)
		require.Equal(t, []float64{want}, got, "%v of NaN", f)
	}
	a, b := vector(shape.Bool, 0, 0, 1, 1), vector(shape.Bool, 0, 1, 0, 1)
	for f, want := range map[engine.Fn][]float64{
		engine.And: {0, 0, 0, 1}, engine.Or: {0, 1, 1, 1}, engine.Not: {1, 1, 0, 0}, engine.Eq: {1, 0, 0, 1}, engine.Ne: {0, 1, 1, 0},
	} {
		got, err := compute(t, shape.Mask(4), mapper(engine.MapOf(f, shape.Bool, engine.In(0), engine.In(1))), a, b)
		require.NoError(t, err)
		require.Equal(t, want, got, f)
	}
}

func TestSelectOfEveryType(t *testing.T) {
	for _, d := range dtypes {
		got, err := compute(t, shape.Make(d, 4), mapper(engine.MapOf(engine.Select, d, engine.In(0), engine.In(1), engine.In(2))),
			vector(shape.Bool, 0, 1, 1, 0), vector(d, 1, 0, 1, 0), vector(d, 0, 1, 1, 0))
		require.NoError(t, err)
		require.Equal(t, []float64{0, 0, 1, 0}, got, d)
	}
	got, err := compute(t, shape.F32(2), mapper(engine.MapOf(engine.Select, shape.Float32, engine.Imm(1), engine.In(0), engine.Imm(nan))), vector(shape.Float32, 5, 6))
	require.NoError(t, err)
	require.Equal(t, []float64{5, 6}, got, "a number as the condition")
}

func TestCopyConvertsBetweenAllTypes(t *testing.T) {
	for _, c := range []struct {
		from     shape.DType
		in, want []float64
		to       shape.DType
	}{
		{shape.Float64, []float64{1.9, -1.9, .5, nan, inf, -inf, 3e9, -3e9}, []float64{1, -1, 0, 0, math.MaxInt32, math.MinInt32, math.MaxInt32, math.MinInt32}, shape.Int32},
		{shape.Float64, []float64{1e15, nan, 1e30, -1e30}, []float64{1e15, 0, math.MaxInt64, math.MinInt64}, shape.Int64},
		{shape.Float32, []float64{1.9, -.5, -7, 255.9, 256, nan}, []float64{1, 0, 0, 255, 255, 0}, shape.Uint8},
		{shape.Float64, []float64{.1, 1e300, nan, negZero}, []float64{float64(float32(.1)), inf, nan, negZero}, shape.Float32},
		{shape.Float32, []float64{0, negZero, nan, .5}, []float64{0, 0, 1, 1}, shape.Bool},
		{shape.Int32, []float64{-1, 300, 7}, []float64{255, 44, 7}, shape.Uint8},
		{shape.Int64, []float64{1 << 33, -1, 5}, []float64{0, -1, 5}, shape.Int32},
		{shape.Int64, []float64{1 << 53, 0}, []float64{1, 0}, shape.Bool},
		{shape.Int32, []float64{1<<24 + 1, -3}, []float64{1 << 24, -3}, shape.Float32},
	} {
		x := vector(c.from, c.in...)
		got, err := compute(t, x.Type.As(c.to), mapper(engine.MapOf(engine.Copy, c.to, engine.In(0))), x)
		require.NoError(t, err)
		sameNumbers(t, c.want, got, "%v to %v", c.from, c.to)
	}
	for _, from := range dtypes { // and what every type can hold
		for _, to := range dtypes {
			x := vector(from, 0, 1, 1)
			got, err := compute(t, x.Type.As(to), mapper(engine.MapOf(engine.Copy, to, engine.In(0))), x)
			require.NoError(t, err)
			require.Equal(t, x.v, got, "%v to %v", from, to)
		}
	}
}

func TestNumbersTakeTheTypeOfTheStep(t *testing.T) {
	for _, d := range dtypes {
		got, err := compute(t, shape.Make(d, 2), mapper(engine.MapOf(engine.Copy, d, engine.Imm(1))))
		require.NoError(t, err)
		require.Equal(t, []float64{1, 1}, got, d)
	}
	m := engine.MapOf(engine.Eq, shape.Bool, engine.Imm(.1), engine.In(0))
	got, err := compute(t, shape.Mask(1), mapper(m), vector(shape.Float32, .1))
	require.NoError(t, err)
	require.Equal(t, []float64{1}, got, ".1 is rounded to float32 as the input is")
}

func TestFloat32IsRoundedAfterEveryStep(t *testing.T) {
	m := engine.Map{Steps: []engine.Step{
		{Fn: engine.Add, DType: shape.Float32, Args: [3]engine.Arg{engine.In(0), engine.Imm(1)}},
		{Fn: engine.Sub, DType: shape.Float32, Args: [3]engine.Arg{engine.Res(0), engine.Imm(1)}},
	}, Outs: []int{1}}
	got, err := compute(t, shape.F32(1), mapper(m), vector(shape.Float32, 0x1p-24))
	require.NoError(t, err)
	require.Equal(t, []float64{0}, got)
}

// shrunk returns s with some extents 1 and some first axes gone: what broadcasts to s.
func shrunk(r *rand.Rand, s shape.Shape) shape.Shape {
	dims := s.Dims()
	for i := range dims {
		if r.IntN(2) == 0 {
			dims[i] = 1
		}
	}
	lead := 0
	for lead < len(dims) && dims[lead] == 1 && r.IntN(2) == 0 {
		lead++
	}
	return shape.Of(dims[lead:]...)
}

// Every element of every output of a random map, against one element at a time.
func TestMapsOfBroadcastInputsBlockByBlock(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		out := make([]shape.Dim, r.IntN(5))
		for i := range out {
			out[i] = []shape.Dim{1, 2, 3, 5, 17}[r.IntN(5)]
		}
		if r.IntN(20) == 0 {
			out = append(out, 0)
		}
		to := shape.Of(out...)
		in := make([]tensorOf, 3)
		for i := range in {
			in[i] = counting(shape.Type{DType: shape.Float64, Shape: shrunk(r, to)})
		}
		// a*b - c, and |a*b - c| + a in one map
		m := engine.Map{Steps: []engine.Step{
			{Fn: engine.Mul, DType: shape.Float64, Args: [3]engine.Arg{engine.In(0), engine.In(1)}},
			{Fn: engine.Sub, DType: shape.Float64, Args: [3]engine.Arg{engine.Res(0), engine.In(2)}},
			{Fn: engine.Abs, DType: shape.Float64, Args: [3]engine.Arg{engine.Res(1)}},
			{Fn: engine.Add, DType: shape.Float64, Args: [3]engine.Arg{engine.Res(2), engine.In(0)}},
		}, Outs: []int{1, 3}}
		wants := [2][]float64{}
		each(to, func(index []int) {
			var v [3]float64
			for i, x := range in {
				own := slices.Clone(index[to.Rank()-x.Rank():])
				for k := range own {
					own[k] %= x.Int(k)
				}
				v[i] = *x.at(own)
			}
			d := v[0]*v[1] - v[2]
			wants[0], wants[1] = append(wants[0], d), append(wants[1], math.Abs(d)+v[0])
		})
		typ := shape.Type{DType: shape.Float64, Shape: to}
		b, bufs := bindAll(t, m, in, engine.InRow(typ), engine.InRow(typ))
		c := &engine.Call{In: bufs, Out: []engine.Buffer{newBuffer(typ), newBuffer(typ)}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
		require.NoError(t, b.Kernel(c))
		for o, want := range wants {
			sameNumbers(t, append([]float64{}, want...), engine.Floats(c.Out[o]), "output %d of %v from %v %v %v", o, to, in[0].Shape, in[1].Shape, in[2].Shape)
		}
		testOverwrites(t, m, b, in, wants, typ)
	}
}

// testOverwrites runs a map of two outputs with each put over each input that it may be.
func testOverwrites(t *testing.T, m engine.Map, b engine.Bound, in []tensorOf, wants [2][]float64, typ shape.Type) {
	fit := 0
	for _, x := range in {
		if x.Shape == typ.Shape {
			fit += 2
		}
	}
	require.Len(t, b.InPlace, fit)
	for _, over := range b.InPlace {
		_, bufs := bindAll(t, m, in, engine.InRow(typ), engine.InRow(typ))
		c := &engine.Call{In: bufs, Out: []engine.Buffer{newBuffer(typ), newBuffer(typ)}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
		c.Out[over.Out] = c.In[over.In]
		require.NoError(t, b.Kernel(c))
		for o, want := range wants {
			sameNumbers(t, append([]float64{}, want...), engine.Floats(c.Out[o]), fmt.Sprint(over, o))
		}
	}
}

func bindAll(t *testing.T, m engine.Map, in []tensorOf, out ...engine.Operand) (engine.Bound, []engine.Buffer) {
	t.Helper()
	types, bufs := make([]shape.Type, len(in)), make([]engine.Buffer, len(in))
	for i, x := range in {
		types[i], bufs[i] = x.Type, newBuffer(x.Type)
		engine.Load(bufs[i], x.v)
	}
	b, err := Engine{}.BindMap(m, engine.InRows(types...), out)
	require.NoError(t, err)
	return b, bufs
}

func newBuffer(t shape.Type) engine.Buffer {
	return engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, t.Len())
}

func TestAMaskMayOverwriteNothingWider(t *testing.T) {
	b, err := Engine{}.BindMap(engine.MapOf(engine.Lt, shape.Bool, engine.In(0), engine.In(1)), engine.InRows(shape.F32(4), shape.F32(4)), engine.InRows(shape.Mask(4)))
	require.NoError(t, err)
	require.Empty(t, b.InPlace)
}

func TestMalformedMapsAreErrors(t *testing.T) {
	f32, i32 := shape.F32(2), shape.I32(2)
	for _, c := range []struct {
		m       engine.Map
		in, out []shape.Type
		want    string
	}{
		{engine.MapOf(engine.Add, shape.Float32, engine.In(0), engine.In(1)), []shape.Type{f32, i32}, []shape.Type{f32}, "no function add of [float32 int32]"},
		{engine.MapOf(engine.Exp, shape.Int32, engine.In(0)), []shape.Type{i32}, []shape.Type{i32}, "no function exp of [int32]"},
		{engine.MapOf(engine.BitAnd, shape.Float32, engine.In(0), engine.In(0)), []shape.Type{f32}, []shape.Type{f32}, "no function bitand"},
		{engine.MapOf(engine.Not, shape.Bool, engine.In(0)), []shape.Type{f32}, []shape.Type{shape.Mask(2)}, "no function not"},
		{engine.MapOf(engine.Lt, shape.Float32, engine.In(0), engine.In(0)), []shape.Type{f32}, []shape.Type{f32}, "no function lt"},
		{engine.MapOf(engine.Select, shape.Float32, engine.In(0), engine.In(0), engine.In(0)), []shape.Type{f32}, []shape.Type{f32}, "no function select"},
		{engine.MapOf(engine.Neg, shape.Float32, engine.In(1)), []shape.Type{f32}, []shape.Type{f32}, "step 0 cannot read in1"},
		{engine.MapOf(engine.Neg, shape.Float32, engine.Res(0)), nil, []shape.Type{f32}, "step 0 cannot read r0"},
		{engine.MapOf(engine.Neg, shape.Float32), nil, []shape.Type{f32}, "step 0 cannot read -"},
		{engine.MapOf(engine.NoFn, shape.Float32), nil, []shape.Type{f32}, "step 0 of a map has no function"},
		{engine.MapOf(engine.Neg, shape.Float32, engine.In(0)), []shape.Type{shape.F32(3)}, []shape.Type{f32}, "does not broadcast to (2)"},
		{engine.MapOf(engine.Neg, shape.Float32, engine.In(0)), []shape.Type{f32}, []shape.Type{shape.F64(2)}, "cannot return output 0 as float64(2)"},
		{engine.MapOf(engine.Neg, shape.Float32, engine.In(0)), []shape.Type{f32}, nil, "has 1 outputs, 0 types"},
	} {
		_, err := Engine{}.BindMap(c.m, engine.InRows(c.in...), engine.InRows(c.out...))
		require.ErrorContains(t, err, c.want)
	}
}
