package onnx_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/interop/onnx/ir/irtest"
)

// chain builds a file of operators of integers that follow each other.
type chain struct {
	r     *rand.Rand
	elem  ir.DataType
	nodes []*ir.Node
	init  []*ir.Tensor
}

// scale adds a scale and a zero point, and returns their names.
func (c *chain) scale(least, most float32) []string {
	k := fmt.Sprint(len(c.init))
	c.init = append(c.init, irtest.Floats("s"+k, nil, least+(most-least)*c.r.Float32()), irtest.Codes("z"+k, c.elem, nil, int32(drawCodes(c.r, c.elem, 1)[0])))
	return in("s"+k, "z"+k)
}

// weights adds symmetric 8-bit weights with a scale, and returns the names.
func (c *chain) weights(dims ...int64) []string {
	k := fmt.Sprint(len(c.init))
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	w := drawn(int(n), func() int32 { return int32(c.r.IntN(255) - 127) })
	c.init = append(c.init, irtest.Codes("w"+k, ir.Int8, dims, w...), irtest.Floats("ws"+k, nil, .002+.01*c.r.Float32()), irtest.Codes("wz"+k, ir.Int8, nil, 0))
	return in("w"+k, "ws"+k, "wz"+k)
}

func (c *chain) add(op string, inputs []string, output string, attributes ...ir.Attribute) {
	c.nodes = append(c.nodes, node(op, inputs, output, attributes...))
}

func list(parts ...[]string) (all []string) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// Integers go from one operator to the next as they do in ONNX Runtime: from a QuantizeLinear, through convolutions and pooling, to
// a DequantizeLinear.
func TestChainsOfIntegersGiveThoseOfONNXRuntime(t *testing.T) {
	root := t.TempDir()
	var all []exported
	for seed := range uint64(24) {
		c := &chain{r: rand.New(rand.NewPCG(seed, 10)), elem: []ir.DataType{ir.Uint8, ir.Int8}[seed%2]}
		x, a, b, e := c.scale(.01, .05), c.scale(.01, .1), c.scale(.01, .1), c.scale(.02, .2)
		c.add("QuantizeLinear", list(in("x"), x), "q")
		c.add("QLinearConv", list(in("q"), x, c.weights(6, 3, 3, 3), a), "c1", irtest.Ints("pads", 1, 1, 1, 1))
		c.add("MaxPool", in("c1"), "p", irtest.Ints("kernel_shape", 2, 2), irtest.Ints("strides", 2, 2))
		c.add("QLinearConv", list(in("p"), a, c.weights(6, 1, 3, 3), b), "c2", intAttr("group", 6))
		c.add("Flatten", in("c2"), "f")
		c.add("QLinearMatMul", list(in("f"), b, c.weights(24, 5), e), "m")
		c.add("DequantizeLinear", list(in("m"), e), "output")
		m := model(c.nodes, inputs(info("x", ir.Float, "n", 3, 8, 8)), inputs(info("output", ir.Float, "n", 5)), c.init...)
		v := drawn(2*3*64, func() float32 { return float32(2 * c.r.NormFloat64()) })
		all = append(all, drawnInRuntime(t, filepath.Join(root, fmt.Sprint(seed)), fmt.Sprint("seed ", seed), m, floats([]int{2, 3, 8, 8}, v...)))
		s := session(t, m)
		_, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{2, 3, 8, 8}, v...)})
		require.NoError(t, err)
		require.True(t, onnx.ComputesIntegers(t, s))
	}
	runtime(t, all)
	for _, e := range all {
		got, err := e.result()
		require.NoError(t, err, e.name)
		require.Equal(t, got, e.want, e.name)
	}
}

// Operators that ONNX Runtime's tool writes for networks of integers give its integers, or those next to them where its own
// way of rounding is another.
func TestOperatorsOfONNXRuntimesToolGiveWhatItGives(t *testing.T) {
	cases := map[string]func(c *chain, x, y []string) (op string, inputs []string, attributes []ir.Attribute){
		"QLinearAdd": func(c *chain, x, y []string) (string, []string, []ir.Attribute) {
			return "QLinearAdd", list(in("q"), x, in("q"), x, y), nil
		},
		"QLinearMul": func(c *chain, x, y []string) (string, []string, []ir.Attribute) {
			return "QLinearMul", list(in("q"), x, in("q"), x, y), nil
		},
		"QLinearConcat": func(c *chain, x, y []string) (string, []string, []ir.Attribute) {
			return "QLinearConcat", list(y, in("q"), x, in("q"), x), []ir.Attribute{intAttr("axis", 1)}
		},
		"QLinearSigmoid": func(c *chain, x, y []string) (string, []string, []ir.Attribute) {
			return "QLinearSigmoid", list(in("q"), x, y), nil
		},
		"QLinearLeakyRelu": func(c *chain, x, y []string) (string, []string, []ir.Attribute) {
			return "QLinearLeakyRelu", list(in("q"), x, y), []ir.Attribute{{Name: "alpha", Type: ir.AttributeFloat, Float: .2}}
		},
		"QLinearSoftmax": func(c *chain, x, y []string) (string, []string, []ir.Attribute) {
			return "QLinearSoftmax", list(in("q"), x, y), []ir.Attribute{intAttr("opset", 13), intAttr("axis", -1)}
		},
		"QLinearGlobalAveragePool": func(c *chain, x, y []string) (string, []string, []ir.Attribute) {
			return "QLinearGlobalAveragePool", list(in("q"), x, y), nil
		},
	}
	root := t.TempDir()
	var all []exported
	var scales []float64
	for name, f := range cases {
		for seed := range uint64(6) {
			c := &chain{r: rand.New(rand.NewPCG(seed, 11)), elem: []ir.DataType{ir.Uint8, ir.Int8}[seed%2]}
			x, y := c.scale(.01, .05), c.scale(.003, .02)
			c.add("QuantizeLinear", list(in("x"), x), "q")
			op, ins, attributes := f(c, x, y)
			c.add(op, ins, "o", attributes...)
			c.nodes[1].Domain = "com.microsoft"
			c.add("DequantizeLinear", list(in("o"), y), "output")
			m := irtest.Model(&ir.Graph{Nodes: c.nodes, Inputs: inputs(info("x", ir.Float, "n", 3, 4, 5)), Outputs: inputs(info("output", ir.Float, "a", "b", "c", "d")), Initializers: c.init}, "com.microsoft")
			v := drawn(2*3*20, func() float32 { return float32(c.r.NormFloat64()) })
			all = append(all, drawnInRuntime(t, filepath.Join(root, fmt.Sprint(len(all))), fmt.Sprint(name, ", seed ", seed), m, floats([]int{2, 3, 4, 5}, v...)))
			scales = append(scales, float64(c.init[2].Floats[0]))
		}
	}
	for seed := range uint64(12) {
		c := &chain{r: rand.New(rand.NewPCG(seed, 12)), elem: ir.Uint8}
		x, y := c.scale(.01, .05), c.scale(.05, .1)
		dims, attributes := []int64{7, 5}, []ir.Attribute(nil)
		if seed%2 == 0 {
			dims, attributes = []int64{5, 7}, []ir.Attribute{intAttr("transB", 1)}
		}
		w := c.weights(dims...)
		c.init = append(c.init, irtest.Codes("b", ir.Int32, []int64{5}, drawn(5, func() int32 { return int32(c.r.IntN(900) - 450) })...), irtest.Floats("f", []int64{5}, .1, -.2, .3, -.4, .5))
		switch seed % 3 {
		case 0:
			c.add("QuantizeLinear", list(in("x"), x), "q")
			c.add("QGemm", list(in("q"), x, w, in("b"), y), "o", attributes...)
			c.add("DequantizeLinear", list(in("o"), y), "output")
		case 1:
			if seed%2 == 0 {
				c.init[4].Dims = []int64{7, 5}
			}
			c.add("QuantizeLinear", list(in("x"), x), "q")
			c.add("MatMulIntegerToFloat", in("q", w[0], x[0], w[1], x[1], w[2], "f"), "output")
		default:
			if seed%2 == 0 {
				c.init[4].Dims = []int64{7, 5}
			}
			c.add("DynamicQuantizeMatMul", in("x", w[0], w[1], w[2], "f"), "output")
		}
		for _, n := range c.nodes {
			if n.Op != "QuantizeLinear" && n.Op != "DequantizeLinear" {
				n.Domain = "com.microsoft"
			}
		}
		m := irtest.Model(&ir.Graph{Nodes: c.nodes, Inputs: inputs(info("x", ir.Float, "n", 7)), Outputs: inputs(info("output", ir.Float, "a", "b")), Initializers: c.init}, "com.microsoft")
		v := drawn(3*7, func() float32 { return float32(c.r.NormFloat64()) })
		all = append(all, drawnInRuntime(t, filepath.Join(root, fmt.Sprint(len(all))), fmt.Sprint(c.nodes[min(1, len(c.nodes)-1)].Op, ", seed ", seed), m, floats([]int{3, 7}, v...)))
		if scales = append(scales, 1e-5); seed%3 == 0 {
			scales[len(scales)-1] = 1e-6 // the same codes
		}
	}
	runtime(t, all)
	for i, e := range all {
		got, err := e.result()
		if err != nil {
			t.Errorf("%s: %v", e.name, err)
			continue
		}
		require.Len(t, got, len(e.want), e.name)
		apart := 0
		for k := range got {
			d := math.Abs(got[k] - e.want[k])
			require.LessOrEqual(t, d, 1.001*scales[i], e.name)
			if d > scales[i]/2 {
				apart++
			}
		}
		require.LessOrEqual(t, apart, len(got)/5, "%s: integers that are next to those of ONNX Runtime", e.name)
	}
}

// Sums that float32 cannot hold are exact too.
func TestLargeSumsOfIntegersAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 13))
	l := &integerLayer{op: "MatMulInteger", x: ir.Uint8, w: ir.Uint8, xDims: []int{3, 3000}, wDims: []int{3000, 4}, wZeros: []int{0}, groups: 1, stride: 1, dilation: 1}
	l.values, l.weights = drawCodes(r, l.x, 9000), drawCodes(r, l.w, 12000)
	_, want := l.want()
	require.Greater(t, want[0], 1<<25)
	m, x := l.model()
	outs, err := session(t, m).Run(t.Context(), map[string]*onnx.Tensor{"x": x})
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(want), fmt.Sprint(outs["output"].Data))
}

// A Dropout of training draws as NumPy does from a seed: more numbers than the generator makes at once.
func TestADropoutOfTrainingHasTheNumbersOfItsSeed(t *testing.T) {
	m := model([]*ir.Node{irtest.Node("Dropout", in("x", "r", "t"), in("y", "mask"), intAttr("seed", 7))}, inputs(info("x", ir.Float, 2000)), out("y", "mask"),
		floatInit("r", nil, .4), &ir.Tensor{Name: "t", Type: ir.Bool, Int32s: []int32{1}})
	outs, err := session(t, m).Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{2000}, drawn(2000, func() float32 { return 3 })...)})
	require.NoError(t, err)
	y, mask := outs["y"].Data.([]float32), outs["mask"].Data.([]bool)
	kept, last := 0, ""
	for i, k := range mask {
		if k {
			kept++
			require.InDelta(t, 5, y[i], 1e-5)
		} else {
			require.Zero(t, y[i])
		}
		if i >= 1960 {
			last += map[bool]string{true: "1", false: "0"}[k]
		}
	}
	require.Equal(t, 1173, kept)
	require.Equal(t, "1010110011100000101101101011100001110101", last)

	m.Graph.Nodes[0].Attributes = nil
	_, err = session(t, m).Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{2000}, make([]float32, 2000)...)})
	require.ErrorContains(t, err, "there is no seed")
}
