package serve

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Options are the limits of a [Server]. Zero values stand for the defaults.
type Options struct {
	// MaxBatch is how many rows run together, and how many a request may have; by default 32.
	MaxBatch int
	// Delay is how long the first request of a batch waits for others, at most: where more came together
	// lately, and no longer than a batch takes. By default it is 0, and none waits: those that come while
	// a batch runs are the next one.
	Delay time.Duration
	// Queue is how many requests of a model may wait; by default 256. Further ones get status 429.
	Queue int
	// Sessions is how many batches of a model run at a time; by default 1. See [vm.WithThreads].
	Sessions int
	// Timeout is how long a request may take to be read and to wait for its batch; by default 30 s.
	// Then it gets status 504. A batch that has begun is finished.
	Timeout time.Duration
	// MaxBody is the size in bytes of the largest body; by default 64 MiB. Larger ones get status 413.
	MaxBody int
	// Memory is how many bytes the bodies and results of all requests may take at a time; by default
	// 512 MiB. A request that needs more than is left gets status 429.
	Memory int
	// Token allows requests that have it in the header "Authorization: Bearer TOKEN" to load models
	// again. Without one, only the program can.
	Token string
	// Hosts are names that requests may call this host by, besides localhost, addresses and its own.
	Hosts []string
}

const maxTimeout = time.Hour

// withDefaults returns the options with defaults in the place of zeros.
func (o Options) withDefaults() (Options, error) {
	for _, f := range []struct {
		name               string
		value              *int
		usual, least, most int
	}{
		{"MaxBatch", &o.MaxBatch, 32, 1, 1024},
		{"Queue", &o.Queue, 256, 1, 1 << 16},
		{"Sessions", &o.Sessions, 1, 1, 1024},
		{"MaxBody", &o.MaxBody, 64 << 20, 1 << 10, math.MaxInt32},
		{"Memory", &o.Memory, 512 << 20, 1 << 20, math.MaxInt},
	} {
		if *f.value == 0 {
			*f.value = f.usual
		}
		if *f.value < f.least || *f.value > f.most {
			return o, fmt.Errorf("serve: Options.%s is %d; want %d to %d", f.name, *f.value, f.least, f.most)
		}
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	switch {
	case o.Delay < 0 || o.Delay > time.Minute:
		return o, fmt.Errorf("serve: Options.Delay is %v; want 0 to %v", o.Delay, time.Minute)
	case o.Timeout < time.Millisecond || o.Timeout > maxTimeout:
		return o, fmt.Errorf("serve: Options.Timeout is %v; want %v to %v", o.Timeout, time.Millisecond, maxTimeout)
	case o.Token != "" && len(o.Token) < MinToken:
		return o, fmt.Errorf("serve: Options.Token has %d bytes; want at least %d", len(o.Token), MinToken)
	case !littleEndian():
		return o, errors.New("serve: bytes of the protocol are little-endian, those of this processor are not")
	}
	return o, nil
}

// MinToken is how many bytes a token has at least.
const MinToken = 16

func littleEndian() bool { return native.Uint16([]byte{1, 0}) == 1 }
