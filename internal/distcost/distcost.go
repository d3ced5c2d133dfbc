package distcost

// A Network is what ranks send through.
type Network struct {
	Name      string
	Latency   float64 // seconds that a small message takes, which a rank sends one after the other
	Bandwidth float64 // bytes a second that a rank sends while it receives as many
}

// A Workload is a training step of one rank.
type Workload struct {
	Name   string
	Step   float64 // seconds of a step without other ranks
	Bytes  float64 // of all gradients
	Bucket float64 // bytes in which they travel
}

// backward is the part of a step that the backward pass takes, of which each convolution and product
// computes two gradients for one result.
const backward = 2. / 3

// Time returns the seconds of a step on the given number of ranks, each with a batch of its own. Buckets
// are ready at equal distances in the backward pass, and travel one after the other: each rank sends a
// piece to every other, and then its sum of pieces. Two small messages to every other rank say whether
// the step is made, and what its loss is.
func (w Workload) Time(ranks int, n Network) float64 {
	if ranks == 1 {
		return w.Step
	}
	others := float64(ranks - 1)
	buckets := max(1, int(w.Bytes/w.Bucket+.999))
	each := w.Bytes / float64(buckets)
	travel := 2 * (others*n.Latency + others/float64(ranks)*each/n.Bandwidth)
	free := 0. // when the buckets before have arrived
	for i := range buckets {
		ready := w.Step * (1 - backward + backward*float64(i+1)/float64(buckets))
		free = max(free, ready) + travel
	}
	return max(w.Step, free) + 2*others*n.Latency
}

// Efficiency returns the examples a second of the given number of ranks, as a part of as many times those of
// one.
func (w Workload) Efficiency(ranks int, n Network) float64 { return w.Step / w.Time(ranks, n) }
