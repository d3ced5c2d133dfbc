package watch

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Limits of what is shown of a network: layers, channels per layer, pixels per side of a map,
// examples.
const maxLayers, maxChannels, maxSide, maxExamples = 24, 32, 56, 4

// look computes the output of a model in inference form, and the results of its layers for an
// input.
type look struct {
	info    data.Info
	classes int // along axis 1 of the output; 0 if it does not choose among classes
	layers  []lookLayer
	program *vm.Program
}

// lookLayer is a layer whose maps are shown.
type lookLayer struct {
	name, op string
	shape    shape.Shape // of its output for one example: (C,H,W) or (K)
}

// newLook compiles the program for the output of a model. info describes the model's data.
func newLook(e engine.Engine, output *graph.Node, info data.Info) (l *look, err error) {
	l = &look{info: info}
	outs := []*graph.Node{output}
	if t := output.Type(); t.Rank() == 2 && t.IsFloat() && info.Target.DType == shape.Int32 && info.Target.Rank() == 0 {
		outs[0], l.classes = ops.Softmax(output, 1), t.Int(1)
	}
	for _, n := range spread(shownNodes(output), maxLayers) {
		outs = append(outs, n.node)
		l.layers = append(l.layers, lookLayer{name: n.node.Layer(), op: n.op, shape: n.node.Type().Drop(0)})
	}
	l.program, err = vm.Compile(e, outs)
	return l, err
}

// layerEnd is the last node of a layer, and the op that does most of its work.
type layerEnd struct {
	node *graph.Node
	op   string
	macs int
}

// shownNodes returns the ends of the layers that compute a result of their own for each example.
func shownNodes(output *graph.Node) (ends []layerEnd) {
	byLayer := map[string]*layerEnd{}
	all := graph.Reachable(output)
	for _, n := range all {
		if n.Kind() != graph.Computed {
			continue
		}
		e := byLayer[n.Layer()]
		if e == nil {
			e = &layerEnd{}
			byLayer[n.Layer()] = e
		}
		e.node = n
		if m := nn.MACs(n); m > e.macs || e.macs == 0 {
			e.op, e.macs = n.Op().Name(), m
		}
	}
	for _, n := range all {
		if e := byLayer[n.Layer()]; e != nil && e.node == n && hasMaps(n) {
			ends = append(ends, *e)
		}
	}
	return ends
}

// hasMaps reports whether n is maps or numbers for each example, and not only a reshaped result of
// another layer.
func hasMaps(n *graph.Node) bool {
	t := n.Type()
	if _, same := n.Op().(vm.Aliaser); same || !t.IsFloat() || t.Rank() < 2 || t.Rank() > 4 || t.Dim(0) != shape.N {
		return false
	}
	return t.Drop(0).Concrete()
}

// exampleMaps is the maps of the layers for one example.
type exampleMaps struct {
	Input  layerMaps   `json:"input"`
	Layers []layerMaps `json:"layers"`
	Label  string      `json:"label,omitempty"` // its class, if known
	Top    []topClass  `json:"top,omitempty"`
}

// title returns the index of example i with its class and prediction.
func (m exampleMaps) title(i int) string {
	switch {
	case len(m.Top) == 0:
		return fmt.Sprintf("example %d", i+1)
	case m.Label == "":
		return fmt.Sprintf("example %d → %s", i+1, m.Top[0].Name)
	}
	return m.Label + " → " + m.Top[0].Name
}

// layerMaps is the maps of a layer as bytes, 0 for the smallest value and 255 for the largest.
type layerMaps struct {
	Name     string `json:"name"`
	Op       string `json:"op"`
	Shape    string `json:"shape"`    // of the output
	Channels int    `json:"channels"` // number of maps shown, at most maxChannels
	Height   int    `json:"height"`   // at most maxSide
	Width    int    `json:"width"`
	Least    number `json:"least"`
	Most     number `json:"most"`
	Flat     int    `json:"flat"`   // number of maps shown that are constant
	Pixels   []byte `json:"pixels"` // base64
}

// topClass is a class with its probability.
type topClass struct {
	Name        string `json:"name"`
	Probability number `json:"probability"`
}

// run returns the maps of each example of x.
func (l *look) run(ctx context.Context, m *vm.Machine, x *tensor.Dense) ([]exampleMaps, error) {
	outs, err := m.Run(ctx, x)
	if err != nil {
		return nil, err
	}
	all := make([]exampleMaps, x.Shape()[0])
	for i := range all {
		v := slices.Clone(example(x, i))
		l.info.Preprocess.Undo(v)
		all[i].Input = draw("input", "", l.info.Input.Shape, v)
		all[i].Top = l.top(example(outs[0], i))
		for k, layer := range l.layers {
			all[i].Layers = append(all[i].Layers, draw(layer.name, layer.op, layer.shape, example(outs[k+1], i)))
		}
	}
	return all, nil
}

// example returns example i of a batch, without copying float32.
func example(d *tensor.Dense, i int) []float32 {
	n := d.Size() / d.Shape()[0]
	if d.Dtype() == tensor.Float32 {
		return d.Float32s()[i*n : (i+1)*n]
	}
	all, v := engine.BufferOfDense(d), make([]float32, n)
	for k, f := range engine.Floats(all.At(i*n*all.DType().Width(), all.DType(), n)) {
		v[k] = float32(f)
	}
	return v
}

// top returns the most probable classes.
func (l *look) top(p []float32) (all []topClass) {
	if l.classes == 0 {
		return nil
	}
	for i, v := range p {
		all = append(all, topClass{l.class(i), number(v)})
	}
	slices.SortStableFunc(all, func(a, b topClass) int {
		switch {
		case a.Probability > b.Probability:
			return -1
		case a.Probability < b.Probability:
			return 1
		}
		return 0
	})
	return all[:min(len(all), 10)]
}

// class returns the name of a class.
func (l *look) class(i int) string {
	if i >= 0 && i < len(l.info.Classes) {
		return l.info.Classes[i]
	}
	return fmt.Sprint(i)
}

// draw turns the values of a layer for one example into bytes. Maps larger than maxSide are reduced
// to means of blocks.
func draw(name, op string, s shape.Shape, v []float32) layerMaps {
	c, h, w := extents(s)
	m := layerMaps{Name: name, Op: op, Shape: s.String(), Channels: min(c, maxChannels)}
	block := 1
	if s.Rank() > 1 {
		block = (max(h, w)-1)/maxSide + 1
	} else {
		w = min(w, maxNumbers)
	}
	m.Height, m.Width = (h-1)/block+1, (w-1)/block+1
	shown := make([]float32, 0, m.Channels*m.Height*m.Width)
	for i := range m.Channels {
		shown = shrink(shown, v[i*h*w:(i+1)*h*w], h, w, block)
	}
	m.Flat = flat(shown, m.Channels)
	m.Pixels, m.Least, m.Most = quantised(shown)
	return m
}

// extents returns the channels, the height and the width of (C,H,W), (C,W) or (W).
func extents(s shape.Shape) (c, h, w int) {
	switch s.Rank() {
	case 1:
		return 1, 1, s.Int(0)
	case 2:
		return s.Int(0), 1, s.Int(1)
	case 3:
		return s.Int(0), s.Int(1), s.Int(2)
	}
	return 1, 1, s.Len()
}

// maxNumbers is the largest number of values of a layer without maps that are shown.
const maxNumbers = 4096

// shrink appends the means of the blocks of a map.
func shrink(to, v []float32, h, w, block int) []float32 {
	if block == 1 {
		return append(to, v...)
	}
	for y := 0; y < h; y += block {
		for x := 0; x < w; x += block {
			sum, n := float32(0), float32(0)
			for _, row := range rowsOf(v, w, y, min(y+block, h)) {
				for _, f := range row[x:min(x+block, w)] {
					sum, n = sum+f, n+1
				}
			}
			to = append(to, sum/n)
		}
	}
	return to
}

func rowsOf(v []float32, w, from, to int) (rows [][]float32) {
	for y := from; y < to; y++ {
		rows = append(rows, v[y*w:(y+1)*w])
	}
	return rows
}

// flat counts the constant maps.
func flat(v []float32, channels int) (n int) {
	size := len(v) / channels
	if size < 2 || channels < 2 {
		return 0
	}
	for c := range channels {
		m := v[c*size : (c+1)*size]
		if !slices.ContainsFunc(m, func(f float32) bool { return f != m[0] }) {
			n++
		}
	}
	return n
}

// quantised maps the smallest element of v to 0 and the largest to 255. Elements that are not
// finite become 0.
func quantised(v []float32) (pixels []byte, least, most number) {
	lo, hi := float32(math.Inf(1)), float32(math.Inf(-1))
	for _, f := range v {
		if finite(f) {
			lo, hi = min(lo, f), max(hi, f)
		}
	}
	pixels = make([]byte, len(v))
	if !(hi > lo) {
		return pixels, number(lo), number(hi)
	}
	scale := 255 / (float64(hi) - float64(lo))
	for i, f := range v {
		if finite(f) {
			pixels[i] = byte((float64(f)-float64(lo))*scale + .5)
		}
	}
	return pixels, number(lo), number(hi)
}

func finite(f float32) bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }
