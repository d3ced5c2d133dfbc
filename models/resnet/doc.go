// Package resnet has the residual networks of He, Zhang, Ren and Sun (Deep Residual Learning for
// Image Recognition, 2016), with the stride of a bottleneck in its 3×3 convolution, as
// today's libraries have it. Parameters have the names that published weight files use:
// "conv1.weight" to "fc.bias".
//
// Knows nn. Never imports vm or train.
package resnet
