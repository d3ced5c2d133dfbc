// Package serve answers requests for predictions over HTTP: the Open Inference Protocol, version 2,
// which KServe, Triton and their clients speak, with tensors as JSON or as bytes.
//
// A [Server] is an http.Handler with models by name. A [Model] computes batches: [NewPredictor] makes
// one of a trained network, [NewProgram] of any compiled program, and whoever has another writes one.
// Requests of a model that arrive within a few milliseconds run together; each gets its own rows and
// its own errors. What waits is bounded in number, bytes and time. [Server.Replace] and [Server.Load]
// put other weights in the place of those that are served, between two batches.
// [Server.ListenAndServe] serves the loopback interface unless told otherwise, and when it is to end,
// answers first what it has accepted.
//
// Knows shape, data/picture, engine, train, vm and tensor. Never imports models, interop, nor an
// implementation of engine.
package serve
