// Package data provides datasets and loads them in batches. A [Dataset] returns examples by index,
// a [Stream] one after the other. A [Loader] shuffles them by seed and epoch, changes them by an
// [Augmentation] and a [Mixer], and fills batches in memory that it reuses, ahead of time if it has
// workers. Readers of file formats and the augmentations are in subpackages.
//
// Knows shape, internal/isnil, internal/philox, internal/plain, internal/simd/random and gorgonia's
// tensor. Never imports graph or an engine.
package data
