//go:build amd64 || arm64

package mpi

import "unsafe"

// everyone is the peer of a collective operation.
const everyone = -1

// requests are the messages of an operation that are under way: arrays of MPI_Request and MPI_Status as C
// lays them out, and what each one is. They grow as needed, and are used again. Once C knows an
// element of handles, they do not grow: what was begun there is copied with them, and C keeps no
// address of a request.
type requests struct {
	n        int
	bytes    int
	handles  []uint64
	statuses []uint64
	of       []request
	pending  []int // the peer of the one that failed
}

// request is a message, or a part of a collective operation.
type request struct {
	peer int
	recv bool
	buf  []byte // of the caller, kept while C uses it
}

func (r *requests) reset() { r.n, r.bytes, r.pending = 0, 0, nil }

// release forgets the buffers.
func (r *requests) release() { clear(r.of[:r.n]) }

// add makes room for one more, and returns the address of its handle.
func (r *requests) add(l *library, buf []byte, peer int, recv bool) (at uintptr) {
	i := r.n
	r.n++
	r.bytes += len(buf)
	if i == len(r.of) {
		more := max(8, 2*i)
		r.of = append(r.of, make([]request, more-i)...)
		r.handles = append(r.handles, make([]uint64, more-i)...)
		const word = 8
		r.statuses = make([]uint64, more*l.statusBytes/word+1)
	}
	r.of[i] = request{peer, recv, buf}
	return r.at(l, i)
}

// at returns the address of a request's handle.
func (r *requests) at(l *library, i int) uintptr {
	return address(&r.handles[0]) + uintptr(i)*l.handle
}

func (r *requests) status(l *library, i int) uintptr {
	return address(&r.statuses[0]) + uintptr(i*l.statusBytes)
}

// errorCode returns the MPI_ERROR of a status.
func (r *requests) errorCode(l *library, i int) int32 {
	return *(*int32)(unsafe.Add(unsafe.Pointer(&r.statuses[0]), i*l.statusBytes+l.statusError))
}
