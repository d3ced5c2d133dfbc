package main

import (
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/shape"
)

// recipe is a way to augment training images that the -augment flag knows by name.
type recipe struct {
	// wide is the side of the images that it cuts parts from; 0 is that of the model's input.
	wide    int
	augment func(side int) data.Augmentation
}

func recipes() map[string]recipe {
	return map[string]recipe{
		"none":          {augment: func(int) data.Augmentation { return nil }},
		"mnist":         {augment: func(int) data.Augmentation { return augment.MNIST() }},
		"mnist-affine":  {augment: func(int) data.Augmentation { return augment.MNISTAffine() }},
		"fashion-mnist": {augment: func(int) data.Augmentation { return augment.FashionMNIST() }},
		"cifar":         {augment: func(int) data.Augmentation { return augment.CIFAR() }},
		"trivial":       {augment: func(int) data.Augmentation { return augment.TrivialAugment{} }},
		"alexnet":       {wide: 256, augment: func(side int) data.Augmentation { return augment.AlexNet(side) }},
		"imagenet":      {wide: 256, augment: func(side int) data.Augmentation { return augment.ImageNet(side) }},
	}
}

func findRecipe(name string) (recipe, error) {
	r, ok := recipes()[name]
	if !ok {
		return r, usagef("no recipe %q to augment by; there are %s", name, list(recipes()))
	}
	return r, nil
}

// from is the shape of the images that are augmented to images of the given shape.
func (r recipe) from(input shape.Shape) shape.Shape {
	if r.wide == 0 {
		return input
	}
	return shape.Of(input.Dim(0), shape.Dim(r.wide), shape.Dim(r.wide))
}
