// Package ir reads and writes the messages of ONNX files: models, graphs, nodes, attributes,
// tensors, types and functions, as onnx.proto of ONNX 1.22 defines them
// (https://github.com/onnx/onnx). It says nothing about what an operator means.
//
// The reader is written by hand on protowire. Fields that it does not know are skipped. Memory grows
// with the bytes at hand: the raw elements of a tensor are a view of the file, messages are counted
// and nested at most [MaxDepth] deep, and the size of a tensor is checked against its bytes before
// anything is made of it. A file that is malformed is one error of one line.
//
// Knows internal/plain and internal/regular. Never imports graph, vm, nn or an engine.
package ir
