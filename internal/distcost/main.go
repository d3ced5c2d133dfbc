// Distcost predicts how long a training step takes on many ranks, from constants that were measured on few:
//
//	go run ./internal/distcost -step 1.2 -bytes 102e6 -latency 2e-6 -bandwidth 12.5e9
//
// prints the examples a second of R ranks as a part of R times those of one. Without -step it prints the
// table of docs/DISTRIBUTED.md.
//
// Knows nothing. Never imports anything of ours.
package main

import (
	"flag"
	"fmt"
	"strings"
)

// Constants of the machine that docs/DISTRIBUTED.md describes, and of networks as their makers state them.
var (
	networks = []network{
		{"one machine, measured", 2e-6, 3e9},
		{"100 Gbit/s, 2 us", 2e-6, 12.5e9},
		{"10 Gbit/s, 20 us", 20e-6, 1.25e9},
	}
	workloads = []workload{
		{"LeNet, 64 images", .4335e-3, 246_824, 4 << 20},
		{"ResNet-50, 16 images", 1.255, 102.2e6, 4 << 20},
		{"AlexNet, 64 images", .494, 244.4e6, 4 << 20},
	}
)

// table returns the efficiency of each workload on each network.
func table(networks []network, workloads []workload) string {
	var b strings.Builder
	ranks := []int{2, 8, 16, 32, 64, 128, 256}
	b.WriteString("| a rank's step | network |")
	for _, r := range ranks {
		fmt.Fprintf(&b, " %d |", r)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(ranks)) + "\n")
	for _, w := range workloads {
		for _, n := range networks {
			fmt.Fprintf(&b, "| %s | %s |", w.name, n.name)
			for _, r := range ranks {
				fmt.Fprintf(&b, " %.0f %% |", 100*w.efficiency(r, n))
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func main() {
	n := network{name: "given"}
	w := workload{name: "given"}
	flag.Float64Var(&n.latency, "latency", 2e-6, "`seconds` that a small message takes")
	flag.Float64Var(&n.bandwidth, "bandwidth", 12.5e9, "`bytes` a second between two ranks")
	flag.Float64Var(&w.step, "step", 0, "`seconds` of a step of one rank; 0 means the networks of docs/DISTRIBUTED.md")
	flag.Float64Var(&w.bytes, "bytes", 102.2e6, "bytes of all gradients")
	flag.Float64Var(&w.bucket, "bucket", 4<<20, "bytes in which they travel")
	flag.Parse()
	if w.step > 0 {
		fmt.Print(table([]network{n}, []workload{w}))
		return
	}
	fmt.Print(table(networks, workloads))
}
