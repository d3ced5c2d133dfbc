// Package squeezenet is the network of Iandola et al. (SqueezeNet: AlexNet-level accuracy with
// 50x fewer parameters, 2016) in version 1.1 of its authors, which needs fewer operations.
// Parameters have the names that published weight files use: "features.0.weight" to
// "classifier.1.bias".
//
// Knows nn, ops, graph. Never imports vm or train.
package squeezenet
