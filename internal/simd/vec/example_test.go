package vec_test

import (
	"fmt"

	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/vec"
)

func ExampleKernels_Map() {
	k, y := vec.At(isa.Fastest()), make([]float32, 3)
	k.Map(vec.MaxC, y, []float32{-1, 0, 2}, nil, 0)
	fmt.Println(y)
	k.Map(vec.Axpy, y, []float32{1, 1, 1}, y, 10)
	fmt.Println(y)
	// Output:
	// [0 0 2]
	// [10 10 12]
}
