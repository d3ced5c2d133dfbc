package dist

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/plexaura/plexaura/internal/frames"
	"github.com/plexaura/plexaura/internal/isnil"
)

// A Group is a set of processes or goroutines, its ranks, that call the same operations in the same
// order. Each rank has a value of its own.
//
// An operation begins when a rank calls it, and ends when this rank's part is done; the barrier is
// the only one that always waits for all ranks. Buffers must not be touched until it returns, and
// are the caller's again then, with one exception: after an error, buffers of the failed operation
// may still be read and written by the library, and must not be used again.
//
// The context limits the wait. An operation that fails, because the context ended, a rank died,
// or the ranks disagree, returns an [*Error], and so does every later operation of the group: its
// ranks are no longer at the same place. What remains is to call Abort. Only arguments that are wrong
// by themselves, such as a root that is no rank, are refused before the operation begins, which then
// may be called again.
//
// Operations of one Group are called by one goroutine at a time. A duplicate, made by Dup, is a
// channel of its own: operations of different duplicates may run at the same time, in any order
// relative to each other.
type Group interface {
	// Rank returns this rank, from 0 to Size-1.
	Rank() int

	// Size returns the number of ranks, at least 1.
	Size() int

	// Exchange sends send[i] to rank i, and fills recv[i] with what rank i sent here. Both have Size
	// parts, and recv[i] has the length of what rank i sends, which is checked; parts may be nil or
	// empty. The part to oneself is copied, and may be the same memory in both. Other parts of recv
	// overlap nothing.
	Exchange(ctx context.Context, send, recv [][]byte) error

	// Gather fills recv[i] with the send of rank i, on every rank. recv has Size parts of the
	// lengths that the ranks send, which is checked; recv[Rank] may be the same memory as send.
	Gather(ctx context.Context, send []byte, recv [][]byte) error

	// Broadcast fills buf, of the same length on all ranks, with that of rank root.
	Broadcast(ctx context.Context, buf []byte, root int) error

	// Barrier returns once all ranks have called it.
	Barrier(ctx context.Context) error

	// SumFloat32 replaces v, of the same length on all ranks, by the elementwise sum over the ranks,
	// which has the same bits on all of them. It adds in an order of the library's choice, which
	// depends on Size. See [Sum], which takes both types, and [Reducer].
	SumFloat32(ctx context.Context, v []float32) error

	// SumFloat64 is SumFloat32 for float64.
	SumFloat64(ctx context.Context, v []float64) error

	// Dup returns a group of the same ranks whose operations are independent of those of this one.
	// All ranks call it, as an operation of this group.
	Dup(ctx context.Context) (Group, error)

	// Abort ends all ranks because of err: their operations fail, and with mpi their processes end, this
	// one included. It may be called from any goroutine, and more than once; nil stands for an unknown
	// reason.
	Abort(err error)

	// Close ends this rank's part in the group. All ranks call it, when they need it no longer, for
	// duplicates before the group that they were made from.
	Close() error
}

// A Float is an element type of sums.
type Float interface{ float32 | float64 }

// Sum replaces v by the elementwise sum over the ranks of g: SumFloat32 or SumFloat64.
func Sum[T Float](ctx context.Context, g Group, v []T) error {
	if isnil.Of(g) {
		return errNoGroup
	}
	switch v := any(v).(type) {
	case []float32:
		return g.SumFloat32(ctx, v)
	case []float64:
		return g.SumFloat64(ctx, v)
	}
	panic("unreachable")
}

var errNoGroup = errors.New("dist: no group")

// ErrClosed is the cause of the error of an operation after Close.
var ErrClosed = errors.New("the group is closed")

// ErrNoContext is the cause of the error of an operation that is given no context.
var ErrNoContext = errors.New("no context")

// Aborted returns the error of operations after rank called Abort with err. Implementations of Group
// use it.
func Aborted(rank int, err error) error {
	if err == nil {
		return fmt.Errorf("rank %d aborted", rank)
	}
	return fmt.Errorf("rank %d aborted: %w", rank, err)
}

// An Error says which operation failed on which rank.
type Error struct {
	Op      string        // the method, such as "Exchange"
	Rank    int           // the rank that tells
	Size    int           // of the group
	Waited  time.Duration // how long the operation had been waiting; 0 if it did not wait
	Missing []int         // the ranks that are known not to have done their part, in order; none if not known
	Err     error         // why: context.DeadlineExceeded, context.Canceled, what the library says, or what is wrong with the call
}

// Error says it in one line.
func (e *Error) Error() string {
	if e == nil {
		return "dist: no error"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rank %d of %d: %s", e.Rank, e.Size, e.Op)
	if e.Waited > 0 {
		fmt.Fprintf(&b, " waited %v", e.Waited.Round(time.Millisecond))
		if len(e.Missing) > 0 {
			fmt.Fprintf(&b, " for %s", Ranks(e.Missing))
		}
	} else if len(e.Missing) > 0 {
		fmt.Fprintf(&b, ": %s missing", Ranks(e.Missing))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Ranks formats numbers of ranks for a message: "rank 3", "ranks 0, 2, 5 and 9 more".
func Ranks(ranks []int) string {
	const most = 8
	switch len(ranks) {
	case 0:
		return "no rank"
	case 1:
		return fmt.Sprintf("rank %d", ranks[0])
	}
	var b strings.Builder
	for i, r := range ranks[:min(len(ranks), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, r)
	}
	if more := len(ranks) - most; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return "ranks " + b.String()
}

// CheckParts returns an error unless there is a part for each of size ranks. Implementations of
// Group call it.
func CheckParts(what string, parts [][]byte, size int) error {
	if len(parts) != size {
		return fmt.Errorf("%s has %d parts, want one for each of %d ranks", what, len(parts), size)
	}
	return nil
}

// CheckRoot returns an error unless root is one of size ranks. Implementations of Group call it.
func CheckRoot(root, size int) error {
	if root < 0 || root >= size {
		return fmt.Errorf("root %d is none of the ranks 0 to %d", root, size-1)
	}
	return nil
}

// Collect returns what each rank passed as own, by rank, whatever the lengths: all of them together
// take at most limit bytes, else it is an error on every rank. It is for messages and versions, not for
// training.
func Collect(ctx context.Context, g Group, own []byte, limit int) ([][]byte, error) {
	if isnil.Of(g) {
		return nil, errNoGroup
	}
	const wide = 8
	send := binary.LittleEndian.AppendUint64(nil, uint64(len(own)))
	sizes := make([]byte, wide*g.Size())
	recv := make([][]byte, g.Size())
	for i := range recv {
		recv[i] = sizes[i*wide : (i+1)*wide]
	}
	if err := g.Gather(ctx, send, recv); err != nil {
		return nil, err
	}
	total := uint64(0)
	for i := range recv {
		n := binary.LittleEndian.Uint64(recv[i])
		if total += n; n > uint64(limit) || total > uint64(limit) {
			return nil, &Error{Op: "Collect", Rank: g.Rank(), Size: g.Size(), Err: fmt.Errorf("the ranks send more than %d bytes", limit)}
		}
	}
	for i := range recv {
		recv[i] = make([]byte, binary.LittleEndian.Uint64(recv[i]))
	}
	return recv, g.Gather(ctx, own, recv)
}

// Agree returns an error on every rank unless all of them pass the same values, in the same order:
// what a run depends on, such as versions, flags and digests of data. The error names the first
// fact that differs, and the ranks and values.
func Agree(ctx context.Context, g Group, facts ...Fact) error {
	if isnil.Of(g) {
		return errNoGroup
	}
	const limit = 64 << 20
	all, err := Collect(ctx, g, packFacts(facts), limit)
	if err != nil {
		return err
	}
	for r := range all {
		if err := disagreement(all[0], all[r]); err != nil {
			return &Error{Op: "Agree", Rank: g.Rank(), Size: g.Size(), Err: fmt.Errorf("ranks 0 and %d differ in %w", r, err)}
		}
	}
	return nil
}

// A Fact is something that all ranks must agree on.
type Fact struct{ Name, Value string }

// packFacts writes names and values with their lengths before them.
func packFacts(facts []Fact) (packed []byte) {
	for _, f := range facts {
		packed = frames.Append(frames.Append(packed, f.Name), f.Value)
	}
	return packed
}

// disagreement returns what differs between two lists, nil if they are the same.
func disagreement(a, b []byte) error {
	for len(a) > 0 || len(b) > 0 {
		var name, value, otherName, otherValue string
		name, a = cutString(a)
		value, a = cutString(a)
		otherName, b = cutString(b)
		otherValue, b = cutString(b)
		switch {
		case name != otherName:
			return fmt.Errorf("what they compare: %q and %q", name, otherName)
		case value != otherValue:
			return fmt.Errorf("%s: %s and %s", name, short(value), short(otherValue))
		}
	}
	return nil
}

// short quotes a value, of which it shows the first 60 bytes.
func short(s string) string {
	const most = 60
	if len(s) > most {
		return fmt.Sprintf("%q... (%d bytes)", s[:most], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// cutString takes a string off b, or "" if b does not begin with a whole one.
func cutString(b []byte) (s string, rest []byte) {
	v, rest, _ := frames.Cut(b)
	return string(v), rest
}
