package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of docs/DISTRIBUTED.md")

func TestTheTableOfTheDocument(t *testing.T) {
	const file, begin, end = "../../docs/DISTRIBUTED.md", "<!-- cost: go test ./internal/distcost -update -->\n", "<!-- end -->"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok)
	old, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(before+begin+table(networks, workloads)+end+after), 0o644))
		return
	}
	require.Equal(t, table(networks, workloads), old, "go test ./internal/distcost -update")
}

func TestTimes(t *testing.T) {
	n := network{latency: 1, bandwidth: 10}
	w := workload{step: 30, bytes: 100, bucket: 50}
	require.Equal(t, 30., w.time(1, n))
	// Of two ranks each bucket travels for 2*(1 + 25/10) = 7 s; the first begins after 20 s, the second after
	// 30, and two messages follow.
	require.InDelta(t, 39, w.time(2, n), 1e-9)
	// On a network so slow that they queue: 2*(1 + 25) = 52 s each.
	require.InDelta(t, 20+2*52+2, w.time(2, network{latency: 1, bandwidth: 1}), 1e-9)
	require.InDelta(t, 1, w.efficiency(256, network{bandwidth: 1e12}), 1e-6)
}
