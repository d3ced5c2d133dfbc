package data

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/plain"
)

// prefixed adds the name of the package to err, unless it has it already: one of our datasets may
// be inside a user's.
func prefixed(err error) error { return plain.Prefixed("data", err) }

// panicked is the error for a panic in user code: a dataset, an augmentation or a mixer.
type panicked struct {
	value any
	place string // file and line
}

func (p panicked) Error() string { return fmt.Sprintf("panic at %s: %v", p.place, p.value) }

// Unwrap returns the value of the panic if it is an error.
func (p panicked) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// rescue, when deferred, turns a panic into an error.
func rescue(err *error) {
	if v := recover(); v != nil {
		*err = panicked{v, placeOfPanic()}
	}
}

// placeOfPanic returns the line that panicked: the first stack frame that is not in the runtime.
func placeOfPanic() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for panics := false; ; {
		f, more := frames.Next()
		own := strings.HasPrefix(f.Function, "runtime.")
		if panics && !own {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		panics = panics || f.Function == "runtime.gopanic"
		if !more {
			return "an unknown line"
		}
	}
}

var errNoDataset = errors.New("no dataset: it is nil")

// count returns the number of examples in ds.
func count(ds Dataset) (n int, err error) {
	if isnil.Of(ds) {
		return 0, errNoDataset
	}
	defer rescue(&err)
	return ds.Len(), nil
}

// describe returns the Info of ds.
func describe(ds Dataset) (info Info, err error) {
	if isnil.Of(ds) {
		return info, errNoDataset
	}
	defer rescue(&err)
	return ds.Info(), nil
}
