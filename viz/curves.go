package viz

import (
	"image"
	"math"
)

// Curves draws how a training went: a panel of losses and one of accuracies, side by side. Series
// of one name have one colour in both. Either panel may be empty; it says so.
type Curves struct {
	Title    string
	XLabel   string   // what X counts; default "epoch"
	Loss     []Series // e.g. train and validation
	Accuracy []Series // in [0, 1]
	Width    int      // pixels; default 1200, at least 480
	Height   int      // pixels; default 500, at least 300
}

// Render draws the picture. It fails for a series whose X and Y differ in length and for a size
// outside of the bounds.
func (cv Curves) Render() (*image.RGBA, error) {
	cv.Width, cv.Height = orDefault(cv.Width, 1200), orDefault(cv.Height, 500)
	if cv.XLabel == "" {
		cv.XLabel = "epoch"
	}
	loss := Panel{Heading: "Loss", XLabel: cv.XLabel, Series: cv.Loss, Bounds: [2]float64{0, math.Inf(1)}}
	accuracy := Panel{Heading: "Accuracy", XLabel: cv.XLabel, Series: cv.Accuracy, Bounds: [2]float64{0, 1}}
	return Plot{Title: cv.Title, Panels: []Panel{loss, accuracy}, Width: cv.Width, Height: cv.Height}.Render()
}
