// Skips reads the output of "go test -json", prints what go test prints without -json, and at
// the end a table of the tests that were skipped, with the reasons they gave.
//
//	go test -json ./... | go run ./internal/skips
//
// The exit status is 1 where a test failed, or was skipped that the list allowed.txt does not
// name: a test that never runs holds nothing.
//
// Knows nothing of ours. Never imports anything but the standard library.
package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

//go:embed allowed.txt
var allowed string

func main() {
	rules, err := parseRules(allowed)
	if err == nil {
		err = run(os.Stdin, os.Stdout, rules)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "skips:", err)
		os.Exit(1)
	}
}

// event is what "go doc test2json" calls a TestEvent.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// rule allows the skips of a test, subtests included, for the reasons that match.
type rule struct {
	pkg, test string
	reason    *regexp.Regexp
}

// parseRules reads lines of a package's last element, a test and a pattern of the reason.
func parseRules(text string) (rules []rule, err error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.SplitN(line, " ", 3)
		if len(words) != 3 {
			return nil, fmt.Errorf("%q is no package, test and reason", line)
		}
		r := rule{pkg: words[0], test: words[1]}
		if r.reason, err = regexp.Compile(words[2]); err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

type skip struct{ pkg, test, reason string }

func (s skip) by(r rule) bool {
	test, _, _ := strings.Cut(s.test, "/")
	return path.Base(s.pkg) == r.pkg && test == r.test && r.reason.MatchString(s.reason)
}

// log is what has been read so far.
type log struct {
	w      io.Writer
	skips  []skip
	failed bool
	said   map[[2]string][]string // by the tests that run, which a failure is to show
}

// run copies the events of r to w as text, and judges the skips.
func run(r io.Reader, w io.Writer, rules []rule) error {
	l := log{w: w, said: map[[2]string][]string{}}
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			l.add(line)
		}
		if errors.Is(err, io.EOF) {
			return l.judge(rules)
		}
		if err != nil {
			return err
		}
	}
}

func (l *log) add(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		l.failed = true
		fmt.Fprintf(l.w, "%s", line) // what the go command says itself
		return
	}
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "output":
		l.said[key] = append(l.said[key], e.Output)
		if e.Test == "" && shown(e.Output) {
			fmt.Fprint(l.w, e.Output)
		}
		return
	case "build-output":
		fmt.Fprint(l.w, e.Output)
	case "fail", "build-fail":
		l.failed = true
		if e.Test != "" {
			fmt.Fprint(l.w, strings.Join(l.said[key], ""))
		}
	case "skip":
		if e.Test != "" {
			l.skips = append(l.skips, skip{e.Package, e.Test, reason(l.said[key])})
		}
	case "pass":
	default:
		return
	}
	delete(l.said, key)
}

// shown reports whether go test prints a line of a package without -v.
func shown(line string) bool { return line != "PASS\n" }

var located = regexp.MustCompile(`^\s+\S+\.go:\d+: `)

// reason is the last thing that a test said with its file and line.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		if located.MatchString(line) {
			return strings.TrimSpace(located.ReplaceAllString(line, ""))
		}
	}
	return "no reason"
}

// judge prints the table of skips.
func (l *log) judge(rules []rule) error {
	refused := 0
	t := tabwriter.NewWriter(l.w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\n%d tests were skipped\n", len(l.skips))
	for _, s := range l.skips {
		mark := ""
		if !slices.ContainsFunc(rules, s.by) {
			refused++
			mark = "NOT ALLOWED: "
		}
		fmt.Fprintf(t, "%s\t%s\t%s%s\n", path.Base(s.pkg), s.test, mark, s.reason)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	switch {
	case l.failed:
		return errors.New("tests failed")
	case refused > 0:
		return fmt.Errorf("%d skips are not in internal/skips/allowed.txt", refused)
	}
	return nil
}
