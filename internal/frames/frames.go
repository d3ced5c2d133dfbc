package frames

import "encoding/binary"

// Append appends v to b, behind its length in bytes as a uvarint ([binary.AppendUvarint]).
func Append[S ~string | ~[]byte](b []byte, v S) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// Cut returns the first string of b, a part of b's memory without room to grow, and what follows it. It
// returns false if b does not begin with a whole one.
func Cut(b []byte) (v, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	b = b[size:]
	return b[:n:n], b[n:], true
}
