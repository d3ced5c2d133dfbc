package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/window"
	"github.com/plexaura/plexaura/shape"
)

// benchmark runs a bound kernel on random numbers.
func benchmark(b *testing.B, bound engine.Bound, flops int, in []shape.Type, out shape.Type) {
	r := rand.New(rand.NewPCG(1, 2))
	buffer := func(t shape.Type) engine.Buffer {
		buf := engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, t.Len())
		v := make([]float64, t.Len())
		for i := range v {
			v[i] = r.Float64()*2 - 1
		}
		engine.Load(buf, v)
		return buf
	}
	c := &engine.Call{Out: []engine.Buffer{buffer(out)}, Scratch: engine.BufferOf(engine.Aligned(bound.Scratch))}
	for _, t := range in {
		c.In = append(c.In, buffer(t))
	}
	for b.Loop() {
		if err := bound.Kernel(c); err != nil {
			b.Fatal(err)
		}
	}
	if flops > 0 {
		b.ReportMetric(float64(flops)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	}
}

var convLayers = []struct {
	name                     string
	batch, channels, filters int
	image, kernel, pad       int
}{
	{"lenet.conv1", 64, 1, 6, 28, 5, 2},
	{"lenet.conv2", 64, 6, 16, 14, 5, 0},
	{"conv3x3", 32, 64, 64, 56, 3, 1},
	{"alexnet.conv2", 4, 64, 192, 27, 5, 2},
	{"alexnet.conv3", 4, 192, 384, 13, 3, 1},
	{"resnet.conv5", 4, 512, 512, 7, 3, 1},
}

func BenchmarkConv2D(b *testing.B) {
	e := New()
	for _, l := range convLayers {
		side := l.image + 2*l.pad - l.kernel + 1
		g := convolution{batch: l.batch, groups: 1, filters: l.filters, Window: window.Window{C: l.channels, H: l.image, W: l.image,
			KH: l.kernel, KW: l.kernel, OH: side, OW: side, SH: 1, SW: 1, DH: 1, DW: 1, Top: l.pad, Left: l.pad}}
		x, y := shape.F32(shape.Dim(l.batch), shape.Dim(l.channels), shape.Dim(l.image), shape.Dim(l.image)), shape.OfInts(l.batch, l.filters, side, side)
		w, dy := shape.F32(shape.Dim(l.filters), shape.Dim(l.channels), shape.Dim(l.kernel), shape.Dim(l.kernel)), x.Of(y)
		flops := 2 * g.batch * g.filters * g.depth() * g.yPlane()
		bias := shape.F32(shape.Dim(l.filters))
		ep := engine.Epilogue{Bias: true, ReLU: true}
		run := func(way string, in []shape.Type, out shape.Type, unfolded, direct engine.Bound) {
			b.Run(fmt.Sprintf("%s/%s/im2col", l.name, way), func(b *testing.B) { benchmark(b, unfolded, flops, in, out) })
			b.Run(fmt.Sprintf("%s/%s/direct", l.name, way), func(b *testing.B) { benchmark(b, direct, flops, in, out) })
		}
		run("forward", []shape.Type{x, w, bias}, dy, bindConv2D[float32](e, ep, g), e.directConv2D(g, ep))
		run("input", []shape.Type{dy, w}, x, bindInputGrad[float32](e, g), e.directInputGrad(g))
		run("filter", []shape.Type{x, dy}, w, bindFilterGrad[float32](e, g), e.directFilterGrad(g))
	}
}

func BenchmarkMaxPool2D(b *testing.B) {
	e := New()
	for _, l := range []struct {
		name                    string
		batch, channels, image  int
		kernel, stride, windows int
	}{
		{"lenet.pool1", 64, 6, 28, 2, 2, 14},
		{"lenet.pool2", 64, 16, 10, 2, 2, 5},
		{"alexnet.pool1", 4, 64, 55, 3, 2, 27},
	} {
		p := engine.Pool2D{Kernel: [2]int{l.kernel, l.kernel}, Stride: [2]int{l.stride, l.stride}, Dilation: [2]int{1, 1}}
		x := shape.Type{DType: shape.Float32, Shape: shape.OfInts(l.batch, l.channels, l.image, l.image)}
		y := x.Of(shape.OfInts(l.batch, l.channels, l.windows, l.windows))
		bound, err := e.BindMaxPool2D(p, storedAll(x), stored(y))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(l.name+"/forward", func(b *testing.B) { benchmark(b, bound, 0, []shape.Type{x}, y) })
		bound, err = e.BindMaxPool2DScatter(p, storedAll(x, y), stored(x))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(l.name+"/scatter", func(b *testing.B) { benchmark(b, bound, 0, []shape.Type{x, y}, x) })
	}
}

// BenchmarkUpdate is the step of SGD with momentum on the largest layer of AlexNet.
func BenchmarkUpdate(b *testing.B) {
	t := shape.F32(4096, 9216)
	m := engine.Map{Steps: []engine.Step{
		{Fn: engine.Mul, DType: shape.Float32, Args: [3]engine.Arg{engine.In(0), engine.Imm(.9)}},
		{Fn: engine.Add, DType: shape.Float32, Args: [3]engine.Arg{engine.Res(0), engine.In(1)}},
		{Fn: engine.Mul, DType: shape.Float32, Args: [3]engine.Arg{engine.Imm(.01), engine.Res(1)}},
		{Fn: engine.Sub, DType: shape.Float32, Args: [3]engine.Arg{engine.In(2), engine.Res(2)}},
	}, Outs: []int{3, 1}}
	bound, err := New().BindMap(m, storedAll(t, t, t), storedAll(t, t))
	if err != nil {
		b.Fatal(err)
	}
	buffer := func() engine.Buffer { return engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, t.Len()) }
	v, grad, w := buffer(), buffer(), buffer()
	c := &engine.Call{In: []engine.Buffer{v, grad, w}, Out: []engine.Buffer{w, v}, Scratch: engine.BufferOf(engine.Aligned(bound.Scratch))}
	for b.Loop() {
		_ = bound.Kernel(c)
	}
	b.ReportMetric(5*float64(t.Bytes())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
}

// interleavedLayers are LeNet's convolutions and others of small networks, interleaved and row by
// row.
var interleavedLayers = []struct {
	name                     string
	batch, channels, filters int
	image, kernel, pad       int
}{
	{"lenet.conv1", 64, 1, 6, 28, 5, 2},
	{"lenet.conv2", 64, 6, 16, 14, 5, 0},
	{"lenet.conv2", 16, 6, 16, 14, 5, 0},
	{"3x3", 64, 3, 32, 32, 3, 1},
	{"3x3", 64, 16, 16, 32, 3, 1},
	{"3x3", 64, 32, 64, 16, 3, 1},
	{"1x1", 64, 32, 64, 16, 1, 0},
	{"5x5", 64, 32, 64, 14, 5, 2},
	{"7x7", 16, 3, 64, 64, 7, 3},
	{"alexnet.conv2", 16, 64, 192, 27, 5, 2},
	{"alexnet.conv3", 16, 192, 384, 13, 3, 1},
}

func BenchmarkInterleaved(b *testing.B) {
	e := New()
	for _, l := range interleavedLayers {
		side := l.image + 2*l.pad - l.kernel + 1
		c := engine.Conv2D{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Pad: [2][2]int{{l.pad, l.pad}, {l.pad, l.pad}}, Groups: 1}
		of := func(lanes bool, channels, side int) shape.Type {
			if lanes {
				return shape.Type{DType: shape.Float32, Shape: shape.OfInts(l.batch/16, channels, side, side, 16)}
			}
			return shape.Type{DType: shape.Float32, Shape: shape.OfInts(l.batch, channels, side, side)}
		}
		w := shape.Type{DType: shape.Float32, Shape: shape.OfInts(l.filters, l.channels, l.kernel, l.kernel)}
		flops := 2 * l.batch * l.filters * l.channels * l.kernel * l.kernel * side * side
		for _, lanes := range []bool{false, true} {
			x, y := of(lanes, l.channels, l.image), of(lanes, l.filters, side)
			run := func(way string, bind func(engine.Conv2D, []engine.Operand, engine.Operand) (engine.Bound, error), c engine.Conv2D, in []engine.Operand, out engine.Operand) {
				bound, err := bind(c, in, out)
				if err != nil {
					b.Fatal(err)
				}
				b.Run(fmt.Sprintf("%s/b%d/%d-%d/%s/%s", l.name, l.batch, l.channels, l.filters, way, bound.Alg), func(b *testing.B) { benchmark(b, bound, flops, engine.Types(in), out.Type) })
			}
			fused := c
			fused.Epilogue = engine.Epilogue{Bias: true, ReLU: true}
			run("forward", e.BindConv2D, fused, storedAll(x, w, shape.F32(shape.Dim(l.filters))), stored(y))
			run("input", e.BindConv2DInputGrad, c, storedAll(y, w), stored(x))
			run("filter", e.BindConv2DFilterGrad, c, storedAll(x, y), stored(w))
		}
	}
}

func BenchmarkInterleavedPools(b *testing.B) {
	e := New()
	for _, l := range []struct {
		name                     string
		channels, image, windows int
		kernel, stride           int
	}{
		{"lenet.pool1", 6, 28, 14, 2, 2},
		{"lenet.pool2", 16, 10, 5, 2, 2},
		{"3x3", 16, 27, 13, 3, 2},
	} {
		p := engine.Pool2D{Kernel: [2]int{l.kernel, l.kernel}, Stride: [2]int{l.stride, l.stride}, Dilation: [2]int{1, 1}}
		for _, dims := range [][]int{{64, l.channels}, {4, l.channels, 16}} {
			of := func(side int) shape.Type {
				return shape.Type{DType: shape.Float32, Shape: shape.OfInts(append([]int{dims[0], dims[1], side, side}, dims[2:]...)...)}
			}
			x, y := of(l.image), of(l.windows)
			forward, err := e.BindMaxPool2D(p, storedAll(x), stored(y))
			if err != nil {
				b.Fatal(err)
			}
			rectified := p
			rectified.ReLU = true
			scatter, err := e.BindMaxPool2DScatter(rectified, storedAll(x, y), stored(x))
			if err != nil {
				b.Fatal(err)
			}
			b.Run(l.name+"/forward/"+forward.Alg, func(b *testing.B) { benchmark(b, forward, 0, []shape.Type{x}, y) })
			b.Run(l.name+"/scatter+relu/"+scatter.Alg, func(b *testing.B) { benchmark(b, scatter, 0, []shape.Type{x, y}, x) })
		}
	}
}

// What layers between products are made of; the rate counts each input and output once.
func BenchmarkBandwidth(b *testing.B) {
	e, f32 := New(), shape.F32
	image, channel, plain := f32(32, 64, 28, 28), f32(64, 1, 1), f32(32*64*28*28)
	step := func(f engine.Fn, d shape.DType, args ...engine.Arg) engine.Step {
		s := engine.Step{Fn: f, DType: d}
		copy(s.Args[:], args)
		return s
	}
	maps := func(steps ...engine.Step) engine.Map { return engine.Map{Steps: steps, Outs: []int{len(steps) - 1}} }
	normalise := maps(step(engine.Sub, shape.Float32, engine.In(0), engine.In(1)),
		step(engine.Mul, shape.Float32, engine.Res(0), engine.In(2)), step(engine.Add, shape.Float32, engine.Res(1), engine.In(3)))
	dropout := maps(step(engine.Lt, shape.Bool, engine.In(1), engine.Imm(.5)), step(engine.Mul, shape.Float32, engine.In(0), engine.Imm(2)),
		step(engine.Select, shape.Float32, engine.Res(0), engine.Res(1), engine.Imm(0)))
	lrn := maps(step(engine.Mul, shape.Float32, engine.In(1), engine.Imm(1e-4)), step(engine.Add, shape.Float32, engine.Res(0), engine.Imm(1)),
		step(engine.Pow, shape.Float32, engine.Res(1), engine.Imm(-.75)), step(engine.Mul, shape.Float32, engine.In(0), engine.Res(2)))
	channels := engine.AxesOf(0, 2, 3)
	type types = []shape.Type
	for _, c := range []struct {
		name string
		bind func(in types, out engine.Operand) (engine.Bound, error)
		in   types
		out  shape.Type
	}{
		{"add", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindMap(engine.MapOf(engine.Add, shape.Float32, engine.In(0), engine.In(1)), storedAll(in...), storedAll(types{out.Type}...))
		}, types{plain, plain}, plain},
		{"batchnorm/sums", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindReduce(engine.Sum, channels, storedAll(in...), out)
		}, types{image}, f32(64)},
		{"batchnorm/apply", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindMap(normalise, storedAll(in...), storedAll(types{out.Type}...))
		},
			types{image, channel, channel, channel}, image},
		{"dropout/random", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindRandom(engine.Uniform, 1, storedAll(in...), out)
		}, types{shape.I64(2)}, plain},
		{"dropout/apply", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindMap(dropout, storedAll(in...), storedAll(types{out.Type}...))
		}, types{plain, plain}, plain},
		{"softmax/10", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindSoftmax(true, 1, storedAll(in...), out)
		}, types{f32(256, 10)}, f32(256, 10)},
		{"softmax/1000", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindSoftmax(true, 1, storedAll(in...), out)
		}, types{f32(256, 1000)}, f32(256, 1000)},
		{"softmax/grad", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindSoftmaxGrad(true, 1, storedAll(in...), out)
		}, types{f32(256, 1000), f32(256, 1000)}, f32(256, 1000)},
		{"onehot", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindOneHot(storedAll(in...), out)
		}, types{shape.I32(256)}, f32(256, 1000)},
		{"max/channels", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindReduce(engine.Maximum, engine.AxesOf(1), storedAll(in...), out)
		}, types{image}, f32(32, 28, 28)},
		{"sum/rows", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindReduce(engine.Sum, engine.AxesOf(0), storedAll(in...), out)
		}, types{f32(256, 4096)}, f32(4096)},
		{"lrn/sums", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindWindowSum(engine.WindowSum{Axis: 1, Before: 2, After: 2}, storedAll(in...), out)
		}, types{image}, image},
		{"lrn/apply", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindMap(lrn, storedAll(in...), storedAll(types{out.Type}...))
		}, types{plain, plain}, plain},
		{"concat", func(in types, out engine.Operand) (engine.Bound, error) {
			return e.BindConcat(1, storedAll(in...), out)
		}, types{image, image}, f32(32, 128, 28, 28)},
		{"pad", func(in types, out engine.Operand) (engine.Bound, error) {
			two := [shape.MaxRank]int{2: 2, 3: 2}
			return e.BindPad(engine.Padding{Before: two, After: two}, storedAll(in...), out)
		}, types{image}, f32(32, 64, 32, 32)},
	} {
		b.Run(c.name, func(b *testing.B) {
			bound, err := c.bind(c.in, stored(c.out))
			if err != nil {
				b.Fatal(err)
			}
			bytes := c.out.Bytes()
			for _, t := range c.in {
				bytes += t.Bytes()
			}
			b.SetBytes(int64(bytes))
			benchmark(b, bound, 0, c.in, c.out)
		})
	}
}

// BenchmarkConvPool compares a convolution that pools with the two kernels one after the other.
func BenchmarkConvPool(b *testing.B) {
	e := New()
	square := func(v int) [2]int { return [2]int{v, v} }
	for _, l := range []struct {
		name         string
		x, w         shape.Type
		stride, pad  int
		pool, apart  int // kernel and stride
		size, pooled int // height and width of the result, and of the maxima
	}{
		{"lenet.conv1", shape.F32(4, 1, 28, 28, 16), shape.F32(6, 1, 5, 5), 1, 2, 2, 2, 28, 14},
		{"lenet.conv2", shape.F32(4, 6, 14, 14, 16), shape.F32(16, 6, 5, 5), 1, 0, 2, 2, 10, 5},
		{"alexnet.conv1", shape.F32(64, 3, 224, 224), shape.F32(64, 3, 11, 11), 4, 2, 3, 2, 55, 27},
	} {
		c := engine.Conv2D{Stride: square(l.stride), Dilation: square(1), Pad: [2][2]int{square(l.pad), square(l.pad)}, Groups: 1, Epilogue: engine.Epilogue{Bias: true, ReLU: true}}
		p := engine.Pool2D{Kernel: square(l.pool), Stride: square(l.apart), Dilation: square(1)}
		in := []shape.Type{l.x, l.w, shape.F32(l.w.Dim(0))}
		sized := func(side int) shape.Type {
			return l.x.Of(l.x.Shape.With(1, l.w.Dim(0)).With(2, shape.Dim(side)).With(3, shape.Dim(side)))
		}
		y, out := sized(l.size), sized(l.pooled)
		conv, err := e.BindConv2D(c, storedAll(in...), stored(y))
		if err != nil {
			b.Fatal(err)
		}
		pool, err := e.BindMaxPool2D(p, storedAll(y), stored(out))
		if err != nil {
			b.Fatal(err)
		}
		together, err := e.BindConv2DMaxPool(c, p, storedAll(in...), stored(y).Type, stored(out))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(l.name+"/apart", func(b *testing.B) { benchmark(b, oneAfterTheOther(conv, pool, y), 0, in, out) })
		b.Run(l.name+"/together", func(b *testing.B) { benchmark(b, together, 0, in, out) })
	}
}
