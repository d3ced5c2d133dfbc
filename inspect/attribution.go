package inspect

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/integrate/quad"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// scored is a clone of the network with the score of one class per example.
type scored struct {
	x, class, score *graph.Node
	output          *graph.Node
	at              []*graph.Node // the images of the requested nodes
}

// className is the name of the input for classes, which exists only in programs.
const className = "inspect.class"

func (n *Network) scored(at ...*graph.Node) scored {
	x, images := n.clone(append([]*graph.Node{n.output}, at...)...)
	class := x.Graph().Input(className, shape.I32(shape.N))
	return scored{x, class, Score(images[0], class), images[0], images[1:]}
}

// attribute computes out for each example of images x and its class.
func (n *Network) attribute(ctx context.Context, s scored, out *graph.Node, x []float32, classes []int) (y []float32, err error) {
	examples, err := n.images(x)
	if err != nil {
		return nil, err
	}
	if err := n.checkClasses(classes, examples); err != nil {
		return nil, err
	}
	p, err := n.compile(out)
	if err != nil {
		return nil, prefixed(err)
	}
	err = n.batches(x, batchSize, func(i int, part []float32) error {
		feed := feeds{s.x: dense(s.x, part)}
		feed[s.class] = ids(classes[i : i+len(part)/n.Input().Len()])
		got, err := p.run(ctx, feed)
		if err == nil {
			y = engine.AppendFloat32s(y, got[0])
		}
		return err
	})
	return y, err
}

// Saliency returns a map (H,W) for each of images x (C,H,W): how much each pixel changes the output
// for its class. The maps follow one another; see the function [Saliency].
func (n *Network) Saliency(ctx context.Context, x []float32, classes []int) ([]float32, error) {
	if _, err := n.images(x); err != nil {
		return nil, err
	}
	s := n.scored()
	return n.attribute(ctx, s, Saliency(s.x, s.score), x, classes)
}

// GradCAM returns a map (h,w) for each of images x: where activation maps at (N,C,h,w), a node of
// this network, raise the output for its class. The maps follow one another; see the function
// [GradCAM]. Usually at is the node of [Network.LastMaps].
func (n *Network) GradCAM(ctx context.Context, at *graph.Node, x []float32, classes []int) ([]float32, error) {
	if !n.has(at) {
		return nil, errNotOfNet
	}
	s := n.scored(at)
	return n.attribute(ctx, s, GradCAM(s.at[0], s.score), x, classes)
}

// DefaultSteps is the default number of gradients that approximate the integral of
// [Network.IntegratedGradients].
const DefaultSteps = 50

// IntegratedGradients returns a map (C,H,W) for each of images x (C,H,W): the contribution of each
// element to the output for its class, compared with the image baseline. It is the gradient,
// averaged along the straight line from baseline to x, times the difference of the two
// (Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, 2017). The elements of a
// map add up to the difference of the outputs, up to the error of the quadrature, which is
// Gauss-Legendre with the given number of steps; 0 means [DefaultSteps]. The baseline is one image,
// or nil for zeros.
func (n *Network) IntegratedGradients(ctx context.Context, x, baseline []float32, classes []int, steps int) (y []float32, err error) {
	examples, err := n.images(x)
	if err != nil {
		return nil, err
	}
	size := n.Input().Len()
	if baseline == nil {
		baseline = make([]float32, size)
	}
	switch {
	case len(baseline) != size:
		return nil, fmt.Errorf("inspect: a baseline of %d numbers; want one example of %v", len(baseline), n.Input())
	case steps < 0 || steps > 1000:
		return nil, fmt.Errorf("inspect: %d steps; want 1 to 1000, or 0 for %d", steps, DefaultSteps)
	case steps == 0:
		steps = DefaultSteps
	}
	if err := n.checkClasses(classes, examples); err != nil {
		return nil, err
	}
	l, err := n.newLine(steps)
	if err != nil {
		return nil, prefixed(err)
	}
	for i, class := range classes {
		one, err := l.integrate(ctx, x[i*size:(i+1)*size], baseline, class)
		if err != nil {
			return nil, prefixed(err)
		}
		y = append(y, one...)
	}
	return y, nil
}

// line integrates gradients along a line. The batch of its program is the points on the line.
type line struct {
	program      *program
	from, to     *graph.Node // (C,H,W)
	place, share *graph.Node // (N): the points on the line, from 0 to 1, and their weights
	class        *graph.Node // (N)
	places       []float32
	shares       []float32
}

// newLine makes the program. For points on the line it computes the gradients of the outputs, and
// their weighted sum times the difference of the ends.
func (n *Network) newLine(steps int) (*line, error) {
	l, points := &line{}, (*graph.Node)(nil)
	images := graph.Transform([]*graph.Node{n.output}, func(dst *graph.Graph, x *graph.Node, in []*graph.Node) *graph.Node {
		if x != n.input {
			return dst.Replay(x, in...)
		}
		t := x.Type()
		each, column := t.Of(t.Drop(0)), make([]shape.Dim, t.Rank())
		for i := range column {
			column[i] = 1
		}
		column[0] = shape.N
		l.from, l.to = dst.Input("inspect.from", each), dst.Input("inspect.to", each)
		l.place, l.share = dst.Input("inspect.place", t.Of(shape.Of(column...))), dst.Input("inspect.share", t.Of(shape.Of(column...)))
		l.class = dst.Input(className, shape.I32(shape.N))
		points = ops.Add(l.from, ops.Mul(l.place, ops.Sub(l.to, l.from)))
		return points
	})
	grads := autodiff.Grad(Score(images[0], l.class), points)[0]
	sum := ops.Mul(ops.Sum(ops.Mul(grads, l.share), 0), ops.Sub(l.to, l.from))
	place, weight := make([]float64, steps), make([]float64, steps)
	quad.Legendre{}.FixedLocations(place, weight, 0, 1)
	for i := range place {
		l.places, l.shares = append(l.places, float32(place[i])), append(l.shares, float32(weight[i]))
	}
	var err error
	l.program, err = n.compile(sum)
	return l, err
}

func (l *line) integrate(ctx context.Context, to, from []float32, class int) (y []float32, err error) {
	y = make([]float32, len(to))
	for i := 0; i < len(l.places); i += batchSize {
		end := min(i+batchSize, len(l.places))
		classes := make([]int, end-i)
		for k := range classes {
			classes[k] = class
		}
		got, err := l.program.run(ctx, feeds{
			l.from: dense(l.from, from), l.to: dense(l.to, to),
			l.place: dense(l.place, l.places[i:end]), l.share: dense(l.share, l.shares[i:end]), l.class: ids(classes),
		})
		if err != nil {
			return nil, err
		}
		for k, v := range engine.AppendFloat32s(nil, got[0]) {
			y[k] += v
		}
	}
	return y, nil
}

// Window is the square that [Network.Occlusion] moves across an image, in pixels.
type Window struct {
	Size, Stride int
	// Value replaces the covered elements in all channels. For normalised inputs, 0 is the mean
	// colour.
	Value float32
}

// Occlusion returns a map (H,W) for each of images x (C,H,W): how much the output for its class
// falls when a window covers a part of the image. Each pixel is the mean over the windows that
// cover it (Zeiler and Fergus, 2013). The maps follow one another. Windows are cut off at the edge
// of the image.
func (n *Network) Occlusion(ctx context.Context, x []float32, classes []int, w Window) (y []float32, err error) {
	examples, err := n.images(x)
	if err != nil {
		return nil, err
	}
	if err := n.checkClasses(classes, examples); err != nil {
		return nil, err
	}
	if w.Size < 1 || w.Stride < 1 || w.Stride > w.Size {
		return nil, fmt.Errorf("inspect: a window of %d pixels at a stride of %d; want at least 1, and a stride not above the size", w.Size, w.Stride)
	}
	s := n.scored()
	p, err := n.compile(s.output)
	if err != nil {
		return nil, prefixed(err)
	}
	size := n.Input().Len()
	for i, class := range classes {
		one, err := n.occlude(ctx, p, s.x, x[i*size:(i+1)*size], class, w)
		if err != nil {
			return nil, prefixed(err)
		}
		y = append(y, one...)
	}
	return y, nil
}

// square is a part of an image.
type square struct{ top, left, bottom, right int }

// squares returns the positions of w in an image of h by wide pixels.
func (w Window) squares(h, wide int) (all []square) {
	for top := range places(h, w) {
		for left := range places(wide, w) {
			y, x := top*w.Stride, left*w.Stride
			all = append(all, square{y, x, min(y+w.Size, h), min(x+w.Size, wide)})
		}
	}
	return all
}

// places returns how many windows it takes to cover a side of n pixels.
func places(n int, w Window) int { return (max(n-w.Size, 0)+w.Stride-1)/w.Stride + 1 }

func (n *Network) occlude(ctx context.Context, p *program, input *graph.Node, x []float32, class int, w Window) ([]float32, error) {
	t := n.Input()
	h, wide := t.Int(1), t.Int(2)
	squares := w.squares(h, wide)
	outputs := make([]float32, 0, len(squares)+1)
	for i := 0; i <= len(squares); i += batchSize { // the first example is the unchanged image
		var part []float32
		for k := i; k < min(i+batchSize, len(squares)+1); k++ {
			part = append(part, x...)
			if k > 0 {
				cover(part[len(part)-len(x):], squares[k-1], h, wide, w.Value)
			}
		}
		got, err := p.run(ctx, feeds{input: dense(input, part)})
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, pick(got[0], class)...)
	}
	return spread(outputs[0], outputs[1:], squares, h, wide), nil
}

// pick returns one element of each example's output.
func pick(d *tensor.Dense, at int) (v []float32) {
	all := engine.AppendFloat32s(nil, d)
	each := len(all) / d.Shape()[0]
	for i := at; i < len(all); i += each {
		v = append(v, all[i])
	}
	return v
}

// cover sets a square of every channel of an image to value.
func cover(x []float32, s square, h, w int, value float32) {
	for plane := 0; plane < len(x); plane += h * w {
		for y := s.top; y < s.bottom; y++ {
			for i := s.left; i < s.right; i++ {
				x[plane+y*w+i] = value
			}
		}
	}
}

// spread returns for each pixel the mean decrease for the squares that cover it.
func spread(whole float32, covered []float32, squares []square, h, w int) []float32 {
	sum, count := make([]float64, h*w), make([]float64, h*w)
	for k, s := range squares {
		for y := s.top; y < s.bottom; y++ {
			for x := s.left; x < s.right; x++ {
				sum[y*w+x] += float64(whole) - float64(covered[k])
				count[y*w+x]++
			}
		}
	}
	mean := make([]float32, h*w)
	for i := range mean {
		mean[i] = float32(sum[i] / max(count[i], 1))
	}
	return mean
}
