package rescue

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// A Panic is a panic as an error.
type Panic struct {
	Value any    // the argument of panic
	At    string // the line that panicked, "model.go:12"; "" if unknown
}

// Error returns the value and the line.
func (p *Panic) Error() string {
	if p.At == "" {
		return fmt.Sprintf("panic: %v", p.Value)
	}
	return fmt.Sprintf("panic: %v at %s", p.Value, p.At)
}

// Unwrap returns the value if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// To, when deferred, sets *err if the function panics.
func To(err *error) {
	if r := recover(); r != nil {
		*err = Of(r)
	}
}

// Of returns the Panic for r, the result of recover in the deferred function. If r is already a
// *Panic that was passed on, it keeps its line.
func Of(r any) *Panic {
	if p, ok := r.(*Panic); ok {
		return p
	}
	return &Panic{r, line()}
}

// Do returns the error of f, or its panic as an error.
func Do(f func() error) (err error) {
	defer To(&err)
	return f()
}

// line returns the innermost frame that is not in the runtime's part of a panic.
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
