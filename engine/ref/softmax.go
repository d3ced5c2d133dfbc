package ref

import (
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// BindSoftmax implements [engine.Softmaxer]. It subtracts the maximum first, so that nothing
// overflows.
func (Engine) BindSoftmax(log bool, axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) != 1 || in[0] != out {
		return unsupported("softmax", in)
	}
	l := linesAlong(axis, out.Shape)
	over := engine.Overwrite{Out: 0, In: 0}
	switch out.DType {
	case shape.Float32:
		return bound(softmaxKernel[float32](l, log), over), nil
	case shape.Float64:
		return bound(softmaxKernel[float64](l, log), over), nil
	}
	return unsupported("softmax", in)
}

// BindSoftmaxGrad implements [engine.Softmaxer].
func (Engine) BindSoftmaxGrad(log bool, axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) != 2 || in[0] != out || in[1] != out {
		return unsupported("softmax gradient", in)
	}
	l := linesAlong(axis, out.Shape)
	over := []engine.Overwrite{{Out: 0, In: 0}, {Out: 0, In: 1}}
	switch out.DType {
	case shape.Float32:
		return bound(softmaxGradKernel[float32](l, log), over...), nil
	case shape.Float64:
		return bound(softmaxGradKernel[float64](l, log), over...), nil
	}
	return unsupported("softmax gradient", in)
}

// lines are the one-dimensional parts of a tensor along an axis: each has n elements, stride apart.
type lines struct{ outer, n, stride int }

func linesAlong(axis int, s shape.Shape) lines {
	l := lines{1, s.Int(axis), 1}
	for i := range s.Rank() {
		switch {
		case i < axis:
			l.outer *= s.Int(i)
		case i > axis:
			l.stride *= s.Int(i)
		}
	}
	return l
}

// each calls f with the offset of each line.
func (l lines) each(f func(at int)) {
	for o := range l.outer {
		for i := range l.stride {
			f(o*l.n*l.stride + i)
		}
	}
}

func softmaxKernel[T shape.Float](l lines, log bool) engine.Kernel {
	return func(c *engine.Call) error {
		x, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.Out[0])
		if len(x) == 0 {
			return nil
		}
		l.each(func(at int) {
			largest, others := exponentials(l, x[at:])
			logSum := math.Log1p(others)
			for k := range l.n {
				v := float64(x[at+k*l.stride]) - largest
				if log {
					y[at+k*l.stride] = T(v - logSum)
				} else {
					y[at+k*l.stride] = T(math.Exp(v) / (1 + others))
				}
			}
		})
		return nil
	}
}

// exponentials returns the largest element of the line at the beginning of x, and the sum of
// exp(x-largest) over all others. The term of the largest, 1, is left out because small sums would
// be lost in it.
func exponentials[T shape.Float](l lines, x []T) (largest, others float64) {
	best := 0
	for k := range l.n {
		if greater(x[k*l.stride], x[best*l.stride]) {
			best = k
		}
	}
	largest = float64(x[best*l.stride])
	for k := range l.n {
		if k != best {
			others += math.Exp(float64(x[k*l.stride]) - largest)
		}
	}
	if largest-largest != 0 { // infinite or NaN: no element has a probability
		others = math.NaN()
	}
	return largest, others
}

func softmaxGradKernel[T shape.Float](l lines, log bool) engine.Kernel {
	return func(c *engine.Call) error {
		y, dy, dx := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.Out[0])
		l.each(func(at int) {
			sum := 0.0
			for k := range l.n {
				d := float64(dy[at+k*l.stride])
				if !log {
					d *= float64(y[at+k*l.stride])
				}
				sum += d
			}
			for k := range l.n {
				v, d := float64(y[at+k*l.stride]), float64(dy[at+k*l.stride])
				if log {
					dx[at+k*l.stride] = T(logSoftmaxGrad(v, d, sum))
				} else {
					dx[at+k*l.stride] = T(v * (d - sum))
				}
			}
		})
		return nil
	}
}

// logSoftmaxGrad returns dy - exp(y)*sum. For a probability near 1 it is computed from 1-exp(y),
// because dy is most of the sum there.
func logSoftmaxGrad(y, dy, sum float64) float64 {
	if y > -math.Ln2 {
		return dy - sum - math.Expm1(y)*sum
	}
	return dy - math.Exp(y)*sum
}
