// Package enginetest tests that an engine keeps the contracts of package engine, and computes
// what engine/ref computes, over random shapes and attributes. The whole test of an engine is
//
//	func TestConforms(t *testing.T) { enginetest.Run(t, New(), enginetest.Options{}) }
//
// [Device] is an engine for the test of the other side: of what runs kernels in memory that Go
// cannot reach, and that end late.
//
// Knows engine, engine/ref, shape. Never imports graph, ops.
package enginetest
