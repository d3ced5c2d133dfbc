package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"time"

	"github.com/plexaura/plexaura/internal/loopback"
)

// hostKey is the key of the host that ListenAndServe was asked for, in the contexts of requests.
type hostKey struct{}

const (
	maxHeader = 16 << 10
	patience  = 10 * time.Second // with a client that does not send its header
	idle      = 2 * time.Minute
	// farewell is how long connections are waited for when all requests are answered.
	farewell = 2 * time.Second
)

// ListenAndServe serves at an address, [HOST]:PORT, until ctx ends. The default host is 127.0.0.1,
// that of the loopback interface, and port 0 means any free port. It calls started, which may be nil,
// with the URL. When ctx ends it answers the requests that it has accepted, for at most the timeout
// of a request and a batch, closes s and returns nil.
func (s *Server) ListenAndServe(ctx context.Context, address string, started func(url string)) error {
	if s == nil || s.entries == nil {
		return errNoServer
	}
	if ctx == nil {
		return errors.New("serve: the context is nil")
	}
	l, host, err := loopback.Listen(address)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: patience, IdleTimeout: idle, MaxHeaderBytes: maxHeader,
		ErrorLog:    stdlog.New(io.Discard, "", 0), // clients that go away are normal
		BaseContext: func(net.Listener) context.Context { return context.WithValue(context.Background(), hostKey{}, host) },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	if started != nil {
		started(loopback.URL(l, host))
	}
	select {
	case err := <-ended:
		return errors.Join(fmt.Errorf("serve: %w", err), s.Close(context.WithoutCancel(ctx)))
	case <-ctx.Done():
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*s.options.Timeout)
	defer cancel()
	err = s.Close(within)
	within, cancel = context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if server.Shutdown(within) != nil {
		_ = server.Close() // connections without a request
	}
	<-ended
	return err
}
