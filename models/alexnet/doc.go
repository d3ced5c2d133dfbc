// Package alexnet is the network of Krizhevsky, Sutskever and Hinton (ImageNet Classification with
// Deep Convolutional Neural Networks, 2012) in two forms: [Model2012] as published, and [Model],
// the one-tower form (Krizhevsky, One weird trick for parallelizing convolutional neural networks,
// 2014), as today's libraries have it. The parameters of the latter have the names that published
// weight files use: "features.0.weight" to "classifier.6.bias".
//
// Knows nn, graph. Never imports vm or train.
package alexnet
