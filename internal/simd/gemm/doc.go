// Package gemm multiplies matrices of float32 and float64, and transposes them.
//
// A micro-kernel computes a tile of the product: some rows by a panel, which is a few vectors of
// columns side by side. Where rows of an operand do not follow each other in the order that tiles
// read them, panels are packed: copied so that they do. A plan cuts a product into blocks that fit
// the caches, and blocks into tasks; it depends only on the product and the processor, never
// on the number of workers. Products of a vector and a matrix, which only memory limits, go their
// own way.
//
// Knows par, abi and isa. Never imports anything else of ours.
package gemm
