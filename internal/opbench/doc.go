// Package opbench has the table of single ops whose speed is compared with PyTorch's: by `demo
// bench -ops`, which times ours, and by the script ops.py, which runs both in turn. A case is a
// function of package ops by its name, its attributes and its inputs, as in package parity; PyTorch's
// twin is derived from the same description, so there is one table only.
//
// Knows parity, graph, autodiff, vm, engine, shape. Never imports an implementation of engine.
package opbench
