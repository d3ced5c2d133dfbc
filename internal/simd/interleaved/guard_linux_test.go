package interleaved

import (
	"math/rand/v2"
	"testing"

	"github.com/plexaura/plexaura/internal/simd/simdtest"
	"github.com/plexaura/plexaura/internal/simd/window"
)

func TestKernelsStayInsideTheirOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(36, 36))
		for i := range 40 {
			op := opOf(randomConv(rng))
			op.Groups = 1 + rng.IntN(2)
			n, pool := op.Blocks*op.Groups, randomPool(rng)
			conv, back, grad := NewConv(k, op), NewInputGrad(k, op), NewFilterGrad(k, op)
			windows := NewPool(k, pool, func(int, int) int { return 1 })
			make := func(n int) []float32 { return simdtest.Guarded[float32](t, n, i%2 == 0) }
			y, x, w := make(n*op.M*op.yPlane()), make(n*op.C*op.xPlane()), make(op.Groups*op.M*op.Rows())
			packed, turned, sums := make(conv.PackedLen()), make(back.PackedLen()), make(grad.SumsLen())
			conv.Pack(packed, w, 0, conv.Packs())
			conv.Run(y, x, packed, make(op.Groups*op.M), 0, conv.Tasks())
			back.Pack(turned, w, 0, back.Packs())
			back.Run(x, y, turned, nil, 0, back.Tasks())
			grad.Run(sums, x, y, 0, grad.Tasks())
			grad.Total(w, sums, 0, grad.Totals())

			op = opOf(randomWinogradOp(rng))
			n = op.Blocks * op.Groups
			y, x, w = make(n*op.M*op.yPlane()), make(n*op.C*op.xPlane()), make(op.Groups*op.M*op.Rows())
			forward, _ := NewWinograd(k, op)
			lineBack, _ := NewWinogradInputGrad(k, op)
			lineGrad, _ := NewWinogradFilterGrad(k, op)
			packed, turned, sums = make(forward.PackedLen()), make(lineBack.PackedLen()), make(lineGrad.SumsLen())
			forward.Pack(packed, w, make(forward.PackScratch()))
			forward.Run(y, x, packed, make(op.M), make(forward.Scratch()), 0, forward.Tasks())
			lineBack.Pack(turned, w, make(lineBack.PackScratch()))
			lineBack.Run(x, y, turned, nil, make(lineBack.Scratch()), 0, lineBack.Tasks())
			lineGrad.Run(sums, x, y, make(lineGrad.Scratch()), 0, lineGrad.Tasks())
			lineGrad.Total(w, sums, make(lineGrad.TotalScratch()))

			x, y = make(windows.xPlane()), make(windows.yPlane())
			windows.Max(y, x, 0, 0, 1)
			windows.Scatter(make(windows.xPlane()), x, y, true, 0, 1)
			windows.Mean(y, x, make(windows.MeanScratch()), 0, 1)
			windows.MeanGrad(x, y, 0, 1)

			window := window.Window{H: 20, W: 70, KH: 20, KW: 70, OH: 1, OW: 1}
			large := NewPool(k, window, func(axis, _ int) int { return [2]int{20, 70}[axis] })
			large.Mean(make(large.yPlane()), make(large.xPlane()), make(large.MeanScratch()), 0, 1)
		}
	})
}
