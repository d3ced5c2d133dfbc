package examples_test

import (
	"context"
	"fmt"
	"log"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func Example_storage() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 4))

	weight := g.Param("weight", shape.BF16(4, 3), nn.Normal{Std: 1}) // two bytes a number, in the store and in its file
	y := ops.MatMul(x, ops.Cast(weight, shape.Float32))

	program, err := vm.Compile(cpu.New(), []*graph.Node{y})
	if err != nil {
		log.Fatal(err)
	}
	store := vm.NewStore(1)
	machine, err := program.NewMachine(store)
	if err != nil {
		log.Fatal(err)
	}
	numbers := []float32{1, 2, 3, 0.1, 0.2, 0.3, -1, -2, -3, 0, 0, 0}
	v, err := engine.Converted(tensor.New(tensor.WithShape(4, 3), tensor.WithBacking(numbers)), shape.BFloat16)
	if err != nil {
		log.Fatal(err)
	}
	if err := store.Set("weight", v); err != nil {
		log.Fatal(err)
	}

	outs, err := machine.Run(context.Background(), tensor.New(tensor.WithShape(2, 4), tensor.WithBacking([]float32{1, 0, 0, 0, 0, 1, 0, 0})))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(outs[0].Data())
	// Output: [1 2 3 0.100097656 0.20019531 0.30078125]
}
