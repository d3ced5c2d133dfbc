// Package data holds datasets and cuts them into batches. A [Dataset] gives examples by
// number; a [Loader] shuffles them by seed and epoch and fills batches in memory that it
// reuses. The format readers are in the folders below.
//
// Knows shape, internal/philox and gorgonia's tensor. Never imports graph or an engine.
package data
