package serve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/rescue"
)

// A Server is an http.Handler that serves models by name. It accepts requests that call this host by
// one of its own names, if they come by the loopback interface, and none that a page of another
// origin sends.
type Server struct {
	options  Options
	handler  http.Handler
	memory   budget
	decoding chan struct{} // a token for each picture that is decoded
	ctx      context.Context
	cancel   context.CancelFunc

	mu       sync.Mutex
	entries  map[string]*entry
	accepted int           // requests to infer that are not answered
	closing  bool          // no more of them are accepted
	drained  chan struct{} // closed when closing is set and none is left
	ended    chan struct{} // closed when Close has ended
}

var (
	errNoServer = errors.New("serve: no server; make one by New")
	errClosing  = refuse(http.StatusServiceUnavailable, "the server is closing")
)

// New returns a Server without models.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	o.Hosts = slices.Clone(o.Hosts)
	s := &Server{
		options: o, memory: budget{size: int64(o.Memory)}, decoding: make(chan struct{}, runtime.GOMAXPROCS(0)),
		entries: map[string]*entry{}, drained: make(chan struct{}), ended: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.handler = s.routes()
	return s, nil
}

// Add serves a model by a name, for which see [CheckName], until the server is closed; then it closes
// the model too. again, which may be nil, makes the model with the weights of that moment; it is what
// [Server.Load] calls. If Add returns an error, the model is still the caller's.
func (s *Server) Add(name string, m Model, again func(context.Context) (Model, error)) error {
	if s == nil || s.entries == nil {
		return errNoServer
	}
	if err := CheckName(name); err != nil {
		return err
	}
	sig, err := signatureOf(m)
	if err != nil {
		return fmt.Errorf("serve: %s: %w", name, err)
	}
	o := s.options
	rows := o.MaxBatch
	if !sig.batched {
		rows = 1
	}
	e := &entry{name: name, signature: sig, again: again, queue: newQueue(o.Queue, rows, o.Delay), workers: o.Sessions, ctx: s.ctx}
	if e.current, err = newGeneration(m, e.workers, rows); err != nil {
		return fmt.Errorf("serve: %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return fmt.Errorf("serve: %s: %w", name, errClosing)
	case s.entries[name] != nil:
		return fmt.Errorf("serve: there is a model %q already; to serve another in its place, use Replace", name)
	}
	s.entries[name] = e
	e.start()
	return nil
}

// Replace serves m in the place of the model of that name, from the next batch on; no request fails
// or waits for it. The old one is closed when its last batch has ended. If m has other inputs or
// outputs, or no sessions, Replace returns an error, the old model goes on, and m is still the
// caller's. Until the old model is closed both are in memory.
func (s *Server) Replace(name string, m Model) error {
	e, err := s.entry(name)
	if err != nil {
		return err
	}
	err = e.replace(m)
	e.metrics.loaded(err)
	if err != nil {
		return fmt.Errorf("serve: %s: %w", name, err)
	}
	return nil
}

// Load makes the model of that name again, by the function that was given to [Server.Add], and has it
// replace the one that is served.
func (s *Server) Load(ctx context.Context, name string) error {
	e, err := s.entry(name)
	if err != nil {
		return err
	}
	if ctx == nil {
		return errors.New("serve: the context is nil")
	}
	if e.again == nil {
		return fmt.Errorf("serve: %s: %w", name, refuse(http.StatusBadRequest, "the model cannot be loaded again; use Replace"))
	}
	var m Model
	err = rescue.Do(func() (err error) {
		m, err = e.again(ctx)
		return err
	})
	if err != nil {
		e.metrics.loaded(err)
		return fmt.Errorf("serve: %s: %w", name, err)
	}
	if err = s.Replace(name, m); err != nil {
		closeModel(m)
	}
	return err
}

func (s *Server) entry(name string) (*entry, error) {
	if s == nil || s.entries == nil {
		return nil, errNoServer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[name]; e != nil {
		return e, nil
	}
	return nil, refuse(http.StatusNotFound, "no model %q; there are %s", plain.Name(name), plain.Names(slices.Sorted(maps.Keys(s.entries)), 16))
}

// all returns the entries by name.
func (s *Server) all() (all []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.entries)) {
		all = append(all, s.entries[name])
	}
	return all
}

// accept counts a request to infer, which ends with answered.
func (s *Server) accept() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return errClosing
	}
	s.accepted++
	return nil
}

func (s *Server) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepted--; s.accepted == 0 && s.closing {
		close(s.drained)
	}
}

// ready reports whether requests to infer are accepted.
func (s *Server) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closing && len(s.entries) > 0
}

// Close ends the server: it is ready no more, accepts no more requests to infer, waits until those
// that it has accepted are answered, and closes the models. When ctx ends before, it abandons them
// and returns the cause.
func (s *Server) Close(ctx context.Context) error {
	if ctx == nil {
		return errors.New("serve: the context is nil")
	}
	if s == nil || s.entries == nil {
		return nil
	}
	s.mu.Lock()
	first := !s.closing
	s.closing = true
	if first && s.accepted == 0 {
		close(s.drained)
	}
	s.mu.Unlock()
	if !first {
		<-s.ended
		return nil
	}
	defer close(s.ended)
	var err error
	select {
	case <-s.drained:
	case <-ctx.Done():
		err = fmt.Errorf("serve: some requests were not answered: %w", context.Cause(ctx))
	}
	if err != nil {
		s.cancel()
	}
	for _, e := range s.all() {
		e.stop()
	}
	s.cancel()
	return err
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case isnil.Of(w) || r == nil:
	case s == nil || s.handler == nil:
		fail(w, errNoServer)
	default:
		s.handler.ServeHTTP(w, r)
	}
}

// infer answers a request to infer.
func (s *Server) infer(w http.ResponseWriter, r *http.Request, e *entry) error {
	arrived := time.Now()
	err := s.accept()
	if err == nil {
		defer s.answered()
		err = s.perform(w, r, e)
	}
	e.metrics.request(statusOf(err), time.Since(arrived))
	return err
}

// statusGone is what metrics count a request as whose client went away.
const statusGone = 499

// perform reads a request, has it run and writes the answer.
func (s *Server) perform(w http.ResponseWriter, r *http.Request, e *entry) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	if err := e.queue.room(); err != nil { // before its body is read
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.options.Timeout)
	defer cancel()
	control := http.NewResponseController(w)
	deadline, _ := ctx.Deadline()
	_ = control.SetReadDeadline(deadline) // where there is a connection
	l := loan{from: &s.memory}
	defer l.repay()
	memory := bodies.Get().(*[]byte)
	defer bodies.Put(memory)
	body, err := readBody(http.MaxBytesReader(w, r.Body, int64(s.options.MaxBody)+1), (*memory)[:0], r.ContentLength, s.options.MaxBody, &l)
	if cap(body) <= maxKept {
		*memory = body
	}
	if err != nil {
		return unread(ctx, err)
	}
	_ = control.SetReadDeadline(time.Time{}) // the server reads on, to see whether the client goes away
	c := newCall()
	defer c.free()
	if err := s.decode(ctx, e, c, r.Header, form, body, &l); err != nil {
		return err
	}
	if err := e.wait(ctx, c); err != nil {
		return err
	}
	_ = control.SetWriteDeadline(time.Now().Add(s.options.Timeout))
	var ranked []class
	if form == pictureForm {
		if ranked, err = e.rank(c.out[len(e.outputs)-1]); err != nil {
			return err
		}
	}
	return e.respond(w, c, ranked)
}

// unread says why a body was not read.
func unread(ctx context.Context, err error) error {
	r := (*refusal)(nil)
	switch {
	case errors.As(err, &r):
		return err
	case isTimeout(err):
		return refuse(http.StatusGatewayTimeout, "the body did not come in time")
	case ctx.Err() != nil:
		return late(ctx)
	}
	return refuse(http.StatusBadRequest, "the body cannot be read: %s", err)
}

// late says why a request whose context has ended did not run.
func late(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return refuse(statusGone, "the client has gone away")
	}
	return refuse(http.StatusGatewayTimeout, "the request has waited for its batch for too long")
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}

// decode fills c with what the body asks for.
func (s *Server) decode(ctx context.Context, e *entry, c *call, h http.Header, form form, body []byte, l *loan) error {
	if form == pictureForm {
		c.reserve = l.take
		return badRequest(s.decodePicture(ctx, e, c, body))
	}
	header, err := headerOf(h, len(body))
	if err != nil {
		return err
	}
	d := decoder{e.signature, s.options.MaxBatch, l.take}
	return badRequest(d.decode(c, body, header))
}

// wait has c run, unless ctx ends before.
func (e *entry) wait(ctx context.Context, c *call) error {
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	if err := e.queue.add(c); err != nil {
		return err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if e.queue.remove(c) {
			return late(ctx)
		}
		<-c.done // it runs
	}
	if c.err != nil && e.ctx.Err() != nil {
		return errClosing
	}
	if r := (*refusal)(nil); errors.As(c.err, &r) {
		return r
	}
	if c.err != nil {
		return fmt.Errorf("the model: %w", c.err)
	}
	return nil
}
