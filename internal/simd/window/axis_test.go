package window

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// eachAxis tries axes with windows partly and wholly in the padding, wider than the image, and
// apart, also with padding that is cut off.
func eachAxis(test func(a Axis)) {
	rng := rand.New(rand.NewPCG(51, 51))
	for range 3000 {
		test(Axis{In: 1 + rng.IntN(12), Out: rng.IntN(12), Kernel: 1 + rng.IntN(5), Stride: 1 + rng.IntN(4),
			Dilation: 1 + rng.IntN(3), Before: rng.IntN(10) - 3})
	}
}

// adaptiveAxes tries axes of adaptive windows.
func adaptiveAxes(test func(a Axis)) {
	for in := 1; in < 20; in++ {
		for out := 1; out < 24; out++ {
			test(Adaptive(in, out))
		}
	}
}

// TestAdaptiveWindowsFollowTheDefinition: PyTorch's, in fractions.
func TestAdaptiveWindowsFollowTheDefinition(t *testing.T) {
	adaptiveAxes(func(a Axis) {
		most, apart := 0, true
		for o, last := 0, 0; o < a.Out; o++ {
			from, to := math.Floor(float64(o)*float64(a.In)/float64(a.Out)), math.Ceil(float64(o+1)*float64(a.In)/float64(a.Out))
			require.Equal(t, Span{int(from), int(to - from), 1}, a.Taps(o), "%+v, window %d", a, o)
			require.Equal(t, int(from)+2, a.At(o, 2))
			most, apart, last = max(most, int(to-from)), apart && int(from) >= last, int(to)
		}
		require.Equal(t, most, a.Kernel)
		require.Equal(t, apart, a.Apart(), "%+v", a)
		lo, hi := a.Whole()
		require.Equal(t, [2]int{0, a.Out}, [2]int{lo, hi})
	})
}

// TestRunsAreTheSpansOfWindows: Runs have the elements of each window, and Over the windows of each
// element, in order.
func TestRunsAreTheSpansOfWindows(t *testing.T) {
	test := func(a Axis) {
		of, over := make([][]int, a.Out), make([][]int, a.In)
		for o := range a.Out {
			s := a.Taps(o)
			for k := range s.N {
				i := s.At + k*s.Step
				of[o], over[i] = append(of[o], i), append(over[i], o)
			}
		}
		require.Equal(t, of, listed(t, a.Runs(), a.Out), "%+v", a)
		require.Equal(t, over, listed(t, a.Over(), a.In), "%+v", a)
	}
	eachAxis(test)
	adaptiveAxes(test)
}

// listed is what each of n results of some runs meets.
func listed(t *testing.T, runs []Run, n int) [][]int {
	all := make([][]int, n)
	for _, r := range runs {
		require.GreaterOrEqual(t, r.InStep, 0)
		for i := range r.N {
			for k := range r.Taps {
				all[r.Out+i*r.Step] = append(all[r.Out+i*r.Step], r.In+i*r.InStep+k*r.InTap)
			}
		}
	}
	return all
}

// met returns the taps of window o that meet the image, by the definition.
func (a Axis) met(o int) (taps []int) {
	for k := range a.Kernel {
		if at := o*a.Stride + k*a.Dilation - a.Before; at >= 0 && at < a.In {
			taps = append(taps, k)
		}
	}
	return taps
}

func TestTapsAndWindowsFollowTheDefinition(t *testing.T) {
	eachAxis(func(a Axis) {
		var windows, whole []int // those whose last tap meets the image, and those with all taps
		for o := range a.Out {
			met := a.met(o)
			s := a.Taps(o)
			require.Len(t, met, s.N, "%+v, window %d", a, o)
			for i, k := range met {
				require.Equal(t, o*a.Stride+k*a.Dilation-a.Before, s.At+i*s.Step, "%+v, window %d", a, o)
			}
			if len(met) > 0 && met[len(met)-1] == a.Kernel-1 {
				windows = append(windows, o)
			}
			if len(met) == a.Kernel {
				whole = append(whole, o)
			}
		}
		requireRange(t, windows, a, func() (int, int) { return a.Windows(a.Kernel - 1) })
		requireRange(t, whole, a, a.Whole)
	})
}

func requireRange(t *testing.T, want []int, a Axis, of func() (lo, hi int)) {
	t.Helper()
	lo, hi := of()
	require.Equal(t, len(want), hi-lo, "%+v", a)
	if len(want) > 0 {
		require.Equal(t, want[0], lo, "%+v", a)
	}
}

// covered returns the pairs of results and taps of some runs, and where they meet.
func covered(t *testing.T, runs []Run) (pairs map[[2]int]int, results []int) {
	pairs = map[[2]int]int{}
	for _, r := range runs {
		for i := range r.N {
			results = append(results, r.Out+i*r.Step)
			for k := range r.Taps {
				at := [2]int{r.Out + i*r.Step, r.Tap + k*r.TapStep}
				require.NotContains(t, pairs, at)
				pairs[at] = r.In + i*r.InStep + k*r.InTap
			}
		}
	}
	return pairs, results
}

func TestRunsMeetWhatWindowsMeet(t *testing.T) {
	eachAxis(func(a Axis) {
		want, adjoint := map[[2]int]int{}, map[[2]int]int{}
		for o := range a.Out {
			for _, k := range a.met(o) {
				at := o*a.Stride + k*a.Dilation - a.Before
				want[[2]int{o, k}], adjoint[[2]int{at, k}] = at, o
			}
		}
		pairs, results := covered(t, a.Runs())
		require.Equal(t, want, pairs, "%+v", a)
		require.Len(t, results, a.Out)
		pairs, results = covered(t, a.Adjoint())
		require.Equal(t, adjoint, pairs, "%+v", a)
		require.Len(t, results, a.In)
	})
}

func TestPiecesOfARunAreTheRun(t *testing.T) {
	eachAxis(func(a Axis) {
		want, _ := covered(t, a.Runs())
		var cut, split []Run
		third := func(o int) int { return o / 3 }
		for _, r := range a.Runs() {
			for _, p := range r.Cut(2) {
				require.LessOrEqual(t, p.N, 2)
				cut = append(cut, p)
			}
			for _, p := range r.SplitBy(third) {
				require.Equal(t, third(p.Out), third(p.Out+(p.N-1)*p.Step))
				split = append(split, p)
			}
		}
		pairs, _ := covered(t, cut)
		require.Equal(t, want, pairs)
		pairs, _ = covered(t, split)
		require.Equal(t, want, pairs)
	})
}

func TestPartsOfAnAxisHaveItsTaps(t *testing.T) {
	eachAxis(func(a Axis) {
		want, _ := covered(t, a.Runs())
		first := a.Kernel / 2
		pairs, _ := covered(t, a.Part(0, first).Runs())
		rest, _ := covered(t, a.Part(first, a.Kernel-first).Runs())
		for p, at := range rest {
			pairs[[2]int{p[0], p[1] + first}] = at
		}
		require.Equal(t, want, pairs, "%+v", a)
	})
}

func TestWindowsApartShareNothing(t *testing.T) {
	eachAxis(func(a Axis) {
		if !a.Apart() {
			return
		}
		seen := map[int]bool{}
		for o := range a.Out {
			for _, k := range a.met(o) {
				at := o*a.Stride + k*a.Dilation - a.Before
				require.False(t, seen[at], "%+v", a)
				seen[at] = true
			}
		}
	})
}
