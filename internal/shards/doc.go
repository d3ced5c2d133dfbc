// Package shards computes the gradients of a batch in shards, on one process or on the ranks of a
// group, so that the bits do not depend on the number of ranks.
//
// A batch is cut into K shards by the position of its examples. Each is computed at its own shape,
// and what they have in common is added up in the order of a fixed tree over the K shards; see
// [dist.Tree]. Rank r of R owns the shards from r*K/R up to (r+1)*K/R. It computes them one after the
// other, each with all threads: where a shard needs a sum over all, as the moments of a synchronised
// batch normalisation are, it waits, and the next shard goes on.
//
// [Team.Collect] makes gradients an instruction of the program, for each bucket of them. It adds them
// to those of the earlier shards; behind the last one the bucket travels to the other ranks, while the
// backward pass goes on.
//
// Knows shape, graph, ops, engine, dist and tensor. Never imports autodiff, vm or train, nor a
// library that joins processes.
package shards
