package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/shape"
)

// Float32 numbers a unit of rounding apart, and the least ones, normal and denormal.
const (
	eps   = 0x1p-23
	least = 0x1p-126
	bit   = 0x1p-149
)

// bound is how far an element may be off where PyTorch has exact, its float32 is off by some, and the
// element, or the largest of a sum of many, has that size. docs/PARITY.md says why.
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

// judge compares an output with one or several results by PyTorch, each element with that which is nearest.
func (c config) judge(u under, d shape.DType, isFloat bool, have []float64, results []theirs) (difference, bool) {
	worst := difference{engine: u.name, dtype: d}
	for i, v := range have {
		if slices.ContainsFunc(results, func(t theirs) bool { return t.near(d, i, v, c.allowed(u, d, isFloat, t, i)) }) {
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
		off, size = t.overall()
		if math.IsInf(t.off[i], 1) {
			off = inf
		}
	}
	b := bound(d, off, size)
	if u.flushes && d == shape.Float32 && size < 128*least { // a denormal on the way may have been multiplied
		b += 128 * least
	}
	return b
}

// elementwise says whether an element of the output comes from one of each input: gradients by what was
// broadcast are sums.
func (c config) elementwise(t theirs) bool { return c.Apart && slices.Equal(t.shape, t.of) }

func finite(v float64) float64 {
	if v = math.Abs(v); v < inf {
		return v
	}
	return 0
}

// overall is how far PyTorch's float32 is off at most, or rounded inputs move the result, and the size of the largest element.
func (t *theirs) overall() (off, size float64) {
	if t.largest == nil {
		t.largest = &[2]float64{}
		for i := range t.exact {
			t.largest[0] = max(t.largest[0], finite(t.off[i]), finite(t.moved[i]))
			t.largest[1] = max(t.largest[1], finite(t.exact[i]))
		}
	}
	return t.largest[0], t.largest[1]
}

// near says whether v is what PyTorch has at i. In float32 what overflows is infinite, and what PyTorch's
// float32 has is right as well.
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

// check returns how a configuration differs, nil where it does not.
func (k *checker) check(ctx context.Context, c config) ([]difference, error) {
	results, err := k.results(c, 2, false)
	if errors.Is(err, errUnsupported) || len(results) == 0 {
		return nil, err
	}
	var all []difference
	for _, d := range []shape.DType{shape.Float64, shape.Float32} {
		n, err := c.graph(d)
		if err != nil {
			return nil, err
		}
		for _, u := range k.engines {
			if u.skips && c.has("few NaN") {
				continue
			}
			outs, err := c.run(ctx, u.Engine, n, d)
			if err != nil {
				return nil, fmt.Errorf("%s, %v: %w", u.name, d, err)
			}
			for i := range results {
				have, isFloat := floats(outs[i]), n.outs[i].Type().IsFloat()
				if want := n.outs[i].Type().At(n.batch).Ints(); !slices.Equal(want, results[i].shape) {
					return nil, fmt.Errorf("%s is %v, PyTorch's has shape %v", n.names[i], want, results[i].shape)
				}
				diff, differs := c.judge(u, d, isFloat, have, results[i:i+1])
				if !differs {
					continue
				}
				if diff, differs, err = k.again(c, u, d, isFloat, have, i); err != nil {
					return nil, err
				}
				if differs {
					diff.output = n.names[i]
					all = append(all, diff)
				}
			}
		}
	}
	return all, nil
}

// again judges an output that differs by what more neighbours of the inputs say of PyTorch's float32, in
// which a network is now and then on the other side of a kink, and on an engine that may take denormals
// for zeros by what PyTorch makes of zeros.
func (k *checker) again(c config, u under, d shape.DType, isFloat bool, have []float64, i int) (difference, bool, error) {
	results, err := k.results(c, 40, false)
	if err != nil {
		return difference{}, false, err
	}
	candidates := []theirs{results[i]}
	if u.flushes && d == shape.Float32 {
		if results, err = k.results(c, 2, true); err != nil {
			return difference{}, false, err
		}
		candidates = append(candidates, results[i])
	}
	diff, differs := c.judge(u, d, isFloat, have, candidates)
	return diff, differs, nil
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
	}
	return results, nil
}

// has says whether inputs are of a kind.
func (c config) has(kind string) bool {
	return slices.ContainsFunc(c.Inputs, func(in input) bool { return in.Kind == kind })
}

// ops are the functions of the configuration.
func (c config) ops() string {
	var all []string
	for _, s := range c.Steps {
		all = append(all, s.Op)
	}
	return strings.Join(all, " ")
}
