package ref

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

func TestTensorsCanLiveOnTheEngine(t *testing.T) {
	a := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1, 2, 3, 4}), tensor.WithEngine(Engine{}))
	b := tensor.New(tensor.WithShape(2, 2), tensor.Of(tensor.Float32), tensor.WithEngine(Engine{}))
	require.NoError(t, b.Memset(float32(10)))
	sum, err := tensor.Add(a, b)
	require.NoError(t, err)
	require.Equal(t, []float32{11, 12, 13, 14}, sum.(*tensor.Dense).Float32s())
	product, err := tensor.MatMul(a, b)
	require.NoError(t, err)
	require.Equal(t, []float32{30, 30, 70, 70}, product.(*tensor.Dense).Float32s())
}

func ExampleEngine_BindMap() {
	// x*x + 1, with the scalar x spread to three elements
	m := engine.Map{Steps: []engine.Step{
		{Fn: engine.Mul, DType: shape.Float32, Args: [3]engine.Arg{engine.In(0), engine.In(0)}},
		{Fn: engine.Add, DType: shape.Float32, Args: [3]engine.Arg{engine.Res(0), engine.Imm(1)}},
	}, Outs: []int{1}}
	b, err := Engine{}.BindMap(m, engine.InRows(shape.F32()), engine.InRows(shape.F32(3)))
	if err != nil {
		panic(err)
	}
	x, y := []float32{2}, make([]float32, 3)
	err = b.Kernel(&engine.Call{
		In:      []engine.Buffer{engine.BufferOf(x)},
		Out:     []engine.Buffer{engine.BufferOf(y)},
		Scratch: engine.BufferOf(engine.Aligned(b.Scratch)),
	})
	fmt.Println(m, y, err)
	// Output: r0=mul(in0,in0) r1=add(r0,1) -> r1 [5 5 5] <nil>
}
