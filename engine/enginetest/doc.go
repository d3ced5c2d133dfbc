// Package enginetest tests that an engine fulfils the contracts of package engine, and computes the
// same as engine/ref, for random shapes and attributes. The complete test of an engine is
//
//	func TestConforms(t *testing.T) { enginetest.Run(t, New(), enginetest.Options{}) }
//
// [Device] is an engine for tests of the other side: of code that runs kernels asynchronously in
// memory that Go code cannot access.
//
// Knows engine, engine/ref, shape. Never imports graph, ops.
package enginetest
