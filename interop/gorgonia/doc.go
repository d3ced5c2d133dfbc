// Package gorgonia lowers a graph onto gorgonia's ExprGraph and runs it on its TapeMachine.
// Gradients come from gorgonia's own Grad: what agrees with ours has been derived and computed
// twice, by two programs that share no code.
//
//	p, err := gorgonia.Lower([]*graph.Node{loss}, 64, g.Params()...)
//	if err != nil {
//		return err
//	}
//	results, err := p.Run(ctx, store.Value, images, labels) // the loss, then a gradient a parameter
//
// gorgonia has no symbolic batch, so that a Program is for one batch size; a [Machine] lowers
// for those that come. Each Program has an ExprGraph of its own, for Grad may be called on one
// only once.
//
// Every elementwise op is lowered by its map, a user's own included, and every other op that has
// a row in the table of rules.go, so that the library's known faults are not met; an op,
// attribute or element type that would meet one is an error with the user's line and the layer.
// In particular memory is never shared by a reshape, no node is given both of softmax and
// log-softmax, sums over inner axes go by way of three axes, and average pooling is a
// convolution. What gorgonia lacks and a convolution or product does not express is an op of
// ours: gathering, padding, steps of slices, the error function. Class numbers and Bools are
// carried as floating point; random numbers are drawn before a run, the same that vm draws.
//
// Values and derivatives are gorgonia's, which differ from ours in these places: equal maxima
// of a reduction each have the whole gradient, Sigmoid is 1 above 19 (15 in float32),
// Softplus(x) is x above 16 (14), ReLU of -Inf is NaN, a running sum, one over windows and a
// convolution in groups have products with zeros for what they leave out, and the derivative of a power is NaN where base and exponent
// are 0.
//
// A panic of gorgonia while a graph is built is an error, as is one of our own ops in a run.
// gorgonia's ops run in a goroutine of its machine, where nobody can recover; the one that is
// known to panic there, the gradient of pooling windows without a number, is refused before.
//
// Knows shape, graph, ops, engine, and gorgonia with its tensor. Never imports an implementation of
// engine, vm or train.
package gorgonia
