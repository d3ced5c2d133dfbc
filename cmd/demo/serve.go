package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"image"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/serving"
	"github.com/plexaura/plexaura/serve"
	"github.com/plexaura/plexaura/vm"
)

// namedFiles is a flag that may be given several times, [NAME=]FILE.
type namedFiles []namedFile

type namedFile struct{ name, path string }

func (f *namedFiles) String() string { return "" }
func (f *namedFiles) Get() any       { return *f }

// Set adds a file. What stands before the first = is its name, if it could be one.
func (f *namedFiles) Set(text string) error {
	name, path, found := strings.Cut(text, "=")
	if !found || serve.CheckName(name) != nil {
		name, path = "", text
	}
	if path == "" {
		return fmt.Errorf("it names no file")
	}
	*f = append(*f, namedFile{name, path})
	return nil
}

// service is the flags of serve.
type service struct {
	call           *call
	files, onnx    namedFiles
	model, engine  *string
	addr, token    *string
	delay, timeout *time.Duration
	batch, queue   *int
	threads        *int
}

func serveCommand(ctx context.Context, c *call) error {
	s := service{call: c}
	c.Var(&s.files, "weights", "a model to serve: `[NAME=]FILE`, repeatable; weights of a run, or with -model any safetensors file with the names of that model's parameters (default runs/MODEL/model.safetensors)")
	c.Var(&s.onnx, "onnx", "an ONNX file to serve: `[NAME=]FILE`, repeatable")
	s.model, s.engine = c.pickModelAndEngine()
	s.addr = c.String("addr", ":8080", "serve at `[HOST]:PORT`; the default host is 127.0.0.1, and port 0 means any free port")
	s.delay = c.Duration("delay", 2*time.Millisecond, "how long a request waits for others to run with, at most: no longer than a batch takes, and not where it is alone")
	s.batch = c.Int("max-batch", 32, "how many rows run together, and how many a request may have")
	s.queue = c.Int("queue", 256, "how many requests of a model may wait; further ones get status 429")
	s.timeout = c.Duration("timeout", 30*time.Second, "how long a request may wait, from a millisecond to an hour")
	s.threads = c.Int("threads", (runtime.GOMAXPROCS(0)+3)/4, "how many threads work on a batch; as many batches of a model run at a time as there are processors for")
	s.token = c.String("token", "", "a `file` with the token of who may load weights again; by default a random one, which is printed")
	if err := c.parse(false); err != nil {
		return err
	}
	return s.run(ctx)
}

func (s *service) run(ctx context.Context) error {
	if err := checkAddress("addr", *s.addr); err != nil {
		return err
	}
	token, err := s.readToken()
	if err != nil {
		return err
	}
	server, err := serve.New(serve.Options{
		MaxBatch: *s.batch, Delay: *s.delay, Queue: *s.queue, Timeout: *s.timeout, Token: token,
		Sessions: max(1, runtime.GOMAXPROCS(0) / *s.threads),
	})
	if err != nil {
		return usageError{err}
	}
	names, err := s.add(ctx, server)
	if err != nil {
		_ = server.Close(ctx) // nothing runs
		return err
	}
	var failed error
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = server.ListenAndServe(ctx, *s.addr, func(url string) {
		if failed = s.tell(url, names, token); failed != nil {
			cancel()
		}
	})
	return cmp.Or(failed, err)
}

// readToken returns the token of the file, or a new one.
func (s *service) readToken() (string, error) {
	if *s.token == "" {
		return rand.Text(), nil
	}
	f, err := regular.Open(*s.token)
	if err != nil {
		return "", err
	}
	defer f.Close()
	const most = 4096
	b, err := io.ReadAll(io.LimitReader(f, most))
	token := strings.TrimSpace(string(b))
	if err == nil && (len(token) < serve.MinToken || len(b) == most) {
		err = fmt.Errorf("%s: a token has at least %d bytes and fewer than %d", *s.token, serve.MinToken, most)
	}
	return token, err
}

// servable is a file to serve.
type servable struct {
	namedFile
	flag string
	// load reads the file as a model, and the name that it is served by unless another is given.
	load func(path string) (name string, m serve.Model, err error)
}

// sources lists the files of the flags.
func (s *service) sources() (all []servable) {
	files := s.files
	if len(files) == 0 && len(s.onnx) == 0 {
		files = namedFiles{{}}
	}
	for _, f := range files {
		all = append(all, servable{f, "weights", s.load})
	}
	for _, f := range s.onnx {
		all = append(all, servable{f, "onnx", s.loadONNX})
	}
	return all
}

// add loads the models, and returns their names.
func (s *service) add(ctx context.Context, server *serve.Server) (names []string, err error) {
	for _, f := range s.sources() {
		if ctx.Err() != nil {
			return nil, errInterrupted
		}
		name, m, err := f.load(f.path)
		if err != nil {
			return nil, err
		}
		name = cmp.Or(f.name, name)
		if slices.Contains(names, name) {
			return nil, usagef("-%s: two models are called %s; name them by NAME=FILE", f.flag, name)
		}
		if serve.CheckName(name) != nil {
			return nil, usagef("-%s: %s does not tell what to call its model; use NAME=FILE", f.flag, f.path)
		}
		if err := server.Add(name, m, func(context.Context) (serve.Model, error) {
			_, m, err := f.load(f.path)
			return m, err
		}); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// load reads weights as a model to serve. It takes pictures if this program has their preprocessing.
func (s *service) load(path string) (name string, m serve.Model, err error) {
	w, err := (weightsChoice{file: &path, model: s.model, engine: s.engine}).load()
	if err != nil {
		return "", nil, err
	}
	p, err := w.predictor(vm.WithThreads(*s.threads))
	if err != nil {
		return "", nil, err
	}
	prepare, err := prepareFor(w.Info)
	if err != nil {
		prepare = nil
	}
	m, err = serve.NewPredictor(p, prepare)
	return w.Name, m, err
}

// loadONNX reads an ONNX file as a model to serve. One that this program has exported takes pictures.
func (s *service) loadONNX(path string) (name string, m serve.Model, err error) {
	e, err := findEngine(*s.engine)
	if err != nil {
		return "", nil, err
	}
	file, err := onnx.ReadFile(path, onnx.Options{})
	if err != nil {
		return "", nil, err
	}
	o := serving.Options{Compiler: []vm.Option{vm.WithThreads(*s.threads)}}
	if info, ok := exportedInfo(file); ok {
		if prepare, err := prepareFor(info); err == nil {
			o.Classes, o.Logits = info.Classes, true
			o.Prepare = func(picture image.Image) ([]float32, error) {
				x, err := prepare(picture)
				if err == nil {
					info.Preprocess.Apply(x)
				}
				return x, err
			}
		}
	}
	if m, err = serving.New(file, e, o); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), m, err
}

// tell prints where the models are.
func (s *service) tell(url string, names []string, token string) error {
	what := "model " + names[0]
	if len(names) > 1 {
		what = "models " + strings.Join(names, ", ")
	}
	_, err := fmt.Fprintf(s.call.stdout, "%s served at %s until Ctrl-C%s\n", what, url, reach(*s.addr, "use it"))
	if err == nil && *s.token == "" {
		_, err = fmt.Fprintf(s.call.stdout, "to load a model again: curl -X POST -H 'Authorization: Bearer %s' %sv2/repository/models/%s/load\n", token, url, names[0])
	}
	return err
}
