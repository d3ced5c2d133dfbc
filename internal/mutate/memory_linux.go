package main

import "golang.org/x/sys/unix"

// limitMemory bounds the data of a running process and of what it starts from now on.
func limitMemory(pid int, bytes uint64) {
	_ = unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: bytes, Max: bytes}, nil) // it may have ended
}
