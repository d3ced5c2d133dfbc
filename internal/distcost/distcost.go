package main

// A network is what ranks send through.
type network struct {
	name      string
	latency   float64 // seconds that a small message takes, which a rank sends one after the other
	bandwidth float64 // bytes a second that a rank sends while it receives as many
}

// A workload is a training step of one rank.
type workload struct {
	name   string
	step   float64 // seconds of a step without other ranks
	bytes  float64 // of all gradients
	bucket float64 // bytes in which they travel
}

// backward is the part of a step that the backward pass takes, of which each convolution and product
// computes two gradients for one result.
const backward = 2. / 3

// time returns the seconds of a step on the given number of ranks, each with a batch of its own. Buckets
// are ready at equal distances in the backward pass, and travel one after the other: each rank sends a
// piece to every other, and then its sum of pieces. Two small messages to every other rank say whether
// the step is made, and what its loss is.
func (w workload) time(ranks int, n network) float64 {
	if ranks == 1 {
		return w.step
	}
	others := float64(ranks - 1)
	buckets := max(1, int(w.bytes/w.bucket+.999))
	each := w.bytes / float64(buckets)
	travel := 2 * (others*n.latency + others/float64(ranks)*each/n.bandwidth)
	free := 0. // when the buckets before have arrived
	for i := range buckets {
		ready := w.step * (1 - backward + backward*float64(i+1)/float64(buckets))
		free = max(free, ready) + travel
	}
	return max(w.step, free) + 2*others*n.latency
}

// efficiency returns the examples a second of the given number of ranks, as a part of as many times those of
// one.
func (w workload) efficiency(ranks int, n network) float64 { return w.step / w.time(ranks, n) }
