package cpu

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/window"
	"github.com/plexaura/plexaura/shape"
)

// Which kernel the cost model takes does not change the results.
func TestAStemToRowsHasTheBitsOfTheDirectKernel(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 61))
	for _, level := range vectorLevels() {
		e := Engine{simd: simd.With(level)}
		for range 40 {
			w := window.Window{C: 1 + r.IntN(4), H: 9 + r.IntN(30), W: 9 + r.IntN(30), KH: 1 + r.IntN(7), KW: 1 + r.IntN(7), SH: 1 + r.IntN(3), SW: 1 + r.IntN(3), DH: 1, DW: 1,
				Top: r.IntN(3), Left: r.IntN(3)}
			w.OH, w.OW = (w.H+w.Top-w.KH)/w.SH+1, (w.W+w.Left-w.KW)/w.SW+1
			g := convolution{Window: w, batch: 1 + r.IntN(3), groups: 1, filters: 1 + r.IntN(40)}
			ep := engine.Epilogue{Bias: r.IntN(2) == 0, ReLU: r.IntN(2) == 0}
			in := []engine.Buffer{random(r, flat(g.images())), random(r, flat(g.weights())), random(r, flat(g.filters))}
			results := func(b engine.Bound) []float32 {
				return engine.Slice[float32](run(t, func() (engine.Bound, error) { return b, nil }, in, flat(g.results())))
			}
			require.Equal(t, results(e.directConv2D(g, ep)), results(e.stemToRows(g, ep)), "%+v", g)
		}
	}
}

func flat(n int) shape.Type { return shape.F32(shape.Dim(n)) }
