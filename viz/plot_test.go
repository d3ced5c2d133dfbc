package viz

import (
	"bytes"
	"image"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func rendered(t *testing.T, p Plot) *image.RGBA {
	t.Helper()
	img, err := p.Render()
	require.NoError(t, err)
	requireClearMargin(t, img)
	return img
}

// rowsOf is where the colour of a series begins and ends.
func rowsOf(img *image.RGBA, i int) (top, bottom int) {
	top, bottom = math.MaxInt, -1
	for y := range img.Rect.Dy() {
		if count(img, image.Rect(0, y, img.Rect.Max.X, y+1), palette[i]) > 0 {
			top, bottom = min(top, y), max(bottom, y)
		}
	}
	return top, bottom
}

func TestLogarithmicMarksArePowersOfTen(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		count  int
		want   []string
	}{
		{1, 1000, 8, []string{"1", "10", "100", "1000"}},
		{1e-6, 1, 4, []string{"1e−6", "1e−4", "0.01", "1"}},
		{30, 600, 8, []string{"50", "100", "200", "500"}},
		{2e4, 3e6, 8, []string{"100k", "1M"}},
	} {
		a := axis{log: true}
		a = a.over([]float64{a.scale(c.lo), a.scale(c.hi)})
		var have []string
		for _, m := range a.marks(c.count, false) {
			have = append(have, m.text)
		}
		require.Equal(t, c.want, have, "%g to %g", c.lo, c.hi)
	}
}

// TestALogarithmicAxisSpacesFactorsEvenly: values a factor of 10 apart are equally far.
func TestALogarithmicAxisSpacesFactorsEvenly(t *testing.T) {
	a := axis{lo: 0, hi: 3, from: 10, to: 310, log: true}
	for i, v := range []float64{1, 10, 100, 1000} {
		require.InDelta(t, 10+100*float64(i), a.at(v), 1e-9)
	}
}

// TestWhatHasNoLogarithmIsAGap: the picture is that without the point, though the line is broken.
func TestWhatHasNoLogarithmIsAGap(t *testing.T) {
	with := Plot{Panels: []Panel{{LogY: true, Series: []Series{{Name: "a", Points: true, X: []float64{1, 2, 3, 4}, Y: []float64{1, 0, -5, 100}}}}}}
	without := Plot{Panels: []Panel{{LogY: true, Series: []Series{{Name: "a", Points: true, X: []float64{1, 4}, Y: []float64{1, 100}}}}}}
	require.True(t, bytes.Equal(rendered(t, with).Pix, rendered(t, without).Pix))
	none := Plot{Panels: []Panel{{LogY: true, Series: []Series{{Name: "a", Y: []float64{0, -1}}}}}}
	rendered(t, none) // says so
}

func TestErrorBarsReachAsFarAsTheyAreLong(t *testing.T) {
	bars := func(err ...float64) Plot {
		frame := Series{Name: "frame", Points: true, Y: []float64{0, 10}}
		return Plot{Panels: []Panel{{Series: []Series{frame, {Name: "a", Points: true, X: []float64{1.5}, Y: []float64{5}, Err: err}}}}}
	}
	img := rendered(t, bars(4))
	top, bottom := rowsOf(img, 1)
	short, low := rowsOf(rendered(t, bars(2)), 1)
	// The legend's marker is the highest pixel of either.
	require.Equal(t, top, short)
	require.Greater(t, bottom, low+50)
	_, none := rowsOf(rendered(t, bars(math.NaN())), 1)
	require.Greater(t, low, none)
}

func TestPanelsOfAPlotStandInRows(t *testing.T) {
	panel := Panel{Heading: "y", Series: []Series{{Name: "a", Y: []float64{1, 2}}}}
	p := Plot{Title: "four", Panels: []Panel{panel, panel, panel, panel}, Columns: 2}
	img := rendered(t, p)
	require.Equal(t, image.Rect(0, 0, 1200, 1000), img.Rect)
	for _, at := range []image.Rectangle{image.Rect(0, 0, 600, 500), image.Rect(600, 0, 1200, 500), image.Rect(0, 500, 600, 1000), image.Rect(600, 500, 1200, 1000)} {
		require.Positive(t, count(img, at, palette[0]), at)
	}
}

func TestPlotsThatCannotBeAreRefused(t *testing.T) {
	ok := Panel{Series: []Series{{Y: []float64{1}}}}
	for want, p := range map[string]Plot{
		"viz: a plot of 0 panels in 0 columns: at least one panel, columns from 1 or 0 for all":  {},
		"viz: a plot of 1 panels in -1 columns: at least one panel, columns from 1 or 0 for all": {Panels: []Panel{ok}, Columns: -1},
		"viz: curves of 300×500 pixels cannot be read: at least 480×300":                         {Panels: []Panel{ok, ok}, Width: 300},
		`viz: series "a" has 1 error bars and 2 Y: one each a point`:                             {Panels: []Panel{{Series: []Series{{Name: "a", Y: []float64{1, 2}, Err: []float64{1}}}}}},
	} {
		_, err := p.Render()
		require.EqualError(t, err, want)
	}
}
