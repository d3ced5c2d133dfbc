package main

import (
	"fmt"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/shape"
)

// splits are the parts of a dataset. Nothing is chosen by looking at test.
type splits struct{ train, validation, test data.Dataset }

// loadData reads the dataset of a -data flag, "mnist" or a folder with the four MNIST files,
// with inputs of the given shapes, wide for training, preprocessed by p.
func loadData(name string, wide, input shape.Shape, p data.Preprocess) (s splits, err error) {
	if s, err = readData(name); err != nil {
		return s, err
	}
	have := s.train.Info().Input.Shape
	if have != input {
		return s, fmt.Errorf("the images of %s are %v, the model takes %v", name, have, input)
	}
	if have != wide {
		return s, fmt.Errorf("the images of %s are %v, the augmentation cuts its parts from %v", name, have, wide)
	}
	for _, ds := range []*data.Dataset{&s.train, &s.validation, &s.test} {
		if *ds, err = data.WithPreprocess(*ds, p); err != nil {
			return s, err
		}
	}
	return s, nil
}

func readData(name string) (s splits, err error) {
	if name != "mnist" {
		all, test, err := mnist.Load(name)
		if err != nil {
			return s, err
		}
		rest, validation, err := mnist.Validation(all)
		return splits{rest, validation, test}, err
	}
	if s.train, s.validation, err = mnist.TrainValidation(); err != nil {
		return s, err
	}
	s.test, err = mnist.Test()
	return s, err
}
