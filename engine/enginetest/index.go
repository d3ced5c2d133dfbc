package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Limits of kernels that use indices: gathered values and indices must be exact. A sum at one index
// may be off by one unit in the last place of the magnitudes per term.

// gathers returns a gather from x by ids from lo to hi, either all or none of them valid, and for
// floating point its adjoint.
func gathers(gt engine.Gather, x, ids shape.Type, lo, hi int) []trial {
	y, n := x.Of(ids.Shape), x.Int(gt.Axis)
	if !gt.Along {
		y.Shape = x.Drop(gt.Axis)
		for i, d := range ids.Dims() {
			y.Shape = y.Insert(gt.Axis+i, d)
		}
	}
	name := fmt.Sprintf("{axis %d along %v ids %d to %d}", gt.Axis, gt.Along, lo, hi)
	gather := trial{
		op: "Gather" + name, in: []shape.Type{x, ids}, out: []shape.Type{y}, data: []source{nil, whole(lo, hi)}, limit: limit{bits: true},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Indexer).BindGather(gt, in, out)
		}),
		fails: y.Len() > 0 && (lo < 0 || hi >= n),
	}
	if x.DType == ids.DType {
		gather.data[0] = gather.data[1] // the two inputs may share memory
	}
	if !x.IsFloat() {
		return []trial{gather}
	}
	scatter := gather
	scatter.op, scatter.in, scatter.out = "ScatterAdd"+name, []shape.Type{y, ids}, []shape.Type{x}
	scatter.data, scatter.limit = []source{signed, whole(lo, hi)}, limit{terms: float64(y.Len())}
	scatter.bind = one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return e.(engine.Indexer).BindScatterAdd(gt, in, out)
	})
	return []trial{gather, scatter}
}

// scatter combines values with elements of x at ids from lo to hi, most of them several times.
func scatter(st engine.Scatter, x, ids shape.Type, lo, hi int) trial {
	y, n := x.Of(ids.Shape), x.Int(st.Axis)
	if !st.Along {
		y.Shape = x.Drop(st.Axis)
		for i, d := range ids.Dims() {
			y.Shape = y.Insert(st.Axis+i, d)
		}
	}
	tr := trial{
		op: fmt.Sprintf("Scatter{%v axis %d along %v}", st.Combine, st.Axis, st.Along), in: []shape.Type{x, ids, y}, out: []shape.Type{x},
		data: []source{nil, whole(lo, hi), nil}, limit: limit{bits: true},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Indexer).BindScatter(st, in, out)
		}),
		fails: y.Len() > 0 && (lo < 0 || hi >= n),
	}
	if st.Combine != engine.Replace {
		tr.limit, tr.data[0], tr.data[2] = limit{}, mapData(x.DType), mapData(x.DType)
		if x.IsFloat() {
			tr.limit.terms = float64(y.Len())
		}
	}
	if x.DType == ids.DType {
		tr.data[0], tr.data[2] = tr.data[1], tr.data[1] // inputs may share memory
	}
	return tr
}

// topK has only few different numbers.
func topK(tk engine.TopK, k int, x shape.Type) trial {
	few := whole(0, 5)
	if x.IsFloat() {
		few = mixed(3, among(nan, inf, -inf, negZero, 0), signed)
	}
	return trial{
		op: fmt.Sprintf("TopK{axis %d least %v}", tk.Axis, tk.Least), in: []shape.Type{x}, out: []shape.Type{shape.Make(shape.Int64, x.With(tk.Axis, shape.Dim(k)).Dims()...)},
		data: []source{few},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Indexer).BindTopK(tk, in, out)
		}),
	}
}

func indexTable(*gen) []trial {
	all := []trial{
		topK(engine.TopK{Axis: 1}, 1, shape.F32(65, 10)), topK(engine.TopK{Axis: 0}, 3, shape.F64(3, 2)), topK(engine.TopK{Axis: 1}, 0, shape.I32(2, 3)),
		topK(engine.TopK{Axis: 0, Least: true}, 4, shape.U8(9)), topK(engine.TopK{Axis: 1, Least: true}, 5, shape.F32(3, 9)),
		updateSlice(1, 2, shape.F32(3, 9, 5)), updateSlice(0, 1, shape.F64(7)), updateSlice(2, 4, shape.U8(2, 3, 4)), updateSlice(1, 0, shape.I64(2, 3)),
	}
	for _, d := range floats {
		x := shape.Make(d, 5, 7, 3)
		all = append(all, gathers(engine.Gather{Axis: 1}, x, shape.I32(2, 4), 0, 6)...)
		all = append(all, gathers(engine.Gather{Axis: 0}, x, shape.U8(), 0, 4)...)
		all = append(all, gathers(engine.Gather{Axis: 1, Along: true}, x, shape.I64(5, 9, 3), 0, 6)...)
		all = append(all, gathers(engine.Gather{Axis: 2}, x, shape.I64(0), 0, 2)...)
		all = append(all, gathers(engine.Gather{Axis: 1}, x, shape.I64(6), 7, 9)...)
		all = append(all, gathers(engine.Gather{Axis: 1, Along: true}, x, shape.I32(5, 1, 3), -3, -1)...)
	}
	for c := engine.Replace; c <= engine.CombineMin; c++ {
		for _, d := range []shape.DType{shape.Float32, shape.Float64, shape.Int32, shape.Int64, shape.Uint8} {
			x := shape.Make(d, 3, 7, 5)
			all = append(all,
				scatter(engine.Scatter{Gather: engine.Gather{Axis: 1}, Combine: c}, x, shape.I64(9), 0, 6),
				scatter(engine.Scatter{Gather: engine.Gather{Axis: 0, Along: true}, Combine: c}, x, shape.U8(4, 7, 5), 0, 2))
		}
		all = append(all,
			scatter(engine.Scatter{Gather: engine.Gather{Axis: 0}, Combine: c}, shape.F32(7, 2), shape.I32(3), 7, 9),
			scatter(engine.Scatter{Gather: engine.Gather{Axis: 0}, Combine: c}, shape.F32(7, 2), shape.I64(0), 0, 6),
			scatter(engine.Scatter{Gather: engine.Gather{Axis: 0, Along: true}, Combine: c}, shape.F32(300), shape.I64(5000), 0, 299))
	}
	return append(all, gathers(engine.Gather{Axis: 0}, shape.F32(500, 64), shape.I64(33, 5), 0, 499)...)
}

func randomIndex(g *gen) trial {
	x := shape.Type{DType: pick(g, dtypes...), Shape: g.shape(1+g.IntN(4), 1500)}
	axis := g.IntN(x.Rank())
	x.Shape = x.With(axis, shape.Dim(g.positive(33)))
	n := x.Int(axis)
	if x.HasArithmetic() && g.IntN(3) == 0 {
		return topK(engine.TopK{Axis: axis, Least: g.bool()}, g.IntN(n+1), x)
	}
	if g.IntN(5) == 0 {
		return updateSlice(axis, g.IntN(n+1), x)
	}
	gt := engine.Gather{Axis: axis, Along: g.bool()}
	ids := g.shape(g.IntN(3), 20)
	if gt.Along {
		ids = x.With(axis, shape.Dim(g.extent(9)))
	}
	of := shape.Type{DType: pick(g, shape.Int32, shape.Int64, shape.Uint8), Shape: ids}
	if g.IntN(3) == 0 {
		c := engine.Replace
		if x.HasArithmetic() {
			c = engine.Combine(g.IntN(int(engine.CombineMin) + 1))
		}
		return scatter(engine.Scatter{Gather: gt, Combine: c}, x, of, 0, n-1)
	}
	return pick(g, gathers(gt, x, of, 0, n-1)...)
}

// cumSum may be off by 8 units in the last place of the sum of the magnitudes.
func cumSum(cs engine.CumSum, x shape.Type) trial {
	tr := trial{
		op: fmt.Sprintf("CumSum%+v", cs), in: []shape.Type{x}, out: []shape.Type{x},
		data: []source{reduceData(engine.Sum, x.DType)},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Scanner).BindCumSum(cs, in, out)
		}),
	}
	if x.IsFloat() {
		tr.limit.terms = sumUlps
	}
	return tr
}

// linearScan has factors that are exact.
func linearScan(axis int, reverse bool, x shape.Type) trial {
	return trial{
		op: fmt.Sprintf("LinearScan{axis %d reverse %v}", axis, reverse), in: []shape.Type{x, x}, out: []shape.Type{x},
		data: []source{among(0, 1, -1, .5, nan, inf), eighths}, limit: limit{terms: sumUlps},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Scanner).BindLinearScan(axis, reverse, in, out)
		}),
	}
}

func scanTable(*gen) []trial {
	return []trial{
		cumSum(engine.CumSum{}, shape.F32(9001)), cumSum(engine.CumSum{Axis: 1, Reverse: true}, shape.F64(3, 65, 5)),
		cumSum(engine.CumSum{Axis: 1}, shape.I32(2, 0)), cumSum(engine.CumSum{Reverse: true}, shape.F32(33, 17)),
		cumSum(engine.CumSum{Axis: 1, Exclusive: true}, shape.F32(3, 9)), cumSum(engine.CumSum{Exclusive: true, Reverse: true}, shape.U8(9, 2)),
		linearScan(1, false, shape.F32(3, 17, 5)), linearScan(0, true, shape.F64(9, 4)), linearScan(0, false, shape.F32(1)), linearScan(1, true, shape.F32(2, 0)),
	}
}

func randomScan(g *gen) trial {
	x := shape.Type{DType: pick(g, numeric...), Shape: g.shape(1+g.IntN(4), 3000)}
	axis := g.IntN(x.Rank())
	if x.IsFloat() && g.bool() {
		return linearScan(axis, g.bool(), x)
	}
	return cumSum(engine.CumSum{Axis: axis, Reverse: g.bool(), Exclusive: g.bool()}, x)
}
