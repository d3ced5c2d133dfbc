package serve

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// budget is memory that requests share.
type budget struct {
	size int64
	used atomic.Int64
}

// loan is what a request has of a budget.
type loan struct {
	from  *budget
	bytes int64
}

// take adds to the loan.
func (l *loan) take(bytes int) error {
	if used := l.from.used.Add(int64(bytes)); used > l.from.size {
		l.from.used.Add(-int64(bytes))
		if l.bytes+int64(bytes) > l.from.size {
			return refuse(http.StatusRequestEntityTooLarge, "the request and its results take %d bytes; there are %d", l.bytes+int64(bytes), l.from.size)
		}
		return refuse(http.StatusTooManyRequests, "the requests that are served take all %d bytes; try again later", l.from.size)
	}
	l.bytes += int64(bytes)
	return nil
}

func (l *loan) repay() { l.from.used.Add(-l.bytes) }

// bodies are memory for bodies.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// firstRead is how many bytes of a body there is memory for before any has come.
const firstRead = 64 << 10

// readBody reads a body of at most most bytes into b, which grows with what comes, whatever length
// the client has told.
func readBody(r io.Reader, b []byte, told int64, most int, l *loan) ([]byte, error) {
	if told > int64(most) {
		return b, tooLarge(most)
	}
	if told < 0 {
		told = int64(most)
	}
	if err := l.take(cap(b)); err != nil {
		return b, err
	}
	for {
		if len(b) == cap(b) {
			next := min(max(2*cap(b), firstRead), max(int(told), firstRead)+1)
			if next <= cap(b) {
				return b, tooLarge(most)
			}
			if err := l.take(next - cap(b)); err != nil {
				return b, err
			}
			b = append(make([]byte, 0, next), b...)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case len(b) > most:
			return b, tooLarge(most)
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return b, err
		}
	}
}

func tooLarge(most int) error {
	return refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", most)
}
