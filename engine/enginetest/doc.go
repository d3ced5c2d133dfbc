// Package enginetest tests that an engine keeps the contracts of package engine, and computes
// what engine/ref computes, over random shapes and attributes. The whole test of an engine is
//
//	func TestConforms(t *testing.T) { enginetest.Run(t, New(), enginetest.Options{}) }
//
// Knows engine, engine/ref, shape. Never imports graph, ops.
package enginetest
