// Package serve answers requests for predictions over HTTP: the Open Inference Protocol, version 2,
// which KServe, Triton and their clients speak, with tensors as JSON or as bytes.
//
// A [Server] is an http.Handler with models by name. A [Model] computes: [NewPredictor] makes one of
// a trained network, [NewProgram] of any compiled program, interop/onnx/serving of an ONNX file, and
// whoever has another writes one. Requests that arrive within a few milliseconds run together, if the
// model takes batches; each gets its own rows and its own errors. What waits is bounded in number,
// bytes and time. [Server.Replace] and [Server.Load] put another model in the place of one that is
// served, between two batches.
// [Server.ListenAndServe] serves the loopback interface unless told otherwise, and when it is to end,
// answers first what it has accepted.
//
// Knows shape, data/picture, engine, train, vm and tensor. Never imports models, interop, nor an
// implementation of engine.
package serve
