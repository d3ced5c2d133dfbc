package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// TestProductsOfARowWithManyRowsLoseLittle: the gradient of the weights of a layer with one output,
// over a large batch, of equal numbers and random ones, at every level.
func TestProductsOfARowWithManyRowsLoseLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 7))
	for _, c := range []struct{ rows, columns int }{{1_000_003, 3}, {100_001, 16}, {10_007, 530}, {257, 5}, {256, 9}, {2, 3}} {
		for name, draw := range map[string]func() float32{"equal": func() float32 { return .1 }, "random": r.Float32} {
			a, b, y := shape.F32(shape.Dim(c.rows), 1), shape.F32(shape.Dim(c.rows), shape.Dim(c.columns)), shape.F32(1, shape.Dim(c.columns))
			in := []engine.Buffer{newBuffer(a), newBuffer(b)}
			for _, buffer := range in {
				v := engine.Slice[float32](buffer)
				for i := range v {
					v[i] = draw()
				}
			}
			want := make([]float64, c.columns)
			for i, v := range engine.Slice[float32](in[1]) {
				want[i%c.columns] += float64(v) * float64(engine.Slice[float32](in[0])[i/c.columns])
			}
			for _, level := range isa.Levels() {
				e := New(AtLevel(level))
				got := run(t, func() (engine.Bound, error) {
					return e.BindMatMul(engine.MatMul{TransA: true}, engine.InRows(a, b), engine.InRow(y))
				}, in, y)
				for i, v := range engine.Slice[float32](got) {
					require.InEpsilon(t, want[i], v, 5e-7*math.Log2(float64(c.rows)), fmt.Sprintf("%s numbers, %v at level %v: column %d", name, b, level, i))
				}
			}
		}
	}
}
