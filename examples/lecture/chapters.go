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
	}
}

var dumoulin = Paper{"Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016", "https://arxiv.org/abs/1603.07285"}

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
