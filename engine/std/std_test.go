package std

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/enginetest"
	"github.com/plexaura/plexaura/shape"
)

func TestConforms(t *testing.T) {
	for name, e := range map[string]tensor.Engine{
		"StdEng": tensor.StdEng{}, "Float32Engine": tensor.Float32Engine{}, "Float64Engine": tensor.Float64Engine{},
	} {
		t.Run(name, func(t *testing.T) {
			enginetest.Run(t, New(e), enginetest.Options{Allocates: true, SkipsZeros: true, Brief: name != "StdEng"})
		})
	}
}

var (
	add    = engine.MapOf(engine.Add, shape.Float32, engine.In(0), engine.In(1))
	vector = shape.F32(4)
)

func bindAdd(t *testing.T, e tensor.Engine, in ...engine.Operand) engine.Bound {
	b, err := New(e).BindMap(add, in, engine.InRows(vector))
	require.NoError(t, err)
	return b
}

// What the library has goes through it; the rest is ref's.
func TestWhoseKernel(t *testing.T) {
	e := New(nil)
	by := func(b engine.Bound, err error) string {
		require.NoError(t, err)
		return b.By
	}
	f32, f64 := shape.F32(3, 3), shape.F64(3, 3)
	of := func(f engine.Fn, d shape.DType, args ...engine.Arg) string {
		x := shape.Make(d, 3)
		return by(e.BindMap(engine.MapOf(f, d, args...), engine.InRows(x, x), engine.InRows(x)))
	}
	require.Equal(t, "std", by(e.BindMatMul(engine.MatMul{}, engine.InRows(f32, f32), engine.InRow(f32))))
	require.Equal(t, "std", by(e.BindMatMul(engine.MatMul{TransA: true}, engine.InRows(f64, f64), engine.InRow(f64))))
	require.Equal(t, "std", of(engine.Mul, shape.Float32, engine.In(0), engine.In(1)))
	require.Equal(t, "std", of(engine.Tanh, shape.Float32, engine.In(1)))
	require.Equal(t, "ref", of(engine.Exp, shape.Float64, engine.In(0)), "it overflows too early")

	require.Equal(t, "ref", of(engine.Exp, shape.Float32, engine.In(0)), "math32 is not good enough")
	require.Equal(t, "ref", of(engine.Mul, shape.Float32, engine.In(0), engine.Imm(2)))
	require.Equal(t, "ref", of(engine.Add, shape.Int32, engine.In(0), engine.In(1)))
	require.Equal(t, "ref", bindAdd(t, nil, engine.InRow(vector), engine.InRow(shape.F32(1))).By, "broadcasting")
	require.Equal(t, "ref", by(e.BindMatMul(engine.MatMul{}, engine.InRows(shape.F32(0, 3), f32), engine.InRow(shape.F32(0, 3)))))
	require.Equal(t, "ref", by(e.BindReduce(engine.Sum, 1, engine.InRows(f32), engine.InRow(shape.F32(3)))))
	require.False(t, e.Fuses(engine.Epilogue{Bias: true}))
}

// memoryOnly has what a tensor.Engine must have and no more.
type memoryOnly struct{ tensor.Engine }

// far keeps its memory where Go does not reach.
type far struct{ tensor.StdEng }

func (far) AllocAccessible() bool { return false }

func TestOfOtherEnginesNothingIsUsed(t *testing.T) {
	require.Equal(t, "ref", bindAdd(t, memoryOnly{tensor.StdEng{}}, engine.InRow(vector), engine.InRow(vector)).By)
	require.Equal(t, "ref", bindAdd(t, far{}, engine.InRow(vector), engine.InRow(vector)).By)
	require.Equal(t, "ref", bindAdd(t, tensor.Float64Engine{}, engine.InRow(vector), engine.InRow(vector)).By)
}

// stubborn returns its result in a tensor of its own; failing has the method, and no more.
type (
	stubborn struct{ tensor.StdEng }
	failing  struct{ tensor.StdEng }
)

func (e stubborn) Add(a, b tensor.Tensor, _ ...tensor.FuncOpt) (tensor.Tensor, error) {
	return e.StdEng.Add(a, b)
}

func (failing) Add(a, b tensor.Tensor, _ ...tensor.FuncOpt) (tensor.Tensor, error) {
	return nil, errors.New("not for this type")
}

func TestOddEnginesGiveTheRightResult(t *testing.T) {
	for _, e := range []tensor.Engine{stubborn{}, failing{}} {
		b, y := bindAdd(t, e, engine.InRow(vector), engine.InRow(vector)), make([]float32, 4)
		require.Equal(t, "std", b.By)
		require.NoError(t, b.Kernel(&engine.Call{
			In:      []engine.Buffer{engine.BufferOf([]float32{1, 2, 3, 4}), engine.BufferOf([]float32{10, 20, 30, 40})},
			Out:     []engine.Buffer{engine.BufferOf(y)},
			Scratch: engine.BufferOf(engine.Aligned(b.Scratch)),
		}))
		require.Equal(t, []float32{11, 22, 33, 44}, y)
	}
}
