// Package graph holds symbolic expressions: typed nodes, the leaves that values come in
// by, the updates that change state, and the errors met while building.
//
// A node is made by [Apply] from an [Op] and other nodes; its type is inferred at once and
// nothing is computed. Mistakes are sticky: an op that refuses its inputs records one
// [Error] with the user's line and returns an invalid node, and what is built on that stays
// silent. [Graph.Err], and every function that takes a finished graph, returns all of them.
//
// A Graph is built by one goroutine; once built it may be read by many.
//
// Knows shape. Never imports ops, engine, tensor or autodiff.
package graph
