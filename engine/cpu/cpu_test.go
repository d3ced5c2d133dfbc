package cpu

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/enginetest"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

var long = flag.Bool("long", false, "every trial, at every level of instructions")

// A part of the trials; all of them with -long.
func TestConforms(t *testing.T) {
	enginetest.Run(t, New(), enginetest.Options{Flushes: true, Brief: !*long})
}

// Another part at every level of instructions, with more workers than processors, and without any; all of it with -long.
func TestConformsAtEveryLevel(t *testing.T) {
	pool := par.NewPool(5)
	defer pool.Close()
	for i, level := range isa.Levels() {
		t.Run(level.String(), func(t *testing.T) {
			e := Engine{pool: pool, simd: simd.With(level)}
			if i == 1 {
				e.pool = nil
			}
			enginetest.Run(t, e, enginetest.Options{Flushes: true, Seed: uint64(i + 1), Brief: !*long})
		})
	}
}

// run binds a kernel and runs it on the given inputs.
func run(t testing.TB, bind func() (engine.Bound, error), in []engine.Buffer, out shape.Type) engine.Buffer {
	b, err := bind()
	require.NoError(t, err)
	y := newBuffer(out)
	require.NoError(t, b.Kernel(&engine.Call{Out: []engine.Buffer{y}, In: in, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}))
	return y
}

func newBuffer(t shape.Type) engine.Buffer {
	return engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, t.Len())
}

// random returns a buffer of numbers in [-1, 1).
func random(r *rand.Rand, t shape.Type) engine.Buffer {
	b, v := newBuffer(t), make([]float64, t.Len())
	for i := range v {
		v[i] = r.Float64()*2 - 1
	}
	engine.Load(b, v)
	return b
}

func requireClose(t testing.TB, want, got engine.Buffer, tolerance float64) {
	t.Helper()
	v := engine.Floats(got)
	for i, w := range engine.Floats(want) {
		if !(math.Abs(v[i]-w) <= tolerance) {
			require.InDelta(t, w, v[i], tolerance, "element %d", i)
		}
	}
}

// Images so large that they are unfolded in several tiles, and channels so many that they are
// in several blocks; both times the last one is smaller.
func TestConv2DInTilesAndBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		dtype                            shape.DType
		batch, groups, channels, filters int // of a group
		image, kernel                    [2]int
		stride, pad                      int
	}{
		{shape.Float32, 2, 1, 3, 8, [2]int{71, 65}, [2]int{11, 7}, 2, 3},
		{shape.Float64, 1, 1, 40, 6, [2]int{20, 21}, [2]int{3, 3}, 1, 1},
		{shape.Float32, 1, 2, 40, 6, [2]int{43, 41}, [2]int{3, 3}, 1, 1},
		{shape.Float64, 1, 1, 96, 5, [2]int{19, 23}, [2]int{3, 3}, 1, 0},
		{shape.Float64, 1, 1, 70, 5, [2]int{47, 45}, [2]int{1, 1}, 1, 0},
		{shape.Float32, 2, 1, 140, 60, [2]int{4, 3}, [2]int{3, 3}, 1, 1},
	} {
		op := engine.Conv2D{Stride: [2]int{c.stride, c.stride}, Dilation: [2]int{1, 1}, Pad: [2][2]int{{c.pad, c.pad}, {c.pad, c.pad}}, Groups: c.groups}
		size := [2]int{}
		for i := range size {
			size[i] = (c.image[i]+2*c.pad-c.kernel[i])/c.stride + 1
		}
		of := func(dims ...int) shape.Type { return shape.Type{DType: c.dtype, Shape: shape.OfInts(dims...)} }
		x, w := of(c.batch, c.groups*c.channels, c.image[0], c.image[1]), of(c.groups*c.filters, c.channels, c.kernel[0], c.kernel[1])
		y := of(c.batch, c.groups*c.filters, size[0], size[1])
		for name, k := range map[string]struct {
			bind func(e engine.Conv2Der, in []engine.Operand, out engine.Operand) (engine.Bound, error)
			in   []shape.Type
			out  shape.Type
		}{
			"forward": {func(e engine.Conv2Der, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return e.BindConv2D(op, in, out)
			}, []shape.Type{x, w}, y},
			"input gradient": {func(e engine.Conv2Der, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return e.BindConv2DInputGrad(op, in, out)
			}, []shape.Type{y, w}, x},
			"filter gradient": {func(e engine.Conv2Der, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return e.BindConv2DFilterGrad(op, in, out)
			}, []shape.Type{x, y}, w},
		} {
			t.Run(fmt.Sprintf("%v by %v, %s", x, w, name), func(t *testing.T) {
				in := []engine.Buffer{random(r, k.in[0]), random(r, k.in[1])}
				want := run(t, func() (engine.Bound, error) { return k.bind(ref.Engine{}, engine.InRows(k.in...), engine.InRow(k.out)) }, in, k.out)
				got := run(t, func() (engine.Bound, error) { return k.bind(New(), engine.InRows(k.in...), engine.InRow(k.out)) }, in, k.out)
				requireClose(t, want, got, map[shape.DType]float64{shape.Float32: 1e-3, shape.Float64: 1e-11}[c.dtype])
			})
		}
	}
}

// Sums that are made in parts, of rows and of pieces of a row.
func TestSumInParts(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, c := range []struct {
		x    shape.Type
		axes engine.Axes
		out  shape.Type
	}{
		{shape.F32(1 << 17), engine.AxesOf(0), shape.F32()},
		{shape.F32(96 * 1024), engine.AxesOf(0), shape.F32(1)},
		{shape.F32(3001, 7), engine.AxesOf(0), shape.F32(7)},
		{shape.F32(2, 1500, 3), engine.AxesOf(1), shape.F32(2, 3)},
		{shape.F32(300, 5, 300), engine.AxesOf(0, 2), shape.F32(5)},
	} {
		in := []engine.Buffer{random(r, c.x)}
		want := run(t, func() (engine.Bound, error) {
			return ref.Engine{}.BindReduce(engine.Sum, c.axes, engine.InRows(c.x), engine.InRow(c.out))
		}, in, c.out)
		got := run(t, func() (engine.Bound, error) {
			return New().BindReduce(engine.Sum, c.axes, engine.InRows(c.x), engine.InRow(c.out))
		}, in, c.out)
		requireClose(t, want, got, 1e-3)
	}
}

// What the engine is for must not fall back to ref unnoticed.
func TestFastKernelsAreOurs(t *testing.T) {
	e, f32 := New(), shape.F32
	x, w, y := f32(2, 4, 6, 6), f32(4, 4, 3, 3), f32(2, 4, 4, 4)
	conv := engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
	strided := engine.Conv2D{Stride: [2]int{1, 3}, Dilation: [2]int{1, 1}, Groups: 1}
	pool := engine.Pool2D{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}
	relu := engine.MapOf(engine.Max, shape.Float32, engine.In(0), engine.Imm(0))
	for name, bind := range map[string]func() (engine.Bound, error){
		"Map": func() (engine.Bound, error) { return e.BindMap(relu, engine.InRows(x), engine.InRows(x)) },
		"MatMul": func() (engine.Bound, error) {
			return e.BindMatMul(engine.MatMul{}, engine.InRows(f32(3, 4), f32(4, 5)), engine.InRow(f32(3, 5)))
		},
		"Conv2D direct": func() (engine.Bound, error) { return e.BindConv2D(conv, engine.InRows(x, w), engine.InRow(y)) },
		"Conv2D im2col": func() (engine.Bound, error) {
			return e.BindConv2D(strided, engine.InRows(x, w), engine.InRow(f32(2, 4, 4, 2)))
		},
		"Conv2DInputGrad": func() (engine.Bound, error) { return e.BindConv2DInputGrad(conv, engine.InRows(y, w), engine.InRow(x)) },
		"Conv2DFilterGrad": func() (engine.Bound, error) {
			return e.BindConv2DFilterGrad(conv, engine.InRows(x, y), engine.InRow(w))
		},
		"MaxPool2D": func() (engine.Bound, error) { return e.BindMaxPool2D(pool, engine.InRows(x), engine.InRow(y)) },
		"MaxPool2DScatter": func() (engine.Bound, error) {
			return e.BindMaxPool2DScatter(pool, engine.InRows(x, y), engine.InRow(x))
		},
		"MaxPool2DGather": func() (engine.Bound, error) { return e.BindMaxPool2DGather(pool, engine.InRows(x, x), engine.InRow(y)) },
		"AvgPool2D":       func() (engine.Bound, error) { return e.BindAvgPool2D(pool, engine.InRows(x), engine.InRow(y)) },
		"AvgPool2DGrad":   func() (engine.Bound, error) { return e.BindAvgPool2DGrad(pool, engine.InRows(y), engine.InRow(x)) },
		"Sum": func() (engine.Bound, error) {
			return e.BindReduce(engine.Sum, engine.AxesOf(0, 2, 3), engine.InRows(x), engine.InRow(f32(4)))
		},
		"Softmax":     func() (engine.Bound, error) { return e.BindSoftmax(true, 1, engine.InRows(x), engine.InRow(x)) },
		"SoftmaxGrad": func() (engine.Bound, error) { return e.BindSoftmaxGrad(true, 1, engine.InRows(x, x), engine.InRow(x)) },
		"Transpose": func() (engine.Bound, error) {
			return e.BindTranspose(engine.Perm{1, 0}, engine.InRows(f32(3, 4)), engine.InRow(f32(4, 3)))
		},
		"Max": func() (engine.Bound, error) {
			return e.BindReduce(engine.Maximum, engine.AxesOf(1), engine.InRows(x), engine.InRow(f32(2, 6, 6)))
		},
		"Sum of float64": func() (engine.Bound, error) {
			return e.BindReduce(engine.Sum, engine.AxesOf(1), engine.InRows(shape.F64(2, 3)), engine.InRow(shape.F64(2)))
		},
		"Map of int32": func() (engine.Bound, error) {
			m := engine.MapOf(engine.Copy, shape.Float32, engine.In(0))
			return e.BindMap(m, engine.InRows(shape.I32(5)), engine.InRows(f32(5)))
		},
		"WindowSum": func() (engine.Bound, error) {
			return e.BindWindowSum(engine.WindowSum{Axis: 1, Before: 2, After: 2}, engine.InRows(x), engine.InRow(x))
		},
		"Slice": func() (engine.Bound, error) {
			return e.BindSlice(engine.Window{Step: [shape.MaxRank]int{1, 2}}, engine.InRows(f32(3, 4)), engine.InRow(f32(3, 2)))
		},
		"Embed": func() (engine.Bound, error) {
			return e.BindEmbed(engine.Window{Step: [shape.MaxRank]int{1, 2}}, engine.InRows(f32(3, 2)), engine.InRow(f32(3, 4)))
		},
		"AddPart": func() (engine.Bound, error) {
			return e.BindAddPart(engine.Window{Step: [shape.MaxRank]int{1, 2}}, engine.InRows(f32(3, 2), f32(3, 4)), engine.InRow(f32(3, 4)))
		},
		"Concat": func() (engine.Bound, error) {
			return e.BindConcat(1, engine.InRows(f32(3, 2), f32(3, 4)), engine.InRow(f32(3, 6)))
		},
		"Pad": func() (engine.Bound, error) {
			return e.BindPad(engine.Padding{Before: [shape.MaxRank]int{0, 2}}, engine.InRows(f32(3, 2)), engine.InRow(f32(3, 4)))
		},
		"PadGrad": func() (engine.Bound, error) {
			return e.BindPadGrad(engine.Padding{Mode: engine.PadEdge, Before: [shape.MaxRank]int{0, 2}}, engine.InRows(f32(3, 4)), engine.InRow(f32(3, 2)))
		},
		"OneHot": func() (engine.Bound, error) {
			return e.BindOneHot(engine.InRows(shape.I32(4)), engine.InRow(f32(4, 3)))
		},
		"Random": func() (engine.Bound, error) {
			return e.BindRandom(engine.Normal, 1, engine.InRows(shape.I64(2)), engine.InRow(x))
		},
	} {
		b, err := bind()
		require.NoError(t, err, name)
		require.Equal(t, "cpu", b.By, name)
	}
}

// Numbers of a type that a kernel does not compute with are refused, not misread.
func TestTypesWithoutAKernelAreRefused(t *testing.T) {
	e := New()
	conv := engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
	pool := engine.Pool2D{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}
	sum := engine.WindowSum{Axis: 1, Before: 1}
	of := func(d shape.DType, dims ...int) shape.Type { return shape.Type{DType: d, Shape: shape.OfInts(dims...)} }
	types := func(t ...shape.Type) []shape.Type { return t }
	for _, d := range [][2]shape.DType{
		{shape.Int32, shape.Int32}, {shape.Int32, shape.Float32}, {shape.Float32, shape.Int32}, {shape.Float32, shape.Float64}, {shape.Float64, shape.Float32},
	} {
		in, out := d[0], d[1]
		row, x, w, y := of(in, 3, 4), of(in, 2, 4, 6, 6), of(in, 4, 4, 3, 3), of(in, 2, 4, 4, 4)
		to := func(t shape.Type) shape.Type { return of(out, t.Ints()...) }
		for name, bind := range map[string]func() (engine.Bound, error){
			"MatMul": func() (engine.Bound, error) {
				return e.BindMatMul(engine.MatMul{}, engine.InRows(types(row, of(in, 4, 5))...), engine.InRow(of(out, 3, 5)))
			},
			"Conv2D": func() (engine.Bound, error) {
				return e.BindConv2D(conv, engine.InRows(types(x, w)...), engine.InRow(to(y)))
			},
			"Conv2DInputGrad": func() (engine.Bound, error) {
				return e.BindConv2DInputGrad(conv, engine.InRows(types(y, w)...), engine.InRow(to(x)))
			},
			"Conv2DFilterGrad": func() (engine.Bound, error) {
				return e.BindConv2DFilterGrad(conv, engine.InRows(types(x, y)...), engine.InRow(to(w)))
			},
			"MaxPool2D": func() (engine.Bound, error) {
				return e.BindMaxPool2D(pool, engine.InRows(types(x)...), engine.InRow(to(y)))
			},
			"MaxPool2DScatter": func() (engine.Bound, error) {
				return e.BindMaxPool2DScatter(pool, engine.InRows(types(x, y)...), engine.InRow(to(x)))
			},
			"MaxPool2DGather": func() (engine.Bound, error) {
				return e.BindMaxPool2DGather(pool, engine.InRows(types(x, x)...), engine.InRow(to(y)))
			},
			"AvgPool2D": func() (engine.Bound, error) {
				return e.BindAvgPool2D(pool, engine.InRows(types(x)...), engine.InRow(to(y)))
			},
			"AvgPool2DGrad": func() (engine.Bound, error) {
				return e.BindAvgPool2DGrad(pool, engine.InRows(types(y)...), engine.InRow(to(x)))
			},
			"Softmax": func() (engine.Bound, error) {
				return e.BindSoftmax(true, 1, engine.InRows(types(row)...), engine.InRow(to(row)))
			},
			"SoftmaxGrad": func() (engine.Bound, error) {
				return e.BindSoftmaxGrad(true, 1, engine.InRows(types(row, row)...), engine.InRow(to(row)))
			},
			"WindowSum": func() (engine.Bound, error) {
				return e.BindWindowSum(sum, engine.InRows(types(row)...), engine.InRow(to(row)))
			},
		} {
			_, err := bind()
			require.Error(t, err, "%s of %v to %v", name, in, out)
		}
	}
}

// A fused map has the bits of its steps one by one, also where functions are not exact.
func TestFusionKeepsTheBits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	x := shape.F32(2500)
	step := func(f engine.Fn, args ...engine.Arg) engine.Step {
		s := engine.Step{Fn: f, DType: shape.Float32}
		copy(s.Args[:], args)
		return s
	}
	steps := []engine.Step{
		step(engine.Exp, engine.In(0)),
		step(engine.Sigmoid, engine.Res(0)),
		step(engine.Mul, engine.Res(1), engine.In(1)),
		step(engine.Tanh, engine.Res(2)),
		step(engine.Mul, engine.Res(3), engine.Imm(.3)),
		step(engine.Add, engine.Res(4), engine.In(1)),
		step(engine.Log, engine.Res(0)),
		step(engine.Sub, engine.Res(5), engine.Res(6)),
	}
	in := []engine.Buffer{random(r, x), random(r, x)}
	types := []shape.Type{x, x}
	e := New()
	fused := run(t, func() (engine.Bound, error) {
		return e.BindMap(engine.Map{Steps: steps, Outs: []int{7}}, engine.InRows(types...), engine.InRows(x))
	}, in, x)
	all := in
	for _, s := range steps { // results follow the two inputs
		types = append(types, x)
		for j, a := range s.Args {
			if k, ok := a.Step(); ok {
				s.Args[j] = engine.In(len(in) + k)
			}
		}
		m := engine.Map{Steps: []engine.Step{s}, Outs: []int{0}}
		all = append(all, run(t, func() (engine.Bound, error) {
			return e.BindMap(m, engine.InRows(types[:len(all)]...), engine.InRows(x))
		}, all, x))
	}
	require.Equal(t, engine.Slice[float32](all[len(all)-1]), engine.Slice[float32](fused))
}

// The gradient of a rectifier is computed by one kernel; where the activation is NaN, so that
// it is not <= 0, the gradient passes.
func TestReLUGradient(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		y    []float32
		want []float32
	}{
		{[]float32{1, 0, -1, 2}, []float32{10, 0, 0, 40}},
		{[]float32{nan, 0, -1, 2}, []float32{10, 0, 0, 40}},
		{[]float32{inf, 0, -inf, 2}, []float32{10, 0, 0, 40}},
	} {
		x, b := shape.F32(4), shape.Bool
		m := engine.Map{Outs: []int{1}, Steps: []engine.Step{
			{Fn: engine.Le, DType: b, Args: [3]engine.Arg{engine.In(0), engine.Imm(0)}},
			{Fn: engine.Select, DType: shape.Float32, Args: [3]engine.Arg{engine.Res(0), engine.Imm(0), engine.In(1)}},
		}}
		in := []engine.Buffer{engine.BufferOf(c.y), engine.BufferOf([]float32{10, 20, 30, 40})}
		got := run(t, func() (engine.Bound, error) { return New().BindMap(m, engine.InRows(x, x), engine.InRows(x)) }, in, x)
		require.Equal(t, c.want, engine.Slice[float32](got))
	}
}

// Programs of gorgonia's tensor library can use the engine.
func TestIsATensorEngine(t *testing.T) {
	e := New()
	a := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1, 2, 3, 4}), tensor.WithEngine(e))
	b := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{5, 6, 7, 8}), tensor.WithEngine(e))
	p, err := tensor.MatMul(a, b)
	require.NoError(t, err)
	require.Equal(t, []float32{19, 22, 43, 50}, p.Data())
	s, err := tensor.Add(a, b)
	require.NoError(t, err)
	require.Equal(t, []float32{6, 8, 10, 12}, s.Data())
	require.Equal(t, e, a.Engine())
}

func TestPackedWeightsGiveTheSameBits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	pool := par.NewPool(3)
	defer pool.Close()
	for _, level := range isa.Levels()[1:] {
		e := Engine{pool: pool, simd: simd.With(level)}
		x, w, bias, y := shape.F32(2, 9, 300), shape.F32(2100, 300), shape.F32(2100), shape.F32(2, 9, 2100)
		m := engine.MatMul{TransB: true, Epilogue: engine.Epilogue{Bias: true, ReLU: true}}
		b, err := e.BindMatMul(m, engine.InRows(x, w, bias), engine.InRow(y))
		require.NoError(t, err)
		require.NotNil(t, b.Packing.Kernel, level)
		c := &engine.Call{
			In: []engine.Buffer{random(r, x), random(r, w), random(r, bias)}, Out: []engine.Buffer{newBuffer(y)},
			Scratch: engine.BufferOf(engine.Aligned(b.Scratch)),
		}
		require.NoError(t, b.Kernel(c))
		want := slices.Clone(engine.Slice[float32](c.Out[0]))
		packed := engine.BufferAt(engine.Aligned(b.Packing.Bytes), shape.Uint8, b.Packing.Bytes)
		require.NoError(t, b.Packing.Kernel(&engine.Call{In: c.In[1:2], Out: []engine.Buffer{packed}}))
		require.Equal(t, 1, b.Packing.In)
		c.In[1] = newBuffer(w) // is not read any more
		c.Packed, c.Scratch = packed, engine.Buffer{}
		clear(c.Out[0].Bytes())
		require.NoError(t, b.Kernel(c))
		require.Equal(t, want, engine.Slice[float32](c.Out[0]), level)
	}
}

// Powers by roots: every quarter from -4 to 4, of what has a root.
func TestPowersByQuarters(t *testing.T) {
	e := New()
	x := shape.F32(37)
	in, out := engine.BufferAt(engine.Aligned(x.Bytes()), x.DType, 37), engine.BufferAt(engine.Aligned(x.Bytes()), x.DType, 37)
	v := engine.Slice[float32](in)
	for i := range v {
		v[i] = float32(math.Pow(1.2, float64(i-18)))
	}
	for quarters := -16; quarters <= 16; quarters++ {
		exponent := float64(quarters) / 4
		m := engine.Map{Outs: []int{0}, Steps: []engine.Step{{Fn: engine.Pow, DType: shape.Float32, Args: [3]engine.Arg{engine.In(0), engine.Imm(exponent)}}}}
		b, err := e.BindMap(m, engine.InRows(x), engine.InRows(x))
		require.NoError(t, err)
		require.NoError(t, b.Kernel(&engine.Call{In: []engine.Buffer{in}, Out: []engine.Buffer{out}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}))
		for i, have := range engine.Slice[float32](out) {
			require.InEpsilon(t, math.Pow(float64(v[i]), exponent), float64(have), 2e-6, "%v to the %v", v[i], exponent)
		}
	}
}

// The squares of a piece of what may be infinite are added up at a time, and there is no piece of
// nothing.
func TestPiecesThatAreLookedThroughForInfinity(t *testing.T) {
	for n, want := range map[int]int{1: 1, finitePiece - 1: 1, finitePiece: 1, finitePiece + 1: 2, 2*finitePiece - 1: 2, 2 * finitePiece: 2} {
		require.Equal(t, want, New().newFinite(new(layout), 0, n).sums.n, n)
	}
}
