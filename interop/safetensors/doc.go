// Package safetensors reads and writes files of the safetensors format, version 1: named
// arrays of numbers and a map of strings, as used for weights throughout the field
// (https://github.com/huggingface/safetensors).
//
//	8 bytes     length of the header, little-endian
//	header      JSON: {"__metadata__": {"key": "value"}, "name": {"dtype": "F32", "shape": [2,3], "data_offsets": [0,24]}, ...}
//	data        row-major, little-endian, without gaps
//
// A file that is malformed in any way is one error; it never makes the reader panic or
// allocate more than a small multiple of what is there to read. What the format has and we have
// not, such as eight-bit floating point, is an error only where it is asked for; float16 and
// bfloat16 are read as they are, or widened to float32 where that is asked for.
//
// Knows shape, internal/atomicfile and internal/regular. Never imports graph, vm, nn or train.
package safetensors
