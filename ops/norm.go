package ops

import (
	"errors"
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

var normOps = []graph.Op{momentsOp{}, normOp{Eps: eps1}, normInputGrad{normOp{Eps: eps1}, false}, normSums{normOp{Eps: eps1}, 0}}

var eps1 = graph.Float(1)

// momentsOp computes the means of x over the axes, and then the biased variances: (2,...), without
// the axes.
type momentsOp struct{ Axes engine.Axes }

func (momentsOp) Name() string { return "Moments" }

func (op momentsOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := arity(in, 1); err != nil {
		return t, err
	}
	if err := errors.Join(wantFloat(in...), checkAxes(op.Axes, in[0])); err != nil {
		return t, err
	}
	dims := []shape.Dim{2}
	for i, d := range in[0].Dims() {
		if !op.Axes.Has(i) {
			dims = append(dims, d)
		}
	}
	return in[0].Of(shape.Of(dims...)), nil
}

// kept returns row i of m, which is like the result, with the axes of x inserted, to broadcast to x.
func (op momentsOp) kept(m, x *graph.Node, i int) *graph.Node {
	return ReduceOp{Axes: op.Axes}.kept(rowOf(m, i), x)
}

// rowOf returns m[i].
func rowOf(m *graph.Node, i int) *graph.Node {
	return Reshape(sliceAxis(m, 0, i, i+1), m.Type().Shape.Drop(0).Dims()...)
}

// Grad implements autodiff's Differentiable: dmean/n + dvariance*2*(x-mean)/n.
func (op momentsOp) Grad(n, dy *graph.Node) []*graph.Node {
	x := n.In(0)
	centred := Sub(x, op.kept(n, x, 0))
	sum := Add(op.kept(dy, x, 0), Mul(MulScalar(op.kept(dy, x, 1), 2), centred))
	return one(Div(sum, graph.Apply(countOp(op), x)))
}

func (op momentsOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, ok := e.(engine.Normaliser)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "normalisation")
	}
	return b.BindMoments(op.Axes, in, out)
}

// PerExample takes the moments of the other axes of each row.
func (op momentsOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !own(n, in, 0) {
		if isBatch(n.In(0).Type().Shape) {
			return nil, fmt.Errorf("its result has no row for each example of the batch, axis 0 of %v", n.In(0).Type())
		}
		return n, nil
	}
	x := in[0]
	each := graph.Apply(momentsOp{op.Axes << 1}, x)
	dims := each.Type().Shape.Drop(0).Dims() // (N,...)
	rows := make([]*graph.Node, 2)
	for i := range rows {
		rows[i] = Reshape(rowOf(each, i), append([]shape.Dim{dims[0], 1}, dims[1:]...)...)
	}
	return Concat(1, rows...), nil
}

// separate returns an error if groups along the axes have elements of several examples.
func separate(n *graph.Node, axes engine.Axes) error {
	if x := n.In(0).Type(); axes.Has(0) && isBatch(x.Shape) {
		return fmt.Errorf("it normalises along the batch, axis 0 of %v, as batch normalisation does in training, and so mixes the examples; take graph.Inference", x)
	}
	return nil
}

// normOp normalises x over the axes, and multiplies by gamma and adds beta, of the same type, which
// broadcasts to that of x. If Given is set, the last input is a momentsOp of x over the same axes,
// computed already: gradients go to x as if it were computed here.
type normOp struct {
	Axes  engine.Axes
	Eps   graph.Bits
	Given bool
}

func (normOp) Name() string { return "Norm" }

func (op normOp) engine() engine.Norm {
	return engine.Norm{Axes: op.Axes, Eps: op.Eps.Value(), Given: op.Given}
}

func (op normOp) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := op.check(in, 3); err != nil {
		return t, err
	}
	if err := betaLike(in[1], in[2]); err != nil {
		return t, err
	}
	return in[0], broadcasts(in[1], in[0])
}

// check checks the number of inputs, x, and the moments, if they are given.
func (op normOp) check(in []shape.Type, inputs int) error {
	if op.Given {
		inputs++
	}
	if err := arity(in, inputs); err != nil {
		return err
	}
	m, err := momentsOp{op.Axes}.Infer(in[:1])
	switch {
	case err != nil:
		return err
	case op.Given && in[inputs-1] != m:
		return fmt.Errorf("moments are %v; those of %v are %v", in[inputs-1], in[0], m)
	}
	return checkNorm(in[0], op.Eps.Value())
}

func broadcasts(t, to shape.Type) error {
	if s, err := shape.Broadcast(t.Shape, to.Shape); err != nil || s != to.Shape || t.DType != to.DType {
		return fmt.Errorf("%v does not broadcast to %v", t, to)
	}
	return nil
}

// with returns the inputs followed by the moments of n, a node of op, if it is given them.
func (op normOp) with(n *graph.Node, in ...*graph.Node) []*graph.Node {
	if op.Given {
		in = append(in, n.In(n.NIn()-1))
	}
	return in
}

// grads returns gradients followed by none for the moments.
func (op normOp) grads(d ...*graph.Node) []*graph.Node {
	if op.Given {
		d = append(d, nil)
	}
	return d
}

// Grad implements autodiff's Differentiable.
func (op normOp) Grad(n, dy *graph.Node) []*graph.Node {
	x, gamma := n.In(0), n.In(1)
	of, moments := op, n.In(n.NIn()-1)
	if !op.Given { // both need them
		of.Given, moments = true, graph.Apply(momentsOp{op.Axes}, x)
	}
	over, inputs := op.engine().Along(x.Type().Shape, gamma.Type().Shape), []*graph.Node{x, dy, gamma}
	shared := over != 0 // the gradient of x needs these sums too
	if !shared {
		all := engine.Norm{Axes: 1<<x.Type().Rank() - 1}
		over = all.Along(x.Type().Shape, gamma.Type().Shape)
	}
	sums := graph.Apply(normSums{of, over}, x, dy, moments)
	if shared {
		inputs = append(inputs, sums)
	}
	dx := graph.Apply(normInputGrad{of, shared}, append(inputs, moments)...)
	return op.grads(dx, likeGamma(rowOf(sums, 1), gamma), likeGamma(rowOf(sums, 0), gamma))
}

// likeGamma adds up what is along axes of which gamma has one place.
func likeGamma(sums, gamma *graph.Node) *graph.Node {
	s, missing, same := gamma.Type().Shape, sums.Type().Rank()-gamma.Type().Rank(), true
	for i, d := range sums.Type().Shape.Dims() {
		same = same && (i < missing && d == 1 || i >= missing && s.Dim(i-missing) == d)
	}
	if same {
		return Reshape(sums, s.Dims()...)
	}
	return SumTo(sums, s)
}

func (op normOp) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, ok := e.(engine.Normaliser)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "normalisation")
	}
	return b.BindNorm(op.engine(), in, out)
}

// PerExample normalises each row by ops that broadcast, which all know rows of their own.
func (op normOp) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !anyOwn(n, in) {
		return n, separate(n, op.Axes)
	}
	r, err := op.rowsOf(n, in)
	if err != nil {
		return nil, err
	}
	_, xhat := r.op.normal(r.in[0])
	return Add(Mul(xhat, r.in[1]), r.in[2]), nil
}

// anyOwn reports whether any input is given separately for each row.
func anyOwn(n *graph.Node, in []*graph.Node) bool {
	for i := range in {
		if own(n, in, i) {
			return true
		}
	}
	return false
}

// normRows are inputs with the rows in front, and the op for them.
type normRows struct {
	op normOp
	in []*graph.Node
}

// rowsOf puts the rows in front of x and of what has rows of its own.
func (op normOp) rowsOf(n *graph.Node, in []*graph.Node) (r normRows, err error) {
	r.op, r.in = normOp{Axes: op.Axes, Eps: op.Eps}, append(r.in, in...)
	x, rank := n.In(0), n.In(0).Type().Rank()
	switch {
	case own(n, in, 0):
		r.op.Axes <<= 1
		rank++
	case !isBatch(x.Type().Shape): // the same x for every row
		r.op.Axes <<= 1
		rank++
		r.in[0] = BroadcastTo(x, x.Type().Shape.Insert(0, rowsOf(n, in)))
	case op.Axes.Has(0):
		return r, separate(n, op.Axes)
	}
	for i := 1; i < len(in); i++ {
		if own(n, in, i) {
			r.in[i] = Reshape(in[i], AlignRows(in[i].Type().Shape, rank).Dims()...)
		}
	}
	return r, nil
}

// normal returns 1/sqrt(variance+eps) of the groups of x, and x normalised, by ops of their own.
func (op normOp) normal(x *graph.Node) (scale, xhat *graph.Node) {
	centred := Sub(x, op.mean(x))
	scale = Div(Scalar(x, 1), Sqrt(AddScalar(op.mean(Square(centred)), op.Eps.Value())))
	return scale, Mul(centred, scale)
}

// mean returns the means of v, which is like x, over the axes, which stay.
func (op normOp) mean(v *graph.Node) *graph.Node { return meanOver(v, op.Axes, true) }

// inputGrad returns the adjoint of x for h, that of xhat, by ops of their own.
func (op normOp) inputGrad(scale, xhat, h *graph.Node) *graph.Node {
	return Mul(scale, Sub(Sub(h, op.mean(h)), Mul(xhat, op.mean(Mul(h, xhat)))))
}

// normInputGrad computes the adjoint of x from x, dy and gamma. If Summed is set, the next input is the normSums of x and dy over
// the axes of a group along which gamma is the same, computed already: gradients go to the others as if they were computed here.
type normInputGrad struct {
	normOp
	Summed bool
}

func (normInputGrad) Name() string { return "NormInputGrad" }

func (op normInputGrad) engine() engine.Norm {
	n := op.normOp.engine()
	n.Summed = op.Summed
	return n
}

func (op normInputGrad) Infer(in []shape.Type) (t shape.Type, err error) {
	inputs := 3
	if op.Summed {
		inputs++
	}
	if err := op.check(in, inputs); err != nil {
		return t, err
	}
	if op.Summed {
		over := op.engine().Along(in[0].Shape, in[2].Shape)
		if sums := sumsType(in[0], over); in[3] != sums {
			return t, fmt.Errorf("sums are %v; those of %v are %v", in[3], in[0], sums)
		}
	}
	if in[1] != in[0] {
		return t, fmt.Errorf("the gradient is %v; it must be %v, as the result is", in[1], in[0])
	}
	return in[0], broadcasts(in[2], in[0])
}

// Grad returns the adjoints of x, gamma and dy for u, that of the result P = s*(h - mean(h) -
// xhat*mean(h*xhat)) with h = dy*gamma and s = 1/sqrt(variance+eps). P is linear in h and its own
// adjoint; x acts on it by xhat and by s.
func (op normInputGrad) Grad(n, u *graph.Node) []*graph.Node {
	x, dy, gamma := n.In(0), n.In(1), n.In(2)
	dh := graph.Apply(normInputGrad{op.normOp, false}, op.with(n, x, u, OnesLike(gamma))...)
	scale, xhat := op.normal(x)
	h := Mul(dy, gamma)
	byXhat := Neg(Mul(scale, Add(Mul(u, op.mean(Mul(h, xhat))), Mul(h, op.mean(Mul(u, xhat))))))
	dx := Sub(op.inputGrad(scale, xhat, byXhat), Mul(xhat, Mul(scale, op.mean(Mul(u, n)))))
	d := []*graph.Node{dx, Mul(dh, gamma), SumTo(Mul(dh, dy), gamma.Type().Shape)}
	if op.Summed {
		d = append(d, nil)
	}
	return op.grads(d...)
}

func (op normInputGrad) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, ok := e.(engine.Normaliser)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "normalisation")
	}
	return b.BindNormInputGrad(op.engine(), in, out)
}

// PerExample is like that of the normalisation.
func (op normInputGrad) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !anyOwn(n, in) {
		return n, separate(n, op.Axes)
	}
	r, err := op.rowsOf(n, in)
	if err != nil {
		return nil, err
	}
	scale, xhat := r.op.normal(r.in[0])
	return r.op.inputGrad(scale, xhat, Mul(r.in[2], r.in[1])), nil
}

// normSums computes the sums of dy over some axes, which become 1, and those of dy*xhat: (2,...). They are the adjoints of beta
// and gamma where these are the same along the axes.
type normSums struct {
	normOp
	Over engine.Axes
}

func (normSums) Name() string { return "NormSums" }

func (op normSums) Infer(in []shape.Type) (t shape.Type, err error) {
	if err := op.check(in, 2); err != nil {
		return t, err
	}
	if in[1] != in[0] {
		return t, fmt.Errorf("the gradient is %v; it must be %v, as the result is", in[1], in[0])
	}
	if err := checkAxes(op.Over, in[0]); err != nil {
		return t, err
	}
	return sumsType(in[0], op.Over), nil
}

// sumsType is the type of normSums of x over the axes.
func sumsType(x shape.Type, over engine.Axes) shape.Type {
	return x.Of(over.Ones(x.Shape).Insert(0, shape.Dim(2)))
}

// Grad returns the adjoints of x and dy for v, that of the result.
func (op normSums) Grad(n, v *graph.Node) []*graph.Node {
	x, dy := n.In(0), n.In(1)
	ofSum, ofProduct := rowOf(v, 0), rowOf(v, 1)
	dx := graph.Apply(normInputGrad{op.normOp, false}, op.with(n, x, dy, ofProduct)...)
	return op.grads(dx, graph.Apply(op.normOp, op.with(n, x, ofProduct, ofSum)...))
}

func (op normSums) Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, ok := e.(engine.Normaliser)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "normalisation")
	}
	return b.BindNormSums(op.engine(), op.Over, in, out)
}

// PerExample is like that of the normalisation; the sums are over the axes of a row.
func (op normSums) PerExample(n *graph.Node, in []*graph.Node) (*graph.Node, error) {
	if !anyOwn(n, in) {
		if isBatch(n.In(0).Type().Shape) {
			return nil, fmt.Errorf("its result has no row for each example of the batch, axis 0 of %v", n.In(0).Type())
		}
		return n, separate(n, op.Axes)
	}
	r, err := op.rowsOf(n, in)
	if err != nil {
		return nil, err
	}
	_, xhat := r.op.normal(r.in[0])
	products := Mul(r.in[1], xhat)
	one := n.Type().Shape.Drop(0).Insert(0, products.Type().Dim(0))
	row := func(of *graph.Node) *graph.Node {
		sums := SumTo(BroadcastTo(of, products.Type().Shape), AlignRows(one, products.Type().Rank()))
		return Unsqueeze(Reshape(sums, one.Dims()...), 1)
	}
	return Concat(1, row(r.in[1]), row(products)), nil
}
