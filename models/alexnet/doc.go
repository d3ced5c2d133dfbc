// Package alexnet is the network of Krizhevsky, Sutskever and Hinton (ImageNet Classification
// with Deep Convolutional Neural Networks, 2012) in its one-tower form (Krizhevsky, One weird
// trick for parallelizing convolutional neural networks, 2014), as today's libraries have it.
// Parameters have the names that published weight files use: "features.0.weight" to
// "classifier.6.bias".
//
// Knows nn, ops. Never imports vm or train.
package alexnet
