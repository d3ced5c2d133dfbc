package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/vm"
)

// calibrate writes the ranges that training images give, as nothing is chosen by test images.
func calibrate(ctx context.Context, c *call) error {
	pick := c.pickNetwork()
	from := c.String("data", "mnist", dataUsage+"; the training images are used")
	limit := c.Int("limit", 500, "calibrate by only the first `N` images; 0 means all")
	out := c.String("out", "ranges.json", "the `file` to write")
	if err := c.parse(false); err != nil {
		return err
	}
	if *out == "" {
		return usagef("-out names no file")
	}
	if err := regular.Replaceable(*out); err != nil {
		return err
	}
	w, err := pick.load()
	if err != nil {
		return err
	}
	ds, err := loadData(ctx, *from, w.Info.Input.Shape, w.Info.Input.Shape, w.Info.Preprocess, 0)
	if err != nil {
		return err
	}
	if err := ds.indexed(*from); err != nil {
		return err
	}
	ds.limit(*limit, 0)
	ranges, err := w.ranges(ctx, ds.train)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := ranges.Write(&b); err != nil {
		return err
	}
	if err := save(c.stdout, *out, b.Bytes(), false); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%s: the ranges of %d layers for %s images\n", plain.Name(*out), len(ranges), thousands(ds.train.Len()))
	return err
}

// ranges are those that the examples of ds give.
func (w trained) ranges(ctx context.Context, ds data.Dataset) (vm.Ranges, error) {
	p, err := w.predictor()
	if err != nil {
		return nil, err
	}
	batches, err := data.NewLoader(ds, data.Batching{Size: 100, Workers: 1})
	if err != nil {
		return nil, err
	}
	ranges := vm.Ranges{}
	for batch, err := range batches.EpochFrom(ctx, 0, 0) {
		if err != nil {
			return nil, err
		}
		if err := p.Calibrate(ctx, ranges, batch.X.Float32s()); err != nil {
			return nil, err
		}
	}
	return ranges, nil
}
