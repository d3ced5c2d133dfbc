// Distcost predicts how long a training step takes on many ranks, from constants that were measured on few:
//
//	go run ./internal/distcost -step 1.2 -bytes 102e6 -latency 2e-6 -bandwidth 12.5e9
//
// prints the examples a second of R ranks as a part of R times those of one. Without -step it prints the
// table of docs/DISTRIBUTED.md.
//
// Knows nothing. Never imports anything of ours.
package main
