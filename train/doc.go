// Package train fits a model to data, and makes predictions with the result.
//
// [Fit] builds the graphs, trains, and validates after every epoch. If given a folder it keeps the
// run there: weights and all other state in one file that is replaced atomically, metrics as lines
// of JSON, and the settings. A run can be stopped at any step and resumed; the results are
// bit-identical to those of an uninterrupted run. A [Predictor] makes predictions for any number of
// goroutines, and evaluates the model.
//
// A value that is not finite ends the run. A [NotFiniteError] then names the node in which it
// arose, with its layer and line, and the examples that it came from.
//
// One seed determines initialisation, the order of the examples, augmentation and dropout. Two runs
// with the same seed give the same bits, for any GOMAXPROCS and any number of goroutines that load.
//
// Knows shape, graph, ops, autodiff, nn, optim, engine, vm, data, dist, interop/safetensors, train/metrics
// and tensor. Never imports models, nor an implementation of engine.
package train
