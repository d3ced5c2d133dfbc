package main

import (
	"bytes"
	"fmt"
	"path"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// bug is a panic in a command: whatever the user did, the fault is the program's.
type bug struct {
	value any
	where string // the function, file and line that panicked
	stack []byte // from there on
}

func (b *bug) Error() string {
	return fmt.Sprintf("this is a bug: %v, in %s; please report it with the lines below", b.value, b.where)
}

// guarded returns what f does, and its panic as a [bug].
func guarded[T any](f func() (T, error)) (value T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &bug{v, placeOfPanic(), stackOfPanic()}
		}
	}()
	return f()
}

// placeOfPanic is the first frame below the runtime's part of a panic.
func placeOfPanic() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for panics := false; ; {
		f, more := frames.Next()
		if panics && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s at %s:%d", path.Base(f.Function), filepath.Base(f.File), f.Line)
		}
		panics = panics || f.Function == "runtime.gopanic"
		if !more {
			return "an unknown place"
		}
	}
}

// stackOfPanic is the stack without what deals with the panic.
func stackOfPanic() []byte {
	stack := debug.Stack()
	if i := bytes.Index(stack, []byte("\npanic(")); i >= 0 {
		return stack[i+1:]
	}
	return stack
}
