// Package enginetest tests that an engine keeps the contracts of package engine, and computes
// what engine/ref computes, over random shapes and attributes.
//
// Knows engine, engine/ref, shape. Never imports graph, ops.
package enginetest
