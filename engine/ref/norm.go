package ref

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// BindMoments implements [engine.Normaliser].
func (Engine) BindMoments(axes engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) != 1 || in[0].DType != out.DType || in[0].Layout != engine.Rows {
		return unsupported("moments", in)
	}
	n := norm{parts: split(in[0].Shape, axes)}
	if out.Rank() == 0 || out.Int(0) != 2 || 2*n.kept.size() != out.Len() {
		return engine.Bound{}, fmt.Errorf("the moments over %d axes of %v are not %v", axes.Len(), in[0], out)
	}
	switch out.DType {
	case shape.Float32:
		return bound(momentsKernel[float32](n)), nil
	case shape.Float64:
		return bound(momentsKernel[float64](n)), nil
	}
	return unsupported("moments", in)
}

// BindNorm implements [engine.Normaliser].
func (Engine) BindNorm(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return bindNorm("normalisation", n, 3, 1, []int{0}, in, out, normKernel[float32], normKernel[float64])
}

// BindNormInputGrad implements [engine.Normaliser].
func (Engine) BindNormInputGrad(n engine.Norm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	inputs := 3
	if n.Summed {
		inputs++
	}
	return bindNorm("gradient of normalisation", n, inputs, 2, []int{0, 1}, in, out, normInputGradKernel[float32], normInputGradKernel[float64])
}

// BindNormSums implements [engine.Normaliser].
func (Engine) BindNormSums(n engine.Norm, over engine.Axes, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if len(in) < 2 || out.Rank() != in[0].Rank()+1 || out.Int(0) != 2 {
		return unsupported("sums of gradients", in)
	}
	row := out
	if row.Shape = out.Shape.Drop(0); row.Shape != over.Ones(in[0].Shape) {
		return unsupported("sums of gradients", in)
	}
	with := append([]engine.Operand{in[0], row}, in[1:]...) // as for the other kernels
	b, err := bindNorm("sums of gradients", n, 3, 1, nil, with, in[0], normSumsKernel[float32], normSumsKernel[float64])
	b.Scratch = out.Len() * shape.Float64.Width()
	return b, err
}

// bindNorm binds the kernel of in, which begin with x and end with the moments, if they are given.
// gamma is the number of that input, and over are inputs that may be overwritten.
func bindNorm(what string, of engine.Norm, inputs, gamma int, over []int, in []engine.Operand, out engine.Operand,
	f32, f64 func(norm) engine.Kernel) (engine.Bound, error) {
	if of.Given {
		inputs++
	}
	if len(in) != inputs || in[0] != out {
		return unsupported(what, in)
	}
	n := norm{Norm: of, parts: split(out.Shape, of.Axes), last: len(in) - 1}
	for _, o := range in {
		if o.DType != out.DType || o.Layout != engine.Rows {
			return unsupported(what, in)
		}
	}
	if s, err := shape.Broadcast(in[gamma].Shape, out.Shape); err != nil || s != out.Shape || of.Given && in[n.last].Len() != 2*n.kept.size() {
		return unsupported(what, in)
	}
	n.gamma = spread(in[gamma].Shape, out.Shape)
	if of.Summed {
		row := of.Along(out.Shape, in[gamma].Shape).Ones(out.Shape)
		if in[3].Shape != row.Insert(0, shape.Dim(2)) {
			return unsupported(what, in)
		}
		n.sums = spread(row, out.Shape)
	}
	var inPlace []engine.Overwrite
	for _, i := range over {
		inPlace = append(inPlace, engine.Overwrite{Out: 0, In: i})
	}
	switch out.DType {
	case shape.Float32:
		return bound(f32(n), inPlace...), nil
	case shape.Float64:
		return bound(f64(n), inPlace...), nil
	}
	return unsupported(what, in)
}

// norm is a normalisation of known extents.
type norm struct {
	engine.Norm
	parts      // groups, and the elements of one
	gamma grid // places of gamma by place in x
	last  int  // input that has the moments, if they are given
	sums  grid // places of sums by place in x, if they are given
}

// moments returns mean and biased variance of group g.
func moments[T shape.Float](n norm, c *engine.Call, g int) (mean, variance float64) {
	if n.Given {
		m := engine.Slice[T](c.In[n.last])
		return float64(m[g]), float64(m[n.kept.size()+g])
	}
	x, base, size := engine.Slice[T](c.In[0]), n.kept.offset(g), n.reduced.size()
	for i := range size {
		mean += float64(x[base+n.reduced.offset(i)])
	}
	mean /= float64(size)
	for i := range size {
		d := float64(x[base+n.reduced.offset(i)]) - mean
		variance += d * d
	}
	return mean, variance / float64(size)
}

func momentsKernel[T shape.Float](n norm) engine.Kernel {
	return func(c *engine.Call) error {
		m, groups := engine.Slice[T](c.Out[0]), n.kept.size()
		for g := range groups {
			mean, variance := moments[T](n, c, g)
			m[g], m[groups+g] = T(mean), T(variance)
		}
		return nil
	}
}

// each calls f for the elements of group g: with their place, that in gamma, and xhat.
func eachNormal[T shape.Float](n norm, x []T, g int, mean, scale float64, f func(at, gamma int, xhat float64)) {
	base := n.kept.offset(g)
	for i := range n.reduced.size() {
		at := base + n.reduced.offset(i)
		f(at, n.gamma.offset(at), (float64(x[at])-mean)*scale)
	}
}

func normKernel[T shape.Float](n norm) engine.Kernel {
	return func(c *engine.Call) error {
		x, gamma, beta, y := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.In[2]), engine.Slice[T](c.Out[0])
		for g := range n.groups() {
			mean, variance := moments[T](n, c, g)
			eachNormal(n, x, g, mean, 1/math.Sqrt(variance+n.Eps), func(at, k int, xhat float64) {
				y[at] = T(xhat*float64(gamma[k]) + float64(beta[k]))
			})
		}
		return nil
	}
}

// groups is how many groups have elements.
func (n norm) groups() int {
	if n.reduced.size() == 0 {
		return 0
	}
	return n.kept.size()
}

func normInputGradKernel[T shape.Float](n norm) engine.Kernel {
	return func(c *engine.Call) error {
		x, dy, gamma, dx := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.In[2]), engine.Slice[T](c.Out[0])
		for g := range n.groups() {
			mean, variance := moments[T](n, c, g)
			scale, size := 1/math.Sqrt(variance+n.Eps), float64(n.reduced.size())
			meanH, meanHX := 0.0, 0.0
			if n.Summed {
				meanH, meanHX = sumMeans[T](n, c, g)
			} else {
				eachNormal(n, x, g, mean, scale, func(at, k int, xhat float64) {
					h := float64(dy[at]) * float64(gamma[k])
					meanH, meanHX = meanH+h/size, meanHX+h*xhat/size
				})
			}
			eachNormal(n, x, g, mean, scale, func(at, k int, xhat float64) {
				dx[at] = T(scale * (float64(dy[at])*float64(gamma[k]) - meanH - xhat*meanHX))
			})
		}
		return nil
	}
}

// sumMeans returns the means of h and of h*xhat in group g, given the sums: one is met once for each element that it is of.
func sumMeans[T shape.Float](n norm, c *engine.Call, g int) (h, hx float64) {
	gamma, sums := engine.Slice[T](c.In[2]), engine.Slice[T](c.In[3])
	size, base := float64(n.reduced.size()), n.kept.offset(g)
	for i := range n.reduced.size() {
		at := base + n.reduced.offset(i)
		k := n.sums.offset(at)
		part := float64(gamma[n.gamma.offset(at)]) / size * float64(len(sums)/2) / float64(len(engine.Slice[T](c.In[0])))
		h += part * float64(sums[k])
		hx += part * float64(sums[len(sums)/2+k])
	}
	return h, hx
}

func normSumsKernel[T shape.Float](n norm) engine.Kernel {
	n.last-- // the result was counted among the inputs
	return func(c *engine.Call) error {
		x, dy, out := engine.Slice[T](c.In[0]), engine.Slice[T](c.In[1]), engine.Slice[T](c.Out[0])
		sums := engine.Slice[float64](c.Scratch.At(0, shape.Float64, len(out)))
		clear(sums)
		for g := range n.groups() {
			mean, variance := moments[T](n, c, g)
			eachNormal(n, x, g, mean, 1/math.Sqrt(variance+n.Eps), func(at, k int, xhat float64) {
				sums[k] += float64(dy[at])
				sums[len(sums)/2+k] += float64(dy[at]) * xhat
			})
		}
		for k, v := range sums {
			out[k] = T(v)
		}
		return nil
	}
}
