package augment_test

import (
	"testing"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"AlexNet":      augment.AlexNet,
			"CIFAR":        augment.CIFAR,
			"Components":   augment.Components,
			"ImageNet":     augment.ImageNet,
			"FashionMNIST": augment.FashionMNIST,
			"MNIST":        augment.MNIST,
			"MNISTAffine":  augment.MNISTAffine,
			"Within":       augment.Within,
		},
		Types: []any{
			new(augment.Affine),
			new(augment.ColorJitter),
			new(augment.CutMix),
			new(augment.CutOut),
			new(augment.TrivialAugment),
			new(augment.Elastic),
			new(augment.HorizontalFlip),
			new(augment.Lighting),
			new(augment.List),
			new(augment.MixUp),
			new(augment.RandomCrop),
			new(augment.RandomResizedCrop),
		},
		Good: func() []any {
			ds, err := data.New([]float32{1, 2, 3, 4}, []int32{0, 1}, data.Info{Input: shape.F32(2, 1, 1)})
			if err != nil {
				panic(err)
			}
			return []any{ds, data.NewRand(1, 2, 3)}
		},
	})
}
