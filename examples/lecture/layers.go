package lecture

import (
	"context"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/viz"
	"github.com/plexaura/plexaura/vm"
)

// bank is a layer of filters with 3 by 3 weights, each designed by hand for what its name says.
// A network learns its own.
var bank = []struct {
	name    string
	weights []float64
}{
	{"vertical edges", []float64{-1, 0, 1, -2, 0, 2, -1, 0, 1}},
	{"horizontal edges", []float64{-1, -2, -1, 0, 0, 0, 1, 2, 1}},
	{"rising edges", []float64{2, 1, 0, 1, 0, -1, 0, -1, -2}},
	{"falling edges", []float64{0, 1, 2, -1, 0, 1, -2, -1, 0}},
	{"horizontal lines", []float64{-1, -1, -1, 2, 2, 2, -1, -1, -1}},
	{"vertical lines", []float64{-1, 2, -1, -1, 2, -1, -1, 2, -1}},
	{"spots", []float64{-1, -1, -1, -1, 8, -1, -1, -1, -1}},
	{"blur", []float64{1. / 16, 1. / 8, 1. / 16, 1. / 8, 1. / 4, 1. / 8, 1. / 16, 1. / 8, 1. / 16}},
}

// layers slides a filter over a picture of 25 pixels, and all filters of a bank over a photograph.
func layers(ctx context.Context, b *Board) error {
	if err := smallest(ctx, b); err != nil {
		return err
	}
	photo, says, err := b.photograph(3, 256)
	if err != nil {
		return err
	}
	b.doing("two layers over %d by %d pixels", photo.w, photo.h)

	g := graph.New()
	x := g.Input("picture", shape.F64(1, 1, shape.Dim(photo.h), shape.Dim(photo.w))) // (N,C,H,W)
	first := nn.Conv2D{Name: "first", Out: len(bank), Kernel: 3}.Apply(nn.Root(g), x)
	second := nn.Conv2D{Name: "second", Out: 4, Kernel: 5, Pad: 2}.Apply(nn.Root(g), first)
	store, err := handmade(b.Seed, g, "first")
	if err != nil {
		return err
	}
	values, err := compute(ctx, store, []*graph.Node{first}, feed{x, floats(photo.intensities(), 1, 1, photo.h, photo.w)})
	if err != nil {
		return err
	}
	maps := values[0].Data().([]float64)
	single, err := oneByOne(ctx, photo)
	if err != nil {
		return err
	}

	b.tellSizes(g, says, first, second)
	b.numbers(
		number{"difference from the filters one by one", apart(maps, single), "%.1g"},
		number{"parameters of a dense layer in its place", fullyConnected(x, first), "%.3g"},
	)
	return b.draw("layers", "the picture, and the magnitude of its activation map under each of eight filters", viz.Images{
		Title: "Activation maps of a layer", Tiles: mapTiles(photo, first, maps), Columns: 3,
	})
}

// tellSizes writes the sizes of the two layers.
func (b *Board) tellSizes(g *graph.Graph, photo string, first, second *graph.Node) {
	b.say("A layer has several filters. Here %d of them, made by hand, go over %s; each gives an activation map of its own, and the maps are "+
		"concatenated to one picture of %d channels. A second layer, with random weights, takes all of them: each of its filters has weights for "+
		"every channel that comes in.", len(bank), photo, len(bank))
	b.table("layer", []string{"first", "second"},
		[]string{"input channels", "output channels", "kernel size", "parameters", "map height", "map width"},
		sideBySide(layerSizes(g, "first", first), layerSizes(g, "second", second)), "%.0f")
}

// smallest is the example of the lecture: 3 by 3 weights over 5 by 5 pixels.
func smallest(ctx context.Context, b *Board) error {
	picture := []float64{
		1, 1, 1, 0, 0,
		0, 1, 1, 1, 0,
		0, 0, 1, 1, 1,
		0, 0, 1, 1, 0,
		0, 1, 1, 0, 0,
	}
	filter := []float64{
		1, 0, 1,
		0, 1, 0,
		1, 0, 1,
	}
	y, err := conv2D(ctx, grey{5, 5, picture}, filter)
	if err != nil {
		return err
	}
	b.say("The smallest example: a picture of 5 by 5 pixels has 3 by 3 places for a filter of 3 by 3 weights. At each the result is the sum of the " +
		"nine products. Here all pixels and weights are 0 or 1, so it counts where both are 1.")
	b.table("map", []string{"left", "middle", "right"}, []string{"above", "centre", "below"}, [][]float64{y[:3], y[3:6], y[6:]}, "%.0f")
	return b.draw("layers-smallest", "a picture of 5 by 5 pixels, a filter of 3 by 3 weights, and the activation map, 3 by 3", viz.Images{
		Tiles: []viz.Tile{tile("picture 5×5", 5, 5, picture), tile("filter 3×3", 3, 3, filter), tile("map 3×3", 3, 3, y)}, Zoom: 32,
	})
}

// handmade returns a store in which the filters of a layer are those of the bank, without a bias.
func handmade(seed uint64, g *graph.Graph, layer string) (*vm.Store, error) {
	var weights []float64
	for _, f := range bank {
		weights = append(weights, f.weights...)
	}
	s := vm.NewStore(seed)
	if err := s.Init(g.Leaves()...); err != nil {
		return nil, err
	}
	if err := s.Set(layer+".weight", floats(weights, len(bank), 1, 3, 3)); err != nil {
		return nil, err
	}
	return s, s.Set(layer+".bias", floats(make([]float64, len(bank)), len(bank)))
}

// oneByOne is the maps of each filter of the bank by itself, one after the other.
func oneByOne(ctx context.Context, photo grey) (maps []float64, err error) {
	for _, f := range bank {
		one, err := conv2D(ctx, grey{photo.h, photo.w, photo.intensities()}, f.weights)
		if err != nil {
			return nil, err
		}
		maps = append(maps, one...)
	}
	return maps, nil
}

// conv2D slides one filter of 3 by 3 weights over a picture, by a graph of one node.
func conv2D(ctx context.Context, p grey, filter []float64) ([]float64, error) {
	g := graph.New()
	x := g.Input("picture", shape.F64(1, 1, shape.Dim(p.h), shape.Dim(p.w))) // (N,C,H,W)
	w := g.Input("filter", shape.F64(1, 1, 3, 3))                            // (filters, channels, height, width)
	y := ops.Conv2D(x, w, ops.Conv2DOp{})
	values, err := compute(ctx, vm.NewStore(0), []*graph.Node{y},
		feed{x, floats(p.pix, 1, 1, p.h, p.w)}, feed{w, floats(filter, 1, 1, 3, 3)})
	if err != nil {
		return nil, err
	}
	return values[0].Data().([]float64), nil
}

// layerSizes are the column of a layer in the table, taken from its graph.
func layerSizes(g *graph.Graph, layer string, y *graph.Node) []float64 {
	w, b := g.Leaf(layer+".weight").Type(), g.Leaf(layer+".bias").Type()
	return []float64{
		float64(w.Int(1)), float64(w.Int(0)), float64(w.Int(2)), float64(w.Len() + b.Len()), float64(y.Type().Int(2)), float64(y.Type().Int(3)),
	}
}

// sideBySide makes two columns of two rows.
func sideBySide(a, b []float64) (rows [][]float64) {
	for i := range a {
		rows = append(rows, []float64{a[i], b[i]})
	}
	return rows
}

// fullyConnected is how many parameters a dense layer from x to y would have.
func fullyConnected(x, y *graph.Node) float64 {
	in, out := float64(x.Type().Len()), float64(y.Type().Len())
	return (in + 1) * out
}

func mapTiles(photo grey, y *graph.Node, maps []float64) []viz.Tile {
	h, w := y.Type().Int(2), y.Type().Int(3)
	tiles := []viz.Tile{tile("picture", photo.h, photo.w, photo.pix)}
	for i, f := range bank {
		tiles = append(tiles, tile(f.name, h, w, maps[i*h*w:(i+1)*h*w]))
	}
	return tiles
}
