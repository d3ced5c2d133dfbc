// Package data holds datasets and cuts them into batches. A [Dataset] gives examples by
// number; a [Loader] shuffles them by seed and epoch, changes them by an [Augmentation] and a
// [Mixer], and fills batches, ahead of their use if asked to, in memory that it reuses. The
// readers of formats and the augmentations are in the folders below.
//
// Knows shape, internal/isnil, internal/philox, internal/plain, internal/simd/random and gorgonia's tensor. Never imports graph or an engine.
package data
