// Package attention is scaled dot-product attention of a head, and its gradients, for float32 and
// float64: products of blocks, with what happens to the scores between them while they are in the
// cache. The matrix of scores is never in memory.
//
// Knows gemm, vec and isa. Never imports anything else of ours.
package attention
