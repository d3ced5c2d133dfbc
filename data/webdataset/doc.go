// Package webdataset reads tar archives in the layout of WebDataset as datasets: the members of an
// example follow each other and have the same name up to the first dot,
//
//	0001.jpg  0001.cls  0002.jpg  0002.cls ...
//
// The input is a picture or an array, .npy; the class is in .cls, in decimal or by its name, or in a
// field of .json. Archives are indexed once, so that examples can be read in any order, or read from their
// start to their end as a stream, which may be compressed.
//
// Knows data, data/picture, shape, internal/npy, internal/philox and internal/regular. Never imports graph or
// an engine.
package webdataset
