package inspect

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Survey is the result of one pass over a dataset.
type Survey struct {
	Examples int
	// Classes has the class number of each example, Predicted the class with the greatest output,
	// and Probability the softmax at the latter. They are nil if the data have no class numbers or
	// the output is not one number per class.
	Classes, Predicted []int
	Probability        []float32
	// Hidden has the values of the last hidden layer for the first examples, Width numbers each.
	// For maps (N,C,H,W) they are the means over the pixels.
	Hidden []float32
	Width  int
	// Peaks has, for each requested convolution and each of its first channels, the positions that
	// excite the channel most, at most one per example, in decreasing order.
	Peaks [][][]Peak
	// Units describes each rectifier.
	Units []Units
}

// Peak is a position that excites a channel.
type Peak struct {
	Example int
	Y, X    int // in the activation map
	Value   float32
}

// Units describes the channels, or features, of a rectifier.
type Units struct {
	Layer
	Count  int
	Dead   []int     // those that were 0 at every position for every example
	Active []float64 // for each unit, the fraction of its values that were positive
}

// SurveyOptions select what a pass records.
type SurveyOptions struct {
	Convolutions []Convolution // whose peaks to record; with maps (N,C,H,W)
	Channels     int           // number of channels of each, from the first; default 64
	Peaks        int           // number of peaks of each channel; default 9
	Hidden       int           // number of examples whose hidden layer is recorded; default 1000
	// Progress is called with the number of examples done; it may be nil.
	Progress func(done, of int)
}

func (o SurveyOptions) withDefaults() SurveyOptions {
	o.Channels, o.Peaks, o.Hidden = cmp.Or(o.Channels, 64), cmp.Or(o.Peaks, 9), cmp.Or(o.Hidden, 1000)
	return o
}

// Survey computes the network for every example of ds, in order, in one program.
func (n *Network) Survey(ctx context.Context, ds data.Dataset, o SurveyOptions) (*Survey, error) {
	s, err := n.survey(ctx, ds, o.withDefaults())
	return s, prefixed(err)
}

func (n *Network) survey(ctx context.Context, ds data.Dataset, o SurveyOptions) (*Survey, error) {
	loader, err := n.loader(ctx, ds)
	if err != nil {
		return nil, err
	}
	v, err := n.newSurveyor(ds, o)
	if err != nil {
		return nil, err
	}
	for b, err := range loader.EpochFrom(ctx, 0, 0) {
		if err == nil {
			err = v.see(ctx, b)
		}
		if err != nil {
			return nil, err
		}
		if o.Progress != nil {
			o.Progress(v.Examples, ds.Len())
		}
	}
	v.finish()
	return &v.Survey, nil
}

// loader returns a loader for the examples of ds, whose type must be that of the network's input.
func (n *Network) loader(ctx context.Context, ds data.Dataset) (*data.Loader, error) {
	switch {
	case !n.made():
		return nil, errNotMade
	case ctx == nil:
		return nil, errNoContext
	case isnil.Of(ds):
		return nil, errNoData
	}
	if have := ds.Info().Input; have.Shape != n.Input().Shape {
		return nil, fmt.Errorf("the examples are %v, the network's input is %v", have, n.Input())
	}
	return data.NewLoader(ds, data.Batching{Size: batchSize, Workers: 1})
}

// surveyor computes and collects the results of a survey.
type surveyor struct {
	Survey
	o        SurveyOptions
	program  *program
	input    *graph.Node
	classes  int // 0 if there are none
	rects    []Layer
	positive [][]float64 // by rectifier and unit
	values   []int       // number of values of a unit so far
}

// newSurveyor compiles the outputs: probabilities, the hidden layer, the maxima of the maps of each
// convolution with their positions, and the number of positive values in each unit of each
// rectifier.
func (n *Network) newSurveyor(ds data.Dataset, o SurveyOptions) (*surveyor, error) {
	v := &surveyor{o: o, rects: n.Rectifiers()}
	nodes := []*graph.Node{n.output, n.Hidden().Node}
	for _, c := range o.Convolutions {
		if !n.has(c.Node) || c.Node.Type().Rank() != 4 {
			return nil, errNotOfNet
		}
		nodes = append(nodes, c.Node)
	}
	for _, r := range v.rects {
		nodes = append(nodes, r.Node)
	}
	input, images := n.clone(nodes...)
	v.input = input
	outs := []*graph.Node{images[0], features(images[1])}
	target := ds.Info().Target
	if n.output.Type().Rank() == 2 && target.DType == shape.Int32 && target.Rank() == 0 {
		v.classes = n.output.Type().Int(1)
		outs[0] = ops.Softmax(images[0], 1)
	}
	v.Width = outs[1].Type().Int(1)
	for _, a := range images[2 : 2+len(o.Convolutions)] {
		t := a.Type()
		flat := ops.Reshape(a, shape.N, t.Dim(1), shape.Dim(t.Int(2)*t.Int(3)))
		outs = append(outs, ops.Max(flat, 2), ops.ArgMax(flat, 2))
		v.Peaks = append(v.Peaks, make([][]Peak, min(o.Channels, t.Int(1))))
	}
	for _, r := range images[2+len(o.Convolutions):] {
		outs = append(outs, positives(r))
		v.positive = append(v.positive, make([]float64, r.Type().Int(1)))
		v.values = append(v.values, 0)
	}
	var err error
	v.program, err = n.compile(outs...)
	return v, err
}

// features returns a hidden layer as (N,F). For maps it is the means over the pixels.
func features(h *graph.Node) *graph.Node {
	for h.Type().Rank() > 2 {
		h = ops.Mean(h, h.Type().Rank()-1)
	}
	return h
}

// positives counts the positive values of each unit, along axis 1.
func positives(r *graph.Node) *graph.Node {
	axes := []int{0}
	for i := 2; i < r.Type().Rank(); i++ {
		axes = append(axes, i)
	}
	return ops.Sum(ops.Where(ops.Greater(r, ops.Scalar(r, 0)), ops.OnesLike(r), ops.ZerosLike(r)), axes...)
}

// see processes a batch.
func (v *surveyor) see(ctx context.Context, b data.Batch) error {
	outs, err := v.program.run(ctx, feeds{v.input: dense(v.input, b.X.Float32s())})
	if err != nil {
		return err
	}
	y := engine.AppendFloat32s(nil, outs[0])
	if i := slices.IndexFunc(y, notFinite); i >= 0 {
		return fmt.Errorf("the output of example %d is %w", v.Examples+i*len(b.Examples)/len(y), vm.ErrNotFinite)
	}
	if v.classes > 0 {
		if err := v.judge(y, b.Y.Int32s()); err != nil {
			return err
		}
	}
	size := len(b.Examples)
	hidden := engine.AppendFloat32s(nil, outs[1])
	if room := max(0, v.o.Hidden-v.Examples); room < size {
		hidden = hidden[:room*v.Width]
	}
	v.Hidden = append(v.Hidden, hidden...)
	outs = outs[2:]
	for i := range v.Peaks {
		v.climb(v.Peaks[i], v.o.Convolutions[i].Node.Type(), engine.AppendFloat32s(nil, outs[0]), placesOf(outs[1]), size)
		outs = outs[2:]
	}
	for i, r := range v.rects {
		t := r.Node.Type().At(size)
		v.values[i] += t.Len() / t.Int(1)
		for u, c := range engine.AppendFloat32s(nil, outs[i]) {
			v.positive[i][u] += float64(c)
		}
	}
	v.Examples += size
	return nil
}

func notFinite(x float32) bool { return x-x != 0 }

// judge records the predictions for a batch.
func (v *surveyor) judge(probabilities []float32, labels []int32) error {
	for i, label := range labels {
		if int(label) >= v.classes {
			return fmt.Errorf("example %d has class %d; the network has %d classes", v.Examples+i, label, v.classes)
		}
		row := probabilities[i*v.classes : (i+1)*v.classes]
		best := 0
		for k, p := range row {
			if p > row[best] {
				best = k
			}
		}
		v.Classes, v.Predicted = append(v.Classes, int(label)), append(v.Predicted, best)
		v.Probability = append(v.Probability, row[best])
	}
	return nil
}

// placesOf returns the elements of an integer result.
func placesOf(d *tensor.Dense) []int {
	var all []int
	switch v := d.Data().(type) {
	case []int32:
		for _, i := range v {
			all = append(all, int(i))
		}
	case []int64:
		for _, i := range v {
			all = append(all, int(i))
		}
	}
	return all
}

// climb keeps the highest peaks of each channel; of equal ones the first.
func (v *surveyor) climb(peaks [][]Peak, maps shape.Type, values []float32, at []int, size int) {
	channels, width := maps.Int(1), maps.Int(3)
	for i := range size {
		for c := range peaks {
			k := i*channels + c
			p := Peak{v.Examples + i, at[k] / width, at[k] % width, values[k]}
			if notFinite(p.Value) || len(peaks[c]) == v.o.Peaks && !(p.Value > peaks[c][len(peaks[c])-1].Value) {
				continue
			}
			place, _ := slices.BinarySearchFunc(peaks[c], p, func(have, want Peak) int {
				if have.Value >= want.Value {
					return -1
				}
				return 1
			})
			peaks[c] = slices.Insert(peaks[c], place, p)
			peaks[c] = peaks[c][:min(len(peaks[c]), v.o.Peaks)]
		}
	}
}

func (v *surveyor) finish() {
	for i, r := range v.rects {
		u := Units{Layer: r, Count: len(v.positive[i])}
		for k, c := range v.positive[i] {
			u.Active = append(u.Active, c/float64(max(v.values[i], 1)))
			if c == 0 {
				u.Dead = append(u.Dead, k)
			}
		}
		v.Units = append(v.Units, u)
	}
}

// Confusion counts how often an example of each class (row) was predicted as each class (column),
// for the given number of classes, or more if more occur. It is nil if the survey has no classes.
func (s *Survey) Confusion(classes int) [][]int {
	if s == nil || len(s.Classes) == 0 {
		return nil
	}
	classes = max(classes, 1+slices.Max(s.Classes), 1+slices.Max(s.Predicted))
	m := make([][]int, classes)
	for i := range m {
		m[i] = make([]int, classes)
	}
	for i, c := range s.Classes {
		m[c][s.Predicted[i]]++
	}
	return m
}

// Mistakes returns the indices of the examples that were misclassified with the highest
// probability, at most k of them, in decreasing order of probability.
func (s *Survey) Mistakes(k int) (worst []int) {
	if s == nil {
		return nil
	}
	for i, c := range s.Classes {
		if s.Predicted[i] != c {
			worst = append(worst, i)
		}
	}
	slices.SortStableFunc(worst, func(a, b int) int { return cmp.Compare(s.Probability[b], s.Probability[a]) })
	return worst[:min(max(k, 0), len(worst))]
}

// Accuracy returns the fraction of the examples that were classified correctly.
func (s *Survey) Accuracy() float64 {
	if s == nil {
		return 0
	}
	right := 0
	for i, c := range s.Classes {
		if s.Predicted[i] == c {
			right++
		}
	}
	return float64(right) / float64(max(len(s.Classes), 1))
}
