// Package parity compares Plexaura with PyTorch: every op of the catalogue over its attributes, by
// [Cases]; logits, loss and gradients of whole networks, by [Models]; a training, step by step, by
// [Train]. PyTorch's results are kept in the folder pytorch, with the scripts that wrote them.
//
// PyTorch computes in float64, from numbers that float32 can represent. An error is max|a-b| /
// max|b|, where b is PyTorch's result, over the elements that are kept.
//
// Knows graph, ops, autodiff, nn, optim, vm, engine, the models, data. Never imports an
// implementation of engine.
package parity
