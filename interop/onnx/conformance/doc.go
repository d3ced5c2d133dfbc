// Package conformance runs tests in the form of ONNX's own: folders that have a model and, in
// folders test_data_set_0 and so on, files of its inputs and of the outputs that it must give.
//
// Knows interop/onnx, interop/onnx/ir, shape, engine, internal/isnil, internal/plain,
// internal/regular and internal/rescue. Never imports an implementation of engine.
package conformance
