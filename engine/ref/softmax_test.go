package ref

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

func softmaxer(log bool, axis int) func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return Engine{}.BindSoftmax(log, axis, in, out)
	}
}

func softmaxGrader(log bool, axis int) func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return Engine{}.BindSoftmaxGrad(log, axis, in, out)
	}
}

// The values are those that SciPy's softmax gives for 1, 2, 3.
func TestSoftmaxEqualsPublishedNumbers(t *testing.T) {
	want := []float64{0.09003057, 0.24472847, 0.66524096}
	for _, d := range dtypes[:2] {
		x := vector(d, 1, 2, 3)
		got, err := compute(t, x.Type, softmaxer(false, 0), x)
		require.NoError(t, err)
		require.InDeltaSlice(t, want, got, 1e-7)
		got, err = compute(t, x.Type, softmaxer(true, 0), x)
		require.NoError(t, err)
		for i := range want {
			require.InDelta(t, math.Log(want[i]), got[i], 1e-6)
		}
	}
}

func TestSoftmaxAlongAnyAxis(t *testing.T) {
	x := counting(shape.F64(2, 3, 4))
	for i := range x.v {
		x.v[i] = math.Sin(x.v[i])
	}
	for axis := range 3 {
		got, err := compute(t, x.Type, softmaxer(false, axis), x)
		require.NoError(t, err)
		logs, err := compute(t, x.Type, softmaxer(true, axis), x)
		require.NoError(t, err)
		y := tensorOf{x.Type, got}
		each(x.Shape, func(index []int) {
			sum, at := 0.0, append([]int(nil), index...)
			for k := range x.Int(axis) {
				at[axis] = k
				sum += math.Exp(*x.at(at))
			}
			want := math.Exp(*x.at(index)) / sum
			require.InDelta(t, want, *y.at(index), 1e-15)
			require.InDelta(t, math.Log(want), logs[flatIndex(x.Shape, index)], 1e-14)
		})
	}
}

func TestLargeLogits(t *testing.T) {
	for _, d := range dtypes[:2] {
		x := vector(d, 1e4, -1e4, 0)
		p, err := compute(t, x.Type, softmaxer(false, 0), x)
		require.NoError(t, err)
		require.Equal(t, []float64{1, 0, 0}, p)
		logP, err := compute(t, x.Type, softmaxer(true, 0), x)
		require.NoError(t, err)
		require.Equal(t, []float64{0, -2e4, -1e4}, logP)
		for i, y := range [][]float64{p, logP} {
			dx, err := compute(t, x.Type, softmaxGrader(i == 1, 0), vector(d, y...), vector(d, 0, -1, 0))
			require.NoError(t, err)
			want := [][]float64{{0, 0, 0}, {1, -1, 0}}[i]
			require.InDeltaSlice(t, want, dx, 1e-12)
		}
	}
}

func TestSoftmaxGradEqualsFiniteDifferences(t *testing.T) {
	const h = 1e-5
	s := shape.F64(2, 3, 2)
	x, dy := counting(s), counting(s)
	for i := range x.v {
		x.v[i], dy.v[i] = math.Sin(3*x.v[i]), math.Cos(dy.v[i])
	}
	for axis := range 3 {
		for _, log := range []bool{false, true} {
			dot := func() (sum float64) {
				y, err := compute(t, s, softmaxer(log, axis), x)
				require.NoError(t, err)
				for i, v := range y {
					sum += v * dy.v[i]
				}
				return sum
			}
			y, err := compute(t, s, softmaxer(log, axis), x)
			require.NoError(t, err)
			dx, err := compute(t, s, softmaxGrader(log, axis), tensorOf{s, y}, dy)
			require.NoError(t, err)
			for i, v := range x.v {
				x.v[i] = v + h
				up := dot()
				x.v[i] = v - h
				down := dot()
				x.v[i] = v
				require.InDelta(t, (up-down)/(2*h), dx[i], 1e-9)
			}
		}
	}
}

func TestSoftmaxInPlace(t *testing.T) {
	x := counting(shape.F32(3, 4))
	run := func(b engine.Bound, out int, in ...tensorOf) []float64 {
		bufs := make([]engine.Buffer, len(in))
		for i := range in {
			bufs[i] = newBuffer(in[i].Type)
			engine.Load(bufs[i], in[i].v)
		}
		c := &engine.Call{In: bufs, Out: []engine.Buffer{newBuffer(x.Type)}}
		if out >= 0 {
			c.Out[0] = bufs[out]
		}
		require.NoError(t, b.Kernel(c))
		return engine.Floats(c.Out[0])
	}
	for _, log := range []bool{false, true} {
		b, err := Engine{}.BindSoftmax(log, 0, engine.InRows(x.Type), engine.InRow(x.Type))
		require.NoError(t, err)
		y := tensorOf{x.Type, run(b, -1, x)}
		require.Equal(t, []engine.Overwrite{{Out: 0, In: 0}}, b.InPlace)
		require.Equal(t, y.v, run(b, 0, x))
		b, err = Engine{}.BindSoftmaxGrad(log, 0, engine.InRows(x.Type, x.Type), engine.InRow(x.Type))
		require.NoError(t, err)
		require.Len(t, b.InPlace, 2)
		require.Equal(t, run(b, -1, y, x), run(b, 0, y, x))
		require.Equal(t, run(b, -1, y, x), run(b, 1, y, x))
	}
}

func TestSoftmaxTakesFloatingPointAlone(t *testing.T) {
	_, err := Engine{}.BindSoftmax(false, 0, engine.InRows(shape.I32(2)), engine.InRow(shape.I32(2)))
	require.ErrorContains(t, err, "engine ref has no softmax kernel")
	_, err = Engine{}.BindSoftmaxGrad(false, 0, engine.InRows(shape.F32(2), shape.F64(2)), engine.InRow(shape.F32(2)))
	require.Error(t, err)
}
