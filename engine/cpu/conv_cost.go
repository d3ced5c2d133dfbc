package cpu

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/interleaved"
	"github.com/plexaura/plexaura/internal/simd/winograd"
	"github.com/plexaura/plexaura/shape"
)

// The cost model of convolutions of float32. Of the algorithms that no rule speaks against, the one
// that multiplies least is taken, of equals the first. Rules are limits, measured, beyond which an
// algorithm is slower than its multiplications say.

// What Bound.Alg calls the algorithms.
const (
	winogradAlg            = "winograd"
	directAlg              = "direct"
	im2colAlg              = "im2col"
	interleavedAlg         = "interleaved"
	interleavedWinogradAlg = "interleaved winograd"
)

const (
	// winogradChannels is the least channels and filters that Winograd's transforms pay for, and
	// winogradChannelsGo in plain Go; winogradGradChannels is the least channels for the gradient
	// of the filters.
	winogradChannels     = 8
	winogradChannelsGo   = 32
	winogradGradChannels = 16

	// winogradWindows is the least windows of a batch that the transform of the filters pays for,
	// and winogradGradWindows for their gradient.
	winogradWindows     = 128
	winogradGradWindows = 160

	// directPairs is the most pairs of channel and filter for which the direct kernel is faster.
	// With more, products are so large that they hide the cost of unfolding.
	directPairs = 1 << 14

	// pointwiseChannels is the fewest channels and filters with which a product is faster than the direct
	// kernel for 1x1 filters, and pointwisePlane the most elements of a channel with which the direct
	// gradient of such filters still is.
	pointwiseChannels = 16
	pointwisePlane    = 512

	// directResultCost is what it takes the direct kernel to write a result, and directSortCost to sort an element of the
	// images by its place within a stride, in multiplications.
	directResultCost = 4
	directSortCost   = 60

	// nhwcChannels is the fewest channels and filters that fill vectors of channels.
	nhwcChannels = 16

	// interleavedPairs is the most pairs of channel and filter for which interleaving pays, and
	// interleavedBytes the most memory of the images and results of a block, so that it stays near
	// the processor.
	interleavedPairs = 1 << 12
	interleavedBytes = 8 << 20
)

// way is a convolution or one of its gradients.
type way uint8

const (
	forward way = iota
	inputGrad
	filterGrad
)

// algorithms bind a way of a convolution. Winograd's falls back to the exact kernel for numbers
// that are not finite, which is none of packed filters. stem is only of convolutions themselves.
type algorithms struct {
	winograd             func(exact engine.Bound) engine.Bound
	stem, direct, im2col func() engine.Bound
}

// cheapest binds the algorithm that the cost model chooses.
func (e Engine) cheapest(g convolution, w way, by algorithms) engine.Bound {
	all := e.candidates(g, w)
	alg := choose(all)
	if alg == stemAlg {
		b := by.stem()
		b.Choice = all
		return b
	}
	exact := by.im2col
	if choose(all[2:]) == directAlg {
		exact = by.direct
	}
	b := exact()
	b.Choice = all
	if alg != winogradAlg {
		return b
	}
	lean := b
	b = by.winograd(b)
	b.Choice, b.Lean = all, func() engine.Bound { return lean }
	return b
}

// choose returns the algorithm of least work that nothing speaks against.
func choose(all []engine.Candidate) (alg string) {
	least := 0
	for _, c := range all {
		if c.Against == "" && (alg == "" || c.Work < least) {
			alg, least = c.Alg, c.Work
		}
	}
	return alg
}

// candidates are the algorithms for images in rows, of which Winograd's is first, the stem's second, and
// the last one always serves.
func (e Engine) candidates(g convolution, w way) []engine.Candidate {
	multiplications := g.results() * g.depth()
	transformed, direct := engine.Candidate{Alg: winogradAlg}, engine.Candidate{Alg: directAlg, Work: multiplications}
	stem := engine.Candidate{Alg: stemAlg, Work: multiplications, Against: e.againstStem(g, w)}
	planned, unit := g, true // the convolution that vector kernels would do
	if w == inputGrad {
		planned, unit = g.adjoint()
	}
	op, ok := planned.convOp(engine.Epilogue{})
	applies := false
	if unit && ok {
		transformed.Work, applies = winograd.Work(e.simd.Winograd, op)
	}
	transformed.Against = e.againstWinograd(g, w, applies)
	direct.Against = againstDirect(g, w, unit && ok && g.depth() > 0)
	return []engine.Candidate{transformed, stem, direct, {Alg: im2colAlg, Work: multiplications}}
}

// againstSizes is why a convolution is not one that Winograd's algorithm takes.
const againstSizes = "for 3x3 or 5x5 filters, stride 1, one group"

func (e Engine) againstWinograd(g convolution, w way, applies bool) string {
	channels, windows := winogradChannels, g.batch*g.yPlane()
	if w == inputGrad {
		windows = g.batch * g.xPlane()
	}
	if !e.simd.Winograd.Vector() {
		channels = winogradChannelsGo
	}
	switch {
	case e.exact:
		return "ruled out by ExactConv"
	case !applies:
		return againstSizes
	case min(g.C, g.filters) < channels:
		return fewer(min(g.C, g.filters), "channels or filters", channels)
	case windows < winogradWindows:
		return fewer(windows, "windows", winogradWindows)
	case w == filterGrad && g.C < winogradGradChannels:
		return fewer(g.C, "channels", winogradGradChannels)
	case w == filterGrad && windows < winogradGradWindows:
		return fewer(windows, "windows", winogradGradWindows)
	}
	return ""
}

// againstStem knows that filters side by side in vectors fill them better than windows of a row do, or not.
func (e Engine) againstStem(g convolution, w way) string {
	switch {
	case w != forward:
		return "for convolutions, not for gradients"
	case !e.simd.NHWC.Vector():
		return "for vector instructions"
	case g.groups > 1 || g.depth() == 0:
		return "for one group of filters that have elements"
	case g.C > stemChannels:
		return more(g.C, "channels", stemChannels)
	case g.taps() > 1 && g.tiled():
		return againstTiled
	case e.stemWork(g) >= e.directWork(g):
		return "windows of a row fill vectors better than filters do"
	}
	return ""
}

// againstDirect knows that the gradient of the filters gains always, unless the image is its own
// unfolding; and that for 1x1 filters there is nothing to unfold, or only the pixels that a stride meets,
// as there are few for windows that lie side by side.
func againstDirect(g convolution, w way, applies bool) string {
	pairs := g.C * g.filters
	switch {
	case !applies && w == inputGrad:
		return "for one group, stride 1"
	case !applies:
		return "for one group"
	case g.taps() == 1 && min(g.C, g.filters) >= pointwiseChannels && (w != filterGrad || g.xPlane() > pointwisePlane):
		return "a product reads images for 1x1 filters as they stand"
	case g.taps() > 1 && g.tiled():
		return againstTiled
	case pairs > directPairs && (w != filterGrad || g.plain()):
		return more(pairs, "pairs of channel and filter", directPairs)
	}
	return ""
}

// againstTiled is why no windows side by side are multiplied where they lie.
const againstTiled = "a product: windows side by side are unfolded by one copy of the image"

func fewer(have int, what string, limit int) string {
	return fmt.Sprintf("%d %s, fewer than %d", have, what, limit)
}

func more(have int, what string, limit int) string {
	return fmt.Sprintf("%d %s, more than %d", have, what, limit)
}

// cheapestInterleaved is exact, or what winograd binds.
func (e Engine) cheapestInterleaved(op interleaved.Op, w way, exact engine.Bound, winograd func() engine.Bound) engine.Bound {
	all := e.interleavedCandidates(op, w)
	if choose(all) == interleavedWinogradAlg {
		exact = winograd()
	}
	exact.Choice = all
	return exact
}

// interleavedCandidates are the algorithms for interleaved images. The exact kernels skip what lies
// outside of an image, so that a gradient takes them no more than the convolution, whose windows
// are counted as whole; Winograd's works on every row and tile of what it makes.
func (e Engine) interleavedCandidates(op interleaved.Op, w way) []engine.Candidate {
	images := op.Blocks * op.Groups * interleaved.Images
	rows := images * op.OH
	if w == inputGrad {
		rows = images * op.H
	}
	lines := engine.Candidate{Alg: interleavedWinogradAlg}
	row, ok := interleaved.WinogradWork(op, w == inputGrad)
	switch lines.Work = rows * row; {
	case e.exact:
		lines.Against = "ruled out by ExactConv"
	case !ok:
		lines.Against = "for filters of 5 columns, stride 1"
	}
	return []engine.Candidate{{Alg: interleavedAlg, Work: images * op.OH * op.OW * op.M * op.Rows()}, lines}
}

// prefersInterleaved reports whether a convolution and its adjoints are faster with interleaved
// images: where Winograd's algorithm does not serve, channels and filters are few, and a block is
// small.
func (e Engine) prefersInterleaved(c engine.Conv2D, x, w, y shape.Type) bool {
	if !e.simd.Interleaved.Vector() || x.Int(0) == 0 || y.Len() == 0 || !e.interleavable(x, y) {
		return false
	}
	g := convOf(c, x, w, y)
	if e.simd.NHWC.Vector() && (g.depthwise() || min(g.C, g.filters) >= nhwcChannels) {
		return false
	}
	return choose(e.candidates(g, forward)) != winogradAlg &&
		g.C*g.filters <= interleavedPairs && (x.Bytes()+y.Bytes())/x.Int(0)*interleaved.Images <= interleavedBytes
}
