package memlimit

import (
	"math"
	"runtime/debug"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func files(named map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range named {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

const (
	meminfo = "MemTotal:       16000000 kB\nMemFree:         1000 kB\nMemAvailable:    8000000 kB\nSwapFree:         500 kB\n"
	limits  = "Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max data size             unlimited            unlimited            bytes     \n" +
		"Max address space         4294967296           unlimited            bytes     \n"
	status = "Name:\tx\nVmPeak:\t  300 kB\nVmSize:\t 1000000 kB\nVmData:\t 20 kB\n"
)

func TestTheRoomIsThatOfTheTightestLimit(t *testing.T) {
	free := Room{Bytes: math.MaxInt}
	machine := 1024 * 8_000_500
	for name, c := range map[string]struct {
		files map[string]string
		want  Room
	}{
		"another system":   {nil, free},
		"the machine":      {map[string]string{"proc/meminfo": meminfo}, Room{machine, "the machine's memory"}},
		"an address space": {map[string]string{"proc/meminfo": meminfo, "proc/self/limits": limits, "proc/self/status": status}, Room{4294967296 - 1_024_000_000 - addressMargin, "ulimit -v"}},
		"a group": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "1000000\n",
			"sys/fs/cgroup/a/memory.current": "600000\n", "sys/fs/cgroup/a/memory.stat": "anon 1\ninactive_file 1000\n",
		}, Room{401_000, "the control group"}},
		"a group of the first version": {map[string]string{
			"proc/self/cgroup":                             "5:cpu,cpuacct:/x\n3:memory:/x\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":   "9223372036854771712\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "5000\n",
			"sys/fs/cgroup/memory/x/memory.usage_in_bytes": "7000\n",
		}, Room{0, "the control group"}},
		"nonsense": {map[string]string{"proc/meminfo": "MemAvailable: much\n", "proc/self/cgroup": "::\n0:", "proc/self/limits": "Max address space"}, free},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, least(free, system(files(c.files))...)) })
	}
}

func TestTheRuntimesLimitCounts(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(200 << 20))
	before := ofRuntime()
	require.Equal(t, "GOMEMLIMIT", before.Of)
	require.Less(t, before.Bytes, 200<<20)
	kept := make([]byte, 64<<20)
	require.InDelta(t, before.Bytes-len(kept), ofRuntime().Bytes, 8<<20)
	clear(kept)
	require.Less(t, Least().Bytes, 200<<20)
}

// What a process no longer uses is room again.
func TestGarbageIsRoom(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(400 << 20))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	before := Freed().Bytes
	garbage := make([]byte, 64<<20)
	clear(garbage)
	garbage = nil
	_ = garbage
	require.InDelta(t, before, Freed().Bytes, 8<<20)
}
