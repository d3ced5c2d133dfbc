package par

import (
	"errors"
	"runtime"
	"sync/atomic"

	"github.com/plexaura/plexaura/internal/rescue"
)

// errGoexit is the panic value of a loop's caller if a body ends its goroutine.
var errGoexit = errors.New("par: body called runtime.Goexit")

// Bits of job.gate; the bits below count the helpers inside.
const (
	gateOpen    = 1 << 31 // helpers may enter
	gateWaiting = 1 << 30 // the caller sleeps until the last helper leaves
)

// job is one loop being shared. Jobs are reused: a worker that arrives late finds the gate closed,
// or enters the next loop, which does no harm.
type job struct {
	place int // among the crew's jobs
	gate  atomic.Uint32
	taken atomic.Bool
	done  chan struct{}
	spans []span // one for each member of the team

	// Set while the gate is closed and no helper is inside.
	n, grain int
	team     int // goroutines that work on it, among them the caller, member 0
	first    int // worker 1+(first+m-1)%helpers is member m
	helpers  int // workers that there are
	body     func(lo, hi int)
	watch    Watcher // may be nil

	failed  atomic.Bool // drop the remaining chunks
	failure any         // the first helper's panic; written by the helper that sets failed
}

// span is the part of the chunks that one member of the team begins with, so that it gets the same
// data from loop to loop. A member that has finished its own span takes chunks from the others.
type span struct {
	next atomic.Int64
	end  int64
	_    [112]byte // two cache lines, because processors fetch them in pairs
}

func newJob(place, workers int) *job {
	return &job{place: place, done: make(chan struct{}, 1), spans: make([]span, workers)}
}

func (j *job) open(n, grain, chunks, team int, body func(lo, hi int)) {
	j.n, j.grain, j.team, j.body = n, grain, team, body
	j.failed.Store(false)
	for i := range team {
		s := &j.spans[i]
		s.next.Store(int64(chunks * i / team))
		s.end = int64(chunks * (i + 1) / team)
	}
	j.gate.Store(gateOpen)
}

// enter reports whether worker id may take part, and as which member of the team. It reads the team
// only once inside.
func (j *job) enter(id int) (member int, ok bool) {
	for {
		g := j.gate.Load()
		if g&gateOpen == 0 {
			return 0, false
		}
		if j.gate.CompareAndSwap(g, g+1) {
			break
		}
	}
	if id <= j.helpers {
		if member = 1 + (id-1-j.first+j.helpers)%j.helpers; member < j.team {
			return member, true
		}
	}
	j.leave()
	return 0, false
}

func (j *job) leave() {
	if j.gate.Add(^uint32(0)) == gateWaiting {
		j.done <- struct{}{}
	}
}

// help works as worker id, a member of the team, and leaves. It leaves the busy count before the caller can return,
// because otherwise the caller's next loop would find no helper.
func (j *job) help(id, member int, busy *atomic.Int32) {
	returned := false
	defer func() {
		if !returned {
			if r := recover(); r != nil {
				j.fail(rescue.Of(r))
			} else {
				j.fail(errGoexit)
			}
		}
		busy.Add(-1)
		j.leave()
	}()
	j.work(id, member)
	returned = true
}

func (j *job) fail(value any) {
	if j.failed.CompareAndSwap(false, true) {
		j.failure = value
	}
}

// work runs chunks until none is left: first those of its own span, then those of the others. After
// that nobody needs to enter.
func (j *job) work(id, member int) {
	for i := range j.team {
		s := &j.spans[(member+i)%j.team]
		for s.next.Load() < s.end && !j.failed.Load() {
			k := int(s.next.Add(1) - 1)
			if k >= int(s.end) {
				break
			}
			lo := k * j.grain
			hi := lo + min(j.grain, j.n-lo)
			if j.watch != nil && id > 0 {
				j.watch.Part(id, lo, hi, j.body)
				continue
			}
			j.body(lo, hi)
		}
	}
	j.gate.And(^uint32(gateOpen))
}

// join lets no more helpers in and waits until those inside have left.
func (j *job) join() {
	j.gate.And(^uint32(gateOpen))
	g := j.gate.Load()
	for range 8 {
		for i := 0; i < spinLoads && g != 0; i++ {
			g = j.gate.Load()
		}
		if g == 0 {
			return
		}
		runtime.Gosched()
	}
	if j.gate.Or(gateWaiting) != 0 {
		<-j.done
	}
	j.gate.Store(0)
}
