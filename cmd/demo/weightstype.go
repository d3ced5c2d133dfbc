package main

import (
	"slices"
	"strings"

	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// weightsTypes are the types that weights are rounded to and packed in for inference; the first is
// that of the models.
var weightsTypes = []shape.DType{shape.Float32, shape.BFloat16, shape.Int8}

// weightsType is the flag that picks one.
type weightsType struct{ name *string }

func (c *call) pickWeightsType() weightsType {
	return weightsType{c.String("weights-type", weightsTypes[0].String(), "the type in which the weights of products and convolutions are kept: "+strings.Join(weightsTypeNames(), ", "))}
}

// options returns the options of the program: none for the type that weights have anyway.
func (w weightsType) options() ([]vm.Option, error) {
	i := slices.Index(weightsTypeNames(), *w.name)
	switch {
	case i < 0:
		return nil, usagef("-weights-type %s: there are %s", *w.name, strings.Join(weightsTypeNames(), ", "))
	case i == 0:
		return nil, nil
	}
	return []vm.Option{vm.WithWeights(weightsTypes[i])}, nil
}

func weightsTypeNames() (names []string) {
	for _, d := range weightsTypes {
		names = append(names, d.String())
	}
	return names
}
