package viz

import (
	"image"
	"math"
)

// Curves draws the course of a training: a panel of losses and one of accuracies, side by side, and
// others below. Series with the same name have the same colour in both. An empty panel says that it has no data.
type Curves struct {
	Title    string
	XLabel   string   // the quantity on the x axis; default "epoch"
	Loss     []Series // e.g. train and validation
	Accuracy []Series // in [0, 1]
	More     []Panel  // further panels, two in a row
	Width    int      // pixels; default 1200, at least 480
	Height   int      // pixels; default 500 a row, at least 300 a row
}

// Render draws the picture. It fails if X and Y of a series differ in length, or if the size is out
// of bounds.
func (cv Curves) Render() (*image.RGBA, error) {
	panels := len(cv.More) + 2
	cv.Width, cv.Height = orDefault(cv.Width, 1200), orDefault(cv.Height, 500*((panels+1)/2))
	if cv.XLabel == "" {
		cv.XLabel = "epoch"
	}
	loss := Panel{Heading: "Loss", XLabel: cv.XLabel, Series: cv.Loss, Bounds: [2]float64{0, math.Inf(1)}}
	accuracy := Panel{Heading: "Accuracy", XLabel: cv.XLabel, Series: cv.Accuracy, Bounds: [2]float64{0, 1}}
	return Plot{Title: cv.Title, Panels: append([]Panel{loss, accuracy}, cv.More...), Columns: 2, Width: cv.Width, Height: cv.Height}.Render()
}
