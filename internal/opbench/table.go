package opbench

import (
	"encoding/json"
	"fmt"
)

// attrs are attributes by the names of their Go structs.
type attrs map[string]any

// table collects the cases.
type table struct{ cases []Case }

// Cases returns the table: each case forward, and where there are gradients also with them.
func Cases() []Case {
	t := &table{}
	t.convolutions()
	t.fewChannels()
	t.otherDimensions()
	t.normalisations()
	t.sequences()
	t.reductions()
	t.pooling()
	t.moves()
	t.elementwise()
	t.doubles()
	return t.cases
}

// add adds a case of row, forward and, where an input has one, with gradients. The gradients of sums
// are copies, which PyTorch need not make: their operands are images.
func (t *table) add(row, op string, a attrs, in ...Input) { t.addOf("float32", row, op, a, in...) }

func (t *table) addOf(dtype, row, op string, a attrs, in ...Input) {
	if a == nil {
		a = attrs{}
	}
	text, err := json.Marshal(a)
	if err != nil {
		panic(fmt.Sprintf("opbench: attributes of %s: %v", row, err)) // numbers and lists of them
	}
	t.cases = append(t.cases, Case{row, op, text, dtype, in, false})
	for _, x := range in {
		if x.differentiable() {
			t.cases = append(t.cases, Case{row, op, text, dtype, in, true})
			return
		}
	}
}

func data(shape ...int) Input     { return Input{ofData, shape} }
func images(shape ...int) Input   { return Input{ofImages, shape} }
func param(shape ...int) Input    { return Input{ofParams, shape} }
func state(shape ...int) Input    { return Input{ofStates, shape} }
func positive(shape ...int) Input { return Input{ofPositive, shape} }
func wide(shape ...int) Input     { return Input{ofWide, shape} }
func ids(shape ...int) Input      { return Input{ofIDs, shape} }
func mask(shape ...int) Input     { return Input{ofMask, shape} }

// point is a batch of images.
type point struct{ n, c, h int }

func (p point) images() Input { return data(p.n, p.c, p.h, p.h) }

// pads is padding of p around each of d axes.
func pads(d, p int) [][2]int {
	all := make([][2]int, d)
	for i := range all {
		all[i] = [2]int{p, p}
	}
	return all
}

func (t *table) convolutions() {
	for _, k := range []int{3, 5, 7} {
		for _, p := range []point{{1, 32, 56}, {1, 512, 14}, {16, 128, 28}, {16, 512, 7}} {
			t.add(fmt.Sprintf("depthwise %dx%d", k, k), "Conv2D", attrs{"Pad": pads(2, k/2), "Groups": p.c}, p.images(), param(p.c, 1, k, k))
		}
	}
	for _, p := range []point{{1, 64, 56}, {1, 64, 14}, {16, 64, 28}} {
		t.add("1x1 64 to 128", "Conv2D", nil, p.images(), param(128, 64, 1, 1))
	}
	for _, p := range []point{{1, 64, 56}, {1, 256, 28}, {16, 128, 28}} {
		t.add("1x1 stride 2", "Conv2D", attrs{"Stride": []int{2, 2}}, p.images(), param(2*p.c, p.c, 1, 1))
		t.add("3x3 stride 2", "Conv2D", attrs{"Stride": []int{2, 2}, "Pad": pads(2, 1)}, p.images(), param(p.c, p.c, 3, 3))
	}
	for _, p := range []point{{1, 64, 28}, {1, 256, 14}, {16, 64, 28}} {
		t.add("3x3 dilated", "Conv2D", attrs{"Dilation": []int{2, 2}, "Pad": pads(2, 2)}, p.images(), param(p.c, p.c, 3, 3))
		t.add("3x3 in 8 groups", "Conv2D", attrs{"Groups": 8, "Pad": pads(2, 1)}, p.images(), param(p.c, p.c/8, 3, 3))
		t.add("1x7", "Conv2D", attrs{"Pad": [][2]int{{0, 0}, {3, 3}}}, p.images(), param(p.c, p.c, 1, 7))
	}
	for _, p := range []point{{1, 32, 56}, {1, 32, 14}, {16, 32, 28}} {
		t.add("5x5 32 to 32", "Conv2D", attrs{"Pad": pads(2, 2)}, p.images(), param(32, 32, 5, 5))
	}
}

// fewChannels are first convolutions of networks.
func (t *table) fewChannels() {
	for _, n := range []int{1, 16} {
		t.add("7x7 stride 2 from 3", "Conv2D", attrs{"Stride": []int{2, 2}, "Pad": pads(2, 3)}, images(n, 3, 112, 112), param(64, 3, 7, 7))
		t.add("11x11 stride 4 from 3", "Conv2D", attrs{"Stride": []int{4, 4}, "Pad": pads(2, 2)}, images(n, 3, 224, 224), param(64, 3, 11, 11))
	}
}

func (t *table) otherDimensions() {
	for _, n := range []int{1, 16} {
		t.add("conv1d 256 to 256", "Conv1D", attrs{"Pad": [2]int{1, 1}}, data(n, 256, 56), param(256, 256, 3))
		t.add("transposed 2-D", "ConvTranspose2D", attrs{"Op": attrs{"Stride": []int{2, 2}, "Pad": pads(2, 1)}}, data(n, 64, 14, 14), param(64, 32, 4, 4))
	}
	t.add("conv3d stride 2", "Conv3D", attrs{"Stride": []int{2, 2, 2}, "Pad": pads(3, 1)}, data(1, 32, 14, 28, 28), param(64, 32, 3, 3, 3))
	t.add("conv3d stride 2", "Conv3D", attrs{"Stride": []int{2, 2, 2}, "Pad": pads(3, 1)}, data(16, 32, 7, 14, 14), param(64, 32, 3, 3, 3))
	t.add("conv3d depthwise", "Conv3D", attrs{"Groups": 64, "Pad": pads(3, 1)}, data(1, 64, 7, 28, 28), param(64, 1, 3, 3, 3))
	t.add("conv3d depthwise", "Conv3D", attrs{"Groups": 64, "Pad": pads(3, 1)}, data(16, 64, 7, 14, 14), param(64, 1, 3, 3, 3))
	t.add("transposed 3-D", "ConvTranspose3D", attrs{"Op": attrs{"Stride": []int{2, 2, 2}}}, data(1, 32, 7, 14, 14), param(32, 16, 2, 2, 2))
	t.add("transposed 3-D", "ConvTranspose3D", attrs{"Op": attrs{"Stride": []int{2, 2, 2}}}, data(16, 32, 4, 7, 7), param(32, 16, 2, 2, 2))
}

func (t *table) normalisations() {
	for _, p := range []point{{1, 64, 56}, {16, 64, 28}, {16, 512, 7}} {
		of := []Input{p.images(), param(p.c), param(p.c)}
		t.add("batch norm in training", "BatchNorm", attrs{"Part": "training"}, append(of, state(p.c), state(p.c))...)
		t.addOf("float64", "batch norm in training, float64", "BatchNorm", attrs{"Part": "training"}, append(of, state(p.c), state(p.c))...)
		t.add("group norm", "GroupNorm", attrs{"Groups": 32}, of...)
	}
	for _, s := range [][2]int{{64, 256}, {784, 512}, {2048, 96}} {
		t.add("layer norm", "LayerNorm", nil, data(1, s[0], s[1]), param(s[1]), param(s[1]))
	}
}

func (t *table) sequences() {
	for _, s := range []struct{ n, t, h int }{{1, 32, 128}, {16, 32, 128}, {16, 16, 512}} {
		for _, cell := range []struct {
			op     string
			gates  int
			states int
		}{{"LSTM", 4, 2}, {"GRU", 3, 1}} {
			in := []Input{data(s.n, s.t, s.h)}
			for range cell.states {
				in = append(in, data(s.n, s.h))
			}
			all := cell.gates * s.h
			in = append(in, param(all, s.h), param(all, s.h), param(all), param(all))
			t.add(cell.op, cell.op, attrs{"Part": "all"}, in...)
		}
	}
	for _, s := range []struct{ n, heads, t, d int }{{1, 8, 128, 64}, {16, 4, 64, 32}, {1, 8, 512, 64}} {
		x := data(s.n, s.heads, s.t, s.d)
		t.add("attention", "Attention", nil, x, x, x)
		t.add("attention, causal", "Attention", attrs{"Causal": true}, x, x, x)
		t.add("attention, mask", "Attention", nil, x, x, x, mask(s.n, 1, s.t, s.t))
	}
}

func (t *table) reductions() {
	for _, p := range []point{{1, 64, 56}, {1, 512, 7}, {16, 64, 28}, {16, 512, 7}} {
		t.add("sum of images", "Sum", attrs{"Axes": []int{2, 3}}, p.images())
		t.add("sum of rows", "Sum", attrs{"Axes": []int{3}}, p.images())
		t.add("sum of columns", "Sum", attrs{"Axes": []int{2}}, p.images())
		t.add("sum of channels", "Sum", attrs{"Axes": []int{1}}, p.images())
		t.add("sum but channels", "Sum", attrs{"Axes": []int{0, 2, 3}}, p.images())
		t.add("maximum of channels", "Max", attrs{"Axes": []int{1}}, p.images())
		t.add("global average", "GlobalAvgPool2D", nil, p.images())
	}
}

func (t *table) pooling() {
	for _, p := range []point{{1, 64, 56}, {1, 256, 14}, {16, 64, 28}} {
		two, five := []int{2, 2}, []int{5, 5}
		t.add("average pooling 2x2", "AvgPool2D", attrs{"Kernel": two, "Stride": two}, p.images())
		t.add("average pooling 3x3 stride 1", "AvgPool2D", attrs{"Kernel": []int{3, 3}, "Stride": []int{1, 1}, "Pad": pads(2, 1)}, p.images())
		t.add("adaptive average 6x6", "AdaptiveAvgPool2D", attrs{"Size": []int{6, 6}}, p.images())
		t.add("adaptive maximum 6x6", "AdaptiveMaxPool2D", attrs{"Size": []int{6, 6}}, p.images())
		t.add("max pooling 2x2", "MaxPool2D", attrs{"Kernel": two, "Stride": two}, p.images())
		t.add("max pooling 5x5 stride 1", "MaxPool2D", attrs{"Kernel": five, "Stride": []int{1, 1}, "Pad": pads(2, 2)}, p.images())
		t.add("resize bilinear x2", "ResizeBilinear", attrs{"Size": []int{2 * p.h, 2 * p.h}}, p.images())
		t.add("resize nearest x2", "ResizeNearest", attrs{"Size": []int{2 * p.h, 2 * p.h}}, p.images())
	}
}

func (t *table) moves() {
	for _, s := range [][2]int{{64, 64}, {512, 256}} {
		t.add("gather along the last axis", "GatherAlong", attrs{"Axis": 1}, data(s[0], s[1]), ids(s[0], s[1]))
		t.add("gather along the first axis", "GatherAlong", attrs{"Axis": 0}, data(s[0], s[1]), ids(s[0], s[1]))
		t.add("gather of rows", "Gather", attrs{"Axis": 0}, data(s[0], s[1]), ids(s[0]))
	}
	for _, p := range []point{{1, 64, 56}, {1, 256, 14}, {16, 64, 28}} {
		t.add("concat of channels", "Concat", attrs{"Axis": 1}, p.images(), p.images())
		t.add("transpose to channels last", "Transpose", attrs{"Perm": []int{0, 2, 3, 1}}, p.images())
	}
	t.add("concat of the last axis", "Concat", attrs{"Axis": 2}, data(16, 196, 64), data(16, 196, 64))
}

// elementwise are functions of each element, and operands that spread.
func (t *table) elementwise() {
	for _, p := range []point{{1, 64, 28}, {16, 64, 28}} {
		x := images(p.n, p.c, p.h, p.h)
		t.add("bias of channels", "AddBias", nil, x, param(p.c))
		t.add("bias of the last axis", "Add", nil, images(p.n*p.h*p.h, p.c), param(p.c))
		t.add("product with a column", "Mul", nil, data(p.n*p.h*p.h, p.c), data(p.n*p.h*p.h, 1))
		t.add("addition", "Add", nil, x, x)
		for _, f := range []string{"ReLU", "GELU", "GELUTanh", "SiLU", "HardSwish", "Tanh", "Sigmoid", "Exp", "Erf"} {
			t.add(f, f, nil, p.images())
		}
		angle := wide(p.n, p.c, p.h, p.h)
		t.add("Sin", "Sin", nil, angle)
		t.add("Cos", "Cos", nil, angle)
		base := positive(p.n, p.c, p.h, p.h)
		t.add("Log", "Log", nil, base)
		t.add("Sqrt", "Sqrt", nil, base)
		t.add("Pow", "Pow", nil, base, base)
	}
	for _, s := range [][2]int{{64, 1000}, {784, 64}} {
		t.add("softmax", "Softmax", attrs{"Axis": 1}, data(s[0], s[1]))
		t.add("log-softmax", "LogSoftmax", attrs{"Axis": 1}, data(s[0], s[1]))
	}
}

func (t *table) doubles() {
	const d = "float64"
	for _, p := range []point{{1, 64, 28}, {16, 64, 28}} {
		for _, f := range []string{"Tanh", "GELU", "Exp", "Erf", "Sigmoid"} {
			t.addOf(d, f+", float64", f, nil, p.images())
		}
		t.addOf(d, "Log, float64", "Log", nil, positive(p.n, p.c, p.h, p.h))
		x := images(p.n, p.c, p.h, p.h)
		t.addOf(d, "addition, float64", "Add", nil, x, x)
		t.addOf(d, "bias of channels, float64", "AddBias", nil, x, param(p.c))
	}
	for _, s := range [][2]int{{64, 1000}, {784, 64}} {
		t.addOf(d, "softmax, float64", "Softmax", attrs{"Axis": 1}, data(s[0], s[1]))
	}
	for _, n := range []int{64, 256, 512} {
		t.addOf(d, "matmul, float64", "MatMul", nil, data(n, n), data(n, n))
	}
}
