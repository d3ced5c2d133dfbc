//go:build amd64 || arm64

package mpi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/launcher"
)

// maxChunk is the most bytes of one message. Counts of MPI are of 31 bits.
const maxChunk = 1 << 30

// defaultTimeout is that of Options.
const defaultTimeout = time.Minute

// started is whether Start has initialised MPI, which is possible once.
var started atomic.Bool

func start(o Options) (dist.Group, error) {
	p := launcher.Detect(os.Getenv)
	lib := cmp.Or(o.Lib, os.Getenv(LibVariable))
	if p.Launcher == "" && lib == "" {
		return dist.Single(), nil
	}
	g, err := join(o, p, lib)
	if err != nil {
		return nil, err
	}
	return g, nil
}

func join(o Options, p launcher.Process, lib string) (*group, error) {
	files := []string{lib}
	if lib == "" {
		files = candidates(p)
	}
	library, err := open(files)
	if err != nil {
		return nil, fmt.Errorf("mpi: no library of %s: %w; name one by %s", cmp.Or(p.Launcher, "a launcher"), err, LibVariable)
	}
	if p.OpenMPI && p.Size > 1 && !library.isOpenMPI() { // which would end the process
		return nil, foreign(library, p)
	}
	if !started.CompareAndSwap(false, true) {
		return nil, errors.New("mpi: Start was called before, and MPI can be initialised once in a process")
	}
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	if err := library.initialize(o.funneled, o.Timeout); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", library.path, err)
	}
	g := &group{lib: library, comm: library.handles.world, stderr: o.Stderr, timeout: o.Timeout, chunk: o.chunk, isWorld: true}
	if g.stderr == nil {
		g.stderr = os.Stderr
	}
	g.chunk = cmp.Or(g.chunk, maxChunk)
	if err := g.identify(); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", library.path, err)
	}
	if g.size == 1 && p.Size > 1 {
		library.finalize()
		return nil, foreign(library, p)
	}
	return g, nil
}

// foreign is the error where the library cannot see what the launcher started.
func foreign(lib *library, p launcher.Process) error {
	return fmt.Errorf("mpi: %s (%s) belongs to another launcher than %s, which started %d processes: start the program with the library's own, or name the library of %[3]s by %[5]s",
		lib.path, lib.version, p.Launcher, p.Size, LibVariable)
}

// group is the ranks of a communicator.
type group struct {
	lib        *library
	comm       uintptr
	rank, size int
	isWorld    bool // not a duplicate
	stderr     io.Writer
	timeout    time.Duration
	chunk      int

	busy   atomic.Bool
	closed bool
	err    error // of the operation that failed
	count  uint64
	op     string
	reqs   requests
	notes  notes
	newest uint64 // the handle that MPI_Comm_idup fills in
	handle uint64 // of a duplicate: comm as C lays it out
	out    [2]int32

	mine, theirs header // of a collective operation, and what the rank before this one has sent
}

// header is what ranks must agree on in a collective operation.
type header struct{ count, op, length, root uint64 }

// identify asks for this rank's number, and makes errors codes instead of the end of the process.
func (g *group) identify() (err error) {
	if err := g.lib.error(g.lib.call(mpiCommSetErrhandler, g.comm, g.lib.handles.errorsReturn)); err != nil {
		return err
	}
	if g.rank, err = g.lib.getInt(mpiCommRank, g.comm); err != nil {
		return err
	}
	g.size, err = g.lib.getInt(mpiCommSize, g.comm)
	return err
}

func (g *group) Rank() int { return g.rank }
func (g *group) Size() int { return g.size }

// String names the rank and the library.
func (g *group) String() string {
	return fmt.Sprintf("rank %d of %d, %s, ABI of %s, %s", g.rank, g.size, g.lib.version, g.lib.abi.name, g.lib.path)
}

// begin starts an operation, or returns why it cannot be.
func (g *group) begin(ctx context.Context, op string, wrong error) error {
	if !g.busy.CompareAndSwap(false, true) {
		return g.error(op, 0, nil, errors.New("another operation of this group is still running"))
	}
	err := g.err
	switch {
	case g.closed:
		err = g.error(op, 0, nil, dist.ErrClosed)
	case err != nil:
		err = g.error(op, 0, nil, fmt.Errorf("an earlier operation failed: %w", err))
	case ctx == nil:
		err = g.error(op, 0, nil, dist.ErrNoContext)
	case wrong != nil:
		err = g.error(op, 0, nil, wrong)
	case ctx.Err() != nil:
		err = g.fail(op, 0, nil, ctx.Err())
	}
	if err != nil {
		g.busy.Store(false)
		return err
	}
	g.op = op
	g.count++
	g.mine, g.theirs = header{}, header{}
	g.reqs.reset()
	return nil
}

func (g *group) error(op string, waited time.Duration, missing []int, err error) error {
	return &dist.Error{Op: op, Rank: g.rank, Size: g.size, Waited: waited, Missing: missing, Err: err}
}

// fail ends the group. The library may go on using the buffers, which are kept.
func (g *group) fail(op string, waited time.Duration, missing []int, err error) error {
	g.err = g.error(op, waited, missing, err)
	g.lib.mu.Lock()
	g.lib.broken = append(g.lib.broken, g)
	g.lib.mu.Unlock()
	return g.err
}

// failure returns the error of the first group that failed, nil if none has.
func (l *library) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.broken) == 0 {
		return nil
	}
	return l.broken[0].err
}

func (g *group) Exchange(ctx context.Context, send, recv [][]byte) error {
	wrong := cmp.Or(dist.CheckParts("send", send, g.size), dist.CheckParts("recv", recv, g.size))
	if wrong == nil {
		wrong = g.toSelf(send[g.rank], recv[g.rank])
	}
	if err := g.begin(ctx, "Exchange", wrong); err != nil {
		return err
	}
	defer g.busy.Store(false)
	for i := 1; i < g.size; i++ {
		from := (g.rank - i + g.size) % g.size
		if err := g.post(mpiIrecv, recv[from], from, tagExchange); err != nil {
			return err
		}
	}
	for i := 1; i < g.size; i++ {
		to := (g.rank + i) % g.size
		if err := g.post(mpiIsend, send[to], to, tagExchange); err != nil {
			return err
		}
	}
	copy(recv[g.rank], send[g.rank])
	return g.wait(ctx)
}

func (g *group) toSelf(send, recv []byte) error {
	if len(send) != len(recv) {
		return fmt.Errorf("rank %d sends %d bytes to itself, and expects %d", g.rank, len(send), len(recv))
	}
	return nil
}

func (g *group) Gather(ctx context.Context, send []byte, recv [][]byte) error {
	wrong := dist.CheckParts("recv", recv, g.size)
	if wrong == nil {
		wrong = g.toSelf(send, recv[g.rank])
	}
	if err := g.begin(ctx, "Gather", wrong); err != nil {
		return err
	}
	defer g.busy.Store(false)
	for i := 1; i < g.size; i++ {
		from := (g.rank - i + g.size) % g.size
		if err := g.post(mpiIrecv, recv[from], from, tagGather); err != nil {
			return err
		}
	}
	for i := 1; i < g.size; i++ {
		if err := g.post(mpiIsend, send, (g.rank+i)%g.size, tagGather); err != nil {
			return err
		}
	}
	copy(recv[g.rank], send)
	return g.wait(ctx)
}

// Tags of messages. Collective operations have none.
const (
	tagExchange = 1 + iota
	tagGather
	tagNote
	tagHeader
)

// post begins to send or receive buf, in as many messages as it takes: one if it is empty, so that the
// other side learns that it is.
func (g *group) post(f function, buf []byte, peer, tag int) error {
	for first := true; first || len(buf) > 0; first = false {
		part := buf[:min(len(buf), g.chunk)]
		buf = buf[len(part):]
		at := g.reqs.add(g.lib, part, peer, f == mpiIrecv)
		code := g.lib.call(f, address(unsafe.SliceData(part)), uintptr(len(part)), g.lib.handles.bytes, uintptr(peer), uintptr(tag), g.comm, at)
		if err := g.lib.error(code); err != nil {
			return g.fail(g.op, 0, []int{peer}, err)
		}
	}
	return nil
}

func (g *group) Broadcast(ctx context.Context, buf []byte, root int) error {
	if err := g.begin(ctx, "Broadcast", dist.CheckRoot(root, g.size)); err != nil {
		return err
	}
	defer g.busy.Store(false)
	length := len(buf)
	for len(buf) > 0 {
		part := buf[:min(len(buf), g.chunk)]
		buf = buf[len(part):]
		at := g.reqs.add(g.lib, part, everyone, false)
		if err := g.collective(mpiIbcast, address(&part[0]), uintptr(len(part)), g.lib.handles.bytes, uintptr(root), g.comm, at); err != nil {
			return err
		}
	}
	if err := g.compare(length, root); err != nil {
		return err
	}
	return g.wait(ctx)
}

// compare sends this rank's header to the next rank, and receives that of the one before: MPI itself
// takes the messages of one operation for those of another. If any two ranks differ, two neighbours do.
func (g *group) compare(length, root int) error {
	if g.size == 1 {
		return nil
	}
	g.mine = header{g.count, kind(g.op), uint64(length), uint64(root)}
	if err := g.post(mpiIrecv, g.theirs.bytes(), (g.rank+g.size-1)%g.size, tagHeader); err != nil {
		return err
	}
	return g.post(mpiIsend, g.mine.bytes(), (g.rank+1)%g.size, tagHeader)
}

func (h *header) bytes() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(h)), unsafe.Sizeof(*h)) }

// disagreement returns what the rank before this one does otherwise.
func (g *group) disagreement() error {
	other, a, b := (g.rank+g.size-1)%g.size, &g.mine, &g.theirs
	switch {
	case a.op != b.op || a.count != b.count:
		return fmt.Errorf("rank %d calls %s, and rank %d %s", g.rank, g.op, other, opName(b.op))
	case a.length != b.length:
		return fmt.Errorf("rank %d passes %d bytes, and rank %d %d", g.rank, a.length, other, b.length)
	case a.root != b.root:
		return fmt.Errorf("rank %d names rank %d as the root, and rank %d rank %d", g.rank, a.root, other, b.root)
	}
	return nil
}

// collective begins an operation of all ranks.
func (g *group) collective(f function, args ...uintptr) error {
	if err := g.lib.error(g.lib.call(f, args...)); err != nil {
		return g.fail(g.op, 0, nil, err)
	}
	return nil
}

func (g *group) Barrier(ctx context.Context) error {
	if err := g.begin(ctx, "Barrier", nil); err != nil {
		return err
	}
	defer g.busy.Store(false)
	at := g.reqs.add(g.lib, nil, everyone, false)
	if err := cmp.Or(g.collective(mpiIbarrier, g.comm, at), g.compare(0, 0)); err != nil {
		return err
	}
	return g.wait(ctx)
}

func (g *group) SumFloat32(ctx context.Context, v []float32) error {
	return sum(ctx, g, "SumFloat32", v, g.lib.handles.float)
}

func (g *group) SumFloat64(ctx context.Context, v []float64) error {
	return sum(ctx, g, "SumFloat64", v, g.lib.handles.double)
}

func sum[T dist.Float](ctx context.Context, g *group, op string, v []T, dtype uintptr) error {
	if err := g.begin(ctx, op, nil); err != nil {
		return err
	}
	defer g.busy.Store(false)
	length := len(dist.Bytes(v))
	most := max(g.chunk/int(unsafe.Sizeof(T(0))), 1)
	for len(v) > 0 {
		part := v[:min(len(v), most)]
		v = v[len(part):]
		at := g.reqs.add(g.lib, dist.Bytes(part), everyone, false)
		if err := g.collective(mpiIallreduce, g.lib.inPlace, address(&part[0]), uintptr(len(part)), dtype, g.lib.handles.sum, g.comm, at); err != nil {
			return err
		}
	}
	if err := g.compare(length, 0); err != nil {
		return err
	}
	return g.wait(ctx)
}

func (g *group) Dup(ctx context.Context) (dist.Group, error) {
	if err := g.begin(ctx, "Dup", nil); err != nil {
		return nil, err
	}
	defer g.busy.Store(false)
	d := &group{lib: g.lib, rank: g.rank, size: g.size, stderr: g.stderr, timeout: g.timeout, chunk: g.chunk}
	at := g.reqs.add(g.lib, nil, everyone, false)
	if err := cmp.Or(g.collective(mpiCommIdup, g.comm, address(&g.newest), at), g.compare(0, 0)); err != nil {
		return nil, err
	}
	if err := g.wait(ctx); err != nil {
		return nil, err
	}
	d.comm, d.handle = g.lib.read(&g.newest), g.newest
	if err := d.identify(); err != nil {
		return nil, g.fail("Dup", 0, nil, err)
	}
	return d, nil
}

// read returns the handle that C has written.
func (l *library) read(p *uint64) uintptr {
	if l.handle == 4 {
		return uintptr(*(*uint32)(unsafe.Pointer(p)))
	}
	return uintptr(*p)
}

// wait polls until the operation is over.
func (g *group) wait(ctx context.Context) error {
	begun := time.Now()
	busy := spinTime + time.Duration(g.reqs.bytes)*timePerByte
	tellAfter := tellAfter(ctx, begun)
	for {
		done, err := g.test()
		waited := time.Since(begun)
		if err != nil {
			return g.fail(g.op, waited, g.reqs.pending, err)
		}
		if done {
			g.reqs.release()
			return nil
		}
		select {
		case <-ctx.Done():
			return g.giveUp(waited, ctx.Err())
		default:
		}
		if waited > tellAfter {
			g.tell()
			g.listen()
		}
		pause(waited, busy)
	}
}

// How a wait polls: at first without a pause, as long as the bytes may take, then less and less often,
// since another rank is late and may need the processor.
const (
	alone       = 10 * time.Microsecond // only goroutines of this process may run in between
	spinTime    = time.Millisecond      // then other processes too
	timePerByte = time.Nanosecond
	shortPause  = 50 * time.Microsecond
	longWait    = 50 * time.Millisecond
	longPause   = time.Millisecond
)

func pause(waited, busy time.Duration) {
	switch {
	case waited < alone:
		runtime.Gosched()
	case waited < busy:
		runtime.Gosched()
		_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
	case waited < busy+longWait:
		// time.Sleep would take a millisecond where nothing else runs.
		ts := syscall.NsecToTimespec(int64(shortPause))
		_ = syscall.Nanosleep(&ts, nil)
	default:
		time.Sleep(longPause)
	}
}

// test reports whether all requests are done. The error is that of one of them.
func (g *group) test() (bool, error) {
	r := &g.reqs
	if r.n == 0 {
		return true, nil
	}
	g.out[0] = 0
	code := g.lib.call(mpiTestall, uintptr(r.n), address(&r.handles[0]), address(&g.out[0]), address(&r.statuses[0]))
	if code != 0 {
		return false, g.requestError(code)
	}
	if g.out[0] == 0 {
		return false, nil
	}
	return true, g.checkLengths()
}

// requestError finds the request that failed.
func (g *group) requestError(code int32) error {
	for i := range g.reqs.n {
		err := g.lib.error(g.reqs.errorCode(g.lib, i))
		if err == nil || strings.Contains(err.Error(), "ending request") { // MPI_ERR_PENDING: it is the others' error
			continue
		}
		if peer := g.reqs.of[i].peer; peer != everyone {
			g.reqs.pending = []int{peer}
			return fmt.Errorf("the message from or to rank %d, of %d bytes here: %w", peer, len(g.reqs.of[i].buf), err)
		}
		return err
	}
	return g.lib.error(code)
}

// checkLengths compares what has come with what was expected.
func (g *group) checkLengths() error {
	for i, r := range g.reqs.of[:g.reqs.n] {
		if !r.recv {
			continue
		}
		code := g.lib.call(mpiGetCount, g.reqs.status(g.lib, i), g.lib.handles.bytes, address(&g.out[1]))
		if err := g.lib.error(code); err != nil {
			return err
		}
		if n := int(g.out[1]); n != len(r.buf) {
			return fmt.Errorf("rank %d sends %d bytes to rank %d, which expects %d", r.peer, n, g.rank, len(r.buf))
		}
	}
	return g.disagreement()
}

// giveUp says who is missing, as far as this is known: those whose messages have not come, or that have not
// said that they wait too.
func (g *group) giveUp(waited time.Duration, err error) error {
	var late []bool
	for i := range g.reqs.n {
		peer := g.reqs.of[i].peer
		if peer == everyone {
			late = g.silent()
			break
		}
		g.out[0] = 0
		code := g.lib.call(mpiTest, g.reqs.at(g.lib, i), address(&g.out[0]), g.reqs.status(g.lib, i))
		if code == 0 && g.out[0] != 0 {
			continue
		}
		if late == nil {
			late = make([]bool, g.size)
		}
		late[peer] = true
	}
	var missing []int
	for r, is := range late {
		if is {
			missing = append(missing, r)
		}
	}
	if elsewhere := g.elsewhere(missing); elsewhere != "" {
		err = fmt.Errorf("%w (%s)", err, elsewhere)
	}
	return g.fail(g.op, waited, missing, err)
}

func (g *group) Abort(err error) {
	if err == nil {
		err = errors.New("aborted")
	}
	line, rank := err.Error(), fmt.Sprintf("rank %d of %d: ", g.rank, g.size)
	fmt.Fprintln(g.stderr, rank+strings.TrimPrefix(line, rank))
	const toBeRead, patience = 200 * time.Millisecond, 10 * time.Second
	time.Sleep(toBeRead) // MPICH's mpiexec drops what it has not read when it ends
	go g.lib.call(mpiAbort, g.lib.handles.world, 1)
	time.Sleep(patience)
	os.Exit(1)
}

func (g *group) Close() error {
	if g.closed {
		return nil
	}
	if err := g.lib.failure(); g.isWorld && err != nil {
		return g.error("Close", 0, nil, fmt.Errorf("MPI cannot be finalised after a failure; Abort ends all ranks: %w", err))
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.timeout)
	defer cancel()
	err := g.Barrier(ctx) // to release a communicator waits for all ranks, in C
	if err == nil {
		err = g.drainNotes(ctx)
	}
	if err != nil {
		var e *dist.Error
		if errors.As(err, &e) {
			e.Op = "Close"
		}
		return err
	}
	g.closed = true
	g.cancelNotes()
	if !g.isWorld {
		return g.lib.error(g.lib.call(mpiCommFree, address(&g.handle)))
	}
	done := make(chan int32, 1)
	go func() { done <- g.lib.finalize() }()
	select {
	case code := <-done:
		return g.lib.error(code)
	case <-ctx.Done():
		return g.error("Close", g.timeout, nil, errors.New("MPI_Finalize does not return"))
	}
}
