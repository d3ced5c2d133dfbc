package simd_test

import (
	"fmt"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd"
)

// A dense layer: two samples of three features, weights stored (out, in), bias and ReLU.
func ExampleGemm() {
	x := []float32{1, 2, 3, 4, 5, 6}
	w := []float32{1, 0, -1, 0.5, 0.5, 0.5}
	bias := []float32{0, 10}
	k := simd.Best()
	op := simd.GemmOp{M: 2, N: 2, K: 3, TransB: true, Bias: simd.ColBias, Act: simd.ReLU}
	y := make([]float32, 4)
	simd.Gemm(k, par.Default(), op, x, w, y, bias, make([]float32, simd.GemmScratch[float32](k, op)))
	fmt.Println(y)
	// Output: [0 13 0 17.5]
}

func ExampleKernels_Map() {
	y := make([]float32, 3)
	simd.Best().Map(simd.OpMaxC, y, []float32{-1, 0, 2}, nil, 0)
	fmt.Println(y)
	simd.Best().Map(simd.OpAxpy, y, []float32{1, 1, 1}, y, 10)
	fmt.Println(y)
	// Output:
	// [0 0 2]
	// [10 10 12]
}

// An edge filter over an image of 3×4, the places where it lies inside.
func ExampleConv() {
	op := simd.ConvOp{N: 1, M: 1, Window: simd.Window{C: 1, H: 3, W: 4, KH: 1, KW: 2, OH: 3, OW: 3}}
	p, _ := simd.NewConv(simd.Best(), op)
	y := make([]float32, 9)
	p.Run(nil, y, []float32{0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1}, []float32{-1, 1}, nil, make([]float32, p.Scratch()))
	fmt.Println(y)
	// Output: [0 1 0 1 0 0 0 0 0]
}
