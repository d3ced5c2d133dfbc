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
// Knows graph, ops, shape. Never imports vm, engine or train.
package optim
