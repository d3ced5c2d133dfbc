//go:build amd64 || arm64

package mpi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plexaura/plexaura/dist"
)

// notes are messages by which a rank that has waited long tells the others where it is, so that whoever
// gives up can name those that are missing. Nothing is sent while all are in time.
type notes struct {
	heard   []note // the latest of each rank
	in      []note // where the next of each rank is received
	inReqs  requests
	own     note
	outReqs requests
	told    uint64   // the number of the operation that the others were told
	sent    uint64   // notes to each other rank
	taken   []uint64 // notes of each rank
	ended   bool     // no more are sent
}

// note says which operation of its group a rank waits in: its number and kind.
type note struct{ count, op uint64 }

// noteBytes is the size of a note.
const noteBytes = 16

// operationNames are the kinds of a note.
var operationNames = []string{"none", "Exchange", "Gather", "Broadcast", "Barrier", "SumFloat32", "SumFloat64", "Dup"}

func kind(op string) uint64 {
	for i, name := range operationNames {
		if name == op {
			return uint64(i)
		}
	}
	return 0
}

// opName is the operation of a kind that another rank sent.
func opName(kind uint64) string {
	if kind >= uint64(len(operationNames)) {
		return "an unknown operation"
	}
	return operationNames[kind]
}

// tellAfter returns how long to wait before telling: a second, or half the time there is.
func tellAfter(ctx context.Context, begun time.Time) time.Duration {
	after := time.Second
	if deadline, ok := ctx.Deadline(); ok {
		after = min(after, deadline.Sub(begun)/2)
	}
	return after
}

// tell sends this operation's note, once.
func (g *group) tell() {
	n := &g.notes
	if n.ended || n.told == g.count || !g.over(&n.outReqs) {
		return
	}
	n.told = g.count
	n.sent++
	n.own = note{g.count, kind(g.op)}
	n.outReqs.reset()
	for i := 1; i < g.size; i++ {
		peer := (g.rank + i) % g.size
		at := n.outReqs.add(g.lib, nil, peer, false)
		if g.lib.call(mpiIsend, address(&n.own), noteBytes, g.lib.handles.bytes, uintptr(peer), tagNote, g.comm, at) != 0 {
			n.outReqs.n--
		}
	}
}

// over reports whether all requests are done.
func (g *group) over(r *requests) bool {
	if r.n == 0 {
		return true
	}
	g.out[0] = 0
	code := g.lib.call(mpiTestall, uintptr(r.n), address(&r.handles[0]), address(&g.out[0]), address(&r.statuses[0]))
	return code == 0 && g.out[0] != 0
}

// listen takes the notes that have come. A receive stays open for each rank from the first call on.
func (g *group) listen() {
	n := &g.notes
	if n.in == nil {
		n.in, n.heard, n.taken = make([]note, g.size), make([]note, g.size), make([]uint64, g.size)
		for peer := range g.size {
			n.inReqs.add(g.lib, nil, peer, true)
		}
		for peer := range g.size {
			g.receiveNote(peer)
		}
	}
	for peer := range g.size {
		for peer != g.rank {
			g.out[0] = 0
			code := g.lib.call(mpiTest, n.inReqs.at(g.lib, peer), address(&g.out[0]), n.inReqs.status(g.lib, peer))
			if code != 0 || g.out[0] == 0 {
				break
			}
			n.heard[peer] = n.in[peer]
			n.taken[peer]++
			g.receiveNote(peer)
		}
	}
}

func (g *group) receiveNote(peer int) {
	if peer != g.rank {
		g.lib.call(mpiIrecv, address(&g.notes.in[peer]), noteBytes, g.lib.handles.bytes, uintptr(peer), tagNote, g.comm, g.notes.inReqs.at(g.lib, peer))
	}
}

// silent returns which ranks have not said that they wait in this operation too.
func (g *group) silent() []bool {
	g.listen()
	late := make([]bool, g.size)
	for r := range late {
		late[r] = r != g.rank && g.notes.heard[r] != note{g.count, kind(g.op)}
	}
	return late
}

// elsewhere says which of these ranks wait in another operation.
func (g *group) elsewhere(missing []int) string {
	var all []string
	for _, r := range missing {
		if g.notes.heard == nil {
			break
		}
		at := g.notes.heard[r]
		if at.op == 0 || at == (note{g.count, kind(g.op)}) || at.count < g.count {
			continue
		}
		all = append(all, fmt.Sprintf("%s waits in %s", dist.Ranks([]int{r}), opName(at.op)))
	}
	return strings.Join(all, ", ")
}

// drainNotes takes all notes that others have sent, and waits until they have taken this rank's: to release a
// communicator with messages that were not received is an error, of MPICH 5 for one.
func (g *group) drainNotes(ctx context.Context) error {
	n := &g.notes
	n.ended = true
	counts := make([]uint64, g.size)
	recv := make([][]byte, g.size)
	for peer := range recv {
		recv[peer] = dist.Bytes(counts[peer : peer+1])
	}
	if err := g.Gather(ctx, dist.Bytes([]uint64{n.sent}), recv); err != nil {
		return err
	}
	if slices.Max(counts) == 0 {
		return nil
	}
	counts[g.rank] = 0
	for g.listen(); !slices.Equal(n.taken, counts) || !g.over(&n.outReqs); g.listen() {
		if err := ctx.Err(); err != nil {
			return g.fail("Close", 0, nil, err)
		}
		time.Sleep(shortPause)
	}
	return nil
}

// cancelNotes ends the receives that are still open.
func (g *group) cancelNotes() {
	for peer := range g.notes.in {
		if peer != g.rank {
			at := g.notes.inReqs.at(g.lib, peer)
			g.lib.call(mpiCancel, at)
			g.lib.call(mpiRequestFree, at)
		}
	}
}
