package memlimit

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
)

// A Room is the number of bytes that a limit leaves.
type Room struct {
	Bytes int
	Of    string // the limit: "GOMEMLIMIT"; "" if no limit is known
}

// Least returns the Room of the limit that leaves the least: GOMEMLIMIT or debug.SetMemoryLimit,
// and on Linux the available memory and swap space of the machine, the limits of the control
// groups, and those of ulimit -v and -d.
func Least() Room { return least(ofRuntime(), system(os.DirFS("/"))...) }

// Freed returns [Least] after garbage collection has returned memory to the system.
func Freed() Room {
	debug.FreeOSMemory()
	return Least()
}

func least(r Room, more ...Room) Room {
	for _, m := range more {
		if m.Bytes < r.Bytes {
			r = m
		}
	}
	r.Bytes = max(r.Bytes, 0)
	return r
}

// ofRuntime returns the Room of Go's own limit, which counts mapped memory that was not returned.
func ofRuntime() Room {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return Room{Bytes: math.MaxInt}
	}
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(s)
	used := s[0].Value.Uint64() - s[1].Value.Uint64() - s[2].Value.Uint64()
	return Room{int(limit) - int(used), "GOMEMLIMIT"}
}

// addressMargin is the address space that the runtime uses in addition to allocations: it grows by
// 64 MiB at a time.
const addressMargin = 192 << 20

// system lists the limits found in root, a Linux file system.
func system(root fs.FS) (rooms []Room) {
	info := table(root, "proc/meminfo")
	if available, ok := info["MemAvailable:"]; ok {
		rooms = append(rooms, Room{1024 * (available + info["SwapFree:"]), "the machine's memory"})
	}
	rooms = append(rooms, groups(root)...)
	status := table(root, "proc/self/status")
	for _, l := range strings.Split(text(root, "proc/self/limits"), "\n") {
		if limit, ok := number(strings.TrimPrefix(l, "Max address space")); ok {
			rooms = append(rooms, Room{limit - 1024*status["VmSize:"] - addressMargin, "ulimit -v"})
		}
		if limit, ok := number(strings.TrimPrefix(l, "Max data size")); ok {
			rooms = append(rooms, Room{limit - 1024*status["VmData:"] - addressMargin, "ulimit -d"})
		}
	}
	return rooms
}

// groups lists the limits of the control groups of the process, of version 1 or 2. Unused pages of
// files count as free, because the system reclaims them.
func groups(root fs.FS) (rooms []Room) {
	for _, l := range strings.Split(text(root, "proc/self/cgroup"), "\n") {
		part := strings.SplitN(l, ":", 3)
		if len(part) != 3 {
			continue
		}
		base, limit, used, idle := "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
		switch {
		case part[1] == "memory":
			base, limit, used, idle = "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
		case part[1] != "":
			continue
		}
		for dir := path.Clean("/" + part[2]); ; dir = path.Dir(dir) {
			at := path.Join(base, dir)
			if most, ok := number(text(root, path.Join(at, limit))); ok {
				have, _ := number(text(root, path.Join(at, used)))
				rooms = append(rooms, Room{most - have + table(root, path.Join(at, "memory.stat"))[idle], "the control group"})
			}
			if dir == "/" {
				break
			}
		}
	}
	return rooms
}

func text(root fs.FS, name string) string {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return "" // another system, or another version of this one
	}
	return string(b)
}

// number returns the first word of s, if it is a number; "max" and "unlimited" are not.
func number(s string) (int, bool) {
	word := strings.Fields(s)
	if len(word) == 0 {
		return 0, false
	}
	n, err := strconv.Atoi(word[0])
	return n, err == nil && n < 1<<60
}

// table reads lines that consist of a name and a number.
func table(root fs.FS, name string) map[string]int {
	t := map[string]int{}
	for _, l := range strings.Split(text(root, name), "\n") {
		name, rest, _ := strings.Cut(strings.ReplaceAll(l, "\t", " "), " ")
		if n, ok := number(rest); ok {
			t[name] = n
		}
	}
	return t
}
