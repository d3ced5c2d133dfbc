// Package lenet is LeNet-5, the convolutional network that read digits on bank cheques
// (LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document
// Recognition, Proceedings of the IEEE 86, 1998): [Model] as it is mostly taught today, with
// ReLU and max pooling, and [Model1998] as published.
//
// Knows nn, ops, graph, shape. Never imports vm or train.
package lenet
