package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/plexaura/plexaura/internal/atomicfile"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/regular"
)

// output is where a command prints. It escapes what would change a terminal's state, and remembers
// the first failure, after which it takes no more. It is safe for use by many goroutines.
type output struct {
	mu  sync.Mutex
	w   io.Writer
	raw io.Writer
	err error
}

// errClosed is what a command is told that prints after it has been given up.
var errClosed = errors.New("the command has been given up")

func newOutput(w io.Writer) *output { return &output{w: plain.Writer(w), raw: w} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	o.err = err
	return n, err
}

// mute drops what is printed from now on.
func (o *output) mute() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w, o.raw = io.Discard, io.Discard
}

// close ends the output and returns the first failure.
func (o *output) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.err
	if err == nil {
		o.err = errClosed
	}
	return err
}

// columns is how wide the terminal is that this prints on; 0 where it is none.
func (o *output) columns() int {
	f, ok := o.raw.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return usualColumns
}

// save writes a file whole, and tells where it is.
func save(w io.Writer, path string, data []byte, tell bool) error {
	if err := regular.Replaceable(path); err != nil {
		return err
	}
	err := atomicfile.Write(path, func(w io.Writer) error { _, err := w.Write(data); return err })
	if err != nil || !tell {
		return err
	}
	_, err = fmt.Fprintln(w, path)
	return err
}

// usualColumns is what a terminal has that does not tell.
const usualColumns = 80

// errInterrupted is what comes of a signal.
var errInterrupted = errors.New("interrupted")

// grace is how long what is interrupted has to end by itself, such as to remove a temporary file.
const grace = 200 * time.Millisecond

// await returns what f does, its panic as a [bug], or errInterrupted soon after ctx ends. Then f is
// left to itself, which is for a program that ends: files may be read and gradients checked that do
// not look at ctx.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := guarded(f)
		done <- result{value, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		select {
		case r = <-done:
		case <-time.After(grace):
			r.err = errInterrupted
		}
	}
	if errors.Is(r.err, context.Canceled) && ctx.Err() != nil {
		r.err = errInterrupted
	}
	return r.value, r.err
}
