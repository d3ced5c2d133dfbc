package viz_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/plexaura/plexaura/viz"
)

func ExampleCurves() {
	img, err := viz.Curves{
		Title: "LeNet on MNIST",
		Loss: []viz.Series{
			{Name: "train", Y: []float64{0.25, 0.08, 0.05}},
			{Name: "validation", Y: []float64{0.10, 0.07, 0.06}},
		},
		Accuracy: []viz.Series{{Name: "validation", Y: []float64{0.968, 0.979, 0.984}}},
	}.Render()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(img.Bounds().Size()) // viz.WritePNG("curves.png", img) saves it
	// Output: (1200,500)
}

func ExampleConfusion() {
	_, err := viz.Confusion{
		Classes: []string{"cat", "dog"},
		Counts:  [][]int{{95, 5}, {8}},
	}.Render()
	fmt.Println(err)
	// Output: viz: row 1 of the confusion matrix has 1 cells, but there are 2 classes
}

func ExampleImages() {
	img, err := viz.Images{Tiles: []viz.Tile{
		{Caption: "edge", C: 1, H: 2, W: 2, Pix: []float32{-1, 1, -1, 1}},
		{Caption: "red", C: 3, H: 1, W: 1, Pix: []float32{1, 0, 0}},
	}}.Render()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(img.Bounds().Size())
	// Output: (262,172)
}

func ExampleDiagram() {
	svg, err := viz.Diagram{
		Title:  "A perceptron",
		Blocks: []viz.Block{{Row: 0, Text: "784"}, {Row: 1, Text: "10"}},
		Edges:  []viz.Edge{{From: 0, To: 1, Lines: []string{"fc: dense layer", "7,850 parameters"}, Weight: 1}},
	}.SVG()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Count(string(svg), "<text")) // os.WriteFile("perceptron.svg", svg, 0o644) saves it
	// Output: 5
}

func ExampleMosaic() {
	img, err := viz.Mosaic{
		Tiles: []viz.Tile{viz.Diverging([]float32{-1, 0, 1, 2}, 2, 2, 0), viz.Heat([]float32{0, 1, 2, 3}, 2, 2, 0)},
		Lo:    0, Hi: 1, Columns: 2, Gap: 1,
	}.Render()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(img.Bounds().Size()) // a pixel a value, and what is between them transparent
	// Output: (5,2)
}

func ExampleScatter() {
	svg, err := viz.Scatter{X: []float64{1, 2}, Y: []float64{3, 4}, Class: []int{0, 1}, Classes: []string{"cat", "dog"}}.SVG()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(bytes.Count(svg, []byte("<circle")), "points")
	// Output: 2 points
}
