// Package irtest builds the messages of small models, for tests.
//
// Knows interop/onnx/ir. Never imports what computes them.
package irtest
