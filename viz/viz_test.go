package viz

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// count is how many pixels of r have exactly this colour.
func count(img *image.RGBA, r image.Rectangle, col color.RGBA) int {
	n := 0
	want := []byte{col.R, col.G, col.B, col.A}
	r = r.Intersect(img.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[img.PixOffset(r.Min.X, y):][:4*r.Dx()]
		for ; len(row) > 0; row = row[4:] {
			if bytes.Equal(row[:4], want) {
				n++
			}
		}
	}
	return n
}

func encoded(t *testing.T, img image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	return b.Bytes()
}

// requireClearMargin fails where something is drawn so near the edge that it is cut, or may be.
func requireClearMargin(t *testing.T, img *image.RGBA) {
	t.Helper()
	const edge = 4
	b := img.Bounds()
	all := count(img, b, white)
	inside := count(img, b.Inset(edge), white)
	ring := b.Dx()*b.Dy() - (b.Dx()-2*edge)*(b.Dy()-2*edge)
	require.Equal(t, ring, all-inside, "something touches the edge of the picture")
}

func lenetCurves() Curves {
	return Curves{
		Title: "LeNet",
		Loss: []Series{
			{Name: "train", Y: []float64{0.45, 0.12, 0.08, 0.06}},
			{Name: "validation", Y: []float64{0.15, 0.09, 0.07, 0.065}},
		},
		Accuracy: []Series{
			{Name: "train", Y: []float64{0.86, 0.962, 0.975, 0.981}},
			{Name: "validation", Y: []float64{0.955, 0.97, 0.978, 0.98}},
		},
	}
}

func TestCurvesHaveTheSizeAskedFor(t *testing.T) {
	img, err := lenetCurves().Render()
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 1200, 500), img.Bounds())

	cv := lenetCurves()
	cv.Width, cv.Height = 480, 300
	img, err = cv.Render()
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 480, 300), img.Bounds())
	requireClearMargin(t, img)
}

func TestCurvesShowEverySeriesInBothPanelsInOneColour(t *testing.T) {
	img, err := lenetCurves().Render()
	require.NoError(t, err)
	requireClearMargin(t, img)
	leftHalf, rightHalf := image.Rect(0, 0, 600, 500), image.Rect(600, 0, 1200, 500)
	for _, col := range palette[:2] {
		require.Greater(t, count(img, leftHalf, col), 300)
		require.Greater(t, count(img, rightHalf, col), 300)
	}
	require.Zero(t, count(img, img.Bounds(), palette[2]), "a third colour for two names")
}

func TestCurvesColoursFollowNamesNotPlaces(t *testing.T) {
	img, err := Curves{
		Loss:     []Series{{Name: "train", Y: []float64{3, 2, 1}}, {Name: "validation", Y: []float64{3, 2, 1.5}}},
		Accuracy: []Series{{Name: "validation", Y: []float64{0.1, 0.5, 0.6}}},
	}.Render()
	require.NoError(t, err)
	rightHalf := image.Rect(600, 0, 1200, 500)
	require.Zero(t, count(img, rightHalf, palette[0]))
	require.Greater(t, count(img, rightHalf, palette[1]), 300)
}

func TestCurvesPutHighValuesAbove(t *testing.T) {
	img, err := Curves{Loss: []Series{{Name: "flat", Y: []float64{1, 1}}, {Name: "above", Y: []float64{2, 2}}}}.Render()
	require.NoError(t, err)
	row := func(col color.RGBA) int { // the row with most of the colour: the flat line
		best, most := 0, 0
		for y := range 500 {
			if n := count(img, image.Rect(0, y, 600, y+1), col); n > most {
				best, most = y, n
			}
		}
		return best
	}
	require.Greater(t, row(palette[0]), row(palette[1])+100)
}

// A gap keeps the columns between its neighbours free of the curve.
func TestCurvesLeaveGapsForWhatIsNotFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64} {
		whole, err := Curves{Loss: []Series{{Name: "a", Y: []float64{1, 1, 1, 1, 1}}}}.Render()
		require.NoError(t, err)
		gap, err := Curves{Loss: []Series{{Name: "a", Y: []float64{1, 1, bad, 1, 1}}}}.Render()
		require.NoError(t, err)
		middle := image.Rect(250, 130, 380, 420)
		require.Greater(t, count(whole, middle, palette[0]), 100)
		require.Zero(t, count(gap, middle, palette[0]), "%g", bad)
	}
}

func TestCurvesOfPointsHaveNoLine(t *testing.T) {
	img, err := Curves{Loss: []Series{{Y: []float64{1, 1}, Points: true}}}.Render()
	require.NoError(t, err)
	plot := image.Rect(0, 120, 600, 430)
	require.Greater(t, count(img, plot, palette[0]), 50, "two markers")
	require.Zero(t, count(img, image.Rect(250, 120, 380, 430), palette[0]), "between them")
}

func TestCurvesAnIsolatedPointIsSeen(t *testing.T) {
	nan := math.NaN()
	dense := make([]float64, 1000)
	for i := range dense {
		dense[i] = nan
	}
	dense[500] = 1
	for name, y := range map[string][]float64{"one point": {0.5}, "between gaps": dense} {
		img, err := Curves{Loss: []Series{{Y: y}}}.Render()
		require.NoError(t, err, name)
		require.Greater(t, count(img, image.Rect(0, 120, 600, 430), palette[0]), 25, name)
	}
}

func TestCurvesWithoutDataSaySo(t *testing.T) {
	nan := math.NaN()
	for name, series := range map[string][]Series{
		"no series": nil, "empty": {{}}, "only NaN": {{Y: []float64{nan, nan}}}, "X is NaN": {{X: []float64{nan}, Y: []float64{1}}},
	} {
		img, err := Curves{Loss: series}.Render()
		require.NoError(t, err, name)
		plot := image.Rect(30, 110, 550, 440)
		text := plot.Dx()*plot.Dy() - count(img, plot, white)
		require.Greater(t, text, 100, name)
	}
}

func TestCurvesErrorsNameTheMistake(t *testing.T) {
	_, err := Curves{Accuracy: []Series{{Name: "val", X: []float64{1}, Y: []float64{1, 2}}}}.Render()
	require.EqualError(t, err, `viz: series "val" has 1 X and 2 Y: one each a point`)
	for _, cv := range []Curves{{Width: 479}, {Height: 299}, {Width: -1}, {Width: 1 << 20, Height: 1 << 20}} {
		_, err := cv.Render()
		require.Error(t, err)
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestThinKeepsWhatIsSeen(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var run []point
	for i := range 10000 {
		run = append(run, point{float64(i) / 100, r.NormFloat64()})
	}
	out := thin(run)
	require.LessOrEqual(t, len(out), 400)
	extent := func(points []point) (lo, hi [100]float64) {
		for _, p := range points {
			i := int(p.x)
			lo[i], hi[i] = math.Min(lo[i], p.y), math.Max(hi[i], p.y)
		}
		return lo, hi
	}
	lo, hi := extent(run)
	thinLo, thinHi := extent(out)
	require.Equal(t, lo, thinLo)
	require.Equal(t, hi, thinHi)
	require.Equal(t, run[0], out[0])
	require.Equal(t, run[len(run)-1], out[len(out)-1])
	require.True(t, slices.IsSortedFunc(out, func(a, b point) int { return cmp.Compare(a.x, b.x) }), "no line goes back")
}

func TestMarksAreRoundAndOnTheAxis(t *testing.T) {
	for _, tc := range []struct {
		lo, hi float64
		count  int
		whole  bool
		want   string
	}{
		{0, 1, 5, false, "0 0.2 0.4 0.6 0.8 1.0"},
		{0.95, 1, 5, false, "0.95 0.96 0.97 0.98 0.99 1.00"},
		{1, 3, 7, true, "1 2 3"},
		{1, 20, 5, true, "5 10 15 20"},
		{-2, 2, 4, false, "−2 −1 0 1 2"},
		{0, 30000, 3, true, "0 10k 20k 30k"},
		{0, 2.5e6, 5, true, "0 0.5M 1.0M 1.5M 2.0M 2.5M"},
		{0, 4e-5, 4, false, "0 1e−5 2e−5 3e−5 4e−5"},
		{123456.001, 123456.009, 4, false, "123456.002 123456.004 123456.006 123456.008"},
	} {
		var got []string
		for _, m := range (axis{lo: tc.lo, hi: tc.hi}).marks(tc.count, tc.whole) {
			got = append(got, m.text)
		}
		require.Equal(t, tc.want, strings.Join(got, " "))
	}
}

// Any series draws, on any axis: no panic, marks within the axis and few, the same bytes again.
func TestCurvesDrawAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	special := []float64{0, math.Copysign(0, -1), 1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64,
		1e300, -1e300, math.SmallestNonzeroFloat64, 1e-300, 1e15, 1e15 + 1}
	value := func() float64 {
		switch r.IntN(4) {
		case 0:
			return special[r.IntN(len(special))]
		case 1:
			return math.Pow(10, r.Float64()*600-300) * r.NormFloat64()
		}
		return r.NormFloat64()
	}
	random := func() (all []Series) {
		for range r.IntN(12) {
			n := []int{0, 1, 2, 5, 40, 3000}[r.IntN(6)]
			s := Series{Name: strings.Repeat("né\x00", r.IntN(20))}
			for range n {
				s.X, s.Y = append(s.X, value()), append(s.Y, value())
			}
			if r.IntN(2) == 0 {
				s.X = nil
			}
			all = append(all, s)
		}
		return all
	}
	for i := range 30 {
		cv := Curves{Title: "any", Loss: random(), Accuracy: random(), Width: 480 + r.IntN(300), Height: 300 + r.IntN(200)}
		for _, p := range []Panel{{Series: cv.Loss}, {Series: cv.Accuracy, Bounds: [2]float64{0, 1}}, {Series: cv.Loss, LogX: true, LogY: true}} {
			x, y, ok := p.axes()
			for _, a := range []axis{x, y} {
				require.True(t, !ok || a.lo < a.hi, "%d: %v", i, a)
				if ok {
					marks := a.marks(1+r.IntN(10), false)
					require.LessOrEqual(t, len(marks), 15)
					require.GreaterOrEqual(t, len(marks), 2, "%+v", a)
				}
			}
		}
		img, err := cv.Render()
		require.NoError(t, err)
		again, err := cv.Render()
		require.NoError(t, err)
		require.True(t, bytes.Equal(img.Pix, again.Pix))
	}
}

func TestConfusionDarkerCellsAreLargerShares(t *testing.T) {
	counts := [][]int{{50, 30, 15, 5}, {0, 970, 20, 10}, {1, 2, 3, 94}, {0, 0, 0, 0}}
	img, err := Confusion{Counts: counts, Cell: 40}.Render()
	require.NoError(t, err)
	requireClearMargin(t, img)
	corner := matrixCorner(t, img)
	cell := func(i, j int) color.RGBA { return img.RGBAAt(corner.X+j*40+3, corner.Y+i*40+3) }
	share := func(i, j int) float64 { return float64(counts[i][j]) / float64(sum(counts[i])) }
	for a := range 12 {
		for b := range 12 {
			if share(a/4, a%4) > share(b/4, b%4) {
				require.Less(t, luma(cell(a/4, a%4)), luma(cell(b/4, b%4)), "%d %d", a, b)
			}
		}
	}
	require.Equal(t, white, cell(1, 0))
	require.Equal(t, absent, cell(3, 0), "a class without samples")
}

// matrixCorner finds the frame of the matrix: the first pixel with a frame to its left and above.
func matrixCorner(t *testing.T, img *image.RGBA) image.Point {
	for y := 1; y < img.Rect.Max.Y; y++ {
		for x := 1; x < img.Rect.Max.X; x++ {
			if img.RGBAAt(x-1, y+9) == pale && img.RGBAAt(x+9, y-1) == pale && img.RGBAAt(x-1, y-1) == pale {
				return image.Pt(x, y)
			}
		}
	}
	t.Fatal("no frame")
	return image.Point{}
}

func TestShadeFallsSteadily(t *testing.T) {
	for i := 1; i <= 1000; i++ {
		require.LessOrEqual(t, luma(shade(float64(i)/1000)), luma(shade(float64(i-1)/1000)))
	}
	require.Equal(t, ramp[0], shade(0))
	require.Equal(t, ramp[len(ramp)-1], shade(1))
	require.Less(t, luma(shade(0.01)), 245.0, "one percent is seen")
}

func TestConfusionOfAnySize(t *testing.T) {
	for _, k := range []int{2, 3, 10, 17, 64, 100, 128} {
		counts := make([][]int, k)
		for i := range counts {
			counts[i] = make([]int, k)
			counts[i][i] = 123456
		}
		cm := Confusion{Counts: counts, Title: strings.Repeat("long title ", 30)}
		for i := range k {
			cm.Classes = append(cm.Classes, fmt.Sprintf("a class of some length %d", i))
		}
		img, err := cm.Render()
		require.NoError(t, err)
		requireClearMargin(t, img)
		require.Less(t, img.Bounds().Dx(), 1500)
	}
}

// Text in a cell shows as colours other than the cell's own.
func TestConfusionWritesCountsOnlyWhereTheyFit(t *testing.T) {
	counts := [][]int{{123456, 0}, {0, 123456}}
	for _, tc := range []struct {
		cell    int
		written bool
	}{{80, true}, {60, true}, {30, false}, {8, false}} {
		img, err := Confusion{Counts: counts, Cell: tc.cell}.Render()
		require.NoError(t, err)
		corner := matrixCorner(t, img)
		first := image.Rectangle{corner, corner.Add(image.Pt(tc.cell-1, tc.cell-1))}
		plain := count(img, first, shade(1)) == first.Dx()*first.Dy()
		require.Equal(t, tc.written, !plain, "cell %d", tc.cell)
		// Nothing of the number runs over into the next cell's last column or row.
		require.Equal(t, first.Dy(), count(img, image.Rect(first.Max.X-1, first.Min.Y, first.Max.X, first.Max.Y), shade(1)))
	}
}

// The numbers of a good matrix are nearly all zeros.
func TestConfusionZerosAreTheOnlyPaleCounts(t *testing.T) {
	const cell = 80
	img, err := Confusion{Counts: [][]int{{1, 1}, {0, 3}}, Cell: cell}.Render()
	require.NoError(t, err)
	corner := matrixCorner(t, img)
	for i := range 2 {
		for j := range 2 {
			at := corner.Add(image.Pt(j*cell, i*cell))
			inside := image.Rectangle{at, at.Add(image.Pt(cell-1, cell-1))}
			require.Equal(t, i == 1 && j == 0, count(img, inside, pale) > 0, "cell %d,%d", i, j)
		}
	}
}

func TestConfusionAccuracyIsThatOfTheDiagonal(t *testing.T) {
	require.Equal(t, "accuracy 0.9890 (9890/10000)", Confusion{Counts: [][]int{{9000, 60}, {50, 890}}}.accuracy())
	require.Equal(t, "no samples", Confusion{Counts: [][]int{{0, 0}, {0, 0}}}.accuracy())
}

func TestConfusionErrorsNameTheMistake(t *testing.T) {
	two := [][]int{{1, 2}, {3, 4}}
	for want, cm := range map[string]Confusion{
		"viz: a confusion matrix of 0 classes: 2 to 1000 can be drawn":            {},
		"viz: a confusion matrix of 1 classes: 2 to 1000 can be drawn":            {Counts: [][]int{{1}}},
		"viz: row 1 of the confusion matrix has 1 cells, but there are 2 classes": {Counts: [][]int{{1, 2}, {3}}},
		"viz: confusion count -3 of true class 1, predicted 0: 0 to 2^40":         {Counts: [][]int{{1, 2}, {-3, 4}}},
		"viz: 3 class names for a confusion matrix of 2 classes":                  {Counts: two, Classes: []string{"a", "b", "c"}},
		"viz: confusion cells of 2 pixels: 3 to 200, or 0 for the default":        {Counts: two, Cell: 2},
		"viz: row 0 of the confusion matrix has 3 cells, but there are 2 classes": {Counts: [][]int{{1, 2, 3}, {1, 2, 3}}},
	} {
		img, err := cm.Render()
		require.EqualError(t, err, want)
		require.Nil(t, img)
	}
	if strconv.IntSize == 64 {
		_, err := Confusion{Counts: [][]int{{1, math.MaxInt}, {3, 4}}}.Render()
		require.ErrorContains(t, err, "true class 0, predicted 1")
	}
}

func TestImagesDrawEveryPixelOfEveryChannel(t *testing.T) {
	grey := Tile{C: 1, H: 1, W: 3, Pix: []float32{0, 0.5, 1}}
	rgb := Tile{C: 3, H: 1, W: 3, Pix: []float32{1, 0, 0, 0, 1, 0, 0, 0, 1}}
	img, err := Images{Tiles: []Tile{grey, rgb}, Zoom: 10, Columns: 1}.Render()
	require.NoError(t, err)
	requireClearMargin(t, img)
	for _, col := range []color.RGBA{{0, 0, 0, 255}, {128, 128, 128, 255}, {255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}} {
		require.Equal(t, 100, count(img, img.Bounds(), col), "%v", col)
	}
}

func TestImagesRangeAndSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, tc := range []struct {
		name   string
		lo, hi float32
		pix    []float32
		want   []uint8 // red channel
	}{
		{"own range", 0, 0, []float32{-3, -1, 1}, []uint8{0, 128, 255}},
		{"given range clips", 0, 1, []float32{-3, 0.2, 7}, []uint8{0, 51, 255}},
		{"infinite", 0, 0, []float32{-inf, 1, 2, inf}, []uint8{0, 0, 255, 255}},
		{"constant", 0, 0, []float32{5, 5}, []uint8{128, 128}},
		{"nothing finite", 0, 0, []float32{nan, inf, -inf}, []uint8{undefined.R, 255, 0}},
		{"widest", 0, 0, []float32{-math.MaxFloat32, 0, math.MaxFloat32}, []uint8{0, 128, 255}},
	} {
		img, err := Images{Lo: tc.lo, Hi: tc.hi, Tiles: []Tile{{C: 1, H: 1, W: len(tc.pix), Pix: tc.pix}}, Zoom: 4}.Render()
		require.NoError(t, err, tc.name)
		corner := tileCorner(img)
		for i, want := range tc.want {
			require.Equal(t, want, img.RGBAAt(corner.X+4*i+1, corner.Y+1).R, "%s: pixel %d", tc.name, i)
		}
	}
}

// tileCorner is the first pixel inside the first frame, however small.
func tileCorner(img *image.RGBA) image.Point {
	for y := range img.Rect.Max.Y {
		for x := range img.Rect.Max.X {
			if img.RGBAAt(x, y) == pale {
				return image.Pt(x+1, y+1)
			}
		}
	}
	return image.Point{}
}

func TestImagesOfAnyNumber(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 96} {
		im := Images{Title: "filters of the first layer"}
		for i := range n {
			im.Tiles = append(im.Tiles, Tile{Caption: fmt.Sprintf("%d → a long caption for it", i), C: 1, H: 2 + i%5, W: 3, Pix: make([]float32, (2+i%5)*3)})
		}
		img, err := im.Render()
		require.NoError(t, err)
		requireClearMargin(t, img)
		require.Less(t, count(img, img.Bounds(), white), img.Bounds().Dx()*img.Bounds().Dy())
	}
}

func TestImagesErrorsNameTheMistake(t *testing.T) {
	tile := func(c, h, w, n int) []Tile { return []Tile{{Caption: "x", C: c, H: h, W: w, Pix: make([]float32, n)}} }
	for want, im := range map[string]Images{
		`viz: image 0 ("x") has 2 channels: 1 (grey) or 3 (RGB) can be drawn`:                     {Tiles: tile(2, 1, 1, 2)},
		`viz: image 0 ("x") has 3 values, but 1×2×2 needs 4`:                                      {Tiles: tile(1, 2, 2, 3)},
		`viz: image 0 ("x") is 0×2: each side 1 to 4096`:                                          {Tiles: tile(1, 0, 2, 0)},
		`viz: image 0 ("x") is 1×5000: each side 1 to 4096`:                                       {Tiles: tile(1, 1, 5000, 5000)},
		`viz: an image range from 2 to 1: Lo must be below Hi`:                                    {Lo: 2, Hi: 1},
		`viz: a grid of -1 columns at zoom 0: columns from 1, zoom 1 to 64, or 0 for the default`: {Columns: -1},
	} {
		img, err := im.Render()
		require.EqualError(t, err, want)
		require.Nil(t, img)
	}
	img, err := Images{Tiles: tile(1, 4096, 4096, 4096*4096), Zoom: 64}.Render()
	require.ErrorContains(t, err, "too large")
	require.Nil(t, img)
}

func TestEqualInputGivesEqualBytes(t *testing.T) {
	render := []func() (*image.RGBA, error){
		lenetCurves().Render,
		Confusion{Counts: [][]int{{5, 1}, {2, 7}}, Classes: []string{"cat", "dog"}}.Render,
		Images{Title: "t", Tiles: []Tile{{Caption: "c", C: 1, H: 1, W: 2, Pix: []float32{1, 2}}}}.Render,
	}
	for _, f := range render {
		one, err := f()
		require.NoError(t, err)
		two, err := f()
		require.NoError(t, err)
		require.True(t, bytes.Equal(encoded(t, one), encoded(t, two)))
	}
}

func TestTextIsNeverWiderThanItsRoom(t *testing.T) {
	c, err := newCanvas()
	require.NoError(t, err)
	for room := -5; room < 200; room += 3 {
		short := c.fit(bodyStyle, "a caption\tof some\nlength \xff and more", room)
		require.LessOrEqual(t, c.width(bodyStyle, short), max(room, 0))
		require.NotContains(t, short, "\n")
	}
	require.Equal(t, "short", c.fit(bodyStyle, "short", 200))
}

func TestWritePNGReplacesWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curves.png")
	img, err := lenetCurves().Render()
	require.NoError(t, err)
	require.NoError(t, WritePNG(path, img))
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, encoded(t, img), file)
	back, err := png.Decode(bytes.NewReader(file))
	require.NoError(t, err)
	require.Equal(t, img.Bounds(), back.Bounds())

	require.Error(t, WritePNG(path, nil))
	failed, _ := Confusion{}.Render()
	require.ErrorContains(t, WritePNG(path, failed), "no picture")
	require.Error(t, WritePNG(path, image.NewRGBA(image.Rectangle{})), "png has no empty pictures")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, file, after)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "a temporary file is left")

	require.Error(t, WritePNG(filepath.Join(t.TempDir(), "missing", "x.png"), img))
}
