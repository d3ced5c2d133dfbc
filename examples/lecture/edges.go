package lecture

import (
	"context"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/viz"
	"github.com/plexaura/plexaura/vm"
)

// edges slides the filter (-1, 1) along a signal of ones with two dips.
func edges(ctx context.Context, b *Board) error {
	signal := dips()
	filter := []float64{-1, 1}

	// The definition, as two loops: the dot product of the filter with each stretch of the signal.
	correlated := correlate(signal, filter)
	// What mathematics calls convolution runs through the filter from its other end.
	convolved := correlate(signal, reversed(filter))

	// The framework's, which is the first of the two, as in all of deep learning.
	computed, err := conv1D(ctx, signal, filter)
	if err != nil {
		return err
	}
	turned, err := conv1D(ctx, signal, reversed(filter))
	if err != nil {
		return err
	}

	b.say("A signal of 30 ones, with zeros at 5 to 7 and at 15 to 17, and the filter (-1, 1). Of each stretch of the signal as long as the "+
		"filter the dot product is taken: %d numbers come of %d. It is 0 where the signal is flat, -1 where it falls and 1 where it rises.",
		len(correlated), len(signal))
	b.numbers(
		number{"falls before", float64(where(correlated, -1)[0] + 1), "sample %g"},
		number{"rises before", float64(where(correlated, 1)[0] + 1), "sample %g"},
		number{"edges", float64(len(where(correlated, -1)) + len(where(correlated, 1))), "%g"},
		number{"largest difference of the framework from the loops", max(apart(correlated, computed), apart(convolved, turned)), "%.1g"},
		number{"largest sum of convolution and cross-correlation", apart(correlated, negated(convolved)), "%.1g"},
	)
	b.say("What deep learning calls convolution is cross-correlation. Convolution proper turns the filter round, which for (-1, 1) turns " +
		"the sign: it finds the same edges.")
	return b.draw("edges", "the signal, its cross-correlation with (-1, 1), and its convolution with it", viz.Plot{
		Title: "Edges",
		Panels: []viz.Panel{
			samples("Signal", signal), samples("Cross-correlation with (-1, 1)", computed), samples("Convolution with (-1, 1)", turned),
		},
		Height: 360,
	})
}

// dips is the signal of the lecture.
func dips() []float64 {
	s := make([]float64, 30)
	for i := range s {
		if i >= 5 && i < 8 || i >= 15 && i < 18 {
			continue
		}
		s[i] = 1
	}
	return s
}

// correlate returns sum over t of filter[t] signal[p+t] for each place p where the filter lies
// within the signal.
func correlate(signal, filter []float64) []float64 {
	out := make([]float64, len(signal)-len(filter)+1)
	for p := range out {
		for t, w := range filter {
			out[p] += w * signal[p+t]
		}
	}
	return out
}

// conv1D is the same by a graph of one node.
func conv1D(ctx context.Context, signal, filter []float64) ([]float64, error) {
	g := graph.New()
	x := g.Input("signal", shape.F64(1, 1, shape.Dim(len(signal)))) // (N,C,W)
	w := g.Input("filter", shape.F64(1, 1, shape.Dim(len(filter)))) // (filters, channels, width)
	y := ops.Conv1D(x, w, ops.Conv1DOptions{})
	values, err := compute(ctx, vm.NewStore(0), []*graph.Node{y},
		feed{x, floats(signal, 1, 1, len(signal))}, feed{w, floats(filter, 1, 1, len(filter))})
	if err != nil {
		return nil, err
	}
	return values[0].Data().([]float64), nil
}

// samples is a panel with a point for each sample, counted from 0.
func samples(heading string, v []float64) viz.Panel {
	s := viz.Series{Y: v}
	for i := range v {
		s.X = append(s.X, float64(i))
	}
	return viz.Panel{Heading: heading, XLabel: "sample", Series: []viz.Series{s}}
}

func reversed(v []float64) []float64 {
	out := make([]float64, 0, len(v))
	for i := len(v) - 1; i >= 0; i-- {
		out = append(out, v[i])
	}
	return out
}

func negated(v []float64) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = -v[i]
	}
	return out
}

// where returns the places of a value.
func where(v []float64, value float64) (places []int) {
	for i := range v {
		if v[i] == value {
			places = append(places, i)
		}
	}
	return places
}

// apart is the largest difference of two signals.
func apart(a, b []float64) (most float64) {
	for i := range a {
		most = max(most, math.Abs(a[i]-b[i]))
	}
	return most
}
