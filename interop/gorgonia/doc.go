// Package gorgonia lowers a graph onto gorgonia's ExprGraph and runs it on its TapeMachine.
// Gradients come from gorgonia's own Grad, so that results which agree with ours have been derived
// and computed by two programs that share no code.
//
//	p, err := gorgonia.Lower([]*graph.Node{loss}, 64, g.Params()...)
//	if err != nil {
//		return err
//	}
//	results, err := p.Run(ctx, store.Value, images, labels) // the loss, then a gradient a parameter
//
// gorgonia has no symbolic batch, so a Program is for one batch size; a [Machine] lowers the graph
// for each size that it meets. Each Program has its own ExprGraph, on which Grad can be called only
// once.
//
// Every elementwise op is lowered by its map, a user's own included, and every other op that has
// a row in the table of rules.go onto gorgonia's own ops, by ways that avoid the library's known
// faults: no reshape shares memory, no node is given both of softmax and log-softmax, sums over
// inner axes go by way of three axes, and average pooling is a convolution. All other ops, a user's
// included, run on the kernel that engine/ref binds them to, and their gradients are the ops' own
// rules, lowered in turn; see bound. Such an op is checked by gorgonia's machine and by its Grad of
// what stands around it, not by another kernel.
//
// What cannot be lowered is an error with the user's line and the layer: a value without elements,
// a second floating-point type, random numbers whose generator is computed, and an op without a
// kernel. Integers and Bools are carried as floating point, and one that would be rounded is an
// error; random numbers are drawn before a run, the same that vm draws.
//
// Values and derivatives are gorgonia's, which differ from ours in these places: equal maxima
// of a reduction each have the whole gradient, Sigmoid is 1 above 19 (15 in float32),
// Softplus(x) is x above 16 (14), ReLU of -Inf is NaN, a running sum, one over windows and a
// convolution in groups have products with zeros for what they leave out, and the derivative of a
// power is NaN where base and exponent are 0.
//
// A panic of gorgonia while a graph is built is an error, as is one of our own ops in a run.
// gorgonia's ops run in a goroutine of its machine, where nobody can recover; the one that is
// known to panic there, the gradient of pooling windows without a number, is refused before.
//
// Knows shape, graph, ops, autodiff, engine, engine/ref, and gorgonia with its tensor. Never
// imports vm or train.
package gorgonia
