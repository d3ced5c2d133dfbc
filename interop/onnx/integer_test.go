package onnx_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/interop/onnx/ir/irtest"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// integerLayer is a drawn use of an operator of 8-bit integers.
type integerLayer struct {
	op                             string
	x, w, y                        ir.DataType
	xDims, wDims                   []int
	groups, stride, dilation, pads int
	values, weights                []int
	xZero, yZero                   int
	wZeros                         []int
	xScale, yScale                 float32
	wScales                        []float32
	bias                           []int
}

func (l *integerLayer) product() bool { return l.op == "QLinearMatMul" || l.op == "MatMulInteger" }
func (l *integerLayer) linear() bool  { return l.op == "QLinearMatMul" || l.op == "QLinearConv" }

func lowest(d ir.DataType) int {
	if d == ir.Int8 {
		return -128
	}
	return 0
}

func drawCodes(r *rand.Rand, d ir.DataType, n int) []int {
	v := make([]int, n)
	for i := range v {
		v[i] = lowest(d) + r.IntN(256)
	}
	return v
}

// drawScale returns any scale, or a power of two, with which sums lie between two integers.
func drawScale(r *rand.Rand, tie bool) float32 {
	if tie {
		return float32(math.Ldexp(1, -r.IntN(6)))
	}
	return float32(.001 + r.Float64())
}

func total(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

func drawIntegerLayer(r *rand.Rand, op string) *integerLayer {
	types := []ir.DataType{ir.Uint8, ir.Int8}
	l := &integerLayer{op: op, x: types[r.IntN(2)], w: types[r.IntN(2)], groups: 1, stride: 1 + r.IntN(2), dilation: 1 + r.IntN(2)}
	if l.x == ir.Int8 { // the only pair of this in ONNX Runtime
		l.w = ir.Int8
	}
	l.y = l.x
	channels := 2 + r.IntN(7)
	if l.product() {
		l.xDims, l.wDims = []int{1 + r.IntN(5), 1 + r.IntN(40)}, []int{0, channels}
		if r.IntN(2) == 0 {
			l.xDims = append([]int{1 + r.IntN(3)}, l.xDims...)
		}
		l.wDims[0] = l.xDims[len(l.xDims)-1]
	} else {
		inputs := 1 + r.IntN(5)
		if l.pads = r.IntN(3); r.IntN(3) == 0 {
			l.groups = 1 + r.IntN(3)
			channels *= l.groups
		}
		k := 1 + r.IntN(3)
		l.xDims, l.wDims = []int{1 + r.IntN(2), inputs * l.groups, 6 + r.IntN(5), 6 + r.IntN(5)}, []int{channels, inputs, k, k}
	}
	l.values, l.weights = drawCodes(r, l.x, total(l.xDims)), drawCodes(r, l.w, total(l.wDims))
	l.xZero, l.yZero = drawCodes(r, l.x, 1)[0], drawCodes(r, l.y, 1)[0]
	l.wZeros = []int{0}
	if l.w == ir.Uint8 {
		l.wZeros[0] = drawCodes(r, l.w, 1)[0]
	}
	if r.IntN(2) == 0 { // as tools write them
		if l.wZeros[0] = 0; l.w == ir.Uint8 {
			l.wZeros[0] = 128
		}
		for i, v := range l.weights {
			l.weights[i] = max(v, lowest(l.w)+1)
		}
	}
	tie := r.IntN(3) == 0
	l.xScale, l.yScale, l.wScales = drawScale(r, tie), 40*drawScale(r, tie), []float32{drawScale(r, tie)}
	if tie {
		l.yScale = float32(math.Ldexp(1, r.IntN(5)))
	}
	if l.op == "QLinearConv" {
		if r.IntN(2) == 0 {
			l.wScales, l.wZeros = nil, nil
			zero := lowest(l.w) + 128
			for range channels {
				l.wScales, l.wZeros = append(l.wScales, drawScale(r, tie)), append(l.wZeros, zero)
			}
		}
		if r.IntN(2) == 0 {
			for range channels {
				l.bias = append(l.bias, r.IntN(4000)-2000)
			}
		}
	}
	return l
}

// want computes the results, by the definition.
func (l *integerLayer) want() (dims, values []int) {
	at := func(v []int, i int) int { return v[min(i, len(v)-1)] }
	var sums, channel []int
	if l.product() {
		k, n := l.wDims[0], l.wDims[1]
		dims = append(append(dims, l.xDims[:len(l.xDims)-1]...), n)
		for row := range len(l.values) / k {
			for c := range n {
				sum := 0
				for i := range k {
					sum += (l.values[row*k+i] - l.xZero) * (l.weights[i*n+c] - at(l.wZeros, c))
				}
				sums, channel = append(sums, sum), append(channel, c)
			}
		}
	} else {
		h, w, k, inputs, filters := l.xDims[2], l.xDims[3], l.wDims[2], l.wDims[1], l.wDims[0]
		reach := (k-1)*l.dilation + 1
		oh, ow := (h+2*l.pads-reach)/l.stride+1, (w+2*l.pads-reach)/l.stride+1
		dims = []int{l.xDims[0], filters, oh, ow}
		for n := range l.xDims[0] {
			for f := range filters {
				for o := range oh * ow {
					sum := 0
					for i := range inputs * k * k {
						y, x := o/ow*l.stride-l.pads+i/k%k*l.dilation, o%ow*l.stride-l.pads+i%k*l.dilation
						if y < 0 || y >= h || x < 0 || x >= w {
							continue
						}
						c := f/(filters/l.groups)*inputs + i/(k*k)
						sum += (l.values[((n*l.xDims[1]+c)*h+y)*w+x] - l.xZero) * (l.weights[f*inputs*k*k+i] - at(l.wZeros, f))
					}
					sums, channel = append(sums, sum), append(channel, f)
				}
			}
		}
	}
	if !l.linear() {
		return dims, sums
	}
	for i, s := range sums {
		c := channel[i]
		if l.bias != nil {
			s += l.bias[c]
		}
		scale := l.wScales[min(c, len(l.wScales)-1)]
		scale = float32(l.xScale*scale) / l.yScale
		v := math.RoundToEven(float64(float32(s)*scale)) + float64(l.yZero)
		values = append(values, int(min(max(v, float64(lowest(l.y))), float64(lowest(l.y)+255))))
	}
	return dims, values
}

func codesOf[T int8 | uint8 | int32](v []int) []T {
	to := make([]T, len(v))
	for i, x := range v {
		to[i] = T(x)
	}
	return to
}

// model is a file with the layer, and its input.
func (l *integerLayer) model() (*ir.Model, *onnx.Tensor) {
	wide := func(v []int) (d []int64) {
		for _, x := range v {
			d = append(d, int64(x))
		}
		return d
	}
	code := func(name string, d ir.DataType, v ...int) *ir.Tensor {
		return irtest.Codes(name, d, nil, codesOf[int32](v)...)
	}
	each := []int64(nil)
	if len(l.wZeros) > 1 {
		each = wide(l.wDims[:1])
	}
	wz, ws := irtest.Codes("wz", l.w, each, codesOf[int32](l.wZeros)...), irtest.Floats("ws", each, l.wScales...)
	init := []*ir.Tensor{irtest.Codes("w", l.w, wide(l.wDims), codesOf[int32](l.weights)...), code("xz", l.x, l.xZero), wz}
	names, elem := in("x", "w", "xz", "wz"), ir.Int32
	if l.linear() {
		init = append(init, irtest.Floats("xs", nil, l.xScale), ws, irtest.Floats("ys", nil, l.yScale), code("yz", l.y, l.yZero))
		names, elem = in("x", "xs", "xz", "w", "ws", "wz", "ys", "yz"), l.y
	}
	if l.bias != nil {
		init, names = append(init, irtest.Codes("b", ir.Int32, wide(l.wDims[:1]), codesOf[int32](l.bias)...)), append(names, "b")
	}
	var attributes []ir.Attribute
	if !l.product() {
		p := int64(l.pads)
		attributes = []ir.Attribute{irtest.Ints("pads", p, p, p, p), irtest.Ints("strides", int64(l.stride), int64(l.stride)),
			irtest.Ints("dilations", int64(l.dilation), int64(l.dilation)), intAttr("group", int64(l.groups))}
	}
	open := []any{"n"}
	for _, d := range l.xDims[1:] {
		open = append(open, d)
	}
	var resultDims []any
	for range max(len(l.xDims), 2) {
		resultDims = append(resultDims, "")
	}
	m := model([]*ir.Node{node(l.op, names, "output", attributes...)}, inputs(info("x", l.x, open...)), inputs(info("output", elem, resultDims...)), init...)
	x := &onnx.Tensor{Type: l.x, Dims: l.xDims, Data: codesOf[uint8](l.values)}
	if l.x == ir.Int8 {
		x.Data = codesOf[int8](l.values)
	}
	return m, x
}

// exactlyInt8 reports whether the weights are 8-bit integers without their zero points.
func (l *integerLayer) exactlyInt8() bool {
	for i, v := range l.weights {
		if len(l.wZeros) == 1 {
			v -= l.wZeros[0]
		} else {
			v -= l.wZeros[i/(len(l.weights)/len(l.wZeros))]
		}
		if v < -127 || v > 127 {
			return false
		}
	}
	return true
}

var integerOps = []string{"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}

// Layers of integers give the integers of their definition: on the kernels of 8-bit integers, on others in float32, and where
// sums are rounded at places that lie between two integers.
func TestIntegerLayersGiveTheIntegersOfTheirDefinition(t *testing.T) {
	onKernels := 0
	for seed := range uint64(160) {
		r := rand.New(rand.NewPCG(seed, 3))
		l := drawIntegerLayer(r, integerOps[seed%4])
		dims, want := l.want()
		m, x := l.model()
		s := session(t, m)
		outs, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": x})
		require.NoError(t, err)
		got := outs["output"]
		require.Equal(t, dims, got.Dims)
		require.Equal(t, fmt.Sprint(want), fmt.Sprint(got.Data), "%s, seed %d", l.op, seed)
		require.Equal(t, l.exactlyInt8(), onnx.ComputesIntegers(t, s), "%s, seed %d", l.op, seed)
		if l.exactlyInt8() {
			onKernels++
		}
		require.Equal(t, want, inFloatingPoint(t, m, x), "%s, seed %d, in floating point", l.op, seed)
	}
	require.Greater(t, onKernels, 40)
}

// inFloatingPoint runs a model that is applied to a graph, in which no kernels of 8-bit integers are.
func inFloatingPoint(t *testing.T, m *ir.Model, x *onnx.Tensor) []int {
	t.Helper()
	g := graph.New()
	typ := shape.Type{DType: shape.Uint8, Shape: shape.OfInts(x.Dims...)}
	if x.Type == ir.Int8 {
		typ.DType = shape.Int32
	}
	outs, err := read(t, m).Apply(nn.Root(g), g.Input("x", typ))
	require.NoError(t, err)
	p, err := vm.Compile(ref.Engine{}, outs)
	require.NoError(t, err)
	machine, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	b := engine.BufferAt(engine.Aligned(typ.Bytes()), typ.DType, typ.Len())
	engine.Load(b, x.Numbers())
	got, err := machine.Run(t.Context(), engine.DenseOf(typ.Shape, b))
	require.NoError(t, err)
	var v []int
	for _, n := range engine.Floats(engine.BufferOfDense(got[0])) {
		v = append(v, int(n))
	}
	return v
}

// drawnInRuntime writes models with their inputs, and what we compute.
func drawnInRuntime(t *testing.T, folder, name string, m *ir.Model, feeds ...*onnx.Tensor) exported {
	t.Helper()
	require.NoError(t, os.MkdirAll(folder, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "model.onnx"), m.Marshal(), 0o644))
	s, err := read(t, m).NewSession(cpu.New(), nil)
	require.NoError(t, err)
	ins := map[string]*onnx.Tensor{}
	for i, x := range feeds {
		info := m.Graph.Inputs[i]
		pb := &ir.Tensor{Type: x.Type}
		for _, d := range x.Dims {
			pb.Dims = append(pb.Dims, int64(d))
		}
		switch v := x.Data.(type) {
		case []float32:
			pb.Floats = v
		case []uint8:
			for _, c := range v {
				pb.Int32s = append(pb.Int32s, int32(c))
			}
		case []int8:
			for _, c := range v {
				pb.Int32s = append(pb.Int32s, int32(c))
			}
		case []int64:
			pb.Int64s = v
		default:
			t.Fatalf("%T", x.Data)
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("input_%d.pb", i)), pb.Marshal(), 0o644))
		ins[info.Name] = x
	}
	outs, err := s.Run(t.Context(), ins)
	require.NoError(t, err, name)
	return exported{name: name, folder: folder, want: outs[m.Graph.Outputs[0].Name].Numbers()}
}

func TestIntegerLayersGiveTheIntegersOfONNXRuntime(t *testing.T) {
	root := t.TempDir()
	var all []exported
	for seed := range uint64(120) {
		l := drawIntegerLayer(rand.New(rand.NewPCG(seed, 4)), integerOps[seed%4])
		m, x := l.model()
		all = append(all, drawnInRuntime(t, filepath.Join(root, fmt.Sprint(seed)), fmt.Sprint(l.op, ", seed ", seed), m, x))
	}
	runtime(t, all)
	for _, e := range all {
		got, err := e.result()
		require.NoError(t, err, e.name)
		require.Equal(t, got, e.want, e.name)
	}
}

// What the zero point of a DynamicQuantizeLinear adds is taken off the sums.
func TestDynamicallyQuantisedProductsComputeIntegers(t *testing.T) {
	root := t.TempDir()
	var all []exported
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 5))
		conv := seed%2 == 0
		l := drawIntegerLayer(r, map[bool]string{true: "ConvInteger", false: "MatMulInteger"}[conv])
		l.x = ir.Uint8
		m, _ := l.model()
		m.Graph.Nodes = append([]*ir.Node{irtest.Node("DynamicQuantizeLinear", in("f"), in("q", "s", "z"))}, m.Graph.Nodes...)
		m.Graph.Nodes[1].Inputs[0], m.Graph.Nodes[1].Inputs[2] = "q", "z"
		m.Graph.Inputs[0].Name, m.Graph.Inputs[0].Type.Elem = "f", ir.Float
		v := make([]float32, total(l.xDims))
		for i := range v {
			v[i] = float32(r.NormFloat64() + 1)
		}
		e := drawnInRuntime(t, filepath.Join(root, fmt.Sprint(seed)), fmt.Sprint(l.op, ", seed ", seed), m, floats(l.xDims, v...))
		s := session(t, m)
		_, err := s.Run(t.Context(), map[string]*onnx.Tensor{"f": floats(l.xDims, v...)})
		require.NoError(t, err)
		require.Equal(t, l.exactlyInt8(), onnx.ComputesIntegers(t, s), e.name)
		all = append(all, e)
	}
	runtime(t, all)
	for _, e := range all {
		got, err := e.result()
		require.NoError(t, err, e.name)
		require.Equal(t, got, e.want, e.name)
	}
}
