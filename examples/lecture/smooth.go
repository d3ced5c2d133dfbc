package lecture

import (
	"context"
	"math"

	"github.com/plexaura/plexaura/viz"
)

// smooth takes a weighted mean of each ten samples that follow each other.
func smooth(ctx context.Context, b *Board) error {
	signal, filter := dips(), bell()
	naive := correlate(signal, filter)
	computed, err := conv1D(ctx, signal, filter)
	if err != nil {
		return err
	}
	b.say("The same signal, and the filter sin(x) at 10 points from 0.1 to pi, divided by its sum: a mean of neighbours, the nearest of which count most. " +
		"The dips become shallow valleys, and where the signal is flat it stays as it is.")
	b.numbers(
		number{"sum of the filter", sum(filter), "%.15g"},
		number{"steepest step of the signal", steepest(signal), "%.3f"},
		number{"steepest step of the result", steepest(computed), "%.3f"},
		number{"least of the result", least(computed), "%.3f"},
		number{"largest difference of the framework from the loops", apart(naive, computed), "%.1g"},
	)
	return b.draw("smooth", "the signal, the bell-shaped filter, and the smoothed signal", viz.Plot{
		Title:  "Smoothing",
		Panels: []viz.Panel{samples("Signal", signal), samples("Filter", filter), samples("Result", computed)},
		Height: 360,
	})
}

// bell is half a period of a sine, with a sum of 1.
func bell() []float64 {
	const n, from, to = 10, 0.1, math.Pi
	f := make([]float64, n)
	for i := range f {
		f[i] = math.Sin(from + float64(i)*(to-from)/(n-1))
	}
	total := sum(f)
	for i := range f {
		f[i] /= total
	}
	return f
}

func sum(v []float64) (s float64) {
	for _, x := range v {
		s += x
	}
	return s
}

func least(v []float64) float64 {
	m := math.Inf(1)
	for _, x := range v {
		m = min(m, x)
	}
	return m
}

// steepest is the largest difference of two neighbours.
func steepest(v []float64) (most float64) {
	for i := range v[1:] {
		most = max(most, math.Abs(v[i+1]-v[i]))
	}
	return most
}
