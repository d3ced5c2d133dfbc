package mobilenet

import (
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
)

// V2 maps images (N,3,224,224) to logits (N,1000), with 3,504,872 parameters.
var V2 = NewV2(1000, .2)

// stages are table 2 of the paper: expansion, channels, blocks, stride of the first.
var stages = []struct{ expand, out, blocks, stride int }{
	{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
}

// NewV2 returns the model for another number of classes and probability of dropout, 0 for none.
func NewV2(classes int, dropout float64) nn.Layer {
	in := 32
	features := nn.Sequential{unit(in, 3, 2, 1)}
	for _, s := range stages {
		stride := s.stride
		for range s.blocks {
			features = append(features, inverted(in, s.out, s.expand, stride))
			in, stride = s.out, 1
		}
	}
	features = append(features, unit(1280, 1, 1, 1))
	return nn.Sequential{
		nn.Named("features", features),
		nn.GlobalAvgPool2D{}, nn.Flatten{},
		nn.Named("classifier", nn.Sequential{
			nn.Dropout{P: dropout},
			nn.Linear{Out: classes, Init: nn.Normal{Std: .01}, BiasInit: nn.Constant(0)},
		}),
	}
}

// inverted is an inverted residual: it widens, filters each channel by itself, and narrows without
// an activation. Where the shape stays, x is added.
func inverted(in, out, expand, stride int) nn.Layer {
	var body nn.Sequential
	if expand > 1 {
		body = append(body, unit(in*expand, 1, 1, 1))
	}
	body = append(body, unit(in*expand, 3, stride, in*expand), conv(out, 1, 1, 1), nn.BatchNorm{})
	if stride > 1 || in != out {
		return nn.Sequential{nn.Named("conv", body)}
	}
	return nn.Residual{Body: nn.Named("conv", body)}
}

// unit is a convolution, batch normalisation and ReLU6.
func unit(out, kernel, stride, groups int) nn.Layer {
	return nn.Sequential{conv(out, kernel, stride, groups), nn.BatchNorm{}, nn.Func(ops.ReLU6)}
}

// conv keeps the extents of the image, but for the stride.
func conv(out, kernel, stride, groups int) nn.Layer {
	return nn.Conv2D{Out: out, Kernel: nn.HW(kernel), Stride: nn.HW(stride), Pad: nn.HW(kernel / 2), Groups: groups, NoBias: true, Init: nn.HeNormal{FanOut: true}}
}
