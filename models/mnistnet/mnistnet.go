package mnistnet

import "github.com/plexaura/plexaura/nn"

// Model maps images (N,1,28,28) to logits (N,10), with 135,674 parameters.
var Model = New(10, .3)

// New returns the model for another number of classes and probability of dropout, 0 for none.
func New(classes int, dropout float64) nn.Layer {
	return build([5]int{16, 32, 64, 64, 128}, classes, dropout)
}

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

// unit is a convolution by 3×3 filters, batch normalisation and ReLU. The filters have no bias,
// which the normalisation would take away again.
func unit(name string, out, pad int) nn.Layer {
	return nn.Named(name, nn.Sequential{
		nn.Conv2D{Name: "conv", Out: out, Kernel: 3, Pad: nn.HW(pad), NoBias: true, Init: nn.HeNormal{}},
		nn.BatchNorm{Name: "norm"}, nn.ReLU{},
	})
}
