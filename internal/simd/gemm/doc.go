// Package gemm multiplies matrices of float32 and float64, and transposes them.
//
// A micro-kernel computes a tile of the product: some rows by a panel, which is a few vectors of
// columns side by side. Where rows of an operand do not follow each other in the order that tiles
// read them, panels are packed: copied so that they do. A plan cuts a product into blocks that fit
// the caches, and blocks into tasks; it depends only on the product and the processor, never
// on the number of workers. Products of a vector and a matrix, which only memory limits, go their
// own way, and so do those of the steps of a sequence, which have one matrix and are too short to be
// planned again each time.
//
// Knows par, abi and isa. Never imports anything else of ours.
package gemm
