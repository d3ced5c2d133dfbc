package augment

import (
	"errors"
	"fmt"
	"math"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/shape"
)

// MixUp replaces each example of a batch by t times itself plus 1-t times another, both inputs and
// targets (Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: beyond empirical risk minimization", 2018).
// t is drawn once per batch, from the distribution Beta(Alpha,Alpha). The other example is the next
// one of the batch or, for the last, the first; if the loader shuffles, that is a random one.
//
// Class numbers become distributions over the classes, float32(C), which the cross-entropy of
// package ops accepts as targets.
type MixUp struct {
	Alpha float64 // 0 means 0.2, as for ImageNet
	// Classes is the number of classes if they have no names, and 0 otherwise.
	Classes int
}

// Bind implements [data.Mixer].
func (a MixUp) Bind(in data.Info) (data.Mix, data.Info, error) {
	if a.Alpha == 0 {
		a.Alpha = .2
	}
	if err := checkNumber("Alpha", a.Alpha, 1e-3, 1e3); err != nil {
		return nil, in, err
	}
	first := make([]float32, in.Input.Len())
	if in.Target.DType == shape.Float32 {
		target := make([]float32, in.Target.Len())
		return func(n int, b data.Example, r *data.Rand) error {
			t := float32(beta(a.Alpha, r))
			blend(b.X, first, n, t)
			blend(b.Targets, target, n, t)
			return nil
		}, in, nil
	}
	classes, err := a.classes(in)
	if err != nil {
		return nil, in, err
	}
	in.Target, in.Classes = shape.F32(shape.Dim(classes)), nil
	return func(n int, b data.Example, r *data.Rand) error {
		t := float32(beta(a.Alpha, r))
		blend(b.X, first, n, t)
		return distribute(b, n, classes, t)
	}, in, nil
}

func (a MixUp) classes(in data.Info) (int, error) {
	named := len(in.Classes)
	switch {
	case in.Target != shape.I32():
		return 0, fmt.Errorf("the target is %v; want one class number, or numbers", in.Target)
	case a.Classes < 0 || named == 0 && a.Classes == 0:
		return 0, errors.New("the classes have no names; want their number in Classes")
	case named > 0 && a.Classes > 0 && a.Classes != named:
		return 0, fmt.Errorf("Classes is %d, but the data have %d", a.Classes, named)
	}
	return max(named, a.Classes), nil
}

// blend replaces each of n examples by t times itself plus 1-t times the next. first is memory for
// one example.
func blend(x, first []float32, n int, t float32) {
	size := len(first)
	x = x[:n*size]
	copy(first, x)
	for i := range n * size {
		next := i + size
		if next < len(x) {
			x[i] = t*x[i] + (1-t)*x[next]
		} else {
			x[i] = t*x[i] + (1-t)*first[next-len(x)]
		}
	}
}

// distribute sets the target of each of n examples to t for its own class and 1-t for that of the
// next example.
func distribute(b data.Example, n, classes int, t float32) error {
	clear(b.Targets[:n*classes])
	for _, class := range b.Labels[:n] {
		if class < 0 || int(class) >= classes {
			return fmt.Errorf("class %d; want 0 to %d", class, classes-1)
		}
	}
	for i := range n {
		row := b.Targets[i*classes:][:classes]
		own, next := b.Labels[i], b.Labels[(i+1)%n]
		row[own] += t
		row[next] += 1 - t
	}
	return nil
}

// beta draws from Beta(alpha,alpha): the fraction of one of two numbers of the distribution
// Gamma(alpha) in their sum. It draws logarithms, because for a small alpha the numbers themselves
// may underflow.
func beta(alpha float64, r *data.Rand) float64 {
	a, b := logGamma(alpha, r), logGamma(alpha, r)
	return 1 / (1 + math.Exp(b-a))
}

// logGamma draws the logarithm of a number of Gamma(alpha) by Marsaglia and Tsang, "A simple method
// for generating gamma variables" (2000), including their reduction of alpha to alpha+1.
func logGamma(alpha float64, r *data.Rand) float64 {
	d := alpha + 1 - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		z := r.Normal()
		v := 1 + c*z
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < z*z/2+d-d*v+d*math.Log(v) {
			return math.Log(d*v) + math.Log(1-r.Float64())/alpha
		}
	}
}
