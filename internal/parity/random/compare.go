package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/shape"
)

// Float32 numbers a unit of rounding apart, and the least ones, normal and denormal.
const (
	eps   = 0x1p-23
	least = 0x1p-126
	bit   = 0x1p-149
)

// bound is how far an element may be off where PyTorch has exact, its float32 is off by some, and
// the element, or the largest of a sum of many, has that size. docs/PARITY.md says why.
func bound(d shape.DType, off, size float64) float64 {
	if d == shape.Float64 {
		return 1e-10*size + 0x1p-25*8*off
	}
	return 16*eps*size + 8*off + 4*bit
}

// difference is an element that is further off than it may be.
type difference struct {
	engine string
	dtype  shape.DType
	output string
	at     int
	have   float64
	theirs theirs
	bound  float64
	many   int // elements that are
}

func (d difference) String() string {
	return fmt.Sprintf("%s, %v: %s%v, element %d of %d that differ: %v, PyTorch has %v, in float32 %v, at most %.2g off",
		d.engine, d.dtype, d.output, d.theirs.shape, d.at, d.many, d.have, d.theirs.exact[d.at], d.theirs.single[d.at], d.bound)
}

// judge compares an output with one or several results by PyTorch, each element with that which is
// nearest.
func (c config) judge(u under, d shape.DType, isFloat bool, have []float64, results []theirs) (difference, bool) {
	worst := difference{engine: u.name, dtype: d}
	for i, v := range have {
		if slices.ContainsFunc(results, func(t theirs) bool { return t.near(d, i, v, c.allowed(u, d, isFloat, t, i)) || c.overflows(d, v, t) }) {
			continue
		}
		if worst.many++; worst.many == 1 {
			worst.at, worst.have, worst.theirs, worst.bound = i, v, results[0], c.allowed(u, d, isFloat, results[0], i)
		}
	}
	return worst, worst.many > 0
}

// allowed is the bound of element i.
func (c config) allowed(u under, d shape.DType, isFloat bool, t theirs, i int) float64 {
	if !isFloat {
		return 0
	}
	off, size := t.off[i], finite(t.exact[i])
	if !c.elementwise(t) {
		off, size = t.worst, t.largest
		if math.IsInf(t.off[i], 1) {
			off = inf
		}
	}
	b := bound(d, off, size)
	if c.elementwise(t) || c.has("logits") || c.computes(crossEntropyOp) {
		b += c.cancelled(d, t.order)
	}
	if t.order == 0 && c.computes(crossEntropyOp) {
		b += loggedSum
	}
	if t.largest == 0 && strings.Contains(c.ops(), "BatchNorm") {
		b += constant(d)
	}
	if u.flushes && d == shape.Float32 && size < 128*least { // a denormal on the way may have been multiplied
		b += 128 * least
	}
	return b
}

// crossEntropyOp is the op whose results are differences where logits are sure.
const crossEntropyOp = "CrossEntropy"

// loggedSum is how far PyTorch's float64 is off in a cross-entropy, however small: it takes the logarithm
// of a sum from 1 on, and so 0 for a target whose logit is 40 above the others. Ours is accurate there.
const loggedSum = 0x1p-52

// cancelled is how far derivatives of an elementwise function, or by logits, of which they are
// differences of probabilities, may be off whatever their size: their terms are of size 1, those of
// curvature up to 100, and may cancel on either side, where PyTorch's float32 is exact by luck.
func (c config) cancelled(d shape.DType, order int) float64 {
	switch {
	case order == 0:
		return 0
	case order == 1 && d == shape.Float64:
		return 0x1p-46
	case order == 1:
		return 0x1p-25
	}
	terms := 1.
	for _, s := range c.Steps {
		terms = max(terms, steep[s.Op])
	}
	if d == shape.Float64 {
		return terms * 0x1p-46
	}
	return terms * 0x1p-17
}

// overflows says whether v is what comes of a sum of terms near the largest number, in float32: one
// order of them may overflow where another does not. Such sums are gradients by what was broadcast.
func (c config) overflows(d shape.DType, v float64, t theirs) bool {
	sum := c.Apart && t.order > 0 && !slices.Equal(t.shape, t.of)
	return sum && c.has("extreme") && d == shape.Float32 && (math.IsNaN(v) || math.IsInf(v, 0))
}

// constant is how far a gradient may be off that vanishes since a channel does not vary, as behind
// dead ReLUs: what the channel's mean is off by a few roundings is divided by the root of
// BatchNorm's least variance, Eps, which is 1e-3 in networks.
func constant(d shape.DType) float64 {
	unit := eps
	if d == shape.Float64 {
		unit = 0x1p-52
	}
	return 16 * unit / math.Sqrt(1e-3)
}

// steep are the functions whose curvature has larger terms, and how many times: x(2u')^2, in GELU's
// tanh form, is 600 at 6, where 1-sigmoid(2u) is still a difference.
var steep = map[string]float64{"GELUTanh": 8}

// elementwise says whether an element of the output comes from one of each input: gradients by what
// was broadcast are sums.
func (c config) elementwise(t theirs) bool { return c.Apart && slices.Equal(t.shape, t.of) }

func finite(v float64) float64 {
	if v = math.Abs(v); v < inf {
		return v
	}
	return 0
}

// measure finds how far PyTorch's float32 is off at most, or rounded inputs move the result, and
// the size of the largest element.
func (t *theirs) measure() {
	for i := range t.exact {
		t.worst = max(t.worst, finite(t.off[i]), finite(t.moved[i]))
		t.largest = max(t.largest, finite(t.exact[i]))
	}
}

// near says whether v is what PyTorch has at i. In float32 what overflows is infinite, and what
// PyTorch's float32 has is right as well.
func (t theirs) near(d shape.DType, i int, v, bound float64) bool {
	want := t.exact[i]
	if d == shape.Float32 {
		if same(v, t.single[i]) {
			return true
		}
		want = float64(float32(want))
	}
	return same(v, want) || math.IsInf(bound, 1) || math.Abs(v-want) <= bound
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// checker compares configurations on engines with PyTorch.
type checker struct {
	peer    *peer
	engines []under
	missing map[string]string // what PyTorch lacks, by function
}

// check returns how a configuration differs, nil where it does not; no more than the first
// difference where that is enough.
func (k *checker) check(ctx context.Context, c config, first bool) (all []difference, err error) {
	results, err := k.results(c, 2, false)
	if err != nil {
		return nil, err
	}
	again := sync.OnceValues(func() (more secondLook, err error) {
		if more.near, err = k.results(c, 40, false); err != nil {
			return more, err
		}
		more.flushed, err = k.results(c, 2, true)
		return more, err
	})
	for _, d := range []shape.DType{shape.Float64, shape.Float32} {
		n, err := c.graph(d)
		if err != nil {
			return nil, err
		}
		for _, u := range k.engines {
			if u.excused(c) || first && len(all) > 0 {
				continue
			}
			differ, err := c.compare(ctx, u, d, n, results, again)
			if err != nil {
				return nil, fmt.Errorf("%s, %v: %w", u.name, d, err)
			}
			all = append(all, differ...)
		}
	}
	return all, nil
}

// secondLook is what is asked before a configuration is said to differ: what more neighbours of the
// inputs say of PyTorch's float32, in which a network is now and then on the other side of a kink,
// and what PyTorch makes of zeros for denormals.
type secondLook struct{ near, flushed []theirs }

// compare computes the configuration on an engine and returns the outputs that differ.
func (c config) compare(ctx context.Context, u under, d shape.DType, n computation, results []theirs, again func() (secondLook, error)) (all []difference, err error) {
	outs, err := c.run(ctx, u.Engine, n, d)
	if err != nil {
		return nil, err
	}
	for i, t := range results {
		have, isFloat := parity.Floats(outs[i]), n.outs[i].Type().IsFloat()
		if want := n.outs[i].Type().At(n.batch).Ints(); !slices.Equal(want, t.shape) {
			return nil, fmt.Errorf("%s has shape %v, PyTorch's %v", n.names[i], want, t.shape)
		}
		if _, differs := c.judge(u, d, isFloat, have, results[i:i+1]); !differs {
			continue
		}
		more, err := again()
		if err != nil {
			return nil, err
		}
		candidates := more.near[i : i+1]
		if u.flushes && d == shape.Float32 {
			candidates = []theirs{more.near[i], more.flushed[i]}
		}
		if diff, differs := c.judge(u, d, isFloat, have, candidates); differs {
			diff.output = n.names[i]
			all = append(all, diff)
		}
	}
	return all, nil
}

// results asks PyTorch.
func (k *checker) results(c config, samples int, flushed bool) ([]theirs, error) {
	n, err := c.graph(shape.Float32)
	if err != nil {
		return nil, err
	}
	results, missing, err := k.peer.compute(c.request(n, samples, flushed))
	if err != nil {
		return nil, err
	}
	if missing != "" {
		k.missing[c.ops()] = missing
	}
	for i := range results {
		results[i].of = results[0].shape
		results[i].order = (i + max(1, len(n.wrt)) - 1) / max(1, len(n.wrt))
		results[i].measure()
	}
	return results, nil
}

// excused says whether the engine is left out: std where it computes as ref does, by ref's slow
// convolutions, or where it says that it may differ.
func (u under) excused(c config) bool {
	return u.few && (c.has("few NaN") || c.has("many NaN") || slices.ContainsFunc(c.Steps, func(s step) bool { return images[s.Op] != nil }))
}

// has says whether inputs are of a kind.
func (c config) has(kind string) bool {
	return slices.ContainsFunc(c.Inputs, func(in input) bool { return in.Kind == kind })
}

// computes says whether a step is an op.
func (c config) computes(op string) bool {
	return slices.ContainsFunc(c.Steps, func(s step) bool { return s.Op == op })
}

// ops are the functions of the configuration.
func (c config) ops() string {
	var all []string
	for _, s := range c.Steps {
		all = append(all, s.Op)
	}
	return strings.Join(all, " ")
}
