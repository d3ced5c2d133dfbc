// Package mobilenet is the second network of that name (Sandler et al., MobileNetV2: Inverted
// Residuals and Linear Bottlenecks, 2018). Parameters have the names that published weight
// files use: "features.0.0.weight" to "classifier.1.bias".
//
// Knows nn, ops. Never imports vm or train.
package mobilenet
