package lecture

import (
	"context"

	"github.com/plexaura/plexaura/models/alexnet"
)

// alexNet draws AlexNet from its graph: as published, in two towers, and with one.
func alexNet(ctx context.Context, b *Board) error {
	published, err := architectureFor(alexnet.Model2012, 3, 224)
	if err != nil {
		return err
	}
	one, err := architectureFor(alexnet.Model, 3, 224)
	if err != nil {
		return err
	}
	b.say("AlexNet as published in 2012. It was split over two GPUs: the second, fourth and fifth convolution see only the maps on their own GPU, " +
		"the left or the right tower; the third sees all, and so do the dense layers, which are drawn as one.")
	if err := b.diagram("alexnet", "AlexNet, 2012", "the values of AlexNet as boxes, in two towers from the first to the fifth convolution, its layers as arrows", published); err != nil {
		return err
	}
	b.tellLayers("2012, ", published)
	b.say("The form of 2014, which libraries offer under this name, has one tower with fewer maps and no response normalisation.")
	if err := b.diagram("alexnet-one-tower", "AlexNet in one tower, 2014", "the values of AlexNet's form in one tower as boxes, its layers as arrows", one); err != nil {
		return err
	}
	b.tellLayers("2014, ", one)
	_, twoWork := published.total("")
	_, oneWork := one.total("")
	p, w := published.share(convolution)
	b.say("Convolutions have few of the parameters and nearly all of the work: in the published form %.1f %% and %.1f %%. Krizhevsky (2014) gives about "+
		"5 %% and 90 to 95 %%. The form in one tower takes %.3f times the multiply-adds of that in two.", 100*p, 100*w, float64(oneWork)/float64(twoWork))
	return nil
}
