package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/plexaura/plexaura/internal/plain"
)

// called says how the program was called.
type called struct {
	name string // in messages: the base name
	line string // to call it again
}

// calledAs tells how the program was called, from its os.Args[0]. It is called again as it was or,
// where go run has built it only for this run, by go run.
func calledAs(arg0 string) called {
	name := plain.Name(strings.TrimSuffix(filepath.Base(arg0), ".exe"))
	if !builtByGoRun(arg0) {
		return called{name, shellWord(arg0)}
	}
	if _, err := os.Stat(filepath.Join("cmd", "demo", "main.go")); err == nil {
		return called{name, "go run ./cmd/demo"}
	}
	return called{name, "go run github.com/plexaura/plexaura/cmd/demo"}
}

// builtByGoRun tells the places where go run leaves programs: a folder for temporary files or,
// for one that was built before, that of the build cache.
func builtByGoRun(arg0 string) bool {
	dir := filepath.ToSlash(filepath.Dir(arg0))
	return temporaryBuild.MatchString(dir) || cachedBuild.MatchString(dir)
}

var (
	temporaryBuild = regexp.MustCompile(`/go-build\d+/b\d+/exe$`)
	cachedBuild    = regexp.MustCompile(`/[0-9a-f]{2}/[0-9a-f]{64}-d$`)
)

// shellWord is a word of a command line, as a shell is told of it.
func shellWord(s string) string {
	if harmless(s) {
		return s
	}
	return "'" + strings.ReplaceAll(plain.Name(s), "'", `'\''`) + "'"
}

// harmless tells a word of at most 120 characters that a shell takes as it is: letters, digits and
// some signs. It is no regular expression, as classes of letters take 4 ms to compile at every
// start.
func harmless(s string) bool {
	if s == "" || utf8.RuneCountInString(s) > 120 || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune(`_@%+=:,./\-`, r)
	})
}
