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
// gorgonia has no symbolic batch, so that a Program is for one batch size. Each has an
// ExprGraph of its own, for Grad may be called on one only once.
//
// Every op that has a row in the table of rules.go is lowered so that the library's known
// faults are not met; an op, attribute or element type that would meet one is an error with
// the user's line and the layer. In particular memory is never shared by a reshape, no node is
// given both of softmax and log-softmax, sums over inner axes go by way of three axes, and
// average pooling is a convolution. Class numbers and Bools are carried as floating point.
//
// Values and derivatives are gorgonia's, which differ from ours in these places: equal maxima
// of a reduction each have the whole gradient, Sigmoid is 1 above 19 (15 in float32),
// Softplus(x) is x above 16 (14), and ReLU of -Inf is NaN.
//
// Knows graph, shape, ops and gorgonia. Never imports an engine, vm or train.
package gorgonia
