package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// addPart adds a part of x to x. Each element is the sum of two numbers, rounded once.
func addPart(w engine.Window, x, part shape.Type) trial {
	return trial{
		op: fmt.Sprintf("AddPart{from %v by %v}", w.Start[:x.Rank()], w.Step[:x.Rank()]),
		in: []shape.Type{part, x}, out: []shape.Type{x}, data: make([]source, 2),
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Accumulator).BindAddPart(w, in, out)
		}),
	}
}

// accumulateTable has rows of every edge length, contiguous, strided and reversed, and one window
// of several pieces.
func accumulateTable(*gen) []trial {
	unit := [shape.MaxRank]int{1, 1, 1}
	all := []trial{
		addPart(engine.Window{Step: unit}, shape.F32(), shape.F32()),
		addPart(engine.Window{Start: [shape.MaxRank]int{1, 3}, Step: unit}, shape.F32(3, 40_000), shape.F32(2, 39_997)),
		addPart(engine.Window{Start: [shape.MaxRank]int{0, 7}, Step: unit}, shape.F32(16, 40, 128), shape.F32(16, 1, 128)),
	}
	for i, n := range edges {
		x := shape.Make(floats[i%len(floats)], 3, shape.Dim(n), 5)
		all = append(all,
			addPart(engine.Window{Start: [shape.MaxRank]int{2, max(n-1, 0), 1}, Step: [shape.MaxRank]int{-2, -2, 1}}, x, x.Of(shape.OfInts(2, (n+1)/2, 3))),
			addPart(engine.Window{Step: unit}, x, x),
			addPart(engine.Window{Start: [shape.MaxRank]int{1}, Step: unit}, x, x.Of(shape.OfInts(1, n, 5))))
	}
	return all
}

func randomAccumulate(g *gen) trial {
	return addPart(g.window(shape.Type{DType: pick(g, floats...), Shape: g.shape(1+g.IntN(5), 3000)}))
}
