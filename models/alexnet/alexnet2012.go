package alexnet

import (
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
)

// Model2012 is the network as published (section 3): it maps images (N,3,224,224) to logits
// (N,1000), with 60,965,224 parameters. Its layers have the paper's order: convolution, ReLU,
// response normalisation, overlapping pooling. Parameters are called "conv1.weight" to "fc8.bias".
//
// The two GPUs of the paper are two groups of channels: conv2, conv4 and conv5 see the half that
// lies on their own GPU, the other layers see all. Response normalisation runs over all channels,
// as the formula of the paper has it.
//
// The paper says 224×224 pixels and 55×55 for conv1, where 11×11 windows at stride 4 leave 54.25:
// its program, cuda-convnet, rounds up, so that the last window reaches three pixels beyond the
// image and finds zeros there. Images of 227×227 need none of them, give the same shapes, and are
// what Caffe's bvlc_alexnet takes.
//
// It was trained (section 5) by SGD with momentum 0.9, weight decay 5e-4 and 128 images a step, at
// a learning rate of 0.01 that was divided by ten whenever the validation error stopped falling, on
// random crops, reflections and changes of light (section 4.1; AlexNet in data/augment).
//
// Pixels are those of the paper, 0 to 255 less their mean: an intensity from 0 to 1 less its
// channel's mean, divided by [Std2012]. The initial weights are drawn for that range.
var Model2012 = New2012(1000, .5)

// Std2012 divides intensities from 0 to 1, to make pixels of [Model2012] of them.
const Std2012 = 1. / 255

// New2012 returns [Model2012] for another number of classes and probability of dropout, 0 for none.
func New2012(classes int, dropout float64) nn.Layer {
	return twoTowers(widths{[5]int{96, 256, 384, 384, 256}, 4096, classes}, dropout)
}

func twoTowers(w widths, dropout float64) nn.Layer {
	norm := nn.LRN{Size: 5, Alpha: 5 * 1e-4, Beta: .75, K: 2} // the paper's alpha 1e-4 is of one channel
	pool := nn.MaxPool2D{Kernel: 3, Stride: 2}
	conv1 := nn.Conv2D{Name: "conv1", Out: w.channels[0], Kernel: 11, Stride: 4, Pad: nn.Sides(0, 3, 0, 3)}
	conv2 := nn.Conv2D{Name: "conv2", Out: w.channels[1], Kernel: 5, Pad: 2, Groups: 2}
	conv3 := nn.Conv2D{Name: "conv3", Out: w.channels[2], Kernel: 3, Pad: 1}
	conv4 := nn.Conv2D{Name: "conv4", Out: w.channels[3], Kernel: 3, Pad: 1, Groups: 2}
	conv5 := nn.Conv2D{Name: "conv5", Out: w.channels[4], Kernel: 3, Pad: 1, Groups: 2}
	return nn.Sequential{
		filters(conv1, 0), nn.ReLU{}, norm, pool,
		filters(conv2, 1), nn.ReLU{}, norm, pool,
		filters(conv3, 0), nn.ReLU{},
		filters(conv4, 1), nn.ReLU{},
		filters(conv5, 1), nn.ReLU{}, pool,
		nn.Flatten{},
		dense("fc6", w.hidden, 1), nn.ReLU{}, nn.Dropout{P: dropout},
		dense("fc7", w.hidden, 1), nn.ReLU{}, nn.Dropout{P: dropout},
		dense("fc8", w.classes, 0),
	}
}

// weights2012 is the paper's initial distribution of weights (section 5); biases begin at the same
// number throughout a layer.
var weights2012 graph.Initializer = nn.Normal{Std: .01}

func filters(c nn.Conv2D, bias float64) nn.Layer {
	c.Init, c.BiasInit = weights2012, nn.Constant(bias)
	return c
}

func dense(name string, out int, bias float64) nn.Layer {
	return nn.Linear{Name: name, Out: out, Init: weights2012, BiasInit: nn.Constant(bias)}
}
