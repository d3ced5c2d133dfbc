package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A test process has as long as the same tests take without a fault, times patience, and grace. It
// may say nothing for as long as their longest test takes, times silence, and hush: a test that
// does not end among many that do need not be waited for as long as for all of them.
const (
	patience = 5
	grace    = 20 * time.Second
	silence  = 10
	hush     = 10 * time.Second
	// memoryLimit ends a test process that a fault lets run away, where the platform can.
	memoryLimit = 6 << 30
)

// fate is what became of a fault.
type fate int

const (
	noticed   fate = iota
	timedOut       // noticed, by tests that did not end
	explained      // not noticed, with a reason in the list
	survived
	broken // no longer applies, does not compile, or is noticed in spite of its reason
)

type verdict struct {
	fate fate
	by   string // the package and test that noticed it
	err  error  // why it is broken
	took time.Duration
}

// lab tries faults. Its files are below one temporary folder.
type lab struct {
	m     *module
	o     options
	dir   string
	sound map[string]func() (pace, error)
}

// pace is how long tests take, and how long they say nothing at most, which they do when they start
// and end.
type pace struct{ all, quiet time.Duration }

// limit is how long the same tests have with a fault.
func (p pace) limit() pace { return pace{patience*p.all + grace, silence*p.quiet + hush} }

func newLab(ctx context.Context, m *module, o options) (*lab, error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	l := &lab{m: m, o: o, dir: dir, sound: map[string]func() (pace, error){}}
	for pkg := range m.pkgs {
		l.sound[pkg] = sync.OnceValues(func() (pace, error) { return l.baseline(ctx, pkg) })
	}
	return l, nil
}

func (l *lab) close() error { return os.RemoveAll(l.dir) }

// baseline is the pace of the tests of a package without a fault, which they must pass.
func (l *lab) baseline(ctx context.Context, pkg string) (pace, error) {
	dir, err := os.MkdirTemp(l.dir, "sound")
	if err != nil {
		return pace{}, err
	}
	defer os.RemoveAll(dir)
	start := time.Now()
	out, err := l.test(ctx, pkg, dir, "", pace{10 * time.Minute, 10 * time.Minute})
	if err != nil {
		return pace{}, fmt.Errorf("the tests of %s fail without any fault: %w\n%s", pkg, err, out.text())
	}
	return pace{time.Since(start), out.longest}, nil
}

// try runs tests against one fault until one notices it.
func (l *lab) try(ctx context.Context, f fault) (v verdict) {
	start := time.Now()
	defer func() { v.took = time.Since(start) }()
	dir, err := os.MkdirTemp(l.dir, "fault")
	if err != nil {
		return verdict{fate: broken, err: err}
	}
	defer os.RemoveAll(dir)
	overlay, err := l.overlay(f, dir)
	if err != nil {
		return verdict{fate: broken, err: err}
	}
	for _, pkg := range l.order(f) {
		v, noticed := l.look(ctx, f, pkg, dir, overlay)
		switch {
		case v.err != nil:
			return v
		case noticed && f.reason != "":
			return verdict{fate: broken, err: fmt.Errorf("%s: %s is noticed by %s: its reason is wrong", f.place, f.name(), v.by)}
		case noticed:
			return v
		}
	}
	if f.reason != "" {
		return verdict{fate: explained}
	}
	return verdict{fate: survived}
}

// order is the packages whose tests are tried, the one that the list names first.
func (l *lab) order(f fault) []string {
	order := l.m.testers(f.pkg)
	if l.o.own || f.reason != "" && !l.o.explained {
		order = slices.DeleteFunc(order, func(p string) bool { return p != f.pkg })
	}
	if f.by == "" {
		return order
	}
	rest := slices.DeleteFunc(order, func(p string) bool { return p == f.by })
	return append([]string{f.by}, rest...)
}

// overlay writes the changed file and returns the path of what the go command is to be told.
func (l *lab) overlay(f fault, dir string) (string, error) {
	if l.m.pkgs[f.pkg] == nil {
		return "", fmt.Errorf("%s: there is no package %s", f.place, f.pkg)
	}
	files, err := parsePackage(l.m.path(f.pkg))
	if err != nil {
		return "", err
	}
	path, text, err := f.apply(files)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(changed, text, 0o600); err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, b, 0o600)
}

// look runs the tests of one package against a fault.
func (l *lab) look(ctx context.Context, f fault, pkg, dir, overlay string) (v verdict, seen bool) {
	usual, err := l.sound[pkg]()
	if err != nil {
		return verdict{fate: broken, err: err}, false
	}
	out, err := l.test(ctx, pkg, dir, overlay, usual.limit())
	switch {
	case ctx.Err() != nil:
		return verdict{fate: broken, err: ctx.Err()}, false
	case errors.Is(err, errBuild):
		return verdict{fate: broken, err: fmt.Errorf("%s: %s does not compile:\n%s", f.place, f.name(), out.text())}, false
	case errors.Is(err, errTimeout):
		return verdict{fate: timedOut, by: pkg}, true
	case err != nil:
		return verdict{fate: noticed, by: strings.TrimSpace(pkg + " " + out.failed)}, true
	}
	return verdict{}, false
}

var (
	errBuild   = errors.New("does not compile")
	errTimeout = errors.New("does not end")
)

// test compiles the tests of a package into dir and runs them. An overlay also holds for what
// the tests themselves build.
func (l *lab) test(ctx context.Context, pkg, dir, overlay string, limit pace) (*transcript, error) {
	out := &transcript{last: time.Now()}
	if !l.m.pkgs[pkg].tested() {
		return out, nil
	}
	env := os.Environ()
	if overlay != "" {
		env = append(env, "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
	}
	binary := filepath.Join(dir, "tests.exe")
	build := command(ctx, l.m.root, env, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-o", binary, "./"+pkg)
	build.Stdout, build.Stderr = out, out
	if err := build.Run(); err != nil {
		return out, errors.Join(errBuild, err)
	}
	defer os.Remove(binary)
	timed, end := context.WithCancelCause(ctx)
	defer end(nil)
	tests := command(timed, l.m.path(pkg), env, binary, "-test.v", "-test.short", "-test.failfast", "-test.timeout=0")
	out = &transcript{last: time.Now()}
	go out.watch(timed, limit, func() { end(errTimeout) })
	err := limited(tests, out)
	if err != nil && errors.Is(context.Cause(timed), errTimeout) {
		err = errTimeout
	}
	return out, err
}

// command is a command that is killed, with all it started, when the context ends.
func command(ctx context.Context, dir string, env []string, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env, c.WaitDelay = dir, env, 5*time.Second
	ownGroup(c)
	return c
}

// limited runs a command within memoryLimit.
func limited(c *exec.Cmd, out *transcript) error {
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		return err
	}
	limitMemory(c.Process.Pid, memoryLimit)
	return c.Wait()
}

// transcript is the first and the last of what is printed, as a fault may print without end, the
// first test that failed, or the panic, and the longest time without a word.
type transcript struct {
	mu      sync.Mutex
	parts   [][]byte
	failed  string
	last    time.Time
	longest time.Duration
}

var failing = regexp.MustCompile(`(?m)^--- FAIL: (\S+)|^panic: .*|^fatal error: .*`)

func (t *transcript) Write(b []byte) (int, error) {
	const keep = 64
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.longest, t.last = max(t.longest, now.Sub(t.last)), now
	if m := failing.FindSubmatch(b); m != nil && t.failed == "" {
		t.failed = strings.TrimSpace(cmp.Or(string(m[1]), string(m[0])))
	}
	t.parts = append(t.parts, bytes.Clone(b))
	if len(t.parts) > 2*keep {
		t.parts = slices.Delete(t.parts, keep, keep+1)
	}
	return len(b), nil
}

func (t *transcript) text() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Join(t.parts, nil)
}

// watch calls end once the limit is exceeded, unless ctx ends before.
func (t *transcript) watch(ctx context.Context, limit pace, end func()) {
	start, tick := time.Now(), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			t.mu.Lock()
			quiet := now.Sub(t.last)
			t.mu.Unlock()
			if quiet > limit.quiet || now.Sub(start) > limit.all {
				end()
				return
			}
		}
	}
}
