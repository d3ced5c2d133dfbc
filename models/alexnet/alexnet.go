package alexnet

import (
	"slices"

	"github.com/plexaura/plexaura/nn"
)

// Model is the one-tower form: it maps images (N,3,224,224) to logits (N,1000), with
// 61,100,840 parameters.
var Model = New(1000, .5)

// New returns the one-tower form for another number of classes and probability of dropout, 0 for
// none.
func New(classes int, dropout float64) nn.Layer {
	return oneTower(widths{[5]int{64, 192, 384, 256, 256}, 4096, classes}, dropout, plain)
}

// NewBatchNorm is [New] with batch normalisation after every convolution (Ioffe and Szegedy, Batch
// Normalization, 2015), which takes the place of its bias. It learns in far fewer steps. Published
// weights are not for it.
func NewBatchNorm(classes int, dropout float64) nn.Layer {
	return oneTower(widths{[5]int{64, 192, 384, 256, 256}, 4096, classes}, dropout, normalised)
}

// widths are the channels of the five convolutions and the features of the dense layers.
type widths struct {
	channels        [5]int
	hidden, classes int
}

// oneTower is the network whose convolutions become layers by block.
func oneTower(w widths, dropout float64, block func(nn.Conv2D) nn.Sequential) nn.Layer {
	pool := nn.Sequential{nn.MaxPool2D{Kernel: 3, Stride: 2}}
	return nn.Sequential{
		nn.Named("features", slices.Concat(
			block(nn.Conv2D{Out: w.channels[0], Kernel: 11, Stride: 4, Pad: 2}), pool,
			block(nn.Conv2D{Out: w.channels[1], Kernel: 5, Pad: 2}), pool,
			block(nn.Conv2D{Out: w.channels[2], Kernel: 3, Pad: 1}),
			block(nn.Conv2D{Out: w.channels[3], Kernel: 3, Pad: 1}),
			block(nn.Conv2D{Out: w.channels[4], Kernel: 3, Pad: 1}), pool,
		)),
		nn.Flatten{},
		nn.Named("classifier", nn.Sequential{
			nn.Dropout{P: dropout}, nn.Linear{Out: w.hidden}, nn.ReLU{},
			nn.Dropout{P: dropout}, nn.Linear{Out: w.hidden}, nn.ReLU{},
			nn.Linear{Out: w.classes},
		}),
	}
}

func plain(c nn.Conv2D) nn.Sequential { return nn.Sequential{c, nn.ReLU{}} }

func normalised(c nn.Conv2D) nn.Sequential {
	c.NoBias = true
	return nn.Sequential{c, nn.BatchNorm{}, nn.ReLU{}}
}
