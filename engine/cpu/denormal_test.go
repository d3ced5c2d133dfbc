package cpu

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// flushCase is a kernel whose first input is denormal and whose others are such that it would
// give what is not 0.
type flushCase struct {
	name  string
	bind  func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error)
	in    []shape.Type
	out   shape.Type
	keeps bool // it moves numbers without computing, so that they stay as they are
}

func flushCases() []flushCase {
	f32 := shape.F32
	pool := engine.Pool2D{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}, Dilation: [2]int{1, 1}}
	x, half := f32(8, 32, 28, 28), f32(8, 32, 14, 14)
	flat := f32(200_000)
	unary := func(f engine.Fn) func(Engine, []engine.Operand, engine.Operand) (engine.Bound, error) {
		return func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.BindMap(engine.MapOf(f, shape.Float32, engine.In(0)), in, storedAll(out.Type))
		}
	}
	binary := func(f engine.Fn) func(Engine, []engine.Operand, engine.Operand) (engine.Bound, error) {
		return func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.BindMap(engine.MapOf(f, shape.Float32, engine.In(0), engine.In(1)), in, storedAll(out.Type))
		}
	}
	sgd := func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		step := func(f engine.Fn, a, b engine.Arg) engine.Step {
			return engine.Step{Fn: f, DType: shape.Float32, Args: [3]engine.Arg{a, b}}
		}
		m := engine.Map{Outs: []int{1}, Steps: []engine.Step{
			step(engine.Mul, engine.In(0), engine.Imm(1e10)),
			step(engine.Mul, engine.Res(0), engine.In(1)),
		}}
		return e.BindMap(m, in, storedAll(out.Type))
	}
	reduce := func(r engine.Reduction, axes ...int) func(Engine, []engine.Operand, engine.Operand) (engine.Bound, error) {
		return func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.BindReduce(r, engine.AxesOf(axes...), in, out)
		}
	}
	return append(convFlushCases(), []flushCase{
		{"matmul", func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.BindMatMul(engine.MatMul{}, in, out)
		}, []shape.Type{f32(200, 200), f32(200, 200)}, f32(200, 200), false},
		{"gemv", func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.BindMatMul(engine.MatMul{TransB: true}, in, out)
		}, []shape.Type{f32(1, 2000), f32(300, 2000)}, f32(1, 300), false},
		{"maxpool/interleaved", func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.BindMaxPool2D(pool, in, out)
		}, []shape.Type{f32(1, 16, 10, 10, 16)}, f32(1, 16, 5, 5, 16), true},
		{"avgpool/interleaved", func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.BindAvgPool2D(pool, in, out)
		}, []shape.Type{f32(1, 16, 10, 10, 16)}, f32(1, 16, 5, 5, 16), true},
		{"maxpool", func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.BindMaxPool2D(pool, in, out)
		}, []shape.Type{x}, half, true},
		{"maxpool/scatter", func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.BindMaxPool2DScatter(pool, in, out)
		}, []shape.Type{x, half}, x, true},
		{"avgpool", func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.BindAvgPool2D(pool, in, out)
		}, []shape.Type{x}, half, true},
		{"softmax/grad", func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.BindSoftmaxGrad(false, 1, in, out)
		}, []shape.Type{f32(500, 100), f32(500, 100)}, f32(500, 100), false},
		{"neg", unary(engine.Neg), []shape.Type{flat}, flat, false},
		{"abs", unary(engine.Abs), []shape.Type{flat}, flat, false},
		{"sqrt", unary(engine.Sqrt), []shape.Type{flat}, flat, false},
		{"tanh", unary(engine.Tanh), []shape.Type{flat}, flat, false},
		{"sin", unary(engine.Sin), []shape.Type{flat}, flat, true},
		{"add", binary(engine.Add), []shape.Type{flat, f32(1)}, flat, true},
		{"mul", binary(engine.Mul), []shape.Type{flat, flat}, flat, false},
		{"div", binary(engine.Div), []shape.Type{flat, flat}, flat, false},
		{"max", binary(engine.Max), []shape.Type{flat, flat}, flat, true},
		{"fused", sgd, []shape.Type{flat, flat}, flat, false},
		{"sum/along", reduce(engine.Sum, 1), []shape.Type{f32(100, 2000)}, f32(100), false},
		{"sum/across", reduce(engine.Sum, 0), []shape.Type{f32(2000, 100)}, f32(100), false},
		{"prod", reduce(engine.Prod, 1), []shape.Type{f32(100, 2000)}, f32(100), false},
		{"largest", reduce(engine.Maximum, 1), []shape.Type{f32(100, 2000)}, f32(100), true},
	}...)
}

// convFlushCases are the three ways of a convolution by each algorithm, which ends the name.
func convFlushCases() (cases []flushCase) {
	f32 := shape.F32
	same := engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Pad: [2][2]int{{1, 1}, {1, 1}}, Groups: 1}
	split, wide := same, same
	split.Groups, wide.Pad = 2, [2][2]int{{2, 2}, {2, 2}}
	for _, c := range []struct {
		alg     string
		op      engine.Conv2D
		x, w, y shape.Type
	}{
		{directAlg, same, f32(8, 7, 28, 28), f32(4, 7, 3, 3), f32(8, 4, 28, 28)},
		{im2colAlg, split, f32(8, 16, 28, 28), f32(16, 8, 3, 3), f32(8, 16, 28, 28)},
		{winogradAlg, same, f32(8, 32, 28, 28), f32(32, 32, 3, 3), f32(8, 32, 28, 28)},
		{interleavedAlg, same, f32(1, 8, 28, 28, 16), f32(8, 8, 3, 3), f32(1, 8, 28, 28, 16)},
		{interleavedWinogradAlg, wide, f32(1, 6, 14, 14, 16), f32(16, 6, 5, 5), f32(1, 16, 14, 14, 16)},
	} {
		way := func(name string, bind func(Engine, engine.Conv2D, []engine.Operand, engine.Operand) (engine.Bound, error), a, b, out shape.Type) {
			cases = append(cases, flushCase{"conv/" + name + "/" + c.alg, func(e Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return bind(e, c.op, in, out)
			}, []shape.Type{a, b}, out, false})
		}
		way("forward", Engine.BindConv2D, c.x, c.w, c.y)
		way("input", Engine.BindConv2DInputGrad, c.y, c.w, c.x)
		way("filter", Engine.BindConv2DFilterGrad, c.x, c.y, c.w)
	}
	return cases
}

// tinyCall returns a call of b where the first input is scaled by so much.
func tinyCall(b engine.Bound, in []shape.Type, out shape.Type, scale float32) *engine.Call {
	r := rand.New(rand.NewPCG(1, 2))
	c := &engine.Call{Out: []engine.Buffer{newBuffer(out)}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
	for i, t := range in {
		buf := newBuffer(t)
		for k := range engine.Slice[float32](buf) {
			engine.Slice[float32](buf)[k] = .5 + r.Float32()
			if i == 0 {
				engine.Slice[float32](buf)[k] *= scale
			}
		}
		c.In = append(c.In, buf)
	}
	return c
}

// Denormals would make products many times slower; what computes takes them for zeros, at every
// level, and what moves leaves them as they are.
func TestDenormalsAreFlushed(t *testing.T) {
	for _, level := range isa.Levels() {
		e := New()
		e.simd = simd.With(level)
		for _, c := range flushCases() {
			if c.keeps {
				continue
			}
			b, err := c.bind(e, storedAll(c.in...), stored(c.out))
			require.NoError(t, err)
			if strings.HasPrefix(c.name, "conv/") {
				require.Equal(t, c.name[strings.LastIndex(c.name, "/")+1:], b.Alg, c.name)
			}
			call := tinyCall(b, c.in, c.out, 1e-39)
			if len(c.in) > 1 && c.name != "div" { // products that would be normal
				for i := range engine.Slice[float32](call.In[1]) {
					engine.Slice[float32](call.In[1])[i] *= 0x1p40
				}
			}
			require.NoError(t, b.Kernel(call))
			for i, v := range engine.Slice[float32](call.Out[0]) {
				if v != 0 {
					require.Fail(t, "not flushed", "%s at level %v: element %d is %v", c.name, level, i, v)
				}
			}
		}
	}
	m := engine.MapOf(engine.Mul, shape.Float32, engine.In(0), engine.Imm(1e10))
	x := shape.F32(40)
	tiny := engine.BufferOf(make([]float32, 40))
	engine.Slice[float32](tiny)[7] = float32(math.Copysign(1e-39, -1))
	got := run(t, func() (engine.Bound, error) { return New().BindMap(m, storedAll(x), storedAll(x)) }, []engine.Buffer{tiny}, x)
	require.True(t, math.Signbit(float64(engine.Slice[float32](got)[7])), "to the zero of their sign")
}

// Each kernel on normal and on denormal numbers, which should cost the same.
func BenchmarkDenormals(b *testing.B) {
	e := New()
	for _, c := range flushCases() {
		for _, v := range []struct {
			name  string
			scale float32
		}{{"normal", 1}, {"denormal", 1e-40}} {
			b.Run(c.name+"/"+v.name, func(b *testing.B) {
				bound, err := c.bind(e, storedAll(c.in...), stored(c.out))
				require.NoError(b, err)
				call := tinyCall(bound, c.in, c.out, v.scale)
				for b.Loop() {
					if err := bound.Kernel(call); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
