package quant

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// randomWindow draws windows over images of n, of which each meets the image; some have odd numbers
// of channels, padding, strides and dilations.
func randomWindow(rng *rand.Rand) (w window.Window, n int) {
	w = window.Window{C: 1 + rng.IntN(20), H: 1 + rng.IntN(9), W: 1 + rng.IntN(9), KH: 1 + rng.IntN(3), KW: 1 + rng.IntN(3),
		SH: 1 + rng.IntN(2), SW: 1 + rng.IntN(3), DH: 1 + rng.IntN(2), DW: 1 + rng.IntN(2), Top: rng.IntN(3), Left: rng.IntN(3)}
	if rng.IntN(2) == 0 {
		w.KH, w.KW, w.Top, w.Left = 1, 1, 0, 0
	}
	if rng.IntN(3) == 0 {
		w.C = 16 * (1 + rng.IntN(5))
	}
	w.Top, w.Left = min(w.Top, (w.KH-1)*w.DH), min(w.Left, (w.KW-1)*w.DW)
	bottom, right := rng.IntN((w.KH-1)*w.DH+1), rng.IntN((w.KW-1)*w.DW+1)
	w.OH = max((w.H+w.Top+bottom-(w.KH-1)*w.DH-1)/w.SH+1, 0)
	w.OW = max((w.W+w.Left+right-(w.KW-1)*w.DW-1)/w.SW+1, 0)
	if w.H+w.Top+bottom < (w.KH-1)*w.DH+1 || w.W+w.Left+right < (w.KW-1)*w.DW+1 {
		return randomWindow(rng)
	}
	return w, rng.IntN(4)
}

func randomScale(rng *rand.Rand) Scale {
	return Scale{float32(math.Exp(rng.Float64()*6 - 3)), []uint8{0, 255, 128, uint8(rng.IntN(256))}[rng.IntN(4)]}
}

func randomOp(rng *rand.Rand) (op Op) {
	op.Window, op.N = randomWindow(rng)
	op.Groups, op.M, op.Zero, op.Factor = 1+rng.IntN(3)/2*rng.IntN(3), 1+rng.IntN(150), randomScale(rng).Zero, randomScale(rng).Scale
	op.Tail = Tail{Lo: float32(math.Inf(-1)), Hi: float32(math.Inf(1)), Bytes: rng.IntN(2) == 0, Adds: Addend(rng.IntN(3))}
	op.Tail.Factor = randomScale(rng).Scale
	if op.Tail.Bytes {
		op.Tail.Lo, op.Tail.Hi, op.Factor = 0, 255, op.Factor/100
	}
	if rng.IntN(2) == 0 {
		op.Tail.Lo, op.Tail.Hi = 3, 60
	}
	return op
}

func randomBytes(rng *rand.Rand, n int) []uint8 {
	b := make([]uint8, n)
	for i := range b {
		b[i] = []uint8{0, 255, uint8(rng.IntN(256))}[rng.IntN(3)]
	}
	return b
}

func randomWeights(rng *rand.Rand, n int) []int8 {
	w := make([]int8, n)
	for i := range w {
		w[i] = []int8{-127, 127, int8(rng.IntN(255) - 127)}[rng.IntN(3)]
	}
	return w
}

// operands are those of a convolution, in memory that make returns.
type operands struct {
	x, addend []uint8
	w         []int8
	scales    []float32
	shifts    []float32
}

func operandsOf(rng *rand.Rand, op Op) (o operands) {
	o.x, o.w = randomBytes(rng, op.N*op.H*op.W*op.Groups*op.C), randomWeights(rng, op.filters()*op.Rows())
	o.scales, o.shifts = simdtest.Randoms[float32](rng, op.filters()), simdtest.Randoms[float32](rng, ShiftLen(op.filters()))
	for i := range o.scales {
		o.scales[i] = float32(math.Abs(float64(o.scales[i])))
		if rng.IntN(20) == 0 {
			o.scales[i] = simdtest.Specials[rng.IntN(len(simdtest.Specials))]
		}
	}
	o.addend = randomBytes(rng, op.Results()*op.Tail.Adds.size())
	if op.Tail.Adds == AddFloats && len(o.addend) > 0 {
		copy(words[float32](o.addend, op.Results()), simdtest.Mixed(rng, op.Results()))
	}
	return o
}

// defined is the convolution by its definition.
func (o operands) defined(op Op) []uint8 {
	y := make([]uint8, op.Results()*op.Tail.size())
	rows, cols := op.Axes()
	for i := range op.Results() {
		filter, at := i%op.filters(), i/op.filters()
		n, oy, ox := at/op.Cols(), at%op.Cols()/op.OW, at%op.OW
		sum := int64(0)
		for c := range op.C {
			for t := range op.KH * op.KW {
				iy, ix := rows.At(oy, t/op.KW), cols.At(ox, t%op.KW)
				if iy < 0 || iy >= op.H || ix < 0 || ix >= op.W {
					continue
				}
				x := o.x[((n*op.H+iy)*op.W+ix)*op.Groups*op.C+filter/op.M*op.C+c]
				sum += (int64(x) - int64(op.Zero)) * int64(o.w[(filter*op.C+c)*op.KH*op.KW+t])
			}
		}
		v := float32(float32(sum)*float32(op.Factor*o.scales[filter])) + o.shifts[filter]
		switch op.Tail.Adds {
		case AddFloats:
			v += float32(words[float32](o.addend, op.Results())[i] * op.Tail.Factor)
		case AddBytes:
			v += float32(float32(o.addend[i]) * op.Tail.Factor)
		}
		op.Tail.put(y, i, v)
	}
	return y
}

// put stores result i.
func (t Tail) put(y []uint8, i int, v float32) {
	if v == v {
		v = min(max(v, t.Lo), t.Hi)
	}
	if !t.Bytes {
		words[float32](y, len(y)/4)[i] = v
		return
	}
	y[i] = 0
	if v == v {
		y[i] = uint8(math.RoundToEven(float64(v)))
	}
}

// requireSame compares results exactly: NaN is NaN.
func requireSame(t *testing.T, op Op, want, got []uint8) {
	t.Helper()
	if op.Tail.Bytes || len(want) == 0 {
		require.Equal(t, want, got, "%+v", op)
		return
	}
	simdtest.RequireBits(t, words[float32](want, len(want)/4), words[float32](got, len(got)/4))
}

func TestConvolutionsAreThoseOfTheDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(71, 71))
		for range trials(300) {
			op := randomOp(rng)
			o := operandsOf(rng, op)
			requireSame(t, op, o.defined(op), o.conv(k, op, func(n int) []uint8 { return randomBytes(rng, n) }))
		}
	})
}

// conv is the convolution by Conv, in memory that make returns.
func (o operands) conv(k *Kernels, op Op, make func(n int) []uint8) []uint8 {
	c := NewConv(k, op, op.Filters())
	packed, x, y := make(c.PackedLen()), o.x, make(c.Results()*op.Tail.size())
	c.Pack(packed, o.w, o.scales, 0, c.Packs())
	if n := c.FrameLen(); n > 0 {
		x = make(n)
		c.Frame(x, o.x, 0, c.Frames())
	}
	for i := range c.Tasks() {
		c.Run(y, x, packed, o.shifts, o.addend, make(c.ScratchLen()), i, i+1)
	}
	return y
}

func TestImagesMayBeInPlanes(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(79, 79))
		for i := range trials(100) {
			op := randomOp(rng)
			op.Groups, op.C = 1, 1+i%7
			o := operandsOf(rng, op)
			want := o.defined(op)
			last, pixels := o.x, op.H*op.W
			o.x = make([]uint8, len(last))
			for i, v := range last {
				n, at, c := i/op.C/pixels, i/op.C%pixels, i%op.C
				o.x[(n*op.C+c)*pixels+at] = v
			}
			op.Planes = true
			requireSame(t, op, want, o.conv(k, op, func(n int) []uint8 { return randomBytes(rng, n) }))
		}
	})
}

func TestProductsAreThoseOfTheDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(72, 72))
		for range trials(100) {
			op := randomOp(rng)
			op.Window = window.Window{C: 1 + rng.IntN(70), H: 1, W: 1, KH: 1, KW: 1, OH: 1, OW: 1, SH: 1, SW: 1, DH: 1, DW: 1}
			op.Groups = 1
			o := operandsOf(rng, op)
			want := o.defined(op)
			turned := o
			turned.w = make([]int8, len(o.w))
			for i, v := range o.w {
				turned.w[i%op.C*op.M+i/op.C] = v
			}
			c := NewConv(k, op, Weights{Filter: 1, Channel: op.M})
			packed, x, y := randomBytes(rng, c.PackedLen()), o.x, make([]uint8, len(want))
			c.Pack(packed, turned.w, o.scales, 0, c.Packs())
			if n := c.FrameLen(); n > 0 {
				x = make([]uint8, n)
				c.Frame(x, o.x, 0, c.Frames())
			}
			c.Run(y, x, packed, o.shifts, o.addend, make([]uint8, c.ScratchLen()), 0, c.Tasks())
			requireSame(t, op, want, y)
		}
	})
}

func TestDepthwiseConvolutionsAreThoseOfTheDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(73, 73))
		for range trials(300) {
			op := depthwiseOp(rng)
			o := operandsOf(rng, op)
			requireSame(t, op, o.defined(op), o.depthwise(k, op, func(n int) []uint8 { return randomBytes(rng, n) }))
		}
	})
}

// depthwiseOp draws a convolution of a channel each, half of them of 3×3 taps.
func depthwiseOp(rng *rand.Rand) Op {
	op := randomOp(rng)
	for three := rng.IntN(2) == 0; three && (op.KH != 3 || op.KW != 3); {
		op = randomOp(rng)
	}
	if rng.IntN(3) == 0 {
		op.C += 60
	}
	op.Groups, op.C, op.M, op.Tail.Adds = op.C, 1, 1, addNothing
	return op
}

func (o operands) depthwise(k *Kernels, op Op, make func(n int) []uint8) []uint8 {
	d := NewDepthwise(k, op)
	packed, x, y := make(d.PackedLen()), o.x, make(d.Results()*op.Tail.size())
	d.Pack(packed, o.w, o.scales, 0, d.Packs())
	if n := d.FrameLen(); n > 0 {
		x = make(n)
		d.Frame(x, o.x, 0, d.Frames())
	}
	d.Run(y, x, packed, o.shifts, make(d.ScratchLen()), 0, d.Tasks())
	return y
}

func TestPoolsGiveTheLargest(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(74, 74))
		for range trials(200) {
			w, n := randomWindow(rng)
			x := randomBytes(rng, n*w.H*w.W*w.C)
			rows, cols := w.Axes()
			want := make([]uint8, n*w.Cols()*w.C)
			for i := range want {
				at := i / w.C
				for t := range w.KH * w.KW {
					iy, ix := rows.At(at%w.Cols()/w.OW, t/w.KW), cols.At(at%w.OW, t%w.KW)
					if iy >= 0 && iy < w.H && ix >= 0 && ix < w.W {
						want[i] = max(want[i], x[((at/w.Cols()*w.H+iy)*w.W+ix)*w.C+i%w.C])
					}
				}
			}
			require.Equal(t, want, pooled(k, w, n, x, func(n int) []uint8 { return randomBytes(rng, n) }), "%+v", w)
		}
	})
}

func pooled(k *Kernels, w window.Window, n int, x []uint8, make func(n int) []uint8) []uint8 {
	p := NewPool(k, w, n)
	y := make(n * w.Cols() * w.C)
	if size := p.FrameLen(); size > 0 {
		image := x
		x = make(size)
		p.Frame(x, image, 0, p.Frames())
	}
	p.Run(y, x, make(p.ScratchLen()), 0, p.Tasks())
	return y
}

func TestBytesAreTheNearest(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(75, 75))
		for range trials(100) {
			s := randomScale(rng)
			x := simdtest.Mixed(rng, rng.IntN(100))
			for i := range x {
				if rng.IntN(3) == 0 {
					x[i] = s.Scale * (float32(rng.IntN(600)-300) + 0.5)
				}
			}
			want, got := make([]uint8, len(x)), make([]uint8, len(x))
			for i, v := range x {
				q := math.RoundToEven(float64(v*(1/s.Scale))) + float64(s.Zero)
				if !(q > 0) {
					q = 0
				}
				want[i] = uint8(min(q, 255))
			}
			NewBytes(k, s).Run(got, x)
			require.Equal(t, want, got)
		}
	})
}

func TestSumsDoNotSaturate(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for _, sign := range []int8{1, -1} {
			op := Op{Window: window.Window{C: 4000, H: 1, W: 1, KH: 1, KW: 1, OH: 1, OW: 1, SH: 1, SW: 1, DH: 1, DW: 1}, N: 7, Groups: 1, M: 33, Factor: 1}
			op.Tail = Tail{Lo: float32(math.Inf(-1)), Hi: float32(math.Inf(1))}
			o := operands{x: make([]uint8, 7*4000), w: make([]int8, 33*4000), scales: simdtest.Repeat(1, 33), shifts: make([]float32, ShiftLen(33))}
			for i := range o.x {
				o.x[i] = 255
			}
			for i := range o.w {
				o.w[i] = 127 * sign
			}
			y := o.conv(k, op, func(n int) []uint8 { return make([]uint8, n) })
			require.Equal(t, simdtest.Repeat(float32(sign)*4000*255*127, op.Results()), words[float32](y, op.Results()))
		}
	})
}

func TestNothingIsAllocated(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(76, 76))
		op := randomOp(rng)
		for op.Results() == 0 {
			op = randomOp(rng)
		}
		o := operandsOf(rng, op)
		c := NewConv(k, op, op.Filters())
		packed, x, y, scratch := make([]uint8, c.PackedLen()), make([]uint8, c.FrameLen()+len(o.x)), make([]uint8, c.Results()*op.Tail.size()), make([]uint8, c.ScratchLen())
		require.Zero(t, testing.AllocsPerRun(10, func() {
			c.Pack(packed, o.w, o.scales, 0, c.Packs())
			c.Frame(x, o.x, 0, c.Frames())
			c.Run(y, x, packed, o.shifts, o.addend, scratch, 0, c.Tasks())
		}))
	})
}

func TestTooShortMemoryIsRefused(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		require.Panics(t, func() { NewBytes(k, Scale{Scale: 1}).Run(make([]uint8, 3), make([]float32, 4)) })
		op := depthwiseOp(rand.New(rand.NewPCG(77, 77)))
		op.N = 1
		require.Panics(t, func() { NewConv(k, op, op.Filters()).Run(nil, nil, nil, nil, nil, nil, 0, 1) })
		require.Panics(t, func() { NewDepthwise(k, op).Run(nil, nil, nil, nil, nil, 0, 1) })
		require.Panics(t, func() { NewPool(k, op.Window, 1).Run(nil, nil, nil, 0, 1) })
	})
}

// Kernels are given the address of the first field, of the type that the generator knows.
func TestTheFieldsOfATailFollowEachOther(t *testing.T) {
	a := (&Tail{Lo: 1, Hi: 2, Factor: 3, Bytes: true}).tail()
	first := &a.Lo
	require.Equal(t, []float32{1, 2, 3}, []float32{*first, *at(first, 1), *at(first, 2)})
	require.Equal(t, uint32(abi.FlagBytes), *as[uint32](first, 12))
}
