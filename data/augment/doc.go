// Package augment changes images at random as they are loaded, so that a network does not see
// the same one twice: crops, flips, affine and elastic distortions, colour, cut-out, and
// mix-up of the examples of a batch. Each is a value that a [data.Loader] takes; a [List] does
// several, one after the other. What is drawn depends on the seed, the epoch and the
// example's number alone.
//
// Inputs are images (C,H,W) as a dataset gives them, normalised; colours are changed as
// intensities from 0 to 1, and what comes in from outside of an image is black.
//
// Knows data, shape, internal/simd and its package gemm. Never imports graph or an engine.
package augment
