package inspect

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
)

// Map holds the result of a layer for one example: for images (N,C,H,W), C maps of H rows. Features
// are C maps of one element.
type Map struct {
	C, H, W int
	V       []float32
}

// Channel returns one of the maps.
func (m Map) Channel(c int) []float32 { return m.V[c*m.H*m.W : (c+1)*m.H*m.W] }

// Maps returns the results of layers for one example x. One program computes all.
func (n *Network) Maps(ctx context.Context, layers []Layer, x []float32) ([]Map, error) {
	if len(x) != n.Input().Len() {
		return nil, fmt.Errorf("inspect: %d numbers; want one example of %v", len(x), n.Input())
	}
	var nodes []*graph.Node
	for _, l := range layers {
		if !n.has(l.Node) {
			return nil, errNotOfNet
		}
		nodes = append(nodes, l.Node)
	}
	input, outs := n.clone(nodes...)
	p, err := n.compile(outs...)
	if err != nil {
		return nil, prefixed(err)
	}
	got, err := p.run(ctx, feeds{input: dense(input, x)})
	if err != nil {
		return nil, prefixed(err)
	}
	var maps []Map
	for i, l := range layers {
		t := l.Node.Type().At(1)
		m := Map{C: t.Len(), H: 1, W: 1, V: engine.AppendFloat32s(nil, got[i])}
		if t.Rank() > 2 {
			m = Map{C: t.Int(1), H: extent(t, 0), W: t.Int(-1), V: m.V}
			m.H = t.Len() / max(m.C*m.W, 1) // the depth of a volume is counted as rows
		}
		maps = append(maps, m)
	}
	return maps, nil
}

// Filters returns the filters of a convolution (O,C/Groups,KH,KW), one after the other. They may be
// a Param or computed from Params.
func (n *Network) Filters(ctx context.Context, c Convolution) ([]float32, error) {
	if !n.made() || c.Filter == nil || c.Filter.Graph() != n.output.Graph() {
		return nil, errNotOfNet
	}
	images := graph.Transform([]*graph.Node{c.Filter}, func(dst *graph.Graph, x *graph.Node, in []*graph.Node) *graph.Node {
		return dst.Replay(x, in...)
	})
	p, err := n.compile(images...)
	if err != nil {
		return nil, prefixed(err)
	}
	got, err := p.run(ctx, nil)
	if err != nil {
		return nil, prefixed(err)
	}
	return engine.AppendFloat32s(nil, got[0]), nil
}

// Parameter is a parameter with histograms of its values and of the loss's gradient with respect to
// them.
type Parameter struct {
	Name             string
	Shape            shape.Shape
	Values, Gradient Histogram
}

// Parameters returns the parameters, with the gradient of the mean loss over all examples of ds.
func (n *Network) Parameters(ctx context.Context, ds data.Dataset) ([]Parameter, error) {
	all, err := n.parameters(ctx, ds)
	return all, prefixed(err)
}

func (n *Network) parameters(ctx context.Context, ds data.Dataset) (all []Parameter, err error) {
	loader, err := n.loader(ctx, ds)
	if err != nil {
		return nil, err
	}
	if n.loss == nil {
		return nil, errors.New("the network has no loss; give New one to get gradients")
	}
	sums, leaves, err := n.gradients(ctx, loader)
	if err != nil {
		return nil, err
	}
	for i, leaf := range leaves {
		v, err := n.store.Value(leaf.Name())
		if err != nil {
			return nil, err
		}
		grad := make([]float32, len(sums[i]))
		for k, g := range sums[i] {
			grad[k] = float32(g / float64(ds.Len()))
		}
		all = append(all, Parameter{leaf.Name(), leaf.Type().Shape, NewHistogram(engine.AppendFloat32s(nil, v)), NewHistogram(grad)})
	}
	return all, nil
}

// gradients returns, for each parameter, the sum of the gradients of all examples' losses.
func (n *Network) gradients(ctx context.Context, loader *data.Loader) (sums [][]float64, leaves []*graph.Node, err error) {
	input, images := n.clone(n.loss)
	loss := images[0]
	for _, x := range loss.Graph().Leaves() {
		if x.Type().HasGradient() && (x.Kind() == graph.Param || optim.Averages([]string{x.Name()})) {
			leaves = append(leaves, x)
			sums = append(sums, make([]float64, x.Type().Len()))
		}
	}
	p, err := n.compile(autodiff.Grad(loss, leaves...)...)
	if err != nil {
		return nil, nil, err
	}
	for b, err := range loader.EpochFrom(ctx, 0, 0) {
		if err != nil {
			return nil, nil, err
		}
		feed := feeds{}
		for _, x := range p.inputs {
			feed[x] = b.Y
		}
		feed[input] = dense(input, b.X.Float32s())
		grads, err := p.run(ctx, feed)
		if err != nil {
			return nil, nil, err
		}
		for i, g := range grads {
			for k, v := range engine.AppendFloat32s(nil, g) {
				sums[i][k] += float64(v) * float64(len(b.Examples))
			}
		}
	}
	return sums, leaves, nil
}

// Histogram counts numbers in bins of equal width from Lo to Hi, the smallest and the largest
// finite number.
type Histogram struct {
	Lo, Hi    float64
	Counts    []int
	Mean, Std float64 // of the finite numbers
	Zeros     int     // number of exact zeros
	NotFinite int     // number of values in no bin
}

// Bins is the number of bins of a [Histogram].
const Bins = 40

// NewHistogram returns a histogram of v.
func NewHistogram(v []float32) Histogram {
	h := Histogram{Lo: math.Inf(1), Hi: math.Inf(-1), Counts: make([]int, Bins)}
	sum, n := 0., 0.
	for _, x := range v {
		f := float64(x)
		switch {
		case math.IsNaN(f) || math.IsInf(f, 0):
			h.NotFinite++
			continue
		case f == 0:
			h.Zeros++
		}
		h.Lo, h.Hi = math.Min(h.Lo, f), math.Max(h.Hi, f)
		sum += f
		n++
	}
	if n == 0 {
		h.Lo, h.Hi = 0, 0
		return h
	}
	h.Mean = sum / n
	squares := 0.
	for _, x := range v {
		f := float64(x)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		squares += (f - h.Mean) * (f - h.Mean)
		h.Counts[h.bin(f)]++
	}
	h.Std = math.Sqrt(squares / n)
	return h
}

// bin returns the bin of a number between Lo and Hi.
func (h Histogram) bin(f float64) int {
	if h.Lo == h.Hi {
		return len(h.Counts) / 2
	}
	return min(int((f-h.Lo)/(h.Hi-h.Lo)*float64(len(h.Counts))), len(h.Counts)-1)
}
