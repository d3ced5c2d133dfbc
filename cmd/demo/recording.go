package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"

	"github.com/plexaura/plexaura/internal/atomicfile"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/tracing"
	"github.com/plexaura/plexaura/vm"
)

// recording is what a training run leaves for a profiler and for a trace viewer.
type recording struct {
	profile, trace string // files; empty for none
	steps          int    // of the trace

	samples bytes.Buffer
	chrome  *tracing.Chrome
	file    *lateFile
	seen    int // steps in the trace
}

func (r *recording) declare(c *call) {
	c.StringVar(&r.profile, "profile", "", "write a CPU profile of the training into this `file`; its samples have labels layer and op: go tool pprof -tagfocus layer=conv2 FILE")
	c.StringVar(&r.trace, "trace", "", "write when each worker did which instruction into this `file`, for ui.perfetto.dev or chrome://tracing")
	c.IntVar(&r.steps, "trace-steps", 100, "the trace has the first `N` steps")
}

// check says at once, rather than after hours, what cannot be written.
func (r *recording) check() error {
	if r.profile != "" && r.profile == r.trace {
		return usagef("-profile and -trace are to be two files, not both %s", plain.Name(r.profile))
	}
	for _, path := range []string{r.profile, r.trace} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return err
		}
		if err := drawable(path); err != nil {
			return err
		}
	}
	return nil
}

// begin starts the profile, and returns what is to be seen of the steps.
func (r *recording) begin() (o vm.Observer, err error) {
	if r.profile != "" {
		if err := pprof.StartCPUProfile(&r.samples); err != nil {
			return o, fmt.Errorf("-profile: %w", err)
		}
		o.Labels = true
	}
	if r.trace != "" {
		r.file = &lateFile{path: r.trace}
		r.chrome = tracing.NewChrome(r.file)
		o.Span = r.span
		if !o.Labels { // steps after these cost nothing more
			o.Runs = r.steps
		}
	}
	return o, nil
}

// span keeps the spans of the first steps.
func (r *recording) span(s vm.Span) {
	if s.Run < r.steps {
		r.seen = s.Run + 1
		r.chrome.Span(s)
	}
}

// end writes the files, also of a run that has failed, and tells of them.
func (r *recording) end(w io.Writer) error {
	return errors.Join(r.endProfile(w), r.endTrace(w))
}

func (r *recording) endProfile(w io.Writer) error {
	if r.profile == "" {
		return nil
	}
	pprof.StopCPUProfile()
	err := atomicfile.Write(r.profile, func(w io.Writer) error {
		_, err := w.Write(r.samples.Bytes())
		return err
	})
	if err != nil {
		return fmt.Errorf("-profile: %w", err)
	}
	_, err = fmt.Fprintf(w, "profile in %s: go tool pprof -tags %[1]s lists its layers\n", plain.Name(r.profile))
	return err
}

func (r *recording) endTrace(w io.Writer) error {
	if r.trace == "" {
		return nil
	}
	if r.seen == 0 {
		return nil // no step was made, and what was there stays
	}
	if err := errors.Join(r.chrome.Close(), r.file.Close()); err != nil {
		return fmt.Errorf("-trace %s is not complete: %w", plain.Name(r.trace), err)
	}
	_, err := fmt.Fprintf(w, "trace of the first %d steps in %s, for ui.perfetto.dev; -trace-steps says how many\n", r.seen, plain.Name(r.trace))
	return err
}

// lateFile is a file that is made, or emptied, when something is first written to it.
type lateFile struct {
	path string
	file *os.File
}

func (f *lateFile) Write(p []byte) (n int, err error) {
	if f.file == nil {
		if f.file, err = os.Create(f.path); err != nil {
			return 0, err
		}
	}
	return f.file.Write(p)
}

func (f *lateFile) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
