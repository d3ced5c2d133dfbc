package cpu

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/interleaved"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

var update = flag.Bool("update", false, "write the golden file anew")

// netLayer is a convolution of a well-known network; images and filters are square.
type netLayer struct {
	name                                              string
	channels, filters, groups, image, kernel, pad, by int
}

// netLayers are the different convolutions of the networks in models, and the last one of 5x5 of GoogLeNet.
var netLayers = []netLayer{
	{"lenet.conv1", 1, 6, 1, 28, 5, 2, 1},
	{"lenet.conv2", 6, 16, 1, 14, 5, 0, 1},
	{"alexnet.conv1", 3, 64, 1, 224, 11, 2, 4},
	{"alexnet.conv2", 64, 192, 1, 27, 5, 2, 1},
	{"alexnet.conv3", 192, 384, 1, 13, 3, 1, 1},
	{"alexnet.conv4", 384, 256, 1, 13, 3, 1, 1},
	{"alexnet.conv5", 256, 256, 1, 13, 3, 1, 1},
	{"vgg.conv1", 3, 64, 1, 224, 3, 1, 1},
	{"vgg.conv2", 64, 64, 1, 224, 3, 1, 1},
	{"vgg.conv3", 64, 128, 1, 112, 3, 1, 1},
	{"vgg.conv4", 128, 128, 1, 112, 3, 1, 1},
	{"vgg.conv5", 128, 256, 1, 56, 3, 1, 1},
	{"vgg.conv6", 256, 256, 1, 56, 3, 1, 1},
	{"vgg.conv8", 256, 512, 1, 28, 3, 1, 1},
	{"vgg.conv9", 512, 512, 1, 28, 3, 1, 1},
	{"vgg.conv11", 512, 512, 1, 14, 3, 1, 1},
	{"resnet.conv1", 3, 64, 1, 224, 7, 3, 2},
	{"resnet18.layer1", 64, 64, 1, 56, 3, 1, 1},
	{"resnet18.layer2.first", 64, 128, 1, 56, 3, 1, 2},
	{"resnet18.layer2.down", 64, 128, 1, 56, 1, 0, 2},
	{"resnet18.layer2", 128, 128, 1, 28, 3, 1, 1},
	{"resnet18.layer3.first", 128, 256, 1, 28, 3, 1, 2},
	{"resnet18.layer3", 256, 256, 1, 14, 3, 1, 1},
	{"resnet18.layer4.first", 256, 512, 1, 14, 3, 1, 2},
	{"resnet18.layer4", 512, 512, 1, 7, 3, 1, 1},
	{"resnet50.layer1.narrow", 256, 64, 1, 56, 1, 0, 1},
	{"resnet50.layer1.wide", 64, 256, 1, 56, 1, 0, 1},
	{"resnet50.layer4.wide", 512, 2048, 1, 7, 1, 0, 1},
	{"mobilenetv2.conv1", 3, 32, 1, 224, 3, 1, 2},
	{"mobilenetv2.1.depthwise", 32, 32, 32, 112, 3, 1, 1},
	{"mobilenetv2.1.project", 32, 16, 1, 112, 1, 0, 1},
	{"mobilenetv2.2.expand", 16, 96, 1, 112, 1, 0, 1},
	{"mobilenetv2.2.depthwise", 96, 96, 96, 112, 3, 1, 2},
	{"mobilenetv2.17.expand", 160, 960, 1, 7, 1, 0, 1},
	{"mobilenetv2.17.depthwise", 960, 960, 960, 7, 3, 1, 1},
	{"mobilenetv2.last", 320, 1280, 1, 7, 1, 0, 1},
	{"squeezenet.fire2.squeeze", 64, 16, 1, 55, 1, 0, 1},
	{"squeezenet.fire2.expand3x3", 16, 64, 1, 55, 3, 1, 1},
	{"googlenet.5b.5x5", 48, 128, 1, 7, 5, 2, 1},
}

// types are those of a batch of images, the filters and the results.
func (l netLayer) types(batch int) (op engine.Conv2D, x, w, y shape.Type) {
	op = engine.Conv2D{Stride: [2]int{l.by, l.by}, Dilation: [2]int{1, 1}, Pad: [2][2]int{{l.pad, l.pad}, {l.pad, l.pad}}, Groups: l.groups}
	side := (l.image+2*l.pad-l.kernel)/l.by + 1
	of := func(dims ...int) shape.Type {
		return shape.Type{DType: shape.Float32, Shape: shape.OfInts(dims...)}
	}
	return op, of(batch, l.channels, l.image, l.image), of(l.filters, l.channels/l.groups, l.kernel, l.kernel), of(batch, l.filters, side, side)
}

// inMemory is the type of the memory of interleaved images.
func inMemory(t shape.Type) shape.Type {
	d := t.Shape.Ints()
	return shape.Type{DType: t.DType, Shape: shape.OfInts(d[0]/interleaved.Images, d[1], d[2], d[3], interleaved.Images)}
}

// bound are the kernels of a layer: forward, the gradient of the images, that of the filters. The
// batch is interleaved where the engine prefers that.
func (l netLayer) bound(t *testing.T, e Engine, batch int) [3]engine.Bound {
	return l.boundBy(t, e, batch, preferred)
}

// boundBy is bound with the kernels that by picks.
func (l netLayer) boundBy(t *testing.T, e Engine, batch int, by picker) [3]engine.Bound {
	op, x, w, y := l.types(batch)
	if e.prefersInterleaved(op, x, w, y) {
		x, y = inMemory(x), inMemory(y)
	}
	forward := by(t, e.BindConv2D, op, storedAll(x, w), stored(y))
	back := by(t, e.BindConv2DInputGrad, op, storedAll(y, w), stored(x))
	filters := by(t, e.BindConv2DFilterGrad, op, storedAll(x, y), stored(w))
	return [3]engine.Bound{forward, back, filters}
}

// picker binds one of a binder's kernels.
type picker func(t *testing.T, bind binder, op engine.Conv2D, in []engine.Operand, out engine.Operand) engine.Bound

type binder = func(engine.Conv2D, []engine.Operand, engine.Operand) (engine.Bound, error)

// asGiven is the kernel for operands as they are.
func asGiven(t *testing.T, bind binder, op engine.Conv2D, in []engine.Operand, out engine.Operand) engine.Bound {
	b, err := bind(op, in, out)
	require.NoError(t, err)
	return b
}

// preferred is the kernel that bind gives, with channels last if it gains by that.
func preferred(t *testing.T, bind binder, op engine.Conv2D, in []engine.Operand, out engine.Operand) engine.Bound {
	b, err := bind(op, in, out)
	require.NoError(t, err)
	for _, a := range b.Arrangements {
		if a.Other() != channelsLast || a.Gain <= 0 {
			continue
		}
		for i := range in {
			in[i].Layout = a.In[i]
		}
		out.Layout = a.Out
		b, err = bind(op, in, out)
		require.NoError(t, err)
		return b
	}
	return b
}

// A change of what is chosen is seen in the golden file's difference.
func TestAlgorithmsOfWellKnownNetworks(t *testing.T) {
	for _, level := range isa.Levels() {
		t.Run(level.String(), func(t *testing.T) {
			e := Engine{pool: par.Default(), simd: simd.With(level)}
			var text strings.Builder
			w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "convolution\tbatch\tforward\timages' gradient\tfilters' gradient")
			for _, l := range netLayers {
				for _, batch := range []int{1, 64} {
					b := l.bound(t, e, batch)
					fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", l.name, batch, b[0].Alg, b[1].Alg, b[2].Alg)
				}
			}
			require.NoError(t, w.Flush())
			file := "testdata/algorithms-" + strings.ToLower(level.String()) + ".txt"
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), text.String(), "if that is meant: go test ./engine/cpu -run %s -update", t.Name())
		})
	}
}

// What the cost model takes is bound, and no candidate that nothing speaks against works less.
func TestTheCheapestIsTaken(t *testing.T) {
	for _, level := range isa.Levels() {
		e := Engine{pool: par.Default(), simd: simd.With(level)}
		for _, l := range netLayers {
			for _, b := range l.bound(t, e, 16) {
				require.NotEmpty(t, b.Choice)
				work := map[string]int{}
				for _, c := range b.Choice {
					if c.Against == "" {
						work[c.Alg] = c.Work
					}
				}
				taken, ok := work[b.Alg]
				require.True(t, ok, "%s by %s of %v", l.name, b.Alg, b.Choice)
				for alg, w := range work {
					require.LessOrEqual(t, taken, w, "%s by %s, not %s", l.name, b.Alg, alg)
				}
			}
		}
	}
}

// Where nothing is near a limit, one more step is over it.
func TestLimitsOfAlgorithms(t *testing.T) {
	type pick struct {
		netLayer
		batch int
		want  [3]string
	}
	const w, s, d, i = winogradAlg, stemAlg, directAlg, im2colAlg
	e := Engine{pool: par.Default(), simd: simd.Best()}
	if e.simd.Level == isa.Generic {
		t.Skip("the limits of plain Go are others, and in the golden file")
	}
	for _, c := range []pick{
		{netLayer{"8 channels and filters", 8, 8, 1, 16, 3, 1, 1}, 8, [3]string{w, w, d}},
		{netLayer{"7 channels", 7, 8, 1, 32, 3, 1, 1}, 9, [3]string{d, d, d}},
		{netLayer{"7 filters", 8, 7, 1, 32, 3, 1, 1}, 9, [3]string{d, d, d}},
		{netLayer{"16 channels", 16, 8, 1, 16, 3, 1, 1}, 8, [3]string{w, w, w}},
		{netLayer{"15 channels", 15, 8, 1, 16, 3, 1, 1}, 8, [3]string{w, w, d}},
		{netLayer{"100 windows", 32, 32, 1, 10, 3, 1, 1}, 1, [3]string{d, d, d}},
		{netLayer{"144 windows", 32, 32, 1, 12, 3, 1, 1}, 1, [3]string{w, w, d}},
		{netLayer{"169 windows", 32, 32, 1, 13, 3, 1, 1}, 1, [3]string{w, w, w}},
		{netLayer{"images of 2x2", 32, 32, 1, 2, 3, 1, 1}, 99, [3]string{d, d, d}},
		{netLayer{"2^14 pairs", 128, 128, 1, 9, 7, 3, 1}, 1, [3]string{d, d, d}},
		{netLayer{"more pairs", 128, 129, 1, 9, 7, 3, 1}, 1, [3]string{i, i, d}},
		{netLayer{"more pairs of 1x1", 128, 129, 1, 9, 1, 0, 1}, 1, [3]string{i, i, i}},
		{netLayer{"side by side", 8, 8, 1, 12, 2, 0, 2}, 1, [3]string{i, i, i}},
		{netLayer{"a pixel in no window", 8, 8, 1, 13, 2, 0, 2}, 1, [3]string{s, i, d}},
		{netLayer{"filters that fill vectors", 3, 64, 1, 56, 7, 3, 2}, 1, [3]string{s, i, d}},
		{netLayer{"windows that fill them", 3, 12, 1, 32, 5, 2, 1}, 1, [3]string{d, d, d}},
		{netLayer{"9 channels of a stem", 9, 64, 1, 56, 7, 3, 2}, 1, [3]string{d, i, d}},
		{netLayer{"1x1 of 16 channels", 16, 17, 1, 22, 1, 0, 1}, 1, [3]string{i, i, d}},
		{netLayer{"1x1 of 15 channels", 15, 17, 1, 23, 1, 0, 1}, 1, [3]string{d, d, d}},
		{netLayer{"1x1 of more elements", 16, 17, 1, 23, 1, 0, 1}, 1, [3]string{i, i, i}},
	} {
		for k, b := range c.boundBy(t, e, c.batch, asGiven) {
			require.Equal(t, c.want[k], b.Alg, "%s, way %d of %v", c.name, k, b.Choice)
		}
	}
}

// exactError is the documented limit of errors without Winograd's algorithm, as a share of the
// largest result, and winogradError that with it; of gradients of filters they are twice that.
const (
	exactError    = 2e-6
	winogradError = 1e-5
)

func TestExactConvNeverGoesByWinograd(t *testing.T) {
	for _, level := range isa.Levels() {
		e := New(ExactConv)
		e.simd = simd.With(level)
		for _, l := range netLayers {
			for _, batch := range []int{1, 64} {
				for _, b := range l.bound(t, e, batch) {
					require.NotContains(t, b.Alg, "winograd", "%s at %v", l.name, level)
				}
			}
		}
	}
}

// Errors with and without the option, of layers as in large networks, in rows and with channels last, and of
// LeNet's second one interleaved, against the definition in float64.
func TestErrorsOfConvolutionsAreAsDocumented(t *testing.T) {
	for _, c := range []struct {
		netLayer
		batch  int
		layout engine.Layout
	}{
		{netLayer{"3x3", 192, 32, 1, 13, 3, 1, 1}, 1, engine.Rows},
		{netLayer{"5x5", 64, 24, 1, 14, 5, 2, 1}, 1, engine.Rows},
		{netLayer{"3x3 last", 192, 32, 1, 13, 3, 1, 1}, 1, channelsLast},
		{netLayer{"5x5 last", 64, 24, 1, 14, 5, 2, 1}, 1, channelsLast},
		{netLayer{"interleaved", 6, 16, 1, 14, 5, 0, 1}, interleaved.Images, byImages},
	} {
		l := c.netLayer
		want := l.computed(t, ref.Engine{}, c.batch, shape.Float64, engine.Rows)
		for _, level := range isa.Levels() {
			for _, way := range []struct {
				name  string
				e     Engine
				limit float64
			}{{"exact", New(ExactConv), exactError}, {"fast", New(), winogradError}} {
				way.e.simd = simd.With(level)
				for k, got := range l.computed(t, way.e, c.batch, shape.Float32, c.layout) {
					limit := way.limit
					if k == 2 {
						limit *= 2
					}
					most, far := 0.0, 0.0
					for i, v := range want[k] {
						most, far = max(most, math.Abs(v)), max(far, math.Abs(v-got[i]))
					}
					t.Logf("%s, %v, %s, way %d: %.1e", l.name, level, way.name, k, far/most)
					require.LessOrEqual(t, far/most, limit, "%s, %v, %s, way %d", l.name, level, way.name, k)
				}
			}
		}
	}
}

// computed are the results of the three ways on the same numbers, images as after a ReLU and
// filters as they begin. Images are in a layout: one with channels last, or a block of interleaved ones.
func (l netLayer) computed(t *testing.T, e engine.Conv2Der, batch int, d shape.DType, layout engine.Layout) [3][]float64 {
	op, xt, wt, yt := l.types(batch)
	xt.DType, wt.DType, yt.DType = d, d, d
	x, w, y := engine.Operand{Type: xt, Layout: layout}, engine.InRow(wt), engine.Operand{Type: yt, Layout: layout}
	inner := func(o engine.Operand) int { // how many elements lie side by side that are apart in rows
		switch o.Layout {
		case channelsLast:
			return o.Int(1)
		case byImages:
			return interleaved.Images
		}
		return 1
	}
	r := rand.New(rand.NewPCG(3, 3))
	fill := func(o engine.Operand, scale, least float64) engine.Buffer {
		v := make([]float64, o.Len())
		for i := range v {
			v[i] = float64(float32(max(r.NormFloat64()*scale, least)))
		}
		b := newBuffer(o.Type)
		engine.Load(b, transposed(v, inner(o)))
		return b
	}
	none := math.Inf(-1)
	xs, ws, dys := fill(x, 1, 0), fill(w, math.Sqrt(2/float64(l.channels*l.kernel*l.kernel)), none), fill(y, 1, none)
	one := func(bind binder, out, a, b engine.Operand, in ...engine.Buffer) []float64 {
		v := engine.Floats(run(t, func() (engine.Bound, error) { return bind(op, []engine.Operand{a, b}, out) }, in, out.Type))
		return transposed(v, len(v)/inner(out))
	}
	return [3][]float64{one(e.BindConv2D, y, x, w, xs, ws), one(e.BindConv2DInputGrad, x, y, w, dys, ws), one(e.BindConv2DFilterGrad, w, x, y, xs, dys)}
}

// transposed is a matrix of so many rows with rows and columns in each other's place.
func transposed(v []float64, rows int) []float64 {
	out, columns := make([]float64, len(v)), len(v)/rows
	for i, x := range v {
		out[i%columns*rows+i/columns] = x
	}
	return out
}

// What squeezes a channel to one number and excites it again is a product of a vector and a matrix, which all processors read.
func TestConvolutionsOfWholeImagesAreProducts(t *testing.T) {
	e, op := New(), engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
	for _, c := range []struct {
		image, kernel, pad int
		alg                string
	}{{1, 1, 0, "gemm"}, {5, 5, 0, "gemm"}, {2, 1, 0, im2colAlg}, {1, 3, 1, im2colAlg}} {
		side := c.image + 2*c.pad - c.kernel + 1
		op.Pad = [2][2]int{{c.pad, c.pad}, {c.pad, c.pad}}
		x, w, y := shape.F32(1, 160, shape.Dim(c.image), shape.Dim(c.image)), shape.F32(960, 160, shape.Dim(c.kernel), shape.Dim(c.kernel)), shape.F32(1, 960, shape.Dim(side), shape.Dim(side))
		b, err := e.BindConv2D(op, engine.InRows(x, w), engine.InRow(y))
		require.NoError(t, err)
		require.Equal(t, c.alg, b.Alg, "%d by %d", c.image, c.kernel)
		require.False(t, b.Serial)
	}
}
