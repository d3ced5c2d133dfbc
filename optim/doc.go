// Package optim updates parameters using their gradients. An update rule such as [SGD] adds the
// next values of the parameters to the graph. A [Recipe] combines any rule with a schedule of the
// learning rate, parameter groups, clipping, accumulation over several runs and a moving average of
// the weights.
//
//	grads := autodiff.Grad(loss, g.Params()...)
//	optim.SGD{LR: 0.05, Momentum: 0.9}.Apply(g, grads)
//
// Rules and defaults are those of PyTorch. The state of a rule is in State leaves named after the
// parameter, such as "conv1.weight.momentum"; the leaf "step" counts the steps. A checkpoint of the
// leaves therefore resumes exactly.
//
// Two optimisers of one graph, or of two graphs whose programs run on one store, each need a Name,
// which becomes part of the names of their leaves, and patterns that select the parameters they
// train:
//
//	c := optim.Recipe{Name: "critic", Match: []string{"critic.*"}, Rule: adam}
//	c.Apply(g, autodiff.Grad(criticLoss, c.Params(g)...))
//
// A program makes the steps of all optimisers of its graph or, compiled with vm.TrainBy, of those
// named. State that belongs to no optimiser, such as running statistics and the random generator,
// is updated by every program that reads it, in the order in which they run.
//
// Knows graph, ops, shape, and autodiff to see which parameters a loss does not reach. Never
// imports vm, engine or train.
package optim
