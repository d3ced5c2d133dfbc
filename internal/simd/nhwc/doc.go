// Package nhwc has the convolutions and poolings of float32 images whose channels lie side by side
// in memory, (N,H,W,C): a vector holds neighbouring channels of one pixel, so that strides, dilations
// and windows of any size read whole vectors, and a convolution of 1×1 is a product of matrices as
// the image stands.
//
// [Conv] multiplies by filters that are packed beforehand, of any number of groups. [Grouped] does so where
// windows of groups lie, of which those of few channels share vectors. [Stem] reads images of few channels
// in rows, (N,C,H,W), and can leave its results there too. [Depthwise] has one filter a channel. [Pool]
// gives the maxima or means of windows.
//
// Knows par, abi, isa, window and gemm, and of winograd the transforms in plain Go. Never imports the
// other rooms.
package nhwc
