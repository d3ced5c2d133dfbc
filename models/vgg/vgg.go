package vgg

import "github.com/plexaura/plexaura/nn"

// The models map images (N,3,224,224) to logits (N,1000).
var (
	VGG11 = New(Plan11, 1000, .5) // configuration A: 132,863,336 parameters
	VGG16 = New(Plan16, 1000, .5) // configuration D: 138,357,544 parameters
)

// Pool stands in a plan for a max pooling that halves the image.
const Pool = 0

// The plans are table 1 of the paper: the channels of each 3×3 convolution, and Pool.
var (
	Plan11 = []int{64, Pool, 128, Pool, 256, 256, Pool, 512, 512, Pool, 512, 512, Pool}
	Plan13 = []int{64, 64, Pool, 128, 128, Pool, 256, 256, Pool, 512, 512, Pool, 512, 512, Pool}
	Plan16 = []int{64, 64, Pool, 128, 128, Pool, 256, 256, 256, Pool, 512, 512, 512, Pool, 512, 512, 512, Pool}
	Plan19 = []int{64, 64, Pool, 128, 128, Pool, 256, 256, 256, 256, Pool, 512, 512, 512, 512, Pool, 512, 512, 512, 512, Pool}
)

// New returns the model of a plan, for a number of classes and a probability of dropout, 0 for
// none. Filters are drawn as by He et al. (2015) from their fan-out, dense weights from a normal
// distribution of deviation 0.01.
func New(plan []int, classes int, dropout float64) nn.Layer {
	var features nn.Sequential
	for _, channels := range plan {
		if channels == Pool {
			features = append(features, nn.MaxPool2D{Kernel: 2})
			continue
		}
		conv := nn.Conv2D{Out: channels, Kernel: 3, Pad: 1, Init: nn.HeNormal{FanOut: true}, BiasInit: nn.Constant(0)}
		features = append(features, conv, nn.ReLU{})
	}
	return nn.Sequential{
		nn.Named("features", features),
		nn.Flatten{},
		nn.Named("classifier", nn.Sequential{
			dense(4096), nn.ReLU{}, nn.Dropout{P: dropout},
			dense(4096), nn.ReLU{}, nn.Dropout{P: dropout},
			dense(classes),
		}),
	}
}

func dense(out int) nn.Layer {
	return nn.Linear{Out: out, Init: nn.Normal{Std: .01}, BiasInit: nn.Constant(0)}
}
