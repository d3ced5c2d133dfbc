package nn_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/models/alexnet"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/models/mobilenet"
	"github.com/plexaura/plexaura/models/resnet"
	"github.com/plexaura/plexaura/models/squeezenet"
	"github.com/plexaura/plexaura/models/vgg"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

var photos = shape.F32(shape.N, 3, 224, 224)

// A new head has the parameters of the model made for so many classes.
func TestHeadsOfTheModelsAreReplaced(t *testing.T) {
	head := nn.Linear{Out: 7}
	for name, c := range map[string]struct{ have, want nn.Layer }{
		"resnet":     {nn.Replace(resnet.ResNet18, "fc", head), resnet.New(resnet.Basic, [4]int{2, 2, 2, 2}, 7)},
		"alexnet":    {nn.Replace(alexnet.Model, "classifier.6", head), alexnet.New(7, .5)},
		"2012":       {nn.Replace(alexnet.Model2012, "fc8", nn.Linear{Name: "fc8", Out: 7}), alexnet.New2012(7, .5)},
		"vgg":        {nn.Replace(vgg.VGG11, "classifier.6", head), vgg.New(vgg.Plan11, 7, .5)},
		"squeezenet": {nn.Replace(squeezenet.Model, "classifier.1", nn.Conv2D{Out: 7, Kernel: 1}), squeezenet.New(7, .5)},
		"mobilenet":  {nn.Replace(mobilenet.V2, "classifier.1", head), mobilenet.NewV2(7, .2)},
	} {
		n := apply(c.have, photos)
		require.NoError(t, n.g.Err(), name)
		require.Equal(t, "float32(N,7)", n.y.Type().String(), name)
		require.Equal(t, apply(c.want, photos).leaves(), n.leaves(), name)
	}
	n := apply(nn.Replace(lenet.Model, "fc3", head), shape.F32(shape.N, 1, 28, 28))
	require.Equal(t, "float32(7)", n.leaves()["fc3.bias"])
	require.Equal(t, "float32(10)", apply(lenet.Model, shape.F32(shape.N, 1, 28, 28)).leaves()["fc3.bias"], "the model stays as it was")
}

func TestModelsAreCut(t *testing.T) {
	for _, c := range []struct {
		name  string
		model nn.Layer
		path  string
		want  string
		begin []string // of the names of all parameters
	}{
		{"resnet", resnet.ResNet18, "layer4", "float32(N,512,7,7)", []string{"conv1.", "bn1.", "layer"}},
		{"resnet stage", resnet.ResNet18, "layer2.0", "float32(N,128,28,28)", []string{"conv1.", "bn1.", "layer1.", "layer2.0."}},
		{"vgg", vgg.VGG11, "features", "float32(N,512,7,7)", []string{"features."}},
		{"vgg inside", vgg.VGG11, "features.3", "float32(N,128,112,112)", []string{"features.0.", "features.3."}},
		{"mobilenet", mobilenet.V2, "features.3", "float32(N,24,56,56)", []string{"features.0.", "features.1.", "features.2.", "features.3."}},
		{"squeezenet", squeezenet.Model, "features", "float32(N,512,13,13)", []string{"features."}},
		{"frozen", nn.Frozen{Layer: nn.Eval{Layer: resnet.ResNet18}}, "layer1", "float32(N,64,56,56)", []string{"conv1.", "bn1.", "layer1."}},
		{"named", nn.Named("net", vgg.VGG11), "net.features.3", "float32(N,128,112,112)", []string{"net.features.0.", "net.features.3."}},
	} {
		whole, n := apply(c.model, photos).leaves(), apply(nn.Until(c.model, c.path), photos)
		require.NoError(t, n.g.Err(), c.name)
		require.Equal(t, c.want, n.y.Type().String(), c.name)
		maps.DeleteFunc(whole, func(name, _ string) bool {
			return !slices.ContainsFunc(c.begin, func(begin string) bool { return strings.HasPrefix(name, begin) })
		})
		require.Equal(t, whole, n.leaves(), c.name)
	}
	features := append(nn.Until(resnet.ResNet18, "layer4"), nn.GlobalAvgPool2D{}, nn.Flatten{}, nn.Linear{Name: "head", Out: 3})
	require.Equal(t, "float32(3,512)", apply(features, photos).leaves()["head.weight"])
}

// Whatever is replaced, the others keep their names.
func TestPartsInsideAreReplaced(t *testing.T) {
	for _, c := range []struct {
		model nn.Layer
		path  string
		layer nn.Layer
		gone  string   // what the names of parameters that are not there any more begin with
		new   []string // names
	}{
		{resnet.ResNet18, "layer1.0.conv1", nn.Conv2D{Out: 64, Kernel: 1}, "layer1.0.conv1.", []string{"layer1.0.conv1.weight", "layer1.0.conv1.bias"}},
		{resnet.ResNet18, "layer1.1", nn.Conv2D{Out: 64, Kernel: 1, NoBias: true}, "layer1.1.", []string{"layer1.1.weight"}},
		{resnet.ResNet18, "layer2.0.downsample.0", nn.Conv2D{Out: 128, Kernel: 1, Stride: 2}, "layer2.0.downsample.0.", []string{"layer2.0.downsample.0.weight", "layer2.0.downsample.0.bias"}},
		{nn.Frozen{Layer: nn.Eval{Layer: vgg.VGG11}}, "classifier.0", nn.Linear{Name: "small", Out: 8}, "classifier.0.", []string{"classifier.small.weight", "classifier.small.bias"}},
		{mobilenet.V2, "features.2.conv.3", nn.BatchNorm{}, "features.2.conv.3.", []string{"features.2.conv.3.weight", "features.2.conv.3.bias", "features.2.conv.3.running_mean", "features.2.conv.3.running_var"}},
	} {
		want := apply(c.model, photos).leaves()
		maps.DeleteFunc(want, func(name, _ string) bool { return strings.HasPrefix(name, c.gone) })
		n := apply(nn.Replace(c.model, c.path, c.layer), photos)
		require.NoError(t, n.g.Err(), c.path)
		have := n.leaves()
		for _, name := range c.new {
			require.Contains(t, have, name)
			delete(have, name)
		}
		require.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(have)), c.path)
	}
}

func TestPathsThatLeadNowhere(t *testing.T) {
	fc := nn.Linear{Out: 1}
	for want, l := range map[string]nn.Layer{
		`Replace: no part "fc": there are features, 1, classifier`:         nn.Replace(vgg.VGG11, "fc", fc),
		`Until: no part "layer5": there are conv1, bn1, 2, 3, layer`:       nn.Until(resnet.ResNet18, "layer5"),
		`Replace: no part "conv1.x": nn.Conv2D has no parts`:               nn.Replace(lenet.Model, "conv1.x", fc),
		`Replace: no part "fc3": the layer is nil`:                         nn.Replace(lenet.Model, "fc3", nil),
		`Until: no part "layer1.0.conv1": a Residual cannot be cut inside`: nn.Until(resnet.ResNet18, "layer1.0.conv1"),
		`Until: no part "layer1.x": there are 0, 1`:                        nn.Until(resnet.ResNet18, "layer1.x"),
		`Replace: no part "": there are conv1, 1, 2, conv2`:                nn.Replace(lenet.Model, "", fc),
		`Replace: no part "x": <nil> has no parts`:                         nn.Replace(nil, "x", fc),
		`Replace: no part "b": there is "a"`:                               nn.Replace(nn.Named("a", fc), "b", fc),
	} {
		require.ErrorContains(t, apply(l, photos).g.Err(), want)
	}
}
