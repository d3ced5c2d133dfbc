package lecture

import (
	"context"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

// leNet draws LeNet-5 from its graph.
func leNet(ctx context.Context, b *Board) error {
	net, err := architectureFor(lenet.Model, 1, 28)
	if err != nil {
		return err
	}
	b.say("LeNet-5, as mostly taught today: blocks of a convolution, an activation and a pooling, then dense layers. 6@28×28 are six maps of 28 by 28 values. " +
		"An arrow is as thick as its layer's share of the multiply-adds that one image takes.")
	if err := b.diagram("lenet", "LeNet-5", "the values of LeNet-5 as boxes, its layers as arrows with their parameters and their share of the work", net); err != nil {
		return err
	}
	b.tellLayers("", net)

	published, err := architectureFor(lenet.Model1998, 1, 28)
	if err != nil {
		return err
	}
	b.say("In the form published in 1998 pooling is called subsampling and has weights, most maps of the third layer see only some of the second (here their filters hold zeros " +
		"for the others), and the last layer measures how far its input is from a drawing of each digit.")
	if err := b.diagram("lenet-1998", "LeNet-5, 1998", "the values of LeNet-5 as published as boxes, its layers as arrows", published); err != nil {
		return err
	}
	b.tellLayers("1998, ", published)
	return nil
}

// architectureFor is that of a model applied to square images of so many channels.
func architectureFor(model nn.Layer, channels, side shape.Dim) (architecture, error) {
	g := graph.New()
	return architectureOf(model.Apply(nn.Root(g), g.Input("images", shape.F32(shape.N, channels, side, side))))
}

// diagram adds the drawing of a network.
func (b *Board) diagram(name, title, alt string, net architecture) error {
	svg, err := net.diagram(title).SVG()
	if err != nil {
		return err
	}
	b.drawSVG(name, alt, svg)
	return nil
}

// tellLayers writes the parameters and the work of each layer, and the share of the convolutions.
// The names of its numbers consist of the prefix and the layer.
func (b *Board) tellLayers(prefix string, net architecture) {
	var rows []string
	var values [][]float64
	for _, s := range net.steps {
		if s.parameters+s.work > 0 {
			rows, values = append(rows, prefix+s.layer), append(values, []float64{float64(s.parameters), float64(s.work)})
		}
	}
	parameters, work := net.total("")
	rows, values = append(rows, prefix+"in all"), append(values, []float64{float64(parameters), float64(work)})
	b.table("layer", []string{"parameters", "multiply-adds"}, rows, values, "%.0f")
	ofParameters, ofWork := net.share(convolution)
	b.numbers(
		number{prefix + "parameters in convolutions", 100 * ofParameters, "%.1f %%"},
		number{prefix + "work in convolutions", 100 * ofWork, "%.1f %%"},
	)
}
