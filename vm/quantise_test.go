package vm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/enginetest"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/engine/std"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// quantisable is a small network with all that the pass quantise knows: a bias, a ReLU and a pooling
// behind a convolution, a clipped depthwise one, a sum with what was before, which is in bytes, one
// with what only the sum reads, a result that something else reads too, and products.
func quantisable() []*graph.Node {
	g := graph.New()
	leaf := func(name string, dims ...shape.Dim) *graph.Node {
		return g.Param(name, shape.F32(dims...), aroundZero{})
	}
	conv := func(x *graph.Node, name string, op ops.Conv2DOp, dims ...shape.Dim) *graph.Node {
		return ops.AddBias(ops.Conv2D(x, leaf(name, dims...), op), leaf(name+".bias", dims[0]))
	}
	x := g.Input("x", shape.F32(shape.N, 2, 9, 9))
	y := ops.MaxPool2D(ops.ReLU(conv(x, "a", ops.Conv2DOp{Pad: ops.SamePad(3)}, 8, 2, 3, 3)), ops.MaxPool2DOp{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}, Pad: ops.PadHW(1, 1)})
	deep := ops.Clip(conv(y, "b", ops.Conv2DOp{Pad: ops.SamePad(3), Groups: 8}, 8, 1, 3, 3), 0, 2)
	y = ops.Add(conv(deep, "c", ops.Conv2DOp{}, 8, 8, 1, 1), y)
	y = ops.ReLU(ops.Add(conv(y, "d", ops.Conv2DOp{}, 6, 8, 1, 1), ops.Conv2D(y, leaf("e", 6, 8, 1, 1), ops.Conv2DOp{})))
	y = ops.Add(ops.ReLU(conv(y, "f", ops.Conv2DOp{}, 6, 6, 1, 1)), y)
	z := ops.ReLU(ops.AddBias(ops.MatMul(ops.Reshape(y, shape.N, 150), leaf("g", 150, 20)), leaf("g.bias", 20)))
	return []*graph.Node{ops.MatMul(z, leaf("h", 5, 20), ops.MatMulOp{TransB: true}), ops.Max(y, 1, 2, 3)}
}

// aroundZero draws from [-0.5,0.5).
type aroundZero struct{ aroundOne }

func (z aroundZero) Fill(v []float64, t shape.Type, r *rand.Rand) {
	z.aroundOne.Fill(v, t, r)
	for i := range v {
		v[i]--
	}
}

// quantisableRanges are made up, for its names.
func quantisableRanges() vm.Ranges {
	all := vm.Ranges{"MatMul": {Min: 0, Max: 4}, "MatMul#2": {Max: 4}}
	for i := range 6 {
		all["Conv2D"+strings.Repeat(fmt.Sprint("#", i+1), min(i, 1))] = vm.Range{Min: -1, Max: float32(i)}
	}
	return all
}

// calibrated returns the ranges of outs for some inputs, which a store with leaves of its own computes.
func calibrated(t *testing.T, e engine.Engine, s *vm.Store, outs []*graph.Node, inputs ...*tensor.Dense) vm.Ranges {
	t.Helper()
	m := hoisting(t, e, s, outs)
	ranges := vm.Ranges{}
	for _, x := range inputs {
		require.NoError(t, m.Calibrate(ctx, ranges, x))
	}
	return ranges
}

// patterns are n inputs.
func patterns(n int) *tensor.Dense {
	v := make([]float32, n*2*9*9)
	for i := range v {
		v[i] = float32(math.Sin(float64(i*i%101 + i)))
	}
	return f32(v, n, 2, 9, 9)
}

func everyLevel() (all []engine.Engine) {
	for _, l := range isa.Levels() {
		all = append(all, cpu.New(cpu.AtLevel(l)))
	}
	return append(all, ref.Engine{}, std.New(tensor.StdEng{}), enginetest.Laid{Layout: engine.Layout{Axis: 1, Block: engine.All}, Wins: true})
}

// All engines and levels give the same bits, near to those of float32, for any batch size.
func TestQuantisedProgramsHaveTheSameBitsEverywhere(t *testing.T) {
	s, outs := vm.NewStore(1), quantisable()
	ranges := calibrated(t, ref.Engine{}, s, outs, patterns(7))
	require.Len(t, ranges, 8)
	full := hoisting(t, ref.Engine{}, s, outs)
	for _, n := range []int{1, 3, 20} {
		want, exact := []float32(nil), run(t, full, patterns(n))
		for _, e := range everyLevel() {
			for _, off := range [][]string{nil, {"layout"}, {"pack", "schedule", "memory"}, {"absorb"}} {
				got := run(t, hoisting(t, e, s, outs, vm.Quantise(ranges), vm.Without(off...)), patterns(n))
				relative(t, exact, got, .05)
				require.NotEqual(t, exact, got)
				if len(off) > 0 && off[0] == "absorb" { // then other maps are taken in
					continue
				}
				if want == nil {
					want = got
				}
				require.Equal(t, want, got, "%s without %v, batch %d", e.Name(), off, n)
			}
		}
	}
}

// The names of ranges are the same on every engine.
func TestCalibrationIsTheSameOnEveryEngine(t *testing.T) {
	s, outs := vm.NewStore(1), quantisable()
	want := calibrated(t, ref.Engine{}, s, outs, patterns(3), patterns(17))
	for _, e := range everyLevel() {
		got := calibrated(t, e, s, outs, patterns(17), patterns(3))
		require.Len(t, got, len(want))
		for name, r := range want {
			require.InDelta(t, r.Min, got[name].Min, 1e-4, name)
			require.InDelta(t, r.Max, got[name].Max, 1e-4, name)
		}
	}
}

// A convolution and what follows it, worked out from the definitions of package engine.
func TestAQuantisedConvolutionIsThatOfTheDefinition(t *testing.T) {
	g := graph.New()
	x, w := g.Input("x", shape.F32(shape.N, 2, 9, 9)), g.Param("w", shape.F32(3, 2, 3, 3), aroundZero{})
	outs := []*graph.Node{ops.ReLU(ops.Conv2D(x, w, ops.Conv2DOp{Pad: ops.SamePad(3)}))}
	s, ranges, image := vm.NewStore(3), vm.Ranges{"Conv2D": {Min: -.9, Max: .8}}, patterns(2)
	got := run(t, hoisting(t, cpu.New(), s, outs, vm.Quantise(ranges)), image)

	weights, err := s.Value("w")
	require.NoError(t, err)
	q, scales := make([]int8, 54), make([]float32, 3)
	engine.QuantWeights(q, scales, weights.Float32s(), shape.F32(3, 2, 3, 3), 0)
	in, pixels := engine.QuantOf(-.9, .8), image.Float32s()
	for i, y := range got {
		n, o, row, col := i/243, i/81%3, i/9%9, i%9
		sum := int32(0)
		for k := range 18 {
			iy, ix := row+k/3%3-1, col+k%3-1
			if iy >= 0 && iy < 9 && ix >= 0 && ix < 9 {
				sum += (int32(in.Of(pixels[((n*2+k/9)*9+iy)*9+ix])) - int32(in.Zero)) * int32(q[o*18+k])
			}
		}
		require.Equal(t, max(float32(sum)*(in.Scale*scales[o]), 0), y, "element %d", i)
	}
}

// Layers whose ranges are missing stay in float32, and with none the program is that of float32.
func TestLayersWithoutRangesStayInFloat32(t *testing.T) {
	s, outs := vm.NewStore(1), quantisable()
	want := run(t, hoisting(t, cpu.New(), s, outs), patterns(2))
	relative(t, want, run(t, hoisting(t, cpu.New(), s, outs, vm.Quantise(vm.Ranges{})), patterns(2)), 1e-5)
	some := calibrated(t, cpu.New(), s, outs, patterns(2))
	delete(some, "Conv2D#2")
	p, err := vm.Compile(cpu.New(), outs, vm.Quantise(some), vm.Checked)
	require.NoError(t, err)
	list, err := p.Describe(2)
	require.NoError(t, err)
	names := map[string]int{}
	for _, in := range list {
		names[in.Name]++
	}
	require.Equal(t, 5, names["QuantConv2D+Bias+ReLU"]+names["QuantConv2D+Bias+Add"]+names["QuantConv2D"]+names["QuantConv2D+Bias"]+names["QuantConv2D+Add"], "%v", names)
	require.Equal(t, 1, names["QuantMaxPool2D"]+names["MaxPool2D"], "%v", names)
	relative(t, want, run(t, hoisting(t, cpu.New(), s, outs, vm.Quantise(some)), patterns(2)), .05)
}

// Where weights change, they are rounded and packed again.
func TestQuantisedWeightsFollowTheStore(t *testing.T) {
	s, outs := vm.NewStore(1), quantisable()
	ranges := calibrated(t, cpu.New(), s, outs, patterns(2))
	m := hoisting(t, cpu.New(), s, outs, vm.Quantise(ranges))
	before := run(t, m, patterns(2))
	d, err := s.Value("a")
	require.NoError(t, err)
	d = d.Clone().(*tensor.Dense)
	d.Float32s()[3] += .5
	require.NoError(t, s.Set("a", d))
	after := run(t, m, patterns(2))
	require.NotEqual(t, before, after)
	require.Equal(t, after, run(t, hoisting(t, ref.Engine{}, s, outs, vm.Quantise(ranges)), patterns(2)))
}

func TestNumbersThatAreNotFiniteSaturate(t *testing.T) {
	g := graph.New()
	x, w := g.Input("x", shape.F32(shape.N, 4)), g.Param("w", shape.F32(4, 1), nil)
	outs := []*graph.Node{ops.MatMul(x, w)}
	s := vm.NewStore(1)
	require.NoError(t, s.Set("w", f32([]float32{1, 1, 1, 1}, 4, 1)))
	inf := float32(math.Inf(1))
	m := hoisting(t, cpu.New(), s, outs, vm.Quantise(vm.Ranges{"MatMul": {Min: -1, Max: 1}}))
	got := run(t, m, f32([]float32{inf, 0, 0, 0, -inf, 0, 0, 0, float32(math.NaN()), 0, 0, 0, 9, 0, 0, 0}, 4, 4))
	relative(t, []float32{1, -1, -1, 1}, got, .01)

	require.NoError(t, s.Set("w", f32([]float32{1, inf, 1, 1}, 4, 1)))
	got = run(t, m, f32([]float32{1, 1, 1, 1}, 1, 4))
	require.True(t, got[0] != got[0], "weights that are not finite")
}

func TestQuantiseRefusals(t *testing.T) {
	outs, some := quantisable(), vm.Ranges{"Conv2D": {Max: 1}}
	for want, opts := range map[string][]vm.Option{
		"nil ranges":            {vm.Quantise(nil)},
		"the range of a is":     {vm.Quantise(vm.Ranges{"a": {Min: 2, Max: 1}})},
		"the range of b is":     {vm.Quantise(vm.Ranges{"b": {Max: float32(math.Inf(1))}})},
		"compile the inference": {vm.Quantise(some), vm.Train},
		"use one of them":       {vm.Quantise(some), vm.WithWeights(shape.Int8)},
	} {
		_, err := vm.Compile(ref.Engine{}, outs, opts...)
		require.ErrorContains(t, err, want)
	}
	_, err := vm.Compile(enginetest.NewDevice(1<<20), outs, vm.Quantise(some))
	require.ErrorContains(t, err, "float32")
	_, err = vm.Compile(struct{ engine.Engine }{ref.Engine{}}, outs, vm.Quantise(some))
	require.ErrorContains(t, err, "cannot do 8-bit integers")

	p, err := vm.Compile(ref.Engine{}, outs, vm.Quantise(vm.Ranges{"fc9": {Max: 1}}))
	require.NoError(t, err)
	_, err = p.Memory(1)
	require.ErrorContains(t, err, "fc9, which is no convolution or product")
}

func TestCalibrationRefusals(t *testing.T) {
	s, outs := vm.NewStore(1), quantisable()
	m := hoisting(t, ref.Engine{}, s, outs)
	require.ErrorContains(t, m.Calibrate(ctx, nil, patterns(1)), "nil ranges")
	x := patterns(1)
	x.Float32s()[5] = float32(math.Inf(1))
	require.ErrorContains(t, m.Calibrate(ctx, vm.Ranges{}, x), "the input of Conv2D has a number that is not finite")
	quantised := hoisting(t, ref.Engine{}, s, outs, vm.Quantise(calibrated(t, ref.Engine{}, s, outs, patterns(1))))
	require.ErrorContains(t, quantised.Calibrate(ctx, vm.Ranges{}, patterns(1)), "calibrate a program without")
	stopped, stop := context.WithCancel(ctx)
	stop()
	require.ErrorIs(t, m.Calibrate(stopped, vm.Ranges{}, patterns(1)), context.Canceled)
}

func TestAQuantisedProgramAllocatesNothing(t *testing.T) {
	s, outs := vm.NewStore(1), quantisable()
	m := hoisting(t, cpu.New(), s, outs, vm.Quantise(calibrated(t, cpu.New(), s, outs, patterns(3))))
	x := patterns(3)
	run(t, m, x)
	require.Zero(t, allocs.PerRun(5, func() { _, _ = m.Run(ctx, x) }))
}

func TestRangesAreReadAsTheyWereWritten(t *testing.T) {
	r := vm.Ranges{"conv1": {Min: -.1, Max: 1e-30}, "a.b#2": {Min: -3e38, Max: 3e38}, "é\n": {}}
	var b bytes.Buffer
	require.NoError(t, r.Write(&b))
	got, err := vm.ReadRanges(&b)
	require.NoError(t, err)
	require.Equal(t, r, got)
	require.ErrorContains(t, vm.Ranges{"x": {Min: 1}}.Write(io.Discard), "the range of x is")
}

func TestWhatIsNoFileOfRangesIsAnError(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "JSON",
		"{}":                       `the format is ""; want`,
		`{"format":"safetensors"}`: "the format is",
		`{"format":"plexaura ranges 1","layers":{"a":{"min":1}}}`:             "the range of a lacks",
		`{"format":"plexaura ranges 1","layers":{"a":{"min":1,"max":0}}}`:     "the range of a is",
		`{"format":"plexaura ranges 1","layers":{"a":{"min":1,"max":1e60}}}`:  "1e60",
		`{"format":"plexaura ranges 1","layers":{"a":{"min":"x","max":1e6}}}`: "string",
		`{"format":"plexaura ranges 1","layers":[]}`:                          "array",
	} {
		_, err := vm.ReadRanges(strings.NewReader(text))
		require.ErrorContains(t, err, want, text)
	}
	_, err := vm.ReadRanges(io.MultiReader(strings.NewReader("{"), errReader{}))
	require.ErrorContains(t, err, "broken")
	_, err = vm.ReadRanges(strings.NewReader(strings.Repeat(" ", 1<<24+1)))
	require.ErrorContains(t, err, "more than")
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("broken") }

// Whatever is read without an error can be written, read again and compiled with.
func FuzzReadRanges(f *testing.F) {
	f.Add([]byte(`{"format":"plexaura ranges 1","layers":{"Conv2D":{"min":-1,"max":2.5}}}`))
	f.Add([]byte(`{"format":"plexaura ranges 1","layers":{"a":{"min":1e-45,"max":1e38}},"more":null}`))
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := vm.ReadRanges(bytes.NewReader(b))
		if err != nil {
			require.Empty(t, r)
			return
		}
		var w bytes.Buffer
		require.NoError(t, r.Write(&w))
		again, err := vm.ReadRanges(&w)
		require.NoError(t, err)
		require.Equal(t, r, again)
		_, err = vm.Compile(ref.Engine{}, quantisable(), vm.Quantise(r))
		require.NoError(t, err)
	})
}
