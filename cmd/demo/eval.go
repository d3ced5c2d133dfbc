package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

func eval(ctx context.Context, c *call) error {
	pick := c.pickNetwork()
	from := c.String("data", "mnist", dataUsage+"; the test images are used, or those of val where there are none")
	confusion := c.String("confusion", "", "draw the confusion matrix into this PNG `file`")
	limit := c.Int("test-limit", 0, "test on only the first `N` images; 0 means all")
	list := c.String("metrics", "", metricsUsage())
	split := c.Float64("split", 0, splitUsage)
	tta := c.String("tta", noViews, ttaUsage())
	fewer := c.pickFewerBits()
	if err := c.parse(false); err != nil {
		return err
	}
	further, err := parseMetrics(*list)
	if err != nil {
		return err
	}
	opts, err := fewer.options()
	if err != nil {
		return err
	}
	if err := drawable(*confusion); err != nil {
		return err
	}
	w, part, name, err := pick.loadWith(ctx, c, *from, *limit, *split)
	if err != nil {
		return err
	}
	if err := w.seen(*tta); err != nil {
		return err
	}
	p, err := w.predictor(opts...)
	if err != nil {
		return fmt.Errorf("%w; the data have %d classes", err, len(part.Info().Classes))
	}
	ev, err := p.Evaluate(ctx, part, w.model.loss, further...)
	if err != nil {
		return err
	}
	if *confusion != "" {
		if err := drawConfusion(*confusion, name, p.Info().Classes, ev); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(c.stdout, "loss %.4f\n%s\n", ev.Loss(), accuracyLine(ev))
	if err = cmp.Or(err, c.printValues(ev.Values)); err != nil || len(opts) == 0 {
		return err
	}
	exact, err := w.predictor()
	if err != nil {
		return err
	}
	same, err := agreeing(ctx, part, p, exact)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "the class is that of %s in %v for %d of %d\n", fewer.what(), weightsTypes[0], same, part.Len())
	return err
}

// agreeing counts the examples of ds for which two models have the same greatest output.
func agreeing(ctx context.Context, ds data.Dataset, a, b *train.Predictor) (same int, err error) {
	batches, err := data.NewLoader(ds, data.Batching{Size: 100, Workers: 1})
	if err != nil {
		return 0, err
	}
	for batch, err := range batches.EpochFrom(ctx, 0, 0) {
		if err != nil {
			return 0, err
		}
		x, n := batch.X.Float32s(), len(batch.Examples)
		outA, err := a.Outputs(ctx, x)
		if err != nil {
			return 0, err
		}
		outB, err := b.Outputs(ctx, x)
		if err != nil {
			return 0, err
		}
		for i := range n {
			k := len(outA) / n
			if greatest(outA[i*k:][:k]) == greatest(outB[i*k:][:k]) {
				same++
			}
		}
	}
	return same, nil
}

// greatest is the index of the greatest of v.
func greatest(v []float32) (at int) {
	for i, x := range v {
		if x > v[at] {
			at = i
		}
	}
	return at
}

// loadWith reads the weights, and what of a dataset they are tested on: its first limit examples, 0
// being all, and its name. split is that of loadData.
func (p weightsChoice) loadWith(ctx context.Context, c *call, from string, limit int, split float64) (w trained, part data.Dataset, name string, err error) {
	if w, err = p.load(); err != nil {
		return w, nil, "", err
	}
	ds, err := loadData(ctx, from, wide(w.Info), w.Info.Input.Shape, w.Info.Preprocess, split)
	if err != nil {
		return w, nil, "", err
	}
	if err := ds.tell(c.stdout); err != nil {
		return w, nil, "", err
	}
	ds.limit(0, limit)
	part, name = ds.last()
	if w.foreign {
		w.Info.Classes = part.Info().Classes // their order is all that the weights tell
	}
	return w, part, name, nil
}

// wide is the shape that pictures are scaled to before the centre is cut out.
func wide(info data.Info) shape.Shape {
	input := info.Input.Shape
	if way, ok := picture.ParseShorter(info.Preprocess.Image); ok {
		return shape.Of(input.Dim(0), shape.Dim(way), shape.Dim(way))
	}
	return input
}
