package resnet

import (
	"fmt"
	"strconv"

	"github.com/plexaura/plexaura/nn"
)

// The models map images (N,3,224,224) to logits (N,1000).
var (
	ResNet18 = New(Basic, [4]int{2, 2, 2, 2}, 1000)      // 11,689,512 parameters
	ResNet34 = New(Basic, [4]int{3, 4, 6, 3}, 1000)      // 21,797,672
	ResNet50 = New(Bottleneck, [4]int{3, 4, 6, 3}, 1000) // 25,557,032
)

// ResNet18Small maps images (N,3,32,32), such as those of CIFAR-10, to logits (N,10). It has 11,173,962
// parameters.
var ResNet18Small = NewSmall(Basic, [4]int{2, 2, 2, 2}, 10)

// Block is the kind of a residual block.
type Block struct {
	expansion int // channels of the result for one of the block's width
	body      func(width, stride int) nn.Sequential
}

// The blocks of the paper: two 3×3 convolutions, or 1×1, 3×3 and 1×1 ones.
var (
	Basic      = Block{1, basic}
	Bottleneck = Block{4, bottleneck}
)

// New returns the model with so many blocks in each of its four stages.
func New(b Block, blocks [4]int, classes int) nn.Layer {
	stem := nn.Sequential{
		conv("conv1", 64, 7, 2), norm("bn1"), nn.ReLU{}, nn.MaxPool2D{Kernel: 3, Stride: 2, Pad: 1},
	}
	return build(stem, b, blocks, classes)
}

// NewSmall returns the model for small images: its first convolution is 3×3 with stride 1, and no pooling
// follows. So are most networks for CIFAR-10 that are called ResNet-18; those of the paper's section 4.2 are
// narrower.
func NewSmall(b Block, blocks [4]int, classes int) nn.Layer {
	return build(nn.Sequential{conv("conv1", 64, 3, 1), norm("bn1"), nn.ReLU{}}, b, blocks, classes)
}

func build(stem nn.Sequential, b Block, blocks [4]int, classes int) nn.Layer {
	net, in := stem, 64
	for i, n := range blocks {
		width, stride := 64<<i, min(i+1, 2)
		var stage nn.Sequential
		for k := range n {
			name := strconv.Itoa(k)
			stage = append(stage, b.residual(name, in, width, stride), nn.Named(name, nn.ReLU{}))
			in, stride = width*b.expansion, 1
		}
		net = append(net, nn.Named(fmt.Sprint("layer", i+1), stage))
	}
	return append(net, nn.GlobalAvgPool2D{}, nn.Flatten{}, nn.Linear{Name: "fc", Out: classes})
}

// residual is a block of that name; a ReLU follows it, under the same name. Where it changes the
// shape, the shortcut is a 1×1 convolution.
func (b Block) residual(name string, in, width, stride int) nn.Layer {
	r := nn.Residual{Name: name, Body: b.body(width, stride)}
	if out := width * b.expansion; stride > 1 || in != out {
		r.Shortcut = nn.Named("downsample", nn.Sequential{conv("", out, 1, stride), norm("")})
	}
	return r
}

func basic(width, stride int) nn.Sequential {
	return nn.Sequential{
		conv("conv1", width, 3, stride), norm("bn1"), nn.ReLU{},
		conv("conv2", width, 3, 1), norm("bn2"),
	}
}

func bottleneck(width, stride int) nn.Sequential {
	return nn.Sequential{
		conv("conv1", width, 1, 1), norm("bn1"), nn.ReLU{},
		conv("conv2", width, 3, stride), norm("bn2"), nn.ReLU{},
		conv("conv3", 4*width, 1, 1), norm("bn3"),
	}
}

// conv keeps the extents of the image, but for the stride.
func conv(name string, out, kernel, stride int) nn.Layer {
	return nn.Conv2D{Name: name, Out: out, Kernel: nn.HW(kernel), Stride: nn.HW(stride), Pad: nn.HW(kernel / 2), NoBias: true, Init: nn.HeNormal{FanOut: true}}
}

func norm(name string) nn.Layer { return nn.BatchNorm{Name: name} }
