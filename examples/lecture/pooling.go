package lecture

import (
	"context"
	"fmt"
	"math"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/viz"
)

// pools are what may follow a layer's maps.
var pools = []struct {
	name string
	nn.Layer
}{
	{"none", nn.Sequential{}},
	{"max 2×2", nn.MaxPool2D{Kernel: 2}},
	{"mean 2×2", nn.AvgPool2D{Kernel: 2}},
	{"max 4×4", nn.MaxPool2D{Kernel: 4}},
	{"mean 4×4", nn.AvgPool2D{Kernel: 4}},
}

// pooling shows what pooling keeps of a map, and measures how much less a map changes after it when
// digits are shifted.
func pooling(ctx context.Context, b *Board) error {
	if err := pooledPhotograph(ctx, b); err != nil {
		return err
	}
	count := 2000
	if b.Short {
		count = 100
	}
	digits, err := someDigits(count)
	if err != nil {
		return err
	}
	b.doing("maps of %d digits", len(digits))
	plain, err := pooledMaps(ctx, digits)
	if err != nil {
		return err
	}
	rows, changes := []string{"1 pixel", "2 pixels", "3 pixels"}, [][]float64{}
	for shift := 1; shift <= 3; shift++ {
		b.doing("digits shifted by %d", shift)
		mean := make([]float64, len(pools))
		for _, way := range [][2]int{{0, 1}, {0, -1}, {1, 0}, {-1, 0}} {
			moved, err := pooledMaps(ctx, shiftedDigits(digits, shift*way[0], shift*way[1]))
			if err != nil {
				return err
			}
			for i := range mean {
				mean[i] += 100 * relativeChange(plain[i], moved[i]) / 4
			}
		}
		changes = append(changes, mean)
	}
	other := make([]float64, len(pools))
	for i := range other {
		other[i] = 100 * relativeChange(plain[i], nextOnes(plain[i]))
	}
	return tellPooling(b, len(digits), append(rows, "another digit"), append(changes, other))
}

// tellPooling writes the measurements: for each pooling the change in percent, by the shift, and
// the change to another digit.
func tellPooling(b *Board, digits int, rows []string, changes [][]float64) error {
	var names []string
	for _, p := range pools {
		names = append(names, p.name)
	}
	b.say("How much does a map change when the image is shifted? For %d test digits of MNIST, the eight filters of the chapter on layers and a ReLU, the "+
		"change is |m' - m| / |m|: m holds all maps of a digit, m' those of the digit shifted, |.| is the Euclidean norm. The mean over digits and over "+
		"shifts to the left, to the right, up and down, in percent; beside it the change from each digit to the next one of the test images.", digits)
	b.table("change in %", names, rows, changes, "%.1f")

	last := len(changes) - 1
	var shares [][]float64
	var shareRows []string
	for s := range last {
		line := make([]float64, len(pools))
		for i := range line {
			line[i] = 100 * changes[s][i] / changes[last][i]
		}
		shares, shareRows = append(shares, line), append(shareRows, rows[s]+", share")
	}
	b.say("A map that is blurred enough changes with nothing. What counts is the change by a shift beside that to another digit, here as a share of it, in percent:")
	b.table("share in %", names, shareRows, shares, "%.1f")
	b.say("A shift by one pixel moves the maps %.0f %% of the way to another digit without pooling, %.0f %% behind max pooling of 2 by 2 and %.0f %% behind 4 by 4; "+
		"for the mean it is %.0f %% and %.0f %%. At three pixels it is %.0f %% without and %.0f %% behind max pooling of 2 by 2: the invariance is slight.",
		shares[0][0], shares[0][1], shares[0][3], shares[0][2], shares[0][4], shares[2][0], shares[2][1])
	return b.draw("pooling", "how far a shift by one to three pixels moves the maps on the way to another digit, for five ways of pooling", viz.Plot{
		Title:  "Maps of shifted digits",
		Panels: []viz.Panel{shareCurves("Change, % of the norm", changes[:last]), shareCurves("Change, % of that to another digit", shares)},
	})
}

func shareCurves(heading string, byShift [][]float64) viz.Panel {
	p := viz.Panel{Heading: heading, XLabel: "shift in pixels"}
	for i, pool := range pools {
		s := viz.Series{Name: pool.name}
		for shift := range byShift {
			s.X, s.Y = append(s.X, float64(shift+1)), append(s.Y, byShift[shift][i])
		}
		p.Series = append(p.Series, s)
	}
	return p
}

// pooledPhotograph draws the map of vertical edges, and what each pooling leaves of it.
func pooledPhotograph(ctx context.Context, b *Board) error {
	photo, says, err := b.photograph(4, 256)
	if err != nil {
		return err
	}
	pixels := photo.intensities()
	maps, shapes, err := poolAll(ctx, pixels, 1, photo.h, photo.w)
	if err != nil {
		return err
	}
	b.say("This is %s. Its activation map of %s has %d by %d values, behind a pooling of 2 by 2 it has %d by %d. Pooling has no weights, and "+
		"takes each map by itself: %d go in, %d come out.",
		says, bank[0].name, shapes[0][3], shapes[0][2], shapes[1][3], shapes[1][2], shapes[0][1], shapes[1][1])
	var names []string
	var rows [][]float64
	tiles := []viz.Tile{tile("picture", photo.h, photo.w, photo.pix)}
	for i, p := range pools {
		h, w := shapes[i][2], shapes[i][3]
		names = append(names, p.name)
		rows = append(rows, []float64{float64(shapes[i][1]), float64(h), float64(w)})
		tiles = append(tiles, tile(fmt.Sprintf("%s: %d×%d", p.name, w, h), h, w, maps[i][:h*w]))
	}
	b.table("pooling", []string{"maps", "height", "width"}, names, rows, "%.0f")
	return b.draw("pooling-maps", "the picture, its activation map of vertical edges, and that map pooled", viz.Images{
		Title: "What pooling leaves of a map", Tiles: magnified(tiles), Columns: 3, Zoom: 1,
	})
}

// poolAll returns the maps of n images under the bank of filters and a ReLU, behind each pooling,
// and their shapes.
func poolAll(ctx context.Context, pixels []float64, n, h, w int) (maps [][]float64, shapes [][]int, err error) {
	g := graph.New()
	x := g.Input("images", shape.F64(shape.N, 1, shape.Dim(h), shape.Dim(w)))
	y := nn.Sequential{nn.Conv2D{Name: "conv", Out: len(bank), Kernel: 3, Pad: 1}, nn.ReLU{}}.Apply(nn.Root(g), x)
	var outs []*graph.Node
	for _, p := range pools {
		outs = append(outs, p.Apply(nn.Root(g), y))
	}
	store, err := handmade(0, g, "conv")
	if err != nil {
		return nil, nil, err
	}
	values, err := compute(ctx, store, outs, feed{x, floats(pixels, n, 1, h, w)})
	if err != nil {
		return nil, nil, err
	}
	for _, v := range values {
		maps, shapes = append(maps, v.Data().([]float64)), append(shapes, v.Shape())
	}
	return maps, shapes, nil
}

const digitSide = mnist.Side

// someDigits are the first test images of MNIST, as intensities from 0, the background, to 1.
func someDigits(n int) (digits [][]float64, err error) {
	test, err := mnist.Test()
	if err != nil {
		return nil, err
	}
	as := test.Info().Preprocess
	image, label := make([]float32, digitSide*digitSide), make([]int32, 1)
	for i := range n {
		if err := test.Read(i, data.Example{X: image, Labels: label}); err != nil {
			return nil, err
		}
		d := make([]float64, len(image))
		for j, v := range image {
			d[j] = math.Round(255*float64(v*as.Std[0]+as.Mean[0])) / 255
		}
		digits = append(digits, d)
	}
	return digits, nil
}

// pooledMaps returns, for each pooling, the maps of each digit.
func pooledMaps(ctx context.Context, digits [][]float64) (byPool [][][]float64, err error) {
	const batch = 100
	byPool = make([][][]float64, len(pools))
	for from := 0; from < len(digits); from += batch {
		some := digits[from:min(from+batch, len(digits))]
		var pixels []float64
		for _, d := range some {
			pixels = append(pixels, d...)
		}
		maps, _, err := poolAll(ctx, pixels, len(some), digitSide, digitSide)
		if err != nil {
			return nil, err
		}
		for p, m := range maps {
			each := len(m) / len(some)
			for i := range some {
				byPool[p] = append(byPool[p], m[i*each:(i+1)*each])
			}
		}
	}
	return byPool, nil
}

// shiftedDigits moves images down and to the right; black comes in.
func shiftedDigits(digits [][]float64, down, right int) (moved [][]float64) {
	for _, d := range digits {
		to := make([]float64, len(d))
		for y := max(0, down); y < digitSide+min(0, down); y++ {
			for x := max(0, right); x < digitSide+min(0, right); x++ {
				to[y*digitSide+x] = d[(y-down)*digitSide+x-right]
			}
		}
		moved = append(moved, to)
	}
	return moved
}

// nextOnes begins with the second, and ends with the first.
func nextOnes(all [][]float64) [][]float64 { return append(append([][]float64{}, all[1:]...), all[0]) }

// relativeChange is the mean of |b - a| / |a| over pairs.
func relativeChange(a, b [][]float64) (mean float64) {
	for i := range a {
		var norm, apart float64
		for j, v := range a[i] {
			d := float64(b[i][j]) - float64(v)
			norm, apart = norm+float64(v)*float64(v), apart+d*d
		}
		mean += math.Sqrt(apart/norm) / float64(len(a))
	}
	return mean
}

// magnified repeats the values of tiles until they are about as large as the first.
func magnified(tiles []viz.Tile) []viz.Tile {
	for i, t := range tiles {
		zoom := max(1, int(math.Round(float64(max(tiles[0].H, tiles[0].W))/float64(max(t.H, t.W)))))
		large := viz.Tile{Caption: t.Caption, C: t.C, H: t.H * zoom, W: t.W * zoom}
		for y := range large.H {
			for x := range large.W {
				large.Pix = append(large.Pix, t.Pix[y/zoom*t.W+x/zoom])
			}
		}
		tiles[i] = large
	}
	return tiles
}
