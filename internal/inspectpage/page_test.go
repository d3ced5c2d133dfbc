package inspectpage

import (
	"bytes"
	"context"
	"encoding/base64"
	"image/png"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/inspect"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/viz"
	"github.com/plexaura/plexaura/vm"
)

func noise(n int) []float32 {
	r := rand.New(rand.NewPCG(2, 3))
	x := make([]float32, n)
	for i := range x {
		x[i] = r.Float32()
	}
	return x
}

// network applies a model to images (channels,12,12).
func network(t *testing.T, model nn.Layer, channels int, loss func(y, target *graph.Node) *graph.Node, target shape.Type) *inspect.Network {
	g := graph.New()
	y := model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, shape.Dim(channels), 12, 12)))
	l := loss(y, g.Input("target", target.Of(target.Insert(0, shape.N))))
	require.NoError(t, g.Err())
	s := vm.NewStore(3)
	require.NoError(t, s.Init(g.Leaves()...))
	n, err := inspect.New(cpu.New(), s, y, l)
	require.NoError(t, err)
	return n
}

func crossEntropy(y, target *graph.Node) *graph.Node { return ops.CrossEntropy(y, target) }

func convolutional(channels, classes int) nn.Layer {
	return nn.Sequential{
		nn.Conv2D{Name: "conv1", Out: 5, Kernel: 3}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
		nn.Conv2D{Name: "<conv2>", Out: 4, Kernel: 3}, nn.ReLU{}, nn.Flatten{}, nn.Linear{Name: "fc", Out: classes},
	}
}

func pictures(t *testing.T, n, channels int) data.Dataset {
	labels := make([]int, n)
	for i := range labels {
		labels[i] = i % 3
	}
	ds, err := data.New(noise(n*channels*144), labels, data.Info{
		Input: shape.F32(shape.Dim(channels), 12, 12), Classes: []string{"<i>", "b", "c"}, Preprocess: data.Preprocess{Mean: []float32{.5}, Std: []float32{.5}},
	})
	if channels > 1 {
		ds, err = data.New(noise(n*channels*144), labels, data.Info{Input: shape.F32(shape.Dim(channels), 12, 12), Classes: []string{"<i>", "b", "c"}})
	}
	require.NoError(t, err)
	return ds
}

var (
	source  = regexp.MustCompile(`(?:src|href)="([^"]*)"`)
	inlined = regexp.MustCompile(`^data:image/png;base64,([A-Za-z0-9+/=]+)$`)
	section = regexp.MustCompile(`<h2 id="([a-z]+)">`)
)

func sections(html []byte) (all []string) {
	for _, m := range section.FindAllSubmatch(html, -1) {
		all = append(all, string(m[1]))
	}
	return all
}

func TestThePageNeedsNoOtherFile(t *testing.T) {
	for _, channels := range []int{1, 2, 3} {
		n, ds := network(t, convolutional(channels, 3), channels, crossEntropy, shape.I32()), pictures(t, 40, channels)
		var told []string
		o := Options{Title: "<b>title", Channels: 3, Begin: func(_, of int, name string) {
			require.Equal(t, 7, of)
			told = append(told, name)
		}}
		html, err := Make(t.Context(), n, ds, o)
		require.NoError(t, err)
		require.Equal(t, []string{"data set", "images", "filters", "patches", "embedding", "mistakes", "parameters"}, told)
		require.Equal(t, []string{"images", "filters", "patches", "embedding", "mistakes", "parameters", "units"}, sections(html))
		require.NotContains(t, string(html), "<script")
		require.NotContains(t, string(html), "<link")
		require.NotContains(t, string(html), "<b>title", "what is not ours is escaped")
		require.NotContains(t, string(html), "<i>")
		require.NotContains(t, string(html), "<conv2>")
		require.NotContains(t, string(html), "ZgotmplZ")
		require.Contains(t, string(html), "3 of 5 channels")
		count := 0
		for _, m := range source.FindAllSubmatch(html, -1) {
			if m[1][0] == '#' || bytes.HasPrefix(m[1], []byte("https://")) {
				continue // a place of the page, or a paper to go to
			}
			data := inlined.FindSubmatch(bytes.ReplaceAll(m[1], []byte("&#43;"), []byte("+")))
			require.NotNil(t, data, "%.60s", m[1])
			file, err := base64.StdEncoding.DecodeString(string(data[1]))
			require.NoError(t, err)
			_, err = png.Decode(bytes.NewReader(file))
			require.NoError(t, err)
			count++
		}
		require.Greater(t, count, 3*5+3*7+2+2*3*2, "images, maps, filters, patches")
		again, err := Make(t.Context(), n, ds, o)
		require.NoError(t, err)
		require.Equal(t, html, again, "the same each time")
	}
}

func TestAPageOfWhatHasNoClassesAndNoConvolutions(t *testing.T) {
	model := nn.Sequential{nn.Flatten{}, nn.Linear{Out: 6}, nn.Tanh{}, nn.Linear{Out: 2}}
	n := network(t, model, 1, ops.MSE, shape.F32(2))
	ds, err := data.New(noise(10*144), noise(20), data.Info{Input: shape.F32(1, 12, 12), Target: shape.F32(2)})
	require.NoError(t, err)
	html, err := Make(t.Context(), n, ds, Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"images", "filters", "patches", "embedding", "parameters"}, sections(html))
}

func TestAPageThatIsTooLargeIsAnError(t *testing.T) {
	m := &maker{bytes: MaxPage - 100}
	_, err := m.mosaic([]viz.Tile{{C: 1, H: 12, W: 12, Pix: noise(144)}}, 1, 0, 12)
	require.ErrorIs(t, err, errTooLarge)
	require.ErrorContains(t, err, "-channels")

	n, ds := network(t, convolutional(1, 3), 1, crossEntropy, shape.I32()), pictures(t, 4, 1)
	_, err = Make(t.Context(), n, ds, Options{Images: make([]Image, MaxImages+1)})
	require.ErrorContains(t, err, "17 images; a page explains at most 16")
	_, err = Make(t.Context(), n, ds, Options{Images: []Image{{Name: "short", X: noise(3)}}})
	require.ErrorContains(t, err, "short: inspect: 3 numbers")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Make(ctx, n, ds, Options{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestOfManyConvolutionsSomeAreShown(t *testing.T) {
	var model nn.Sequential
	for range 20 {
		model = append(model, nn.Conv2D{Out: 1, Kernel: 3, Pad: 1})
	}
	m := &maker{net: network(t, append(model, nn.Flatten{}, nn.Linear{Out: 3}), 1, crossEntropy, shape.I32())}
	chosen := m.chosen()
	require.Len(t, chosen, mostLayers)
	require.Equal(t, "0", chosen[0].Name)
	require.Equal(t, "19", chosen[mostLayers-1].Name)
}
