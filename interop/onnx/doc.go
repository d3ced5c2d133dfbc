// Package onnx imports ONNX.
//
// Knows x. Never imports y.
package onnx
