package distcost

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of docs/DISTRIBUTED.md")

// Constants of the machine that docs/DISTRIBUTED.md describes, and of networks as their makers state them.
var (
	networks = []Network{
		{"one machine, measured", 2e-6, 3e9},
		{"100 Gbit/s, 2 us", 2e-6, 12.5e9},
		{"10 Gbit/s, 20 us", 20e-6, 1.25e9},
	}
	workloads = []Workload{
		{"LeNet, 64 images", .4335e-3, 246_824, 4 << 20},
		{"ResNet-50, 16 images", 1.255, 102.2e6, 4 << 20},
		{"AlexNet, 64 images", .494, 244.4e6, 4 << 20},
	}
)

// table is that of docs/DISTRIBUTED.md.
func table() string {
	var b strings.Builder
	ranks := []int{2, 8, 16, 32, 64, 128, 256}
	b.WriteString("| a rank's step | network |")
	for _, r := range ranks {
		fmt.Fprintf(&b, " %d |", r)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(ranks)) + "\n")
	for _, w := range workloads {
		for _, n := range networks {
			fmt.Fprintf(&b, "| %s | %s |", w.Name, n.Name)
			for _, r := range ranks {
				fmt.Fprintf(&b, " %.0f %% |", 100*w.Efficiency(r, n))
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func TestTheTableOfTheDocument(t *testing.T) {
	const file, begin, end = "../../docs/DISTRIBUTED.md", "<!-- cost: go test ./internal/distcost -update -->\n", "<!-- end -->"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok)
	old, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(before+begin+table()+end+after), 0o644))
		return
	}
	require.Equal(t, table(), old, "go test ./internal/distcost -update")
}

func TestTimes(t *testing.T) {
	n := Network{Latency: 1, Bandwidth: 10}
	w := Workload{Step: 30, Bytes: 100, Bucket: 50}
	require.Equal(t, 30., w.Time(1, n))
	// Of two ranks each bucket travels for 2*(1 + 25/10) = 7 s; the first begins after 20 s, the second after
	// 30, and two messages follow.
	require.InDelta(t, 39, w.Time(2, n), 1e-9)
	// On a network so slow that they queue: 2*(1 + 25) = 52 s each.
	require.InDelta(t, 20+2*52+2, w.Time(2, Network{Latency: 1, Bandwidth: 1}), 1e-9)
	require.InDelta(t, 1, w.Efficiency(256, Network{Bandwidth: 1e12}), 1e-6)
}
