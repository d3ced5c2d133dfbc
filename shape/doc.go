// Package shape describes tensors without holding any: element types, extents and the symbolic
// batch size [N]. Its values are comparable with == and can be map keys.
//
// Knows nothing of ours. Never imports anything but the standard library.
package shape
