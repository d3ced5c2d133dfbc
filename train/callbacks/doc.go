// Package callbacks has what runs of train.Fit are often asked to do besides: keep the best weights,
// stop when nothing improves, lower the learning rate then, write a table or TensorBoard's files.
// They are for Config.Callbacks, any number of them together.
//
// What decides is a metric on Validation, never the test set. Where there is state it is part of the
// checkpoint: a run that was stopped and resumed makes the decisions of one that was not.
//
// Knows data, engine, graph, optim, train, vm, interop/tensorboard and tensor.
// Never imports models, nor an implementation of engine.
package callbacks
