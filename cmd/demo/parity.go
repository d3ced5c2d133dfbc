package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/viz"
)

// precisions are the columns of parity.
var precisions = []shape.DType{shape.Float32, shape.Float64}

// parityCommand compares with PyTorch: everything, or what the flags pick.
func parityCommand(ctx context.Context, c *call) error {
	engineName := c.String("engine", "cpu", "one of "+list(engines()))
	op := c.String("op", "", "only the cases of this `op`, such as Conv2D")
	model := c.String("model", "", "only this `model`, lenet or alexnet")
	curve := c.String("curve", "", "train LeNet as PyTorch did instead, and draw both into this `file`.png")
	if err := c.parse(false); err != nil {
		return err
	}
	if err := drawable(*curve); err != nil {
		return err
	}
	e, err := findEngine(*engineName)
	if err != nil {
		return err
	}
	p := parityRun{engine: e, out: c.stdout, lists: c.line("parity")}
	if *curve != "" {
		return p.draw(ctx, *curve)
	}
	if *op != "" {
		err = p.cases(ctx, *op)
	} else if *model == "" {
		err = p.ops(ctx)
	}
	if err == nil && (*op == "" || *model != "") {
		err = p.models(ctx, *model)
	}
	if err != nil {
		return err
	}
	return p.conclude()
}

// parityRun is one use of the command.
type parityRun struct {
	engine   engine.Engine
	out      io.Writer
	lists    string // the command line that lists the ops
	failed   int
	winograd bool // a network was computed so
}

// ops prints a line for each op: of how many cases, the worst error of results and of gradients.
func (p *parityRun) ops(ctx context.Context) error {
	cases, err := parity.Cases()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "op\tcases\tfloat32\tgradients\tfloat64\tgradients")
	for len(cases) > 0 {
		op := cases[0].Op
		of := func(c parity.Case) bool { return c.Op == op }
		line, n, gradients := [2]parity.Errors{}, 0, false
		for _, c := range cases {
			if !of(c) {
				continue
			}
			errs, err := p.run(ctx, c)
			if err != nil {
				return err
			}
			n, gradients = n+1, gradients || len(c.Grads) > 0
			line = [2]parity.Errors{line[0].Join(errs[0]), line[1].Join(errs[1])}
		}
		fmt.Fprintf(w, "%s\t%d\t%s\n", op, n, p.columns(line, gradients))
		cases = slices.DeleteFunc(cases, of)
	}
	for _, op := range slices.Sorted(maps.Keys(parity.Uncompared)) {
		fmt.Fprintf(w, "%s\t0\tnot compared: %s\n", op, parity.Uncompared[op])
	}
	return w.Flush()
}

// cases prints each case of one op.
func (p *parityRun) cases(ctx context.Context, op string) error {
	cases, err := parity.Cases()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "float32\tgradients\tfloat64\tgradients\tcase")
	found := false
	for _, c := range cases {
		if !strings.EqualFold(c.Op, op) {
			continue
		}
		found = true
		errs, err := p.run(ctx, c)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%v\n", p.columns(errs, len(c.Grads) > 0), c)
	}
	if !found {
		return usagef("no op %q is compared; %s lists them", op, p.lists)
	}
	return w.Flush()
}

// run computes a case in both precisions.
func (p *parityRun) run(ctx context.Context, c parity.Case) (errs [2]parity.Errors, err error) {
	for i, d := range precisions {
		if errs[i], err = c.Run(ctx, p.engine, d); err != nil {
			return errs, err
		}
	}
	return errs, nil
}

// columns are the errors of both precisions, the gradients' only where there are some.
func (p *parityRun) columns(errs [2]parity.Errors, gradients bool) string {
	var cells []string
	for i, d := range precisions {
		cells = append(cells, p.cell(errs[i].Value, parity.Bound(d)))
		if gradients {
			cells = append(cells, p.cell(errs[i].Grad, parity.Bound(d)))
		} else {
			cells = append(cells, "none")
		}
	}
	return strings.Join(cells, "\t")
}

func (p *parityRun) cell(far, bound float64) string {
	if far <= bound {
		return fmt.Sprintf("%.1e", far)
	}
	p.failed++
	return fmt.Sprintf("%.1e FAILED", far)
}

// models prints a line for each value of the networks, or of the one of that name.
func (p *parityRun) models(ctx context.Context, name string) error {
	models, err := parity.Models()
	if err != nil {
		return err
	}
	found := false
	for _, m := range models {
		if name != "" && name != m.Name {
			continue
		}
		found = true
		if err := p.model(ctx, m); err != nil {
			return err
		}
	}
	if !found {
		return usagef("-model %s: lenet and alexnet are compared", name)
	}
	return nil
}

func (p *parityRun) model(ctx context.Context, m parity.Model) error {
	var errs [2]parity.ModelErrors
	for i, d := range precisions {
		var err error
		if errs[i], err = m.Run(ctx, p.engine, d); err != nil {
			return err
		}
	}
	p.winograd = p.winograd || errs[0].Bound > parity.Bound(shape.Float32)
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%v\tfloat32\tfloat64\n", m)
	for i, v := range m.Values {
		name := v.Name
		if i > 1 { // after logits and loss
			name = "gradient of " + name
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", name, p.cell(errs[0].Values[i], errs[0].Bound), p.cell(errs[1].Values[i], errs[1].Bound))
	}
	return w.Flush()
}

func (p *parityRun) conclude() error {
	if p.failed > 0 {
		return fmt.Errorf("%d errors are above their bounds", p.failed)
	}
	networks := ""
	if p.winograd {
		networks = fmt.Sprintf(" (%.0e of networks with Winograd's algorithm)", parity.WinogradBound)
	}
	_, err := fmt.Fprintf(p.out, "\nall errors, max|a-b|/max|b| against PyTorch in float64, are below %.0e in float32%s and %.0e in float64\n",
		parity.Bound(shape.Float32), networks, parity.Bound(shape.Float64))
	return err
}

// smoothed is how many steps make one point of a curve.
const smoothed = 47

// draw trains LeNet in both precisions and lays its curves over PyTorch's.
func (p *parityRun) draw(ctx context.Context, file string) error {
	picture := viz.Curves{Title: "LeNet on MNIST, from the same parameters and batches", XLabel: fmt.Sprintf("step (means over %d)", smoothed)}
	add := func(s []parity.Step, who string, d shape.DType, points bool) {
		loss, accuracy := trainingCurves(s)
		loss.Name = fmt.Sprintf("%s, %v", who, d)
		loss.Points, accuracy.Name, accuracy.Points = points, loss.Name, points
		picture.Loss, picture.Accuracy = append(picture.Loss, loss), append(picture.Accuracy, accuracy)
	}
	var theirs [2][]parity.Step
	for i, d := range precisions {
		var err error
		if theirs[i], err = parity.PyTorchSteps(d); err != nil {
			return err
		}
		var ours []parity.Step
		for s, err := range parity.Train(ctx, p.engine, d) {
			if err != nil {
				return err
			}
			ours = append(ours, s)
		}
		fmt.Fprintf(p.out, "%v: the losses of %d steps differ from PyTorch's by up to %.1e\n", d, len(ours), apart(ours, theirs[i]))
		add(theirs[i], "PyTorch", d, false)
		add(ours, "Plexaura", d, d == shape.Float64)
	}
	fmt.Fprintf(p.out, "PyTorch's float32 differs from its own float64 by up to %.1e: rounding grows from step to step\n", apart(theirs[0], theirs[1]))
	img, err := picture.Render()
	if err != nil {
		return err
	}
	return viz.WritePNG(file, img)
}

// apart is the greatest difference of two trainings' losses.
func apart(a, b []parity.Step) (far float64) {
	for i := range a {
		far = max(far, math.Abs(a[i].Loss-b[i].Loss))
	}
	return far
}

// trainingCurves are the losses and the accuracies of a training.
func trainingCurves(steps []parity.Step) (loss, accuracy viz.Series) {
	for first := 0; first < len(steps); first += smoothed {
		sum, correct, images := 0., 0, 0
		for _, s := range steps[first:min(first+smoothed, len(steps))] {
			sum += s.Loss * float64(s.Images)
			correct += s.Correct
			images += s.Images
		}
		at := float64(first + smoothed/2)
		loss.X, loss.Y = append(loss.X, at), append(loss.Y, sum/float64(images))
		accuracy.X, accuracy.Y = append(accuracy.X, at), append(accuracy.Y, float64(correct)/float64(images))
	}
	return loss, accuracy
}
