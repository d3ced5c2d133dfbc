package std_test

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/std"
	"github.com/plexaura/plexaura/shape"
)

// What the tensor library has is its own; what it lacks, or gets wrong, is the reference
// engine's.
func Example() {
	e := std.New(tensor.StdEng{})
	m := shape.F32(8, 8)
	product, err := e.BindMatMul(engine.MatMul{}, engine.InRows(m, m), engine.InRow(m))
	fmt.Println(product.By, err)
	sum, err := e.BindReduce(engine.Sum, engine.AxesOf(1), engine.InRows(m), engine.InRow(shape.F32(8)))
	fmt.Println(sum.By, err)
	// Output:
	// std <nil>
	// ref <nil>
}
