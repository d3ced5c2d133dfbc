package conv_test

import (
	"fmt"

	"github.com/plexaura/plexaura/internal/simd/conv"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// An edge filter over an image of 3×4, the places where it lies inside.
func ExamplePlan() {
	level := isa.Fastest()
	op := window.Conv{N: 1, M: 1, Window: window.Window{C: 1, H: 3, W: 4, KH: 1, KW: 2, OH: 3, OW: 3}}
	p, _ := conv.New(conv.At(level, gemm.At(level)), op)
	y := make([]float32, 9)
	p.Run(nil, y, []float32{0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1}, []float32{-1, 1}, nil, make([]float32, p.Scratch()))
	fmt.Println(y)
	// Output: [0 1 0 1 0 0 0 0 0]
}
