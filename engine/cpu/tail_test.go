package cpu

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// A ReLU6 in the kernel gives the bits of the map, for numbers of all kinds.
func TestReLU6InTheKernelIsTheMap(t *testing.T) {
	numbers := []float32{-7, 7, 6, 5.5, float32(math.Copysign(0, -1)), 0x1p-140, -0x1p-140, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
	x := engine.Operand{Type: shape.F32(1, 1, 1, shape.Dim(len(numbers))), Layout: channelsLast}
	filters := engine.InRow(shape.F32(1, 1, 1, 1))
	clip := engine.MapOf(engine.Max, shape.Float32, engine.In(0), engine.Imm(0))
	clip.Steps = append(clip.Steps, engine.Step{Fn: engine.Min, DType: shape.Float32, Args: [3]engine.Arg{engine.Res(0), engine.Imm(6)}})
	clip.Outs = []int{1}
	for _, level := range isa.Levels() {
		e := New(AtLevel(level))
		if !e.simd.NHWC.Vector() {
			continue
		}
		run := func(b engine.Bound, in ...[]float32) []uint32 {
			y := make([]float32, len(numbers))
			c := &engine.Call{Out: []engine.Buffer{engine.BufferOf(y)}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
			for _, v := range in {
				c.In = append(c.In, engine.BufferOf(v))
			}
			require.NoError(t, b.Kernel(c))
			bits := make([]uint32, len(y))
			for i, v := range y {
				bits[i] = math.Float32bits(v)
			}
			return bits
		}
		conv, err := e.BindConv2D(engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}, []engine.Operand{x, filters}, x)
		require.NoError(t, err)
		clipped, err := e.BindMap(clip, []engine.Operand{x}, []engine.Operand{x})
		require.NoError(t, err)
		both, ok := conv.Then(clip, nil)
		require.True(t, ok)
		plain := run(conv, numbers, []float32{1})
		values := make([]float32, len(plain))
		for i, b := range plain {
			values[i] = math.Float32frombits(b)
		}
		require.Equal(t, run(clipped, values), run(both, numbers, []float32{1}), "%v", level)
	}
}
