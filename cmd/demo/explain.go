package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff/numeric"
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

// explain says why the gradient of the loss by a parameter is small or zero.
func explain(ctx context.Context, c *call) error {
	pick := c.pickWeights()
	from := c.String("data", "mnist", dataUsage+"; the training images are used")
	images := c.Int("n", 64, "the number of `images`, one batch: the first of those to train on")
	param, err := c.parameter()
	if err != nil {
		return err
	}
	const most = 1 << 16
	if *images < 1 || *images > most {
		return usagef("-n %d: at least 1 and at most %s, which are one batch", *images, thousands(most))
	}
	w, err := pick.load()
	if err != nil {
		return err
	}
	e, err := w.explained(param)
	if err != nil {
		return err
	}
	ds, err := loadData(ctx, *from, w.Info.Input.Shape, w.Info.Input.Shape, w.Info.Preprocess, 0)
	if err != nil {
		return err
	}
	if err := ds.indexed(*from); err != nil {
		return err
	}
	ds.limit(*images, 0)
	report, err := e.examine(ctx, w, ds.train)
	if err != nil {
		return err
	}
	return printReport(c.stdout, report, param, ds.train.Len())
}

// parameter reads the flags and the name, which may stand before or behind them.
func (c *call) parameter() (name string, err error) {
	if len(c.args) > 0 && !strings.HasPrefix(c.args[0], "-") {
		name, c.args = c.args[0], c.args[1:]
	}
	if err := c.parse(true); err != nil {
		return "", err
	}
	if rest := c.Args(); name == "" && len(rest) == 1 {
		return rest[0], nil
	}
	if name == "" || c.NArg() > 0 {
		return "", usagef("want the name of one parameter, such as conv1.weight; see %s -h", c.line(c.Name()))
	}
	return name, nil
}

// explained is the graph of a model's loss in training.
type explained struct{ loss, param, x, y *graph.Node }

// explained makes it; a parameter that there is not is an error that lists those that there are.
func (w trained) explained(param string) (e explained, err error) {
	if _, err := w.predictor(); err != nil { // the weights are the model's
		return e, err
	}
	g := graph.New()
	e.x = g.Input("x", w.Info.Input.Of(w.Info.Input.Insert(0, shape.N)))
	e.y = g.Input("y", shape.I32(shape.N))
	e.loss = w.model.loss(w.model.layer(w.Info).Apply(nn.Root(g), e.x), e.y)
	if err := g.Err(); err != nil {
		return e, err
	}
	if e.param = g.Leaf(param); e.param != nil && e.param.Kind() == graph.Param {
		return e, nil
	}
	var names []string
	for _, n := range g.Leaves() {
		if n.Kind() == graph.Param {
			names = append(names, n.Name())
		}
	}
	const shown = 12
	return e, usagef("%s has no parameter %q; it has %s", w.Name, plain.Name(param), plain.List(names, shown))
}

// examine looks at the gradient on one batch, all of ds.
func (e explained) examine(ctx context.Context, w trained, ds data.Dataset) (r numeric.Report, err error) {
	l, err := data.NewLoader(ds, data.Batching{Size: ds.Len()})
	if err != nil {
		return r, err
	}
	values, err := w.Store.Snapshot() // dropout draws, and statistics move
	if err != nil {
		return r, err
	}
	for b, err := range l.EpochFrom(ctx, 0, 0) {
		if err != nil {
			return r, err
		}
		fed := map[*graph.Node]*tensor.Dense{e.x: b.X, e.y: b.Y}
		var inputs []*tensor.Dense
		for _, n := range graph.Reachable(e.loss, e.param) {
			if n.Kind() == graph.Input {
				inputs = append(inputs, fed[n])
			}
		}
		if r, err = numeric.Examine(ctx, w.engine, values, e.loss, e.param, inputs...); err != nil {
			return r, err
		}
	}
	return r, nil
}

// printReport prints a table of the way from the loss to the parameter.
func printReport(out io.Writer, r numeric.Report, param string, images int) error {
	if !r.Passes {
		_, err := fmt.Fprintln(out, r.Explanation.String())
		return err
	}
	size := float64(r.By.Type().Len())
	_, err := fmt.Fprintf(out, "the gradient of the loss by %s, %v, on %d images: norm %.3g, root mean square %.3g, %d of %d elements are zero\n\n",
		param, r.By.Type(), images, r.Norm, rms(r.Norm, size), r.Zeros, r.Elements)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "from the loss\top\toutput\tgradient norm\troot mean square\tdead units\tflat values")
	for _, s := range r.Way {
		t := s.Node.Type().At(images)
		name := s.Node.Layer()
		if s.Node == r.Of {
			name = "loss"
		}
		fmt.Fprintf(w, "%s\t%s\t%v\t%.3g\t%.3g\t%s\n", name, s.Node.Op().Name(), s.Node.Type(), s.Norm, rms(s.Norm, float64(t.Len())), activity(r, s.Node))
	}
	fmt.Fprintf(w, "%s\t\t%v\t%.3g\t%.3g\t\t\n", param, r.By.Type(), r.Norm, rms(r.Norm, size))
	if err := w.Flush(); err != nil {
		return err
	}
	return printCauses(out, r)
}

// rms is the root mean square of size numbers of that norm.
func rms(norm, size float64) float64 { return norm / math.Sqrt(max(size, 1)) }

// activity is the columns of an activation; those of others are empty.
func activity(r numeric.Report, n *graph.Node) string {
	i := slices.IndexFunc(r.Activations, func(a numeric.Activation) bool { return a.Node == n })
	if i < 0 {
		return "\t"
	}
	a := r.Activations[i]
	return fmt.Sprintf("%d of %d\t%.1f%%", a.Dead, a.Units, 100*share(a))
}

// share is the part of the values where the activation is flat.
func share(a numeric.Activation) float64 { return float64(a.Flat) / float64(max(a.Values, 1)) }

// usual is the share that is not worth a word: most values of a ReLU are often zero.
func usual(n *graph.Node) float64 {
	if n.Op().Name() == "ReLU" {
		return .95
	}
	return .5
}

// printCauses says in words what stands out.
func printCauses(out io.Writer, r numeric.Report) error {
	var said []string
	for _, s := range r.Stops {
		if s.At.Layer() != "" { // not the mask of the loss, or the like
			said = append(said, fmt.Sprintf("%v (layer %s, %v) lets none pass: %s", s.At, s.At.Layer(), s.At.Pos(), s.Why))
		}
	}
	for _, a := range slices.Backward(r.Activations) { // from the loss
		at := fmt.Sprintf("%s (layer %s, %v)", a.Node.Op().Name(), a.Node.Layer(), a.Node.Pos())
		switch {
		case a.Unreached:
			said = append(said, "no gradient arrives at "+at)
		case a.Dead == a.Units:
			said = append(said, fmt.Sprintf("all %d units of %s are dead: their derivative is 0 on every image, and nothing is learnt below", a.Units, at))
		case a.Dead > 0:
			said = append(said, fmt.Sprintf("%d of %d units of %s are dead: their derivative is 0 on every image", a.Dead, a.Units, at))
		case share(a) > usual(a.Node):
			said = append(said, fmt.Sprintf("%.1f%% of the values of %s lie where it is flat", 100*share(a), at))
		}
	}
	said = append(said, steps(r)...)
	if len(said) == 0 {
		said = []string{"nothing on the way stops it"}
	}
	for i, line := range said {
		if i == 0 {
			line = "\n" + line
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

// steep is by how much the root mean square falls from one layer to the next where it is told.
const steep = 100

// steps tells between which layers a gradient shrinks much.
func steps(r numeric.Report) (said []string) {
	for i := 2; i < len(r.Way); i++ { // the loss is one number, and its layer divides by the images
		a, b := r.Way[i-1], r.Way[i]
		if b.Norm > 0 && a.Norm > steep*b.Norm {
			said = append(said, fmt.Sprintf("between the outputs of layer %s and of layer %s the norm falls by a factor of %.3g", a.Node.Layer(), b.Node.Layer(), a.Norm/b.Norm))
		}
	}
	return said
}
