package cpu_test

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/shape"
)

// A kernel is bound once, for types, and run on memory.
func Example() {
	e := cpu.New()
	in := []shape.Type{shape.F32(2, 3), shape.F32(3, 1)}
	b, err := e.BindMatMul(engine.MatMul{}, engine.InRows(in...), engine.InRow(shape.F32(2, 1)))
	if err != nil {
		fmt.Println(err)
		return
	}
	y := make([]float32, 2)
	err = b.Kernel(&engine.Call{
		In:      []engine.Buffer{engine.BufferOf([]float32{1, 2, 3, 4, 5, 6}), engine.BufferOf([]float32{1, 10, 100})},
		Out:     []engine.Buffer{engine.BufferOf(y)},
		Scratch: engine.BufferOf(engine.Aligned(b.Scratch)),
	})
	fmt.Println(y, b.By, b.Alg, err)
	// Output: [321 654] cpu gemm <nil>
}
