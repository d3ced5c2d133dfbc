package watch

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/plexaura/plexaura/internal/loopback"
)

// Page is what a [Server] shows: a [Run] or [Folders].
type Page interface {
	// subscribe returns a reader for a new browser.
	subscribe() reader
	// routes adds the routes that only this page has.
	routes(s *Server, mux *http.ServeMux)
	kind() string
}

// reader reads the state of a page for one browser. It never delays the run.
type reader interface {
	read() []message
	changed() <-chan struct{} // there may be something new
	close()
}

// message is one event in the stream to a browser.
type message struct {
	event string
	value any // as JSON
}

func (m message) json() ([]byte, error) {
	if own, ok := m.value.(interface{ JSON() ([]byte, error) }); ok {
		return own.JSON()
	}
	return json.Marshal(m.value)
}

// Limits of a server.
const (
	maxReaders = 16       // number of browsers at a time
	maxUpload  = 16 << 20 // size in bytes of a picture
	maxHeader  = 16 << 10
	patience   = 10 * time.Second // with a browser that does not read or send
	heartbeat  = 15 * time.Second // to notice browsers that are gone
	farewell   = 2 * time.Second  // for the last messages, when the server is closed
)

// Server serves a page.
type Server struct {
	page     Page
	listener net.Listener
	host     string // as requested
	token    string
	http     http.Server
	closing  chan struct{}
	once     sync.Once
	done     chan struct{} // closed when the server has ended
	readers  chan struct{} // one token for each browser
}

// Serve starts to serve a page at an address, [HOST]:PORT. The default host is 127.0.0.1, that of
// the loopback interface; port 0 means any free port. It is an error if another program uses the
// port.
func Serve(address string, p Page) (*Server, error) {
	if p == nil || p.kind() == "" {
		return nil, errors.New("watch: nothing to serve: want a Run from NewRun, or Folders from OpenFolders")
	}
	l, host, err := loopback.Listen(address)
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	s := &Server{
		page: p, listener: l, host: host, token: rand.Text(),
		closing: make(chan struct{}), done: make(chan struct{}), readers: make(chan struct{}, maxReaders),
	}
	s.http = http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, IdleTimeout: time.Minute,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       stdlog.New(io.Discard, "", 0), // browsers that go away are normal
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l)
	}()
	return s, nil
}

// ParseAddress returns the host and the port of an address for [Serve], [HOST]:PORT; the default
// host is 127.0.0.1. It does not resolve the host: [Serve] reports a host that is not this machine.
func ParseAddress(address string) (host, port string, err error) {
	if host, port, err = loopback.Parse(address); err != nil {
		return "", "", fmt.Errorf("watch: %w", err)
	}
	return host, port, nil
}

// URL returns the address of the page.
func (s *Server) URL() string {
	if s == nil || s.listener == nil {
		return ""
	}
	return loopback.URL(s.listener, s.host)
}

// Close ends the server. It first sends browsers what is new, and tells them that it ends; it does
// not wait long for a browser that does not read.
func (s *Server) Close() error {
	if s == nil || s.listener == nil {
		return nil
	}
	var err error
	s.once.Do(func() {
		close(s.closing)
		ctx, cancel := context.WithTimeout(context.Background(), farewell)
		defer cancel()
		if err = s.http.Shutdown(ctx); err != nil {
			err = s.http.Close()
		}
		<-s.done
	})
	return err
}

//go:embed page
var files embed.FS

var index = template.Must(template.ParseFS(files, "page/index.html"))

// assets returns the other files of the page, by path.
func assets() map[string]string {
	return map[string]string{
		"app.js":            "text/javascript; charset=utf-8",
		"app.css":           "text/css; charset=utf-8",
		"uPlot.iife.min.js": "text/javascript; charset=utf-8",
		"uPlot.min.css":     "text/css; charset=utf-8",
		"LICENSE.uPlot":     "text/plain; charset=utf-8",
	}
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.index)
	for name, kind := range assets() {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, _ *http.Request) {
			b, err := files.ReadFile("page/" + name)
			if err != nil {
				http.Error(w, err.Error(), http.StatusNotFound)
				return
			}
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(b)
		})
	}
	mux.HandleFunc("GET /api/events", s.events)
	s.page.routes(s, mux)
	return s.guarded(mux)
}

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = index.Execute(w, struct{ Token, Kind string }{s.token, s.page.kind()})
}

// events sends a page's messages as server-sent events.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	select {
	case s.readers <- struct{}{}:
		defer func() { <-s.readers }()
	default:
		http.Error(w, fmt.Sprintf("%d browsers already show this page; close one", maxReaders), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	from := s.page.subscribe()
	defer from.close()
	out := stream{w: w, control: http.NewResponseController(w)}
	if out.control.SetReadDeadline(time.Time{}) != nil { // nothing more is read
		return
	}
	if out.send(message{"hello", s.token[:8]}) != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for out.sendAll(from.read()) == nil {
		select {
		case <-from.changed():
		case <-beat.C:
			if out.beat() != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.closing:
			if out.sendAll(from.read()) == nil {
				_ = out.send(message{"bye", ""})
			}
			return
		}
	}
}

// stream writes events. It gives up on a browser that does not read one in time.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s stream) sendAll(all []message) error {
	for _, m := range all {
		if err := s.send(m); err != nil {
			return err
		}
	}
	return nil
}

func (s stream) send(m message) error {
	b, err := m.json()
	if err != nil {
		return err
	}
	return s.write(fmt.Sprintf("event: %s\ndata: %s\n\n", m.event, b))
}

func (s stream) beat() error { return s.write(": \n\n") }

func (s stream) write(text string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(s.w, text); err != nil {
		return err
	}
	return s.control.Flush()
}

// reply sends v as JSON.
func reply(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b)
}
