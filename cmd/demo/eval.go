package main

import (
	"context"
	"fmt"

	"github.com/plexaura/plexaura/train"
)

func eval(ctx context.Context, c *call) error {
	weights := c.String("weights", "runs/lenet/model.safetensors", "weights `file`")
	from := c.String("data", "mnist", "mnist, or a `folder` with the four MNIST files; its test images are used")
	engineName := c.String("engine", "cpu", "one of "+list(engines()))
	confusion := c.String("confusion", "", "draw the confusion matrix into this PNG `file`")
	if err := c.parse(false); err != nil {
		return err
	}
	m, p, err := loadPredictor(*weights, *engineName)
	if err != nil {
		return err
	}
	ds, err := loadData(*from, p.Info().Input.Shape, p.Info().Preprocess)
	if err != nil {
		return err
	}
	ev, err := p.Evaluate(ctx, ds.test, m.loss)
	if err != nil {
		return err
	}
	if *confusion != "" {
		if err := drawConfusion(*confusion, "test", p.Info().Classes, ev); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(c.stdout, "loss %.4f\n%s\n", ev.Loss(), accuracyLine(ev))
	return err
}

// loadPredictor reads a weights file; the model, its classes and its preprocessing stand in
// the file.
func loadPredictor(weights, engineName string) (model, *train.Predictor, error) {
	e, err := findEngine(engineName)
	if err != nil {
		return model{}, nil, err
	}
	w, err := train.LoadCheckpoint(weights)
	if err != nil {
		return model{}, nil, err
	}
	m, ok := models()[w.Name]
	if !ok {
		return m, nil, fmt.Errorf("%s is for a model %q, which demo does not have; it has %s", weights, w.Name, list(models()))
	}
	p, err := train.NewPredictor(m.layer, w, e)
	if err != nil {
		return m, nil, fmt.Errorf("%s: %w", weights, err)
	}
	return m, p, nil
}
