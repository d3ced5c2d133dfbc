package enginetest

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Limits of recurrent layers, for numbers of about 1 and weights such as those of layers: so many
// units of 1 may be lost, since what a step has lost, the next ones read. Those of gradients grow with
// the number of steps.
const recurrentUlps, recurrentGradUlps = 64, 128

// recurrence is a recurrent layer of trials.
type recurrence struct {
	d       shape.DType
	cell    engine.Cell
	n, t, h int
}

func (r recurrence) of(dims ...int) shape.Type {
	return shape.Type{DType: r.d, Shape: shape.OfInts(dims...)}
}

func (r recurrence) steps(planes int) shape.Type { return r.of(r.n, r.t, planes*r.h) }

// data are numbers of about 1, rarely one that is not finite.
func (recurrence) data() source { return rarely(2000, oneOf(nonFinite, denormal), uniform(-2, 2)) }

// weights are small enough for states that neither explode nor vanish.
func (r recurrence) weights() (w, b shape.Type, of source) {
	rows := r.cell.Gates() * r.h
	scale := 1.0 / (1 + float64(r.h)/4)
	return r.of(rows, r.h), r.of(rows), rarely(2000, noNumber, uniform(-scale, scale))
}

func (r recurrence) trial(kept engine.Kept) trial {
	w, b, of := r.weights()
	in := []shape.Type{r.steps(r.cell.Gates())}
	for range r.cell.States() {
		in = append(in, r.of(r.n, r.h))
	}
	out := []shape.Type{r.steps(r.cell.Planes()), r.steps(1), r.of(r.n, 1, r.h)}[kept]
	a := engine.Recurrence{Cell: r.cell, Kept: kept}
	return trial{op: fmt.Sprintf("Recurrence%v", a), in: append(in, w, b), out: []shape.Type{out},
		data: append(repeat(r.data(), len(in)), of, of), limit: limit{result: recurrentUlps, one: recurrentUlps},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Recurrer).BindRecurrence(a, in, out)
		})}
}

// gradTrial has planes from 0 to 1, as gates are.
func (r recurrence) gradTrial(cells, inner, brief bool) trial {
	w, _, of := r.weights()
	in, data := []shape.Type{r.steps(1)}, []source{r.data()}
	add := func(s source, t shape.Type) { in, data = append(in, t), append(data, s) }
	cells = cells && r.cell == engine.LSTM
	if cells {
		add(r.data(), r.steps(1))
	}
	if inner {
		add(r.data(), r.steps(4))
	}
	add(rarely(2000, nonFinite, uniform(0, 1)), r.steps(r.cell.Planes()))
	add(r.data(), r.of(r.n, r.h))
	add(of, w)
	planes := 5
	if brief {
		planes = 4
	}
	a := engine.RecurrenceGrad{Cell: r.cell, Cells: cells, Inner: inner, Brief: brief}
	lost := recurrentGradUlps * float64(1+r.t)
	return trial{op: fmt.Sprintf("RecurrenceGrad%+v", a), in: in, out: []shape.Type{r.steps(planes)}, data: data, limit: limit{result: lost, one: lost},
		bind: one(func(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return e.(engine.Recurrer).BindRecurrenceGrad(a, in, out)
		})}
}

func (r recurrence) trials() (all []trial) {
	for _, k := range []engine.Kept{engine.Everything, engine.HiddenStates, engine.LastHidden} {
		all = append(all, r.trial(k))
	}
	all[len(all)-1].weights = &engine.Weights{In: 1 + r.cell.States()}
	return append(all, r.gradTrial(false, false, false), r.gradTrial(true, true, false), r.gradTrial(false, false, true), r.gradTrial(true, false, true))
}

// recurrentTable has batches, steps and units at and around the sizes of tiles, and some that are
// shared out.
func recurrentTable(*gen) (all []trial) {
	for _, d := range []shape.DType{shape.Float32, shape.Float64} {
		for _, cell := range []engine.Cell{engine.LSTM, engine.GRU} {
			for _, n := range []int{3, 1, 0, 17} {
				for _, t := range []int{1, 2, 9} {
					for _, h := range []int{1, 7, 33} {
						all = append(all, recurrence{d, cell, n, t, h}.trials()...)
					}
				}
			}
			for _, r := range []recurrence{{n: 1, t: 3, h: 128}, {n: 5, t: 2, h: 160}, {n: 16, t: 3, h: 200}, {n: 70, t: 2, h: 40}} {
				r.d, r.cell = d, cell
				all = append(all, r.trials()...)
			}
		}
	}
	return all
}

func randomRecurrent(g *gen) trial {
	r := recurrence{d: pick(g, floats...), cell: pick(g, engine.LSTM, engine.GRU), n: g.extent(33), t: g.positive(9), h: g.positive(65)}
	return pick(g, r.trials()...)
}
