// Package optim changes parameters by their gradients. An update rule such as [SGD] adds
// nodes to the graph and makes them the next values of the parameters; a [Recipe] adds to a
// rule what does not depend on it: a schedule of the learning rate, parameter groups,
// clipping, accumulation over several runs and a moving average of the weights.
//
//	grads := autodiff.Grad(loss, g.Params()...)
//	optim.SGD{LR: 0.05, Momentum: 0.9}.Apply(g, grads)
//
// Rules and defaults are those of PyTorch. What a rule remembers is in State leaves named
// after the parameter, such as "conv1.weight.momentum", and the number of steps made in the
// leaf "step", so that a checkpoint of the leaves resumes exactly.
//
// Two optimisers of one graph, or of two graphs whose programs run on one store, each need a
// Name, which is part of the names of what they keep, and patterns of what they train:
//
//	c := optim.Recipe{Name: "critic", Match: []string{"critic.*"}, Rule: adam}
//	c.Apply(g, autodiff.Grad(criticLoss, c.Params(g)...))
//
// A program makes the steps of all optimisers of its graph, or by vm.TrainBy of those named. What
// is no optimiser's, such as running statistics and the random generator, is updated by every
// program that reads it, in the order they run.
//
// Knows graph, ops, shape, and autodiff to see which parameters a loss does not reach. Never imports vm, engine or train.
package optim
