// Package augment changes images at random as they are loaded, so that a network never sees the
// same image twice: crops, flips, affine and elastic distortions, colour changes, cut-out, and
// mix-up of the examples of a batch. Each augmentation is a value for a [data.Loader]; a [List]
// applies several, one after the other. The random numbers depend only on the seed, the epoch and
// the index of the example.
//
// Inputs are normalised images (C,H,W) from a dataset. Colours are changed as intensities from 0 to
// 1, and pixels from outside an image are black.
//
// Knows data, shape, internal/simd and its package gemm. Never imports graph or an engine.
package augment
