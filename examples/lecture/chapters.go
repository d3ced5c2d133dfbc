package lecture

import (
	"context"
	"fmt"
	"strings"
)

// Chapter is one topic of the lecture.
type Chapter struct {
	Name   string // as the command takes it, and the name of the file here
	Title  string
	Says   string // what the lecture says about it, which the chapter measures
	Papers []Paper
	Run    func(ctx context.Context, b *Board) error
}

// Paper is where a claim or a method comes from.
type Paper struct{ Text, URL string }

// Chapters returns all chapters, in the order of the lecture.
func Chapters() []Chapter {
	return []Chapter{
		{"edges", "Edges of a signal",
			"Convolution is a local dot product, large where the signal looks like the filter: (-1, 1) finds edges.",
			[]Paper{dumoulin}, edges},
		{"smooth", "Smoothing a signal",
			"A filter of positive weights whose sum is 1 smooths.",
			[]Paper{dumoulin}, smooth},
		{"sobel", "Edges of a photograph",
			"In two dimensions the filter is slid over rows and columns: those of Sobel find vertical and horizontal edges.",
			[]Paper{dumoulin}, sobel},
		{"layers", "A convolutional layer",
			"A layer has several filters. Each gives an activation map, and the maps are concatenated; " +
				"input channels, output channels and kernel size are what a layer is made of.",
			[]Paper{dumoulin}, layers},
		{"pooling", "Pooling",
			"Pooling has no weights: of each window of each map it takes the maximum or the mean. " +
				"Maps become smaller, and vary less with a slight translation of the image.",
			[]Paper{lecun, scherer}, pooling},
		{"parameters", "Convolutional and dense layers",
			"Where it matters what is present and not where it is, a convolutional layer is as good as a dense one with far fewer parameters.",
			[]Paper{lecun}, parameters},
		{"capacity", "Deep or wide",
			"Shallow networks can represent any function but need very many neurons; deep ones are compact.",
			[]Paper{telgarsky, montufar}, capacity},
		{"scaling", "More data",
			"Classical algorithms saturate with data; deep models keep improving.",
			[]Paper{lecun, hestness}, scaling},
		{"vanishing", "Vanishing gradients",
			"Depth makes gradients vanish; normalisation and skip connections are the answer.",
			[]Paper{glorot, he, ioffe, residual, yang}, vanishing},
		{"overfit", "Learning by heart",
			"A network with many parameters learns a small training set by heart; regularisation, augmentation and a close look at the training are the answer.",
			[]Paper{srivastava, krogh, prechelt}, overfit},
		{"transfer", "Transfer learning",
			"Where data are few, a network that has learnt from many others serves as a feature extractor.",
			[]Paper{yosinski, xiao}, transfer},
		{"regression", "Regression",
			"A network learns by any differentiable objective: classes, or a number such as an angle.",
			[]Paper{lecun}, regression},
		{"signals", "Tones and text",
			"Convolution serves for audio and text as it does for images.",
			[]Paper{waibel, kim, zhang}, signals},
		{"handcrafted", "Features by hand",
			"Before convolutional networks features were made by hand, such as histograms of oriented gradients.",
			[]Paper{dalal, lecun}, handcrafted},
		{"lenet", "LeNet",
			"LeNet (1998) reads digits: convolutions and pooling, which was called subsampling, then a multi-layer perceptron.",
			[]Paper{lecun}, leNet},
		{"alexnet", "AlexNet",
			"AlexNet (2012) tells 1,000 classes of ImageNet: several convolutions with max pooling, split over two GPUs, and dense layers.",
			[]Paper{krizhevsky, weird}, alexNet},
	}
}

// Papers that chapters cite.
var (
	dalal      = Paper{"Dalal and Triggs, Histograms of Oriented Gradients for Human Detection, 2005", "https://doi.org/10.1109/CVPR.2005.177"}
	dumoulin   = Paper{"Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016", "https://arxiv.org/abs/1603.07285"}
	glorot     = Paper{"Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010", "https://proceedings.mlr.press/v9/glorot10a.html"}
	he         = Paper{"He et al., Delving Deep into Rectifiers, 2015", "https://arxiv.org/abs/1502.01852"}
	hestness   = Paper{"Hestness et al., Deep Learning Scaling is Predictable, Empirically, 2017", "https://arxiv.org/abs/1712.00409"}
	ioffe      = Paper{"Ioffe and Szegedy, Batch Normalization, 2015", "https://arxiv.org/abs/1502.03167"}
	kim        = Paper{"Kim, Convolutional Neural Networks for Sentence Classification, 2014", "https://arxiv.org/abs/1408.5882"}
	krogh      = Paper{"Krogh and Hertz, A Simple Weight Decay Can Improve Generalization, 1991", "https://papers.nips.cc/paper/563-a-simple-weight-decay-can-improve-generalization"}
	krizhevsky = Paper{"Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional Neural Networks, 2012", "https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks"}
	lecun      = Paper{"LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, 1998", "https://doi.org/10.1109/5.726791"}
	montufar   = Paper{"Montufar et al., On the Number of Linear Regions of Deep Neural Networks, 2014", "https://arxiv.org/abs/1402.1869"}
	prechelt   = Paper{"Prechelt, Early Stopping - But When?, 1998", "https://doi.org/10.1007/3-540-49430-8_3"}
	residual   = Paper{"He et al., Deep Residual Learning for Image Recognition, 2016", "https://arxiv.org/abs/1512.03385"}
	scherer    = Paper{"Scherer, Müller and Behnke, Evaluation of Pooling Operations in Convolutional Architectures for Object Recognition, 2010", "https://doi.org/10.1007/978-3-642-15825-4_10"}
	srivastava = Paper{"Srivastava et al., Dropout, 2014", "https://jmlr.org/papers/v15/srivastava14a.html"}
	telgarsky  = Paper{"Telgarsky, Benefits of depth in neural networks, 2016", "https://arxiv.org/abs/1602.04485"}
	waibel     = Paper{"Waibel et al., Phoneme Recognition Using Time-Delay Neural Networks, 1989", "https://doi.org/10.1109/29.21701"}
	xiao       = Paper{"Xiao, Rasul and Vollgraf, Fashion-MNIST, 2017", "https://arxiv.org/abs/1708.07747"}
	yang       = Paper{"Yang et al., A Mean Field Theory of Batch Normalization, 2019", "https://arxiv.org/abs/1902.08129"}
	yosinski   = Paper{"Yosinski et al., How transferable are features in deep neural networks?, 2014", "https://arxiv.org/abs/1411.1792"}
	zhang      = Paper{"Zhang, Zhao and LeCun, Character-level Convolutional Networks for Text Classification, 2015", "https://arxiv.org/abs/1509.01626"}
	weird      = Paper{"Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014", "https://arxiv.org/abs/1404.5997"}
)

// Find returns the chapter of a name. The error lists the names there are.
func Find(name string) (Chapter, error) {
	var names []string
	for _, c := range Chapters() {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return Chapter{}, fmt.Errorf("no chapter %q; there are %s", name, strings.Join(names, ", "))
}
