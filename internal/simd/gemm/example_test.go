package gemm_test

import (
	"fmt"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// A dense layer: two samples of three features, weights stored (out, in), bias and ReLU.
func ExampleMul() {
	x := []float32{1, 2, 3, 4, 5, 6}
	w := []float32{1, 0, -1, 0.5, 0.5, 0.5}
	bias := []float32{0, 10}
	k := gemm.At(isa.Fastest())
	op := gemm.Op{M: 2, N: 2, K: 3, TransB: true, Bias: isa.ColBias, Act: isa.ReLU}
	y := make([]float32, 4)
	gemm.Mul(k, par.Default(), op, x, w, y, bias, make([]float32, gemm.Scratch[float32](k, op)))
	fmt.Println(y)
	// Output: [0 13 0 17.5]
}
