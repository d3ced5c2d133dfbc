package alexnet

import "github.com/plexaura/plexaura/nn"

// Model maps images (N,3,224,224) to logits (N,1000), with 61,100,840 parameters.
var Model = New(1000, .5)

// New returns the model for another number of classes and probability of dropout, 0 for none.
func New(classes int, dropout float64) nn.Layer {
	return nn.Sequential{
		nn.Named("features", nn.Sequential{
			nn.Conv2D{Out: 64, Kernel: 11, Stride: 4, Pad: 2}, nn.ReLU{}, nn.MaxPool2D{Kernel: 3, Stride: 2},
			nn.Conv2D{Out: 192, Kernel: 5, Pad: 2}, nn.ReLU{}, nn.MaxPool2D{Kernel: 3, Stride: 2},
			nn.Conv2D{Out: 384, Kernel: 3, Pad: 1}, nn.ReLU{},
			nn.Conv2D{Out: 256, Kernel: 3, Pad: 1}, nn.ReLU{},
			nn.Conv2D{Out: 256, Kernel: 3, Pad: 1}, nn.ReLU{}, nn.MaxPool2D{Kernel: 3, Stride: 2},
		}),
		nn.Flatten{},
		nn.Named("classifier", nn.Sequential{
			nn.Dropout{P: dropout}, nn.Linear{Out: 4096}, nn.ReLU{},
			nn.Dropout{P: dropout}, nn.Linear{Out: 4096}, nn.ReLU{},
			nn.Linear{Out: classes},
		}),
	}
}
