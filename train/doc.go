// Package train fits a model to data and puts it to use.
//
// [Fit] builds the graphs, trains, validates after every epoch and, where asked to, keeps the
// run in a folder: weights and all other state in one file that is replaced as a whole,
// metrics as lines of JSON, the settings. A run that was stopped goes on bit for bit as if it
// had not been, from any step. A [Predictor] serves the result to any number of goroutines,
// and evaluates it.
//
// A value that is not finite ends the run; a [NotFiniteError] says in which node it arose, in which
// layer and line, and from which examples.
//
// One seed covers initialisation, the order of the examples, augmentation and dropout: two
// runs give the same bits, whatever GOMAXPROCS is and however many goroutines load.
//
// Knows shape, graph, ops, autodiff, nn, optim, engine, vm, data, interop/safetensors and tensor.
// Never imports models, nor an implementation of engine.
package train
