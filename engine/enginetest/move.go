package enginetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Limits of moves: every bit must be equal, including NaN and denormals. Only the adjoint of
// padding adds; it may be off by 4 units in the last place of the magnitudes.
const padGradUlps = 4

func moveTrial(op string, in []shape.Type, out shape.Type, bind func(m engine.Mover, in []engine.Operand, out engine.Operand) (engine.Bound, error)) trial {
	return trial{
		op: op, in: in, out: []shape.Type{out}, data: make([]source, len(in)), limit: limit{bits: true},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return bind(e.(engine.Mover), in, out)
		}),
	}
}

func transpose(x shape.Type, perm []int) trial {
	var p engine.Perm
	dims := make([]shape.Dim, len(perm))
	for i, a := range perm {
		p[i], dims[i] = uint8(a), x.Dim(a)
	}
	return moveTrial(fmt.Sprintf("Transpose%v", perm), []shape.Type{x}, x.Of(shape.Of(dims...)),
		func(m engine.Mover, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return m.BindTranspose(p, in, out)
		})
}

// windows returns the slice of x, and the embedding of the part in x.
func windows(w engine.Window, x, part shape.Type) []trial {
	name := fmt.Sprintf("{from %v by %v}", w.Start[:x.Rank()], w.Step[:x.Rank()])
	return []trial{
		moveTrial("Slice"+name, []shape.Type{x}, part, func(m engine.Mover, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return m.BindSlice(w, in, out)
		}),
		moveTrial("Embed"+name, []shape.Type{part}, x, func(m engine.Mover, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return m.BindEmbed(w, in, out)
		}),
	}
}

func concat(axis int, in ...shape.Type) trial {
	out, sum := in[0], 0
	for _, t := range in {
		sum += t.Int(axis)
	}
	out.Shape = out.With(axis, shape.Dim(sum))
	return moveTrial(fmt.Sprintf("Concat{axis %d}", axis), in, out,
		func(m engine.Mover, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return m.BindConcat(axis, in, out)
		})
}

// pads returns the padding of x and, for floating point, its adjoint.
func pads(p engine.Padding, x shape.Type) []trial {
	out := x
	for i := range x.Rank() {
		out.Shape = out.With(i, x.Dim(i)+shape.Dim(p.Before[i]+p.After[i]))
	}
	name := fmt.Sprintf("{%v before %v after %v}", p.Mode, p.Before[:x.Rank()], p.After[:x.Rank()])
	all := []trial{moveTrial("Pad"+name, []shape.Type{x}, out, func(m engine.Mover, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return m.BindPad(p, in, out)
	})}
	if !x.IsFloat() {
		return all
	}
	grad := moveTrial("PadGrad"+name, []shape.Type{out}, x, func(m engine.Mover, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return m.BindPadGrad(p, in, out)
	})
	grad.limit, grad.data = limit{terms: padGradUlps}, []source{signed}
	return append(all, grad)
}

// oneHot has ids from lo to hi, either all or none of them among the k classes.
func oneHot(ids shape.Type, d shape.DType, k, lo, hi int) trial {
	out := shape.Type{DType: d, Shape: ids.Insert(ids.Rank(), shape.Dim(k))}
	tr := moveTrial(fmt.Sprintf("OneHot{ids %d to %d}", lo, hi), []shape.Type{ids}, out,
		func(m engine.Mover, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return m.BindOneHot(in, out)
		})
	tr.data[0] = whole(lo, hi)
	tr.fails = ids.Len() > 0 && (lo < 0 || hi >= k)
	return tr
}

// moveTable has transpositions large enough to be divided into blocks, invalid ids, and every edge.
func moveTable(*gen) []trial {
	all := []trial{
		transpose(shape.F32(131, 257), []int{1, 0}),
		transpose(shape.F64(65, 33), []int{1, 0}),
		transpose(shape.U8(97, 129), []int{1, 0}),
		transpose(shape.F32(5, 16, 13, 13), []int{0, 2, 3, 1}),
		transpose(shape.F32(5, 13, 13, 16), []int{0, 3, 1, 2}),
		transpose(shape.F32(3, 6, 5, 5), []int{1, 0, 2, 3}),
		transpose(shape.F32(), nil),
		concat(1, shape.F32(9, 16, 11, 7), shape.F32(9, 3, 11, 7), shape.F32(9, 0, 11, 7)),
		oneHot(shape.I64(64), shape.Float32, 10, 0, 9),
		oneHot(shape.I32(3, 4), shape.Bool, 5, 0, 4),
		oneHot(shape.U8(31), shape.Float64, 256, 0, 255),
		oneHot(shape.I64(3), shape.Float32, 10, 10, 12),
		oneHot(shape.I32(3), shape.Float32, 10, -3, -1),
		oneHot(shape.U8(3), shape.Float32, 10, 200, 255),
	}
	for i, n := range edges {
		d := dtypes[i%len(dtypes)]
		x := shape.Type{DType: d, Shape: shape.OfInts(3, n, 5)}
		part := x.Of(shape.OfInts(2, (n+1)/2, 3))
		var w engine.Window
		w.Start, w.Step = [shape.MaxRank]int{2, max(n-1, 0), 1}, [shape.MaxRank]int{-2, -2, 1}
		all = append(all, transpose(x, []int{1, 0, 2}), transpose(x, []int{2, 1, 0}), transpose(x, []int{0, 2, 1}),
			concat(1, x, x), concat(2, x, x, x), concat(0, x.As(shape.Uint8), x.As(shape.Uint8)),
			oneHot(x.As(shape.Int32), shape.Float32, max(n, 1), 0, max(n-1, 0)))
		all = append(all, windows(w, x, part)...)
		for mode := engine.PadConstant; mode <= engine.PadSymmetric; mode++ {
			p := engine.Padding{Mode: mode, Value: math.Float64bits(2), Before: [shape.MaxRank]int{1, 0, 2}, After: [shape.MaxRank]int{0, 0, 3}}
			all = append(all, pads(p, x)...)
		}
	}
	return append(all, pads(engine.Padding{Before: [shape.MaxRank]int{0, 0, 2, 2}, After: [shape.MaxRank]int{0, 0, 2, 2}}, shape.F32(9, 3, 28, 28))...)
}

func randomMove(g *gen) trial {
	x := shape.Type{DType: pick(g, dtypes...), Shape: g.shape(1+g.IntN(5), 3000)}
	switch g.IntN(6) {
	case 0:
		return transpose(x, g.Perm(x.Rank()))
	case 1:
		return pick(g, randomWindow(g, x)...)
	case 2:
		return randomConcat(g, x)
	case 3:
		k := g.positive(64)
		return oneHot(x.As(pick(g, shape.Int32, shape.Int64, shape.Uint8)), pick(g, dtypes...), k, 0, k-1)
	}
	return pick(g, randomPad(g, x)...)
}

func randomWindow(g *gen, x shape.Type) []trial { return windows(g.window(x)) }

// window draws a part of x.
func (g *gen) window(x shape.Type) (w engine.Window, whole, part shape.Type) {
	part = x
	for i := range x.Rank() {
		step := 1 + g.IntN(3)
		most := (x.Int(i) + step - 1) / step // number of elements that far apart
		n := g.IntN(most + 1)
		w.Start[i], w.Step[i] = 0, step
		if n > 0 {
			w.Start[i] = g.IntN(x.Int(i) - (n-1)*step)
		}
		if n > 0 && g.IntN(3) == 0 {
			w.Start[i], w.Step[i] = w.Start[i]+(n-1)*step, -step
		}
		part.Shape = part.With(i, shape.Dim(n))
	}
	return w, x, part
}

func randomConcat(g *gen, x shape.Type) trial {
	axis := g.IntN(x.Rank())
	in := slices.Repeat([]shape.Type{x}, 1+g.IntN(4))
	for i := range in {
		in[i].Shape = x.With(axis, shape.Dim(g.extent(9)))
	}
	return concat(axis, in...)
}

func randomPad(g *gen, x shape.Type) []trial {
	p := engine.Padding{Mode: engine.PadMode(g.IntN(4)), Value: math.Float64bits(float64(g.IntN(2)))}
	for i := range x.Rank() {
		most := map[engine.PadMode]int{
			engine.PadConstant: 3, engine.PadEdge: 3 * min(x.Int(i), 1),
			engine.PadReflect: max(x.Int(i)-1, 0), engine.PadSymmetric: x.Int(i),
		}[p.Mode]
		p.Before[i], p.After[i] = g.IntN(min(most, 3)+1), g.IntN(min(most, 3)+1)
	}
	return pads(p, x)
}
