package lecture

import (
	"context"
	"fmt"
	"strings"
)

// Chapter is one thing that the lecture shows.
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
			[]Paper{lecun1998, scherer}, pooling},
	}
}

var dumoulin = Paper{"Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016", "https://arxiv.org/abs/1603.07285"}

var lecun1998 = Paper{"LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998", "https://doi.org/10.1109/5.726791"}

var scherer = Paper{"Scherer, Müller and Behnke, Evaluation of pooling operations in convolutional architectures for object recognition, 2010",
	"https://doi.org/10.1007/978-3-642-15825-4_10"}

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
