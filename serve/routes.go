package serve

import (
	"crypto/subtle"
	"io"
	"mime"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plexaura/plexaura/internal/loopback"
	"github.com/plexaura/plexaura/internal/plain"
)

// route is a path and what it answers to which methods.
type route struct {
	path    string
	methods []string
	answer  func(s *Server, w http.ResponseWriter, r *http.Request) error
}

func table() []route {
	read, write := []string{http.MethodGet, http.MethodHead}, []string{http.MethodPost}
	return []route{
		{"/v2", read, (*Server).describe},
		{"/v2/health/live", read, func(_ *Server, w http.ResponseWriter, _ *http.Request) error { return state(w, "live", true) }},
		{"/v2/health/ready", read, func(s *Server, w http.ResponseWriter, _ *http.Request) error { return state(w, "ready", s.ready()) }},
		{"/v2/models/{name}", read, ofModel((*Server).describeModel)},
		{"/v2/models/{name}/ready", read, ofModel((*Server).modelReady)},
		{"/v2/models/{name}/infer", write, ofModel((*Server).infer)},
		{"/v2/models/{name}/versions/{version}", read, ofModel((*Server).describeModel)},
		{"/v2/models/{name}/versions/{version}/ready", read, ofModel((*Server).modelReady)},
		{"/v2/models/{name}/versions/{version}/infer", write, ofModel((*Server).infer)},
		{"/v2/repository/index", append(slices.Clone(write), read...), (*Server).index},
		{"/v2/repository/models/{name}/load", write, ofModel((*Server).load)},
		{"/metrics", read, func(s *Server, w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			writeMetrics(w, s.all())
			return nil
		}},
		{"/", nil, func(_ *Server, _ http.ResponseWriter, r *http.Request) error {
			return refuse(http.StatusNotFound, "nothing is served at %s; the protocol begins at /v2", plain.Name(r.URL.Path))
		}},
	}
}

// routes returns the handler of all requests.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, row := range table() {
		mux.HandleFunc(row.path, func(w http.ResponseWriter, r *http.Request) {
			if err := s.answer(w, r, row); err != nil {
				fail(w, err)
			}
		})
	}
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		// One of an earlier request of the connection may have passed.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * s.options.Timeout))
		switch {
		case !s.isOurs(r):
			fail(w, refuse(http.StatusForbidden, "this server is not called %s", plain.Name(r.Host)))
		case origins.Check(r) != nil:
			fail(w, refuse(http.StatusForbidden, "the request comes from a page of another origin"))
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, row route) error {
	if row.methods != nil && !slices.Contains(row.methods, r.Method) {
		w.Header().Set("Allow", strings.Join(row.methods, ", "))
		return refuse(http.StatusMethodNotAllowed, "%s is asked by %s, not by %s", plain.Name(r.URL.Path), row.methods[0], plain.Name(r.Method))
	}
	return row.answer(s, w, r)
}

// isOurs reports whether the Host header names this host.
func (s *Server) isOurs(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || !local.IP.IsLoopback() {
		return true // others look after the names by which they are reached
	}
	asked, _ := r.Context().Value(hostKey{}).(string)
	return loopback.IsOurs(r.Host, local.IP, append(slices.Clip(s.options.Hosts), asked)...)
}

// ofModel finds the model of a path, in the version that it asks for.
func ofModel(answer func(s *Server, w http.ResponseWriter, r *http.Request, e *entry) error) func(*Server, http.ResponseWriter, *http.Request) error {
	return func(s *Server, w http.ResponseWriter, r *http.Request) error {
		e, err := s.entry(r.PathValue("name"))
		if err != nil {
			return err
		}
		if asked, have := r.PathValue("version"), strconv.Itoa(e.version()); asked != "" && asked != have {
			return refuse(http.StatusNotFound, "model %q is served in version %s, not %s", e.name, have, plain.Name(asked))
		}
		return answer(s, w, r, e)
	}
}

// state answers whether something is so, by the status and in the body.
func state(w http.ResponseWriter, what string, is bool) error {
	if !is {
		return refuse(http.StatusServiceUnavailable, "not %s", what)
	}
	reply(w, http.StatusOK, map[string]bool{what: true})
	return nil
}

func (s *Server) describe(w http.ResponseWriter, _ *http.Request) error {
	version := "(devel)"
	if b, ok := debug.ReadBuildInfo(); ok {
		version = b.Main.Version
	}
	reply(w, http.StatusOK, struct {
		Name       string   `json:"name"`
		Version    string   `json:"version"`
		Extensions []string `json:"extensions"`
	}{"plexaura", version, []string{"binary_tensor_data", "model_repository"}})
	return nil
}

func (s *Server) modelReady(w http.ResponseWriter, _ *http.Request, e *entry) error {
	if !s.ready() {
		return errClosing
	}
	reply(w, http.StatusOK, map[string]any{"name": e.name, "ready": true})
	return nil
}

// metadata describes a tensor.
type metadata struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

func describeTensors(all []Tensor) (list []metadata) {
	for _, t := range all {
		list = append(list, metadata{t.Name, string(t.Datatype), metaShape(t)})
	}
	return list
}

func (s *Server) describeModel(w http.ResponseWriter, _ *http.Request, e *entry) error {
	reply(w, http.StatusOK, struct {
		Name     string     `json:"name"`
		Versions []string   `json:"versions"`
		Platform string     `json:"platform"`
		Inputs   []metadata `json:"inputs"`
		Outputs  []metadata `json:"outputs"`
	}{e.name, []string{strconv.Itoa(e.version())}, "plexaura", describeTensors(e.inputs), describeTensors(e.outputs)})
	return nil
}

func (s *Server) index(w http.ResponseWriter, _ *http.Request) error {
	type row struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		State   string `json:"state"`
		Reason  string `json:"reason"`
	}
	rows := []row{}
	for _, e := range s.all() {
		is := row{Name: e.name, Version: strconv.Itoa(e.version()), State: "READY"}
		if !s.ready() {
			is.State, is.Reason = "UNAVAILABLE", errClosing.Error()
		}
		rows = append(rows, is)
	}
	reply(w, http.StatusOK, rows)
	return nil
}

// load loads a model again for who has the token.
func (s *Server) load(w http.ResponseWriter, r *http.Request, e *entry) error {
	if s.options.Token == "" {
		return refuse(http.StatusForbidden, "the server has no token, so models are loaded only by its program")
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if subtle.ConstantTimeCompare([]byte(token), []byte(s.options.Token)) != 1 {
		return refuse(http.StatusUnauthorized, "the request does not have the token: Authorization: Bearer TOKEN")
	}
	if err := s.checkLoad(w, r); err != nil {
		return badRequest(err)
	}
	if err := s.Load(r.Context(), e.name); err != nil {
		return badRequest(err)
	}
	reply(w, http.StatusOK, map[string]string{"name": e.name, "version": strconv.Itoa(e.version())})
	return nil
}

// maxLoad is the size in bytes of a request to load.
const maxLoad = 64 << 10

// checkLoad refuses a request that brings its own model: it is loaded from where it was.
func (s *Server) checkLoad(w http.ResponseWriter, r *http.Request) error {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLoad))
	if err != nil {
		return refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", maxLoad)
	}
	in := scanner{b: b}
	if in.peek() == 0 && in.i == len(b) {
		return nil
	}
	err = in.object(func(key string) error {
		if key != "parameters" {
			return in.skip()
		}
		return in.object(func(key string) error {
			return refuse(http.StatusBadRequest, "no parameter %q: the model is loaded from where it came", plain.Name(key))
		})
	})
	if err != nil {
		return err
	}
	return in.end()
}

// form is what the body of a request to infer holds.
type form int

const (
	tensorForm form = iota
	pictureForm
)

// formOf returns the form of the body of r by its headers.
func formOf(r *http.Request) (form, error) {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return 0, refuse(http.StatusUnsupportedMediaType, "bodies are not taken in Content-Encoding %s; send it as it is", plain.Name(coding))
	}
	content := r.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(content)
	switch {
	case content == "":
		return tensorForm, nil
	case err != nil:
	case kind == "application/json" || kind == "application/octet-stream":
		return tensorForm, nil
	case kind == "image/png" || kind == "image/jpeg":
		return pictureForm, nil
	}
	return 0, refuse(http.StatusUnsupportedMediaType, "bodies are application/json, application/octet-stream, image/png or image/jpeg, not %s", plain.Name(content))
}
