//go:build amd64 || arm64

package mpi

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
)

// function is one of the functions that are called.
type function int

const (
	mpiGetLibraryVersion function = iota
	mpiInitialized
	mpiInitThread
	mpiFinalize
	mpiAbort
	mpiErrorString
	mpiCommRank
	mpiCommSize
	mpiCommSetErrhandler
	mpiCommIdup
	mpiCommFree
	mpiIsend
	mpiIrecv
	mpiIbcast
	mpiIbarrier
	mpiIallreduce
	mpiTest
	mpiTestall
	mpiGetCount
	mpiCancel
	mpiRequestFree
	functions
)

var functionNames = [functions]string{
	mpiGetLibraryVersion: "MPI_Get_library_version",
	mpiInitialized:       "MPI_Initialized",
	mpiInitThread:        "MPI_Init_thread",
	mpiFinalize:          "MPI_Finalize",
	mpiAbort:             "MPI_Abort",
	mpiErrorString:       "MPI_Error_string",
	mpiCommRank:          "MPI_Comm_rank",
	mpiCommSize:          "MPI_Comm_size",
	mpiCommSetErrhandler: "MPI_Comm_set_errhandler",
	mpiCommIdup:          "MPI_Comm_idup",
	mpiCommFree:          "MPI_Comm_free",
	mpiIsend:             "MPI_Isend",
	mpiIrecv:             "MPI_Irecv",
	mpiIbcast:            "MPI_Ibcast",
	mpiIbarrier:          "MPI_Ibarrier",
	mpiIallreduce:        "MPI_Iallreduce",
	mpiTest:              "MPI_Test",
	mpiTestall:           "MPI_Testall",
	mpiGetCount:          "MPI_Get_count",
	mpiCancel:            "MPI_Cancel",
	mpiRequestFree:       "MPI_Request_free",
}

// library is a loaded MPI library. Its functions are called by one goroutine at a time, on any thread
// or, if the library grants no more than MPI_THREAD_FUNNELED, on one.
//
// What C writes to or keeps beyond a call is on Go's heap, whose objects do not move, and is
// referenced from a group until the operation is over. Nothing on a stack is ever passed.
type library struct {
	abi
	path    string
	version string // the first line of what the library says
	entry   [functions]uintptr

	mu      sync.Mutex // held during calls
	out     [2]uint64  // results of a call, under mu
	thread  chan *call // to the one thread that may call; nil if any may
	request call       // under mu
	text    [8192]byte // as long as the longest that the standard allows, under mu
	broken  []*group   // whose memory the library may still use, under mu
}

// call is a call, which may be made on library.thread.
type call struct {
	entry  uintptr
	args   [8]uintptr
	n      int
	result int32
	done   chan struct{}
}

// address returns the address of what is on the heap.
func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// open loads the first of the candidates that is there and has a known ABI.
func open(candidates []string) (*library, error) {
	var tried []string
	var bad []error
	for _, path := range candidates {
		dl, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err != nil {
			tried = append(tried, path)
			if _, missing := os.Stat(path); missing == nil {
				bad = append(bad, err)
			}
			continue
		}
		l, err := load(dl, path)
		if err == nil {
			return l, nil
		}
		bad = append(bad, fmt.Errorf("%s: %w", path, err))
	}
	if err := errors.Join(bad...); err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nil, fmt.Errorf("none of %s is there", strings.Join(tried, ", "))
}

func load(dl uintptr, path string) (*library, error) {
	l := &library{path: path}
	for f, name := range functionNames {
		entry, err := purego.Dlsym(dl, name)
		if err != nil {
			return nil, fmt.Errorf("it has no %s; MPI 3.0 or later is needed", name)
		}
		l.entry[f] = entry
	}
	version, err := l.getText(mpiGetLibraryVersion)
	if err != nil {
		return nil, err
	}
	l.version = oneLine(version)
	l.abi, err = abiOf(dl, version)
	return l, err
}

// oneLine is what a library says of itself, shortened: "MPICH Version:      5.0.2" becomes "MPICH 5.0.2".
func oneLine(version string) string {
	line, _, _ := strings.Cut(version, "\n")
	line, _, _ = strings.Cut(line, ",")
	return strings.Join(strings.Fields(strings.ReplaceAll(line, "Version:", "")), " ")
}

// isOpenMPI reports whether the library is Open MPI, whatever its ABI.
func (l *library) isOpenMPI() bool { return strings.HasPrefix(l.version, "Open MPI") }

// call calls f, which returns an error code. The pointers among args are to the heap.
func (l *library) call(f function, args ...uintptr) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.locked(f, args...)
}

// locked is call where l.mu is held.
func (l *library) locked(f function, args ...uintptr) int32 {
	c := &l.request // a slice of it, unlike args, may go to SyscallN without an allocation
	c.entry, c.n = l.entry[f], copy(c.args[:], args)
	if l.thread == nil {
		c.do()
		return c.result
	}
	l.thread <- c
	<-c.done
	return c.result
}

// do calls the function on this thread.
func (c *call) do() {
	code, _, _ := purego.SyscallN(c.entry, c.args[:c.n]...)
	c.result = int32(code)
}

// funnel makes every later call on one thread.
func (l *library) funnel() {
	l.request.done = make(chan struct{})
	calls := make(chan *call)
	l.thread = calls
	go func() {
		runtime.LockOSThread()
		for c := range calls {
			c.do()
			c.done <- struct{}{}
		}
	}()
}

// error returns what an error code means, nil for success.
func (l *library) error(code int32) error {
	if code == 0 {
		return nil
	}
	text, err := l.getText(mpiErrorString, uintptr(code))
	if err != nil || text == "" {
		return fmt.Errorf("MPI error %d", code)
	}
	return errors.New(strings.Join(strings.Fields(text), " "))
}

// getText calls a function whose last arguments are a buffer and its length.
func (l *library) getText(f function, args ...uintptr) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out[0] = 0
	if code := l.locked(f, append(args, address(&l.text[0]), address(&l.out[0]))...); code != 0 {
		return "", fmt.Errorf("%s returned %d", functionNames[f], code)
	}
	n := min(int(int32(l.out[0])), len(l.text))
	return strings.TrimRight(string(l.text[:max(n, 0)]), "\x00"), nil
}

// getInt calls a function whose last argument is the address of an int.
func (l *library) getInt(f function, args ...uintptr) (int, error) {
	l.mu.Lock()
	l.out[0] = 0
	code := l.locked(f, append(args, address(&l.out[0]))...)
	n := int(int32(l.out[0]))
	l.mu.Unlock()
	return n, l.error(code)
}

// initialize calls MPI_Init_thread on a thread that stays, since the library may grant no more than
// calls on that one. It waits for the other ranks.
func (l *library) initialize(funneled bool, timeout time.Duration) error {
	if done, err := l.getInt(mpiInitialized); err != nil || done != 0 {
		return cmp.Or(err, errors.New("MPI is initialised already, by another part of the program"))
	}
	want := l.threadSerialized
	if funneled {
		want = l.threadFunneled
	}
	l.funnel()
	type outcome struct {
		granted int
		err     error
	}
	done := make(chan outcome, 1)
	go func() {
		granted, err := l.getInt(mpiInitThread, 0, 0, uintptr(want))
		done <- outcome{granted, err}
	}()
	select {
	case o := <-done:
		if o.err == nil && o.granted >= int(l.threadSerialized) && !funneled {
			l.thread = nil
		}
		return o.err
	case <-time.After(timeout):
		return fmt.Errorf("MPI_Init_thread does not return within %v: some ranks have not called it", timeout)
	}
}

// finalize calls MPI_Finalize, and what the library registered with atexit: MPICH 5 leaves the launcher
// only there, and a Go program ends without it, upon which the launcher would kill the other ranks.
func (l *library) finalize() (code int32) {
	code = l.call(mpiFinalize)
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, err := purego.Dlsym(purego.RTLD_DEFAULT, "__cxa_finalize"); err == nil {
		purego.SyscallN(f, 0) // of all libraries
	}
	return code
}
