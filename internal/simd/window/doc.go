// Package window is the geometry of sliding windows, once for all convolutions and poolings of the
// cpu engine: window o of an axis meets the image with its tap k at o*stride + k*dilation - before.
// The windows of adaptive pooling divide the axis, and need not have the same length.
//
// A tap is an element of a window, and so of a filter. An [Axis] answers which windows a tap meets
// the image in, and which taps a window has there; a [Run] is a range of windows that meet the same
// taps, so that a kernel need not ask again for each of them.
//
// The reference engine has a geometry of its own: it is what this one is checked against.
//
// Knows isa. Never imports anything else of ours.
package window
