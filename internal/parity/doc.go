// Package parity compares Plexaura with PyTorch: every op of the catalogue over its attributes, by
// [Cases]; logits, loss and gradients of whole networks, by [Models]; a training, step by step, by
// [Train]. What PyTorch computes is kept in the folder pytorch, with the scripts that wrote it.
//
// PyTorch's side is float64, from numbers that float32 has too. An error is max|a-b| / max|b|, b
// being PyTorch's, over the elements that are kept.
//
// Knows graph, ops, autodiff, nn, optim, vm, engine, the models, data. Never imports an
// implementation of engine.
package parity
