// Package graph represents computations symbolically: typed nodes, the leaves through which values
// enter, the updates that change state, and the errors found while building.
//
// [Apply] makes a node from an [Op] and other nodes. The type of the node is inferred at once;
// nothing is computed. Errors are sticky: an op that rejects its inputs records one [Error] with
// the user's line and returns an invalid node, and nodes built on an invalid node are invalid
// without a further error. [Graph.Err], and every function that takes a finished graph, returns all
// errors.
//
// One goroutine builds a Graph; after that, any number may read it.
//
// Knows shape. Never imports ops, engine, tensor or autodiff.
package graph
