package lecture

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/alexnet"
	"github.com/plexaura/plexaura/models/resnet"
	"github.com/plexaura/plexaura/models/vgg"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// drawn are the texts of an SVG figure, which must be whole.
func drawn(t *testing.T, f Figure) (texts []string) {
	t.Helper()
	require.True(t, strings.HasSuffix(f.Name, ".svg"))
	d := xml.NewDecoder(strings.NewReader(string(f.Data)))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			texts = append(texts, string(text))
		}
	}
}

func TestLeNetIsDrawnFromItsGraph(t *testing.T) {
	b := taught(t, "lenet")
	for name, want := range map[string]float64{
		"conv1, parameters": 156, "conv2, parameters": 2_416, "fc1, parameters": 48_120, "fc2, parameters": 10_164, "fc3, parameters": 850,
		"in all, parameters": 61_706, "in all, multiply-adds": 416_520, "conv2, multiply-adds": 16 * 10 * 10 * 6 * 25,
		// Section II.B of the paper.
		"1998, c1, parameters": 156, "1998, s2, parameters": 12, "1998, c3, parameters": 1_516, "1998, s4, parameters": 32,
		"1998, c5, parameters": 48_120, "1998, f6, parameters": 10_164, "1998, in all, parameters": 60_000,
	} {
		require.Equal(t, want, b.value(t, name), name)
	}
	require.InDelta(t, 100.*(117_600+240_000)/416_520, b.value(t, "work in convolutions"), 1e-12)
	require.InDelta(t, 100.*(156+2_416)/61_706, b.value(t, "parameters in convolutions"), 1e-12)

	require.Len(t, b.Figures(), 2)
	texts := drawn(t, b.Figures()[0])
	for _, want := range []string{
		"1@28×28", "6@28×28", "6@14×14", "16@10×10", "16@5×5", "120", "84", "10",
		"conv2: 5×5 convolution", "2,416 parameters, 57.6 % of the work", "max pooling 2×2", "fc1: dense layer", "48,120 parameters, 11.5 % of the work",
	} {
		require.Contains(t, texts, want)
	}
	texts = drawn(t, b.Figures()[1])
	for _, want := range []string{"1@32×32", "120@1×1", "84", "0: padding", "s2: average pooling 2×2", "12 parameters", "c3: 5×5 convolution", "tanh"} {
		require.Contains(t, texts, want)
	}
	require.NotContains(t, texts, "other")
}

func parametersIn(g *graph.Graph) (count int) {
	for _, p := range g.Params() {
		count += p.Type().Len()
	}
	return count
}

// Counts are those of the papers and of their published weights; shapes are those of figure 2 of
// the paper of 2012.
func TestAlexNetIsDrawnFromItsGraph(t *testing.T) {
	b := taught(t, "alexnet")
	for name, want := range map[string]float64{
		"2012, in all, parameters": 60_965_224, "2012, in all, multiply-adds": 724_406_816,
		"2012, conv2, parameters": 307_456, "2012, conv3, multiply-adds": 149_520_384, "2012, fc6, parameters": 37_752_832,
		"2014, in all, parameters": 61_100_840, "2014, in all, multiply-adds": 714_188_480,
		"2014, features.3, parameters": 307_392, "2014, classifier.6, parameters": 4_097_000,
	} {
		require.Equal(t, want, b.value(t, name), name)
	}
	for _, of := range []string{"2012", "2014"} { // the claim of Krizhevsky, 2014
		require.InDelta(t, 92.5, b.value(t, of+", work in convolutions"), 2.5)
		require.InDelta(t, 5, b.value(t, of+", parameters in convolutions"), 1.5)
	}
	require.Len(t, b.Figures(), 2)
	published, one := drawn(t, b.Figures()[0]), drawn(t, b.Figures()[1])
	count := func(texts []string, text string) (n int) {
		for _, x := range texts {
			if x == text {
				n++
			}
		}
		return n
	}
	for text, n := range map[string]int{
		"3@224×224": 1, "48@55×55": 2, "48@27×27": 2, "128@27×27": 2, "128@13×13": 4, "192@13×13": 4, "128@6×6": 2, "4,096": 2, "1,000": 1,
		"conv1: 11×11 convolution, stride 4": 1, "ReLU, response normalisation": 2, "conv2: 5×5 convolution, 2 groups": 1,
		"max pooling 3×3, stride 2": 3, "307,456 parameters, 30.9 % of the work": 1,
	} {
		require.Equal(t, n, count(published, text), text)
	}
	for text, n := range map[string]int{"64@55×55": 1, "192@13×13": 1, "384@13×13": 1, "256@13×13": 2, "256@6×6": 1, "ReLU": 7} {
		require.Equal(t, n, count(one, text), text)
	}
}

// Towers: the maps of one do not reach the other, but in the third convolution and in the dense
// layers.
func TestEdgesFollowTheGroups(t *testing.T) {
	net, err := architectureFor(alexnet.Model2012, 3, 224)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1}, net.towers())
	d := net.diagram("")
	edges, weights := map[int]int{}, map[int]float64{} // by the row that they lead to
	for _, e := range d.Edges {
		row := d.Blocks[e.To].Row
		edges[row]++
		weights[row] += e.Weight
	}
	require.Equal(t, map[int]int{1: 2, 2: 2, 3: 2, 4: 2, 5: 4, 6: 2, 7: 2, 8: 2, 9: 2, 10: 1, 11: 1}, edges)
	total := 0.
	for row, w := range weights {
		require.InDelta(t, float64(net.steps[row-1].work)/724_406_816, w, 1e-12)
		total += w
	}
	require.InDelta(t, 1, total, 1e-12)
}

// Any chain is drawn: its counts are those of its graph.
func TestOtherChains(t *testing.T) {
	for name, c := range map[string]struct {
		model    nn.Layer
		channels shape.Dim
		side     shape.Dim
	}{
		"vgg":                 {vgg.VGG11, 3, 224},
		"batch normalisation": {alexnet.NewBatchNorm(10, .5), 3, 224},
		"a perceptron":        {nn.Sequential{nn.Flatten{}, nn.Linear{Out: 5}, nn.Sigmoid{}, nn.Linear{Out: 3, NoBias: true}}, 1, 8},
		"one dense layer":     {nn.Sequential{nn.Flatten{}, nn.Linear{Out: 5}, nn.Softmax{}}, 2, 3},
		"lines of dots":       {nn.Sequential{nn.Func(func(x *graph.Node) *graph.Node { return ops.Reshape(x, x.Type().Dim(0), 16, 4) }), nn.Flatten{}, nn.Linear{Out: 3}}, 1, 8},
		"average pooling":     {nn.Sequential{nn.AvgPool2D{Kernel: 2}, nn.Conv2D{Out: 4, Kernel: 3, Groups: 4}, nn.Tanh{}}, 4, 8},
	} {
		g := graph.New()
		out := c.model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, c.channels, c.side, c.side)))
		net, err := architectureOf(out)
		require.NoError(t, err, name)
		parameters, work := net.total("")
		require.Equal(t, parametersIn(g), parameters, name)
		want := 0
		for _, n := range graph.Reachable(out) {
			want += nn.MACs(n)
		}
		require.Equal(t, want, work, name)
		_, err = net.diagram(name).SVG()
		require.NoError(t, err, name)
	}
}

// What is no chain is one error, that says which layer.
func TestWhatIsNoChainIsRefused(t *testing.T) {
	for want, model := range map[string]nn.Layer{
		`in layer "layer1.0" takes the value of`:     resnet.ResNet18,
		"a window of extent 300 does not fit in 224": nn.Conv2D{Out: 2, Kernel: 300},
		"is computed from no input by any layer":     nn.Sequential{},
	} {
		_, err := architectureFor(model, 3, 224)
		require.ErrorContains(t, err, want)
	}
	g := graph.New()
	a, b := g.Input("a", shape.F32(shape.N, 4)), g.Input("b", shape.F32(shape.N, 4))
	_, err := architectureOf(ops.Add(a, b))
	require.EqualError(t, err, "b is a second input: only a chain is drawn")
}

// What is no convolution, pooling or dense layer but changes the shape, or comes first, is a step
// of its own.
func TestOtherSteps(t *testing.T) {
	net, err := architectureFor(nn.Sequential{
		nn.ReLU{}, nn.Conv2D{Name: "c", Out: 2, Kernel: 3}, nn.Upsample{Scale: 2}, nn.Sigmoid{}, nn.Flatten{}, nn.Linear{Out: 2},
	}, 3, 8)
	require.NoError(t, err)
	var have []string
	for _, s := range net.steps {
		have = append(have, s.kind+" "+s.layer+" "+extent(s.out, 1)+" "+strings.Join(s.then, "+"))
	}
	require.Equal(t, []string{"other 0 3@8×8 ", "convolution c 2@6×6 ", "other 2 2@12×12 sigmoid", "dense layer 5 2 "}, have)

	// A graph without layers: the steps are told by the ops.
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 1, 8, 8))
	y := ops.MaxPool2D(ops.ReLU(ops.Conv2D(x, g.Param("w", shape.F32(4, 1, 3, 3), nil), ops.Conv2DOp{})), ops.MaxPool2DOp{Kernel: [2]int{2, 2}})
	net, err = architectureOf(ops.MatMul(ops.Flatten(y), g.Param("v", shape.F32(36, 5), nil)))
	require.NoError(t, err)
	require.Len(t, net.steps, 3)
	parameters, work := net.total("")
	require.Equal(t, []int{36 + 180, 36*36 + 180}, []int{parameters, work})
}

func TestExtents(t *testing.T) {
	for want, dims := range map[string][]shape.Dim{"1": {shape.N}, "4,096": {shape.N, 8192}, "48@55×55": {shape.N, 96, 55, 55}, "3@20": {shape.N, 6, 20}} {
		require.Equal(t, want, extent(shape.F32(dims...), 2))
	}
}

func TestWholeNumbersHaveCommas(t *testing.T) {
	for want, v := range map[string]float64{"0": 0, "999": 999, "1,000": 1000, "-1,000": -1000, "-999": -999, "60,965,224": 60965224, "NaN": math.NaN(), "+Inf": math.Inf(1), "2": 1.5} {
		require.Equal(t, want, written("%.0f", v))
	}
	require.Equal(t, "1234.5 %", written("%.1f %%", 1234.5))
}
