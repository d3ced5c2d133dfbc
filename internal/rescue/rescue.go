package rescue

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// A Panic is the error that a panic has become.
type Panic struct {
	Value any    // what was given to panic
	At    string // the line that panicked, "model.go:12"; "" where it is not known
}

// Error tells the value and the line.
func (p *Panic) Error() string {
	if p.At == "" {
		return fmt.Sprintf("panic: %v", p.Value)
	}
	return fmt.Sprintf("panic: %v at %s", p.Value, p.At)
}

// Unwrap returns the value, where it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// To, deferred, sets *err where the function panics.
func To(err *error) {
	if r := recover(); r != nil {
		*err = Of(r)
	}
}

// Of is what the deferred function that has recovered r knows of the panic. One that is a *Panic
// already, which somebody has passed on, keeps its line.
func Of(r any) *Panic {
	if p, ok := r.(*Panic); ok {
		return p
	}
	return &Panic{r, line()}
}

// Do returns the error of f, or that of its panic.
func Do(f func() error) (err error) {
	defer To(&err)
	return f()
}

// line is the innermost frame below the runtime's part of a panic.
func line() string {
	var pc [64]uintptr
	frames := runtime.CallersFrames(pc[:runtime.Callers(1, pc[:])])
	for panics, more := false, true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if panics && f.File != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		panics = panics || f.Function == "runtime.gopanic"
	}
	return ""
}
