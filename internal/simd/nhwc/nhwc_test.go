package nhwc

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/simdtest"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// last returns images (N,channels,pixels) with their channels last, and first is its inverse.
func last(x []float32, channels, pixels int) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[(i/(channels*pixels)*pixels+i%pixels)*channels+i/pixels%channels] = v
	}
	return y
}

func first(x []float32, channels, pixels int) []float32 { return last(x, pixels, channels) }

// randomOp draws a convolution with odd extents, of windows partly or wholly in the padding too, some
// of them of 1×1 and some of many channels and filters.
func randomOp(rng *rand.Rand) Op {
	w := window.Window{H: 1 + rng.IntN(9), W: 1 + rng.IntN(14), KH: 1 + rng.IntN(5), KW: 1 + rng.IntN(8),
		SH: 1 + rng.IntN(3), SW: 1 + rng.IntN(3), DH: 1 + rng.IntN(3), DW: 1 + rng.IntN(3), Top: rng.IntN(6), Left: rng.IntN(6)}
	w.OH, w.OW = 1+rng.IntN(8), 1+rng.IntN(15)
	op := Op{Window: w, N: rng.IntN(4), Groups: 1 + rng.IntN(3), M: 1 + rng.IntN(20), Bias: rng.IntN(2) == 0, Add: rng.IntN(2) == 0, Act: isa.Act(rng.IntN(3))}
	op.C = 1 + rng.IntN(20)
	if rng.IntN(6) == 0 { // chunks of the filters' gradient are full
		op.C, op.Groups, op.KH, op.KW = []int{64, 96, 128, 384}[rng.IntN(4)], 1, 3, 2+rng.IntN(2)
	}
	if rng.IntN(3) == 0 {
		op.Groups, op.M = 1, 1+rng.IntN(300)
	}
	if rng.IntN(3) == 0 {
		op.Window = window.Window{C: 1 + rng.IntN(600), H: w.H, W: w.W, KH: 1, KW: 1, OH: w.H, OW: w.W}
	}
	return op
}

// definition is op in float64, group by group, and the sum of the terms' magnitudes: all (N,C,H,W).
func definition(op Op, y, x, w, bias []float32) (want, size []float64) {
	want, size = make([]float64, len(y)), make([]float64, len(y))
	for n := range op.N {
		for g := range op.Groups {
			from := (n*op.Groups + g) * op.M * op.Cols()
			one := window.Conv{Window: op.Window, N: 1, M: op.M, Add: op.Add, Act: op.Act}
			if op.Bias {
				one.Bias = isa.RowBias
			}
			a, b := simdtest.Convolution(one, y[from:], x[(n*op.Groups+g)*op.C*op.H*op.W:], w[g*op.M*op.Rows():], bias[g*op.M:])
			copy(want[from:], a)
			copy(size[from:], b)
		}
	}
	return want, size
}

// operands are random ones of op, with channels first.
func operands(rng *rand.Rand, op Op) (y, x, w, bias []float32) {
	return simdtest.Randoms[float32](rng, op.pixels()*op.filters()), simdtest.Randoms[float32](rng, op.N*op.H*op.W*op.channels()),
		simdtest.Randoms[float32](rng, op.filters()*op.Rows()), simdtest.Randoms[float32](rng, op.filters())
}

// convolve computes a convolution in tasks of so many, last ones first.
func convolve(c *Conv, y, x, w, bias []float32, tasks int) {
	nan := func(n int) []float32 { return simdtest.Repeat(float32(math.NaN()), n) }
	packed, shared, scratch := nan(c.PackedLen()), nan(c.SharedLen()), nan(c.ScratchLen())
	c.Pack(packed, w, 0, c.Packs())
	c.Unfold(shared, x, 0, c.Unfolds())
	for hi := c.Tasks(); hi > 0; hi -= tasks {
		c.Run(y, x, packed, bias, shared, scratch, max(hi-tasks, 0), hi)
	}
}

func TestConvAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(81, 81))
		for range trials(60) {
			op := randomOp(rng)
			y, x, w, bias := operands(rng, op)
			want, size := definition(op, y, x, w, bias)
			c, got := NewConv(k, op), last(y, op.filters(), op.Cols())
			convolve(c, got, last(x, op.channels(), op.H*op.W), w, bias, 1+rng.IntN(5))
			for i, v := range first(got, op.filters(), op.Cols()) {
				simdtest.RequireWithin(t, want[i], float64(v), 0x1p-24*float64(op.Rows()+3)*size[i], i, op)
			}
		}
	})
}

// The sums of an image do not depend on how many images there are, nor on how tasks are shared out.
func TestConvGivesAnImageTheSameBits(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(82, 82))
		for range trials(40) {
			op := randomOp(rng)
			op.N, op.Add = 3, false
			y, x, w, bias := operands(rng, op)
			x = last(x, op.channels(), op.H*op.W)
			all := NewConv(k, op)
			convolve(all, y, x, w, bias, all.Tasks())
			op.N = 1
			one, got := NewConv(k, op), make([]float32, len(y)/3)
			convolve(one, got, x[2*len(x)/3:], w, bias, 1)
			simdtest.RequireBits(t, y[2*len(y)/3:], got)
		}
	})
}

func TestConvKeepsWhatIsNotFinite(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(83, 83))
		for range trials(24) {
			op := randomOp(rng)
			op.Act = isa.NoAct
			y, x, w, bias := operands(rng, op)
			sprinkle(rng, x)
			want, _ := definition(op, y, x, w, bias)
			got := last(y, op.filters(), op.Cols())
			c := NewConv(k, op)
			convolve(c, got, last(x, op.channels(), op.H*op.W), w, bias, c.Tasks())
			requireKept(t, want, first(got, op.filters(), op.Cols()), op)
		}
	})
}

// sprinkle sets some elements of x to numbers that are not finite.
func sprinkle(rng *rand.Rand, x []float32) {
	for i := range x {
		if rng.IntN(40) == 0 {
			x[i] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}[rng.IntN(3)]
		}
	}
}

// requireKept holds got to numbers of which some are not finite.
func requireKept(t *testing.T, want []float64, got []float32, op Op) {
	t.Helper()
	for i, v := range got {
		if math.IsNaN(want[i]) || math.IsInf(want[i], 0) {
			require.Equal(t, float32(want[i]) == float32(want[i]), v == v, "element %d of %+v", i, op)
			require.False(t, math.IsInf(want[i], 0) && float32(want[i]) != v, "element %d of %+v", i, op)
		} else {
			require.InDelta(t, want[i], v, 1e-2, "element %d of %+v", i, op)
		}
	}
}

// randomWindow draws windows over channels by themselves.
func randomWindow(rng *rand.Rand) (w window.Window, n int) {
	w = randomOp(rng).Window
	w.C = 1 + rng.IntN(70)
	return w, rng.IntN(3)
}

func TestDepthwiseAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(84, 84))
		for range trials(60) {
			win, n := randomWindow(rng)
			op := Op{Window: win, N: n, Groups: win.C, M: 1, Bias: rng.IntN(2) == 0, Act: isa.Act(rng.IntN(3))}
			op.C = 1
			y, x, w, bias := operands(rng, op)
			want, size := definition(op, y, x, w, bias)
			d := NewDepthwise(k, win, n, op.Bias, op.Act)
			packed := make([]float32, d.PackedLen())
			d.Pack(packed, w)
			d.Run(y, last(x, win.C, win.H*win.W), packed, bias, 0, d.Tasks())
			for i, v := range first(y, win.C, win.Cols()) {
				simdtest.RequireWithin(t, want[i], float64(v), 0x1p-24*float64(op.Rows()+3)*size[i], i, op)
			}
		}
	})
}

// Plain Go adds in the order of the vectors, and rounds products, which they do not.
func TestDepthwiseAndPoolsTreatSpecialNumbersAsPlainGo(t *testing.T) {
	plain := At(isa.Generic, gemm.At(isa.Generic))
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(85, 85))
		for range trials(60) {
			w, n := randomWindow(rng)
			x := simdtest.Mixed(rng, n*w.H*w.W*w.C)
			counted := func(axis, o int) int { return 1 + (o+axis)%3 }
			want, got := make([]float32, n*w.Cols()*w.C), make([]float32, n*w.Cols()*w.C)
			a, b := NewPool(plain, w, n, counted), NewPool(k, w, n, counted)
			a.Max(want, x, 0, a.Tasks())
			b.Max(got, x, 0, b.Tasks())
			simdtest.RequireBits(t, want, got)
			a.Mean(want, x, 0, a.Tasks())
			b.Mean(got, x, 0, b.Tasks())
			simdtest.RequireBits(t, want, got)

			filters := simdtest.Repeat(1, w.C*w.KH*w.KW) // products are exact
			c, d := NewDepthwise(plain, w, n, true, isa.ReLU), NewDepthwise(k, w, n, true, isa.ReLU)
			bias := simdtest.Mixed(rng, w.C)
			c.Run(want, x, filters, bias, 0, c.Tasks())
			d.Run(got, x, filters, bias, 0, d.Tasks())
			simdtest.RequireBits(t, want, got)
		}
	})
}

func TestPoolsAgreeWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(86, 86))
		for range trials(60) {
			w, n := randomWindow(rng)
			x := simdtest.Randoms[float32](rng, n*w.H*w.W*w.C)
			y := make([]float32, n*w.Cols()*w.C)
			whole := w.WithDefaults()
			rows, columns := whole.Axes()
			p := NewPool(k, w, n, func(axis, o int) int { return max([]window.Axis{rows, columns}[axis].Taps(o).N, 1) })
			img := last(x, w.C, w.H*w.W)
			p.Max(y, img, 0, p.Tasks())
			maxima := first(y, w.C, w.Cols())
			p.Mean(y, img, 0, p.Tasks())
			means := first(y, w.C, w.Cols())
			for i := range maxima {
				largest, sum, count := math.Inf(-1), 0.0, 0
				channel := w
				channel.C = 1
				for r := range channel.Rows() {
					if at := simdtest.Source(channel, r, i%w.Cols()/w.OW, i%w.OW); at >= 0 {
						v := float64(x[i/w.Cols()*w.H*w.W+at])
						largest, sum, count = max(largest, v), sum+v, count+1
					}
				}
				require.Equal(t, float32(largest), maxima[i], "element %d of %+v", i, w)
				require.InDelta(t, sum/float64(max(count, 1)), means[i], 1e-5, "element %d of %+v", i, w)
			}
		}
	})
}

// wholeImage draws n images of which one window meets all or, where there is padding, a part.
func wholeImage(rng *rand.Rand) (w window.Window, n int) {
	w = window.Window{C: 1 + rng.IntN(90), H: 1 + rng.IntN(30), W: 1 + rng.IntN(30), OH: 1, OW: 1}
	w.KH, w.KW = w.H+rng.IntN(2), w.W
	if rng.IntN(3) == 0 {
		w.Top, w.Left = rng.IntN(min(w.H, 2)), rng.IntN(min(w.W, 3))
	}
	return w, 1 + rng.IntN(3)
}

// Sums in parts are the means, whichever the tasks, with the bits of plain Go; and NaN and infinities stay.
func TestMeansOfWholeImagesAgreeWithDefinition(t *testing.T) {
	plain := At(isa.Generic, gemm.At(isa.Generic))
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(87, 87))
		several := 0
		for range trials(60) {
			w, n := wholeImage(rng)
			counted := func(axis, o int) int { return 3 + axis }
			p, ok := NewWhole(k, w, n, counted)
			require.True(t, ok)
			mean := func(p *Whole, x []float32, tasks int) []float32 {
				y, sums := simdtest.Repeat(float32(math.NaN()), n*w.C), simdtest.Repeat(float32(math.NaN()), p.SumsLen())
				for hi := p.Tasks(); hi > 0; hi -= tasks {
					p.Sum(sums, x, max(hi-tasks, 0), hi)
				}
				p.Mean(y, sums)
				return y
			}
			several += min(p.parts-1, 1)
			x := simdtest.Randoms[float32](rng, n*w.H*w.W*w.C)
			got := mean(p, x, p.Tasks())
			simdtest.RequireBits(t, got, mean(p, x, 1))
			for i := range got {
				image, sum := x[i/w.C*w.H*w.W*w.C:], 0.0
				for h := range min(w.H, w.KH-w.Top) {
					for v := range min(w.W, w.KW-w.Left) {
						sum += float64(image[(h*w.W+v)*w.C+i%w.C])
					}
				}
				require.InDelta(t, sum/12, got[i], 1e-4, "element %d of %+v", i, w)
			}
			x = simdtest.Mixed(rng, len(x))
			q, _ := NewWhole(plain, w, n, counted)
			simdtest.RequireBits(t, mean(q, x, 2), mean(p, x, 3))
		}
		require.Positive(t, several)
		w, _ := wholeImage(rng)
		_, ok := NewWhole(k, w, goodTasks, func(int, int) int { return 1 })
		require.False(t, ok, "workers have images of their own")
		w.OH, w.H, w.KH = 2, 2, 1
		_, ok = NewWhole(k, w, 1, func(int, int) int { return 1 })
		require.False(t, ok, "two windows")
		w.OH, w.Top, w.KH = 1, 4, 2
		_, ok = NewWhole(k, w, 1, func(int, int) int { return 1 })
		require.False(t, ok, "a window beside the image")
	})
}

// randomWinograd draws a convolution that the algorithm takes, with tiles that reach over the images.
func randomWinograd(rng *rand.Rand) Op {
	op, size := Op{N: 1 + rng.IntN(2), Groups: 1, M: 1 + rng.IntN(110), Bias: rng.IntN(2) == 0, Add: rng.IntN(2) == 0, Act: isa.Act(rng.IntN(3))}, 3+2*rng.IntN(2)
	op.Window = window.Window{C: 1 + rng.IntN(40), H: 1 + rng.IntN(15), W: 1 + rng.IntN(15), KH: size, KW: size, OH: 1 + rng.IntN(15), OW: 1 + rng.IntN(15),
		Top: rng.IntN(size+2) - 1, Left: rng.IntN(size+2) - 1}
	return op
}

// runWinograd computes op in tasks of so many.
func runWinograd(w *Winograd, y, x, filters, bias []float32, tasks int) (finite bool) {
	nan := func(n int) []float32 { return simdtest.Repeat(float32(math.NaN()), n) }
	packed, scratch := nan(w.PackedLen()), nan(w.ScratchLen())
	w.Pack(packed, filters, 0, w.Packs())
	finite = true
	for hi := w.Tasks(); hi > 0; hi -= tasks {
		finite = w.Run(y, x, packed, bias, scratch, max(hi-tasks, 0), hi) && finite
	}
	return finite
}

// winogradError is that of results, of the largest one or of 1: tiles that lie in the padding but for a
// line have small results of products that cancel.
const winogradError = 3e-5

func TestWinogradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(88, 88))
		for range trials(40) {
			op := randomWinograd(rng)
			y, x, filters, bias := operands(rng, op)
			want, _ := definition(op, y, x, filters, bias)
			w, ok := NewWinograd(k, op)
			require.True(t, ok)
			got := last(y, op.M, op.Cols())
			require.True(t, runWinograd(w, got, last(x, op.C, op.H*op.W), filters, bias, 1+rng.IntN(5)), "%+v", op)
			simdtest.RequireClose(t, want, first(got, op.M, op.Cols()), winogradError, op)
		}
	})
}

// What is counted is what is planned, and what cannot be planned is not counted.
func TestWinogradWorkIsThatOfItsPlan(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(97, 97))
		for range 40 {
			op := randomWinograd(rng)
			w, _ := NewWinograd(k, op)
			multiplications, transformed, ok := WinogradWork(op)
			require.True(t, ok)
			require.Equal(t, w.tiles()*values*op.C*op.M, multiplications, "%+v", op)
			require.Equal(t, w.tiles()*values*(op.C+op.M), transformed, "%+v", op)
			[]func(){
				func() { op.KW ^= 6 }, func() { op.KH, op.KW = 4, 4 }, func() { op.KH, op.KW = 7, 7 }, func() { op.SW = 2 }, func() { op.DH = 2 }, func() { op.Groups = 2 }, func() { op.C = maxChannels + 1 },
			}[rng.IntN(7)]()
			_, _, ok = WinogradWork(op)
			_, forward := NewWinograd(k, op)
			_, back := NewWinogradInputGrad(k, op)
			_, filters := NewWinogradFilterGrad(k, op)
			require.False(t, ok || forward || back || filters, "%+v", op)
		}
	})
}

// notFinite draws a convolution with a number that is not finite among its pixels, all of which are seen, or filters.
func notFinite(rng *rand.Rand) (op Op, y, x, filters, bias []float32) {
	op = randomWinograd(rng)
	op.Top, op.Left, op.OH, op.OW = 1, 1, op.H, op.W
	y, x, filters, bias = operands(rng, op)
	spoilt := [][]float32{x, filters}[rng.IntN(2)]
	spoilt[rng.IntN(len(spoilt))] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}[rng.IntN(3)]
	return op, y, x, filters, bias
}

func TestWinogradTellsOfNumbersThatAreNotFinite(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(89, 89))
		for range trials(40) {
			op, y, x, filters, bias := notFinite(rng)
			w, _ := NewWinograd(k, op)
			require.False(t, runWinograd(w, y, last(x, op.C, op.H*op.W), filters, bias, 3), "%+v", op)
		}
	})
}

// runSweep computes what runWinograd does.
func runSweep(s *WinogradSweep, y, x []float32, swept SweptFilters, bias []float32, tasks int) (finite bool) {
	nan := func(n int) []float32 { return simdtest.Repeat(float32(math.NaN()), n) }
	tiles, cells, scratch := nan(s.TilesLen()), nan(s.CellsLen()), nan(s.ScratchLen())
	finite = true
	for group := range s.Groups() {
		for hi := s.Transforms(); hi > 0; hi -= tasks {
			finite = s.Transform(tiles, x, cells, group, max(hi-tasks, 0), hi) && finite
		}
		for hi := s.Tasks(); hi > 0; hi -= tasks {
			finite = s.Run(y, tiles, swept, bias, scratch, group, max(hi-tasks, 0), hi) && finite
		}
	}
	return finite
}

// randomSweep plans op with groups of few tiles, several tasks for a panel, and panels that are transformed in thirds or
// at once.
func randomSweep(rng *rand.Rand, w *Winograd, inTurn bool) *WinogradSweep {
	s := w.sweep(1+rng.IntN(2)*8*4*values*w.depth, inTurn)
	s.cuts = 1 + rng.IntN(3)
	s.split(1 + rng.IntN(20))
	return s
}

// randomSwept are filters, as they are or packed.
func randomSwept(rng *rand.Rand, s *WinogradSweep, filters []float32) SweptFilters {
	if s.inTurn && rng.IntN(2) == 0 {
		return SweptFilters{Plain: filters}
	}
	packed := simdtest.Repeat(float32(math.NaN()), s.PackedLen())
	for hi := s.Packs(); hi > 0; hi -= 2 {
		s.Pack(packed, filters, max(hi-2, 0), hi)
	}
	return SweptFilters{Packed: packed}
}

func TestASweepHasTheBitsOfWinograd(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(92, 92))
		several, kinds := 0, map[bool]int{}
		for i := range trials(40) {
			op := randomWinograd(rng)
			y, x, filters, bias := operands(rng, op)
			plan, from, into := NewWinograd, last(x, op.C, op.H*op.W), last(y, op.M, op.Cols())
			if i%2 == 1 {
				plan, from, into, bias = NewWinogradInputGrad, last(y, op.M, op.Cols()), make([]float32, len(x)), nil
			}
			w, _ := plan(k, op)
			s := randomSweep(rng, w, rng.IntN(3) > 0)
			several += min(s.Groups()-1, 1)
			kinds[s.thirds]++
			want, got := slices.Clone(into), slices.Clone(into)
			require.True(t, runWinograd(w, want, from, filters, bias, 100), "%+v", op)
			require.True(t, runSweep(s, got, from, randomSwept(rng, s, filters), bias, 1+rng.IntN(5)), "%+v", op)
			simdtest.RequireBits(t, want, got)
		}
		require.Positive(t, several)
		require.Len(t, kinds, 2)
	})
}

// Filters that no cache holds are swept, however many tiles there are, and those of 3×3 are transformed in turn.
func TestLargeFiltersAreSwept(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for _, c := range []struct {
			op             Op
			sweeps, inTurn bool
		}{
			{square(64, 112, 64, 3, 1), false, false}, {square(64, 56, 64, 5, 1), false, false},
			{square(512, 40, 512, 3, 1), true, true}, {square(384, 40, 384, 5, 1), true, false},
		} {
			w, _ := NewWinograd(k, c.op)
			s, ok := w.Sweep()
			require.Equal(t, c.sweeps, ok, "%+v", c.op)
			require.Equal(t, c.inTurn, ok && s.InTurn(), "%+v", c.op)
			require.Equal(t, c.inTurn, TransformsInTurn(c.op), "%+v", c.op)
		}
	})
}

// A form in a small type gives the bits of the numbers that it stands for.
func TestASweepOfSmallFiltersHasTheBitsOfTheirNumbers(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(94, 94))
		for range trials(40) {
			op := randomWinograd(rng)
			y, x, filters, bias := operands(rng, op)
			w, _ := NewWinograd(k, op)
			s := randomSweep(rng, w, true)
			as := gemm.Storage(rng.IntN(2))
			form := randomForm(rng, s.Small(as), filters)
			want, got := last(y, op.M, op.Cols()), last(y, op.M, op.Cols())
			x = last(x, op.C, op.H*op.W)
			require.True(t, runSweep(s, want, x, SweptFilters{Plain: filters}, bias, 3), "%+v", op)
			require.True(t, runSweep(s, got, x, SweptFilters{Small: s.Small(as), Form: form}, bias, 1+rng.IntN(5)), "%+v", op)
			simdtest.RequireBits(t, want, got)
		}
	})
}

// randomForm makes a form of plan, and sets w to the numbers that it stands for.
func randomForm(rng *rand.Rand, plan *gemm.Small, w []float32) []byte {
	form := make([]byte, plan.Bytes())
	scales := plan.Scales(form)
	for i := range scales {
		scales[i] = rng.Float32() / 100
	}
	for j := range plan.N {
		panel := plan.Panel(form, j/plan.Cols)
		for i := range plan.K {
			at, x := i*plan.Cols+j%plan.Cols, &w[j*plan.K+i]
			if plan.As == gemm.BFloat16 {
				b := math.Float32bits(*x) >> 16
				panel[2*at], panel[2*at+1], *x = byte(b), byte(b>>8), math.Float32frombits(b<<16)
				continue
			}
			code := int8(rng.IntN(255) - 127)
			panel[at], *x = byte(code), float32(code)*scales[j]
		}
	}
	return form
}

func TestASweepTellsOfNumbersThatAreNotFinite(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(93, 93))
		for range trials(40) {
			op, y, x, filters, bias := notFinite(rng)
			w, _ := NewWinograd(k, op)
			s := randomSweep(rng, w, rng.IntN(2) == 0)
			require.False(t, runSweep(s, y, last(x, op.C, op.H*op.W), randomSwept(rng, s, filters), bias, 3), "%+v", op)
		}
	})
}

// imageGradient is that of op in float64: all (N,C,H,W).
func imageGradient(op Op, dy, w []float32) []float64 {
	want := make([]float64, op.N*op.H*op.W*op.channels())
	for n := range op.N {
		for g := range op.Groups {
			one := window.Conv{Window: op.Window, N: 1, M: op.M}
			at := (n*op.Groups + g)
			copy(want[at*op.C*op.H*op.W:], simdtest.ImageGradient(one, dy[at*op.M*op.Cols():], w[g*op.M*op.Rows():]))
		}
	}
	return want
}

func TestInputGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(90, 90))
		for range trials(60) {
			op := randomOp(rng)
			dy, x, w, _ := operands(rng, op)
			want := imageGradient(op, dy, w)
			nan := func(n int) []float32 { return simdtest.Repeat(float32(math.NaN()), n) }
			g := NewInputGrad(k, op)
			packed, shared, scratch := nan(g.PackedLen()), nan(g.SharedLen()), nan(g.ScratchLen())
			each := 1 + rng.IntN(5)
			for hi := g.Packs(); hi > 0; hi -= each {
				g.Pack(packed, w, max(hi-each, 0), hi)
			}
			dy = last(dy, op.filters(), op.Cols())
			for hi := g.Unfolds(); hi > 0; hi -= each {
				g.Unfold(shared, dy, max(hi-each, 0), hi)
			}
			dx := nan(len(x))
			for hi := g.Tasks(); hi > 0; hi -= each {
				g.Run(dx, dy, packed, nil, shared, scratch, max(hi-each, 0), hi)
			}
			require.Len(t, dx, g.Results())
			for i := range g.Tasks() { // makes what it says, and nothing else
				from, to, all := g.Task(i)
				require.NotEqual(t, all, g.Shares())
				if part := nan(len(dx)); all {
					g.Run(part, dy, packed, nil, shared, scratch, i, i+1)
					simdtest.RequireBits(t, dx[from:to], part[from:to])
					simdtest.RequireBits(t, nan(from), part[:from])
					simdtest.RequireBits(t, nan(len(dx)-to), part[to:])
				}
			}
			simdtest.RequireClose(t, want, first(dx, op.channels(), op.H*op.W), 1e-5, op)
		}
	})
}

func TestWinogradInputGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(91, 91))
		for range trials(24) {
			op := randomWinograd(rng)
			dy, x, filters, _ := operands(rng, op)
			w, ok := NewWinogradInputGrad(k, op)
			require.True(t, ok)
			dx := make([]float32, len(x))
			require.True(t, runWinograd(w, dx, last(dy, op.M, op.Cols()), filters, nil, 1+rng.IntN(5)), "%+v", op)
			simdtest.RequireClose(t, imageGradient(op, dy, filters), first(dx, op.C, op.H*op.W), winogradError, op)
		}
	})
}

// filterGradient is that of op in float64.
func filterGradient(op Op, x, dy []float32) []float64 {
	want := make([]float64, op.filters()*op.Rows())
	for at := range op.N * op.Groups {
		g := at % op.Groups
		one := window.Conv{Window: op.Window, N: 1, M: op.M}
		dw := make([]float32, op.M*op.Rows())
		for i, v := range simdtest.Gradient(one, dw, x[at*op.C*op.H*op.W:], dy[at*op.M*op.Cols():]) {
			want[g*op.M*op.Rows()+i] += v
		}
	}
	return want
}

func TestFilterGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(92, 92))
		for range trials(60) {
			checkFilterGrad(t, k, rng, randomOp(rng))
		}
	})
}

// Images that are large have several parts, each of several blocks.
func TestFilterGradOfManyWindowsAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(95, 95))
		for _, op := range []Op{
			{N: 2, Groups: 1, M: 16, Window: window.Window{C: 3, H: 100, W: 100, KH: 11, KW: 11, SH: 4, SW: 4, Top: 2, Left: 2, OH: 24, OW: 24}},
			{N: 2, Groups: 1, M: 20, Window: window.Window{C: 5, H: 30, W: 30, KH: 3, KW: 3, Top: 1, Left: 1, OH: 30, OW: 30}},
		} {
			require.Greater(t, NewFilterGrad(k, op).parts, 1)
			checkFilterGrad(t, k, rng, op)
		}
	})
}

func checkFilterGrad(t *testing.T, k *Kernels, rng *rand.Rand, op Op) {
	dy, x, w, _ := operands(rng, op)
	want := filterGradient(op, x, dy)
	nan := func(n int) []float32 { return simdtest.Repeat(float32(math.NaN()), n) }
	g := NewFilterGrad(k, op)
	sums, scratch, room, dw := nan(g.SumsLen()), nan(g.ScratchLen()), nan(g.TotalScratch()), nan(len(w))
	x, dy = last(x, op.channels(), op.H*op.W), last(dy, op.filters(), op.Cols())
	each := 1 + rng.IntN(5)
	for hi := g.Tasks(); hi > 0; hi -= each {
		g.Run(sums, x, dy, scratch, max(hi-each, 0), hi)
	}
	g.Total(dw, sums, room, 0, g.Totals())
	simdtest.RequireClose(t, want, dw, 1e-5, op)
}

// Filters that a strip has no room for beside those of another input.
func TestConvOfHugeFiltersAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(96, 96))
		op := Op{N: 1, Groups: 1, M: 64, Window: window.Window{C: 2, H: 16, W: 16, KH: 13, KW: 13, OH: 4, OW: 4}}
		y, x, w, bias := operands(rng, op)
		want, size := definition(op, y, x, w, bias)
		convolve(NewConv(k, op), y, last(x, op.C, op.H*op.W), w, bias, 3)
		for i, v := range first(y, op.M, op.Cols()) {
			simdtest.RequireWithin(t, want[i], float64(v), 0x1p-24*float64(op.Rows()+3)*size[i], i, op)
		}
	})
}

func TestDepthwiseGradientsAgreeWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(93, 93))
		for range trials(60) {
			win, n := randomWindow(rng)
			op := Op{Window: win, N: n, Groups: win.C, M: 1}
			op.C = 1
			dy, x, w, _ := operands(rng, op)
			want := filterGradient(op, x, dy)
			images := imageGradient(op, dy, w)
			x, dy = last(x, win.C, win.H*win.W), last(dy, win.C, win.Cols())
			g := NewDepthwiseFilterGrad(k, win, n)
			sums, dw := simdtest.Repeat(float32(math.NaN()), g.SumsLen()), make([]float32, len(w))
			for hi := g.Tasks(); hi > 0; hi -= 3 {
				g.Run(sums, x, dy, max(hi-3, 0), hi)
			}
			g.Total(dw, sums)
			simdtest.RequireClose(t, want, dw, 1e-5, op)

			d := NewDepthwiseInputGrad(k, win, n)
			packed, dx := make([]float32, d.PackedLen()), simdtest.Repeat(float32(math.NaN()), len(x))
			d.Pack(packed, w)
			d.Run(dx, dy, packed, nil, 0, d.Tasks())
			simdtest.RequireClose(t, images, first(dx, win.C, win.H*win.W), 1e-5, op)
		}
	})
}

func TestWinogradFilterGradAgreesWithDefinition(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		rng := rand.New(rand.NewPCG(94, 94))
		for range trials(24) {
			op := randomWinograd(rng)
			dy, x, w, _ := operands(rng, op)
			want := filterGradient(op, x, dy)
			x, dy = last(x, op.C, op.H*op.W), last(dy, op.M, op.Cols())
			g, ok := NewWinogradFilterGrad(k, op)
			require.True(t, ok)
			g.group, g.groups = max(g.group/2, 1), isa.Ceil(g.forward.tiles(), max(g.group/2, 1)) // several groups
			nan := func(n int) []float32 { return simdtest.Repeat(float32(math.NaN()), n) }
			tiles, sums, total, cells, dw := nan(g.TilesLen()), nan(g.SumsLen()), nan(g.TotalLen()), nan(g.CellsLen()), nan(len(w))
			for i := range g.Groups() {
				for hi := g.Transforms(); hi > 0; hi-- {
					require.True(t, g.Transform(tiles, x, dy, cells, i, hi-1, hi))
				}
				for hi := g.Tasks(); hi > 0; hi -= 5 {
					g.Run(sums, tiles, i, max(hi-5, 0), hi)
				}
			}
			g.Total(total, sums, cells, 0, g.Totals())
			g.Turn(dw, total)
			simdtest.RequireClose(t, want, dw, winogradError, op)
			dy[rng.IntN(len(dy))] = float32(math.Inf(1))
			finite := true
			for i := range g.Groups() {
				finite = g.Transform(tiles, x, dy, cells, i, 0, g.Transforms()) && finite
			}
			require.False(t, finite)
		}
	})
}

// Who packs once for all that have one form must not mix up a convolution and the gradient of its
// images.
func TestTurnedFiltersHaveAFormOfTheirOwn(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		op := Op{N: 1, Groups: 1, M: 16, Window: window.Window{C: 16, H: 8, W: 8, KH: 3, KW: 3, Top: 1, Left: 1, OH: 8, OW: 8}}
		forward, _ := NewWinograd(k, op)
		back, _ := NewWinogradInputGrad(k, op)
		require.Equal(t, forward.PackedLen(), back.PackedLen())
		require.NotEqual(t, forward.Form(), back.Form())
	})
}
