// Package tensorboard writes the event files that TensorBoard shows: scalars, histograms, images
// and a graph.
//
// A file is a sequence of TFRecords, each a length and a message of protocol buffers, Event of
// tensorflow/core/util/event.proto, both with a masked CRC-32C. TensorBoard reads a file while it is
// written, and all files of a folder together as one run.
//
// Knows the operating system and the wire format of protocol buffers. Never imports another package
// of this module.
package tensorboard
