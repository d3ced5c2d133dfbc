package mnistnet

import "github.com/plexaura/plexaura/nn"

// Model maps images (N,1,28,28) to logits (N,10), with 135,674 parameters.
var Model = New(10, .3)

// New returns the model for another number of classes and probability of dropout, 0 for none.
func New(classes int, dropout float64) nn.Layer {
	return build([5]int{16, 32, 64, 64, 128}, classes, dropout)
}

// NewDense returns a network for fewer epochs, which maps images (N,1,28,28) to logits (N,classes),
// with 189,034 parameters for ten classes: LeNet-5 with batch normalisation, wider, and with two
// convolutions in place of the second. [New] averages over all places; the dense layer here sees what
// is where, and so the network learns in fewer epochs. It has 0.59 of the multiply-accumulates.
func NewDense(classes int) nn.Layer { return buildDense([4]int{32, 64, 64, 128}, classes) }

// NewWide returns a network for images that fill their frame, such as the clothes of Fashion-MNIST: it
// maps images (N,1,28,28) to logits (N,classes), with 241,898 parameters for ten classes. All its
// convolutions pad, and the wide ones work on 7×7 pixels.
func NewWide(classes int) nn.Layer { return buildWide([4]int{32, 64, 128, 128}, classes) }

// build has so many channels after each convolution. Only the last one pads: it works on 4×4
// pixels, while the border of a digit is empty.
func build(channels [5]int, classes int, dropout float64) nn.Layer {
	return nn.Sequential{
		unit("conv1", channels[0], 0), unit("conv2", channels[1], 0), nn.MaxPool2D{Kernel: 2},
		unit("conv3", channels[2], 0), unit("conv4", channels[3], 0), nn.MaxPool2D{Kernel: 2},
		unit("conv5", channels[4], 1),
		nn.GlobalAvgPool2D{}, nn.Flatten{}, nn.Dropout{P: dropout},
		nn.Linear{Name: "fc", Out: classes},
	}
}

// buildDense has so many outputs after each convolution and the first dense layer.
func buildDense(outputs [4]int, classes int) nn.Layer {
	return nn.Sequential{
		normalised("conv1", conv(outputs[0], 5, 0), nn.MaxPool2D{Kernel: 2}),
		normalised("conv2", conv(outputs[1], 3, 0)),
		normalised("conv3", conv(outputs[2], 3, 0), nn.MaxPool2D{Kernel: 2}),
		nn.Flatten{},
		normalised("fc1", nn.Linear{Name: "linear", Out: outputs[3], NoBias: true, Init: nn.HeNormal{}}),
		nn.Linear{Name: "fc2", Out: classes},
	}
}

// buildWide has so many channels after each convolution.
func buildWide(channels [4]int, classes int) nn.Layer {
	return nn.Sequential{
		normalised("conv1", conv(channels[0], 3, 1), nn.MaxPool2D{Kernel: 2}),
		normalised("conv2", conv(channels[1], 3, 1), nn.MaxPool2D{Kernel: 2}),
		unit("conv3", channels[2], 1), unit("conv4", channels[3], 1),
		nn.GlobalAvgPool2D{}, nn.Flatten{},
		nn.Linear{Name: "fc", Out: classes},
	}
}

// unit is a convolution by 3×3 filters, batch normalisation and ReLU.
func unit(name string, out, pad int) nn.Layer { return normalised(name, conv(out, 3, pad)) }

// normalised is the layers, batch normalisation and ReLU. Where the layers pool, these two have a
// quarter of the pixels to go through.
func normalised(name string, layers ...nn.Layer) nn.Layer {
	return nn.Named(name, append(nn.Sequential(layers), nn.BatchNorm{Name: "norm"}, nn.ReLU{}))
}

// conv has no bias, which the normalisation would take away again.
func conv(out, kernel, pad int) nn.Layer {
	return nn.Conv2D{Name: "conv", Out: out, Kernel: nn.HW(kernel), Pad: nn.HW(pad), NoBias: true, Init: nn.HeNormal{}}
}
