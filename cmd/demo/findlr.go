package main

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/viz"
)

// findUsage describes the -find-lr flag.
const findUsage = "instead of training, try learning rates on a copy of the weights, suggest one, and draw the losses beside the run's folder"

// checkSearch refuses a search that would resume a run.
func (r *trainRun) checkSearch(resume bool) error {
	if r.search && resume {
		return usagef("-find-lr begins with new weights; leave -resume out")
	}
	return nil
}

// findRate tries learning rates, and draws the losses.
func (r *trainRun) findRate(ctx context.Context) error {
	picture := filepath.Clean(r.folder) + "-find-lr.png"
	if err := drawable(picture); err != nil {
		return err
	}
	c := r.config(newProgress(r.call.stdout, r.settings.Epochs))
	curve, err := train.FindRate(ctx, c, train.RateSearch{})
	r.sharding.ended(err)
	if errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	if err != nil || r.sharding.rank() > 0 {
		return err
	}
	img, err := curvePlot(r.settings, curve).Render()
	if err != nil {
		return err
	}
	if err := viz.WritePNG(picture, img); err != nil {
		return err
	}
	last := curve.Rates[len(curve.Rates)-1]
	why := "to"
	if curve.Diverged {
		why = "until the loss rose at"
	}
	if err := r.printf("%d steps with rates from %.3g %s %.3g, drawn in %s\n", len(curve.Rates), curve.Rates[0], why, last, plain.Name(picture)); err != nil {
		return err
	}
	if curve.Suggested == 0 {
		return errors.New("the loss fell at no rate; none can be suggested")
	}
	return r.printf("the loss had fallen half way at a rate of %.2g; try: -lr %.2[1]g\n", curve.Suggested)
}

// below returns the values with gaps where they are beyond most: where the loss explodes, nothing else
// would be seen.
func below(values []float64, most float64) []float64 {
	low := slices.Clone(values)
	for i, v := range low {
		if v > most {
			low[i] = math.NaN()
		}
	}
	return low
}

func curvePlot(s settings, c *train.RateCurve) viz.Plot {
	panel := viz.Panel{Heading: "Loss", XLabel: "learning rate", LogX: true, Series: []viz.Series{
		{Name: "of a batch", X: c.Rates, Y: below(c.Losses, 2*c.Smooth[0])}, {Name: "moving average", X: c.Rates, Y: below(c.Smooth, 2*c.Smooth[0])},
	}}
	for i, rate := range c.Rates {
		if rate == c.Suggested {
			panel.Series = append(panel.Series, viz.Series{Name: "half way", X: []float64{rate}, Y: []float64{c.Smooth[i]}, Points: true})
		}
	}
	return viz.Plot{Title: s.Model + " on " + s.Data + ": range test of learning rates", Panels: []viz.Panel{panel}, Width: 900}
}
