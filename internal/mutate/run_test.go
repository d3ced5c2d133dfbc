package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// small is a module of three packages: c's tests import b, which imports a.
var small = map[string]string{
	"go.mod": "module small\n\ngo 1.26\n",
	"a/a.go": `package a

// Half is n/2.
func Half(n int) int {
	if n%2 != 0 {
		n = n - 1
	}
	return n / 2
}

// Count is 3.
func Count() (n int) {
	for i := 0; i < 3; i++ {
		n++
	}
	return n
}

func Spare() int { return 1 }
`,
	"a/a_test.go": `package a

import "testing"

func TestHalf(t *testing.T) {
	if Half(6) != 3 || Count() != 3 {
		t.Fatal("it is not")
	}
}
`,
	"b/b.go": `package b

import "small/a"

func Of(n int) int { return a.Half(n) }
`,
	"c/c.go": "package c\n",
	"c/c_test.go": `package c

import (
	"small/b"
	"testing"
)

func TestOdd(t *testing.T) {
	if b.Of(7) != 3 || b.Of(-7) != -4 {
		t.Fatal("it is not")
	}
}
`,
}

func smallModule(t *testing.T, faults string) string {
	dir := t.TempDir()
	for name, text := range small {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	}
	lists := filepath.Join(dir, "internal", "mutate", "faults")
	require.NoError(t, os.MkdirAll(lists, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(lists, "list.txt"), []byte(faults), 0o666))
	return dir
}

func try(t *testing.T, faults string) (string, error) {
	var out bytes.Buffer
	err := run(t.Context(), smallModule(t, faults), options{jobs: 2, pattern: regexp.MustCompile("")}, &out)
	return out.String(), err
}

func TestEachFaultMeetsItsFate(t *testing.T) {
	out, err := try(t, `
a Half
- n / 2
+ n / 3

a Half
- n = n - 1
+ n = n - 2

a Count
- return n
+ return 3
= it is 3 in any case

a Spare
- 1
+ 2

a Count
- i < 3
+ i < "3"

a Count 2
- i++
+ i--
`)
	require.ErrorIs(t, err, errFound)
	for _, want := range []string{
		`noticed +\d+\.\ds  a\.Half  a TestHalf`, // by its own tests
		`noticed +\d+\.\ds  a\.Half  c TestOdd`,  // by those of what imports it at second hand
		`explained +\d+\.\ds  a\.Count`,
		`SURVIVED +\d+\.\ds  a\.Spare`,
		`BROKEN +\d+\.\ds  a\.Count`,
		`all +6 +2 +0 +1 +1 +2`,
		`survived, list.txt:15:\na Spare\n- 1\n\+ 2\n`,
		`a\.Count does not compile:\n(.*\n)*.*a\.go:13`,
		`a\.Count has no longer \(occurrence 2 of\) the text\n\ti\+\+`,
	} {
		require.Regexp(t, want, out)
	}
}

func TestAFaultThatIsNoticedHasNoReason(t *testing.T) {
	out, err := try(t, "a Half\n- n / 2\n+ n / 3\n= nobody sees it\n")
	require.ErrorIs(t, err, errFound)
	require.Contains(t, out, "a.Half is noticed by a TestHalf: its reason is wrong")
}

func TestARunWithoutSurvivorsSucceeds(t *testing.T) {
	out, err := try(t, "a Half\n- n / 2\n+ n / 3\n")
	require.NoError(t, err)
	require.NotContains(t, out, "survived")
}

func TestTestsThatFailWithoutAFaultTellNothing(t *testing.T) {
	dir := smallModule(t, "a Half\n- n / 2\n+ n / 3\n")
	test := filepath.Join(dir, "a", "a_test.go")
	require.NoError(t, os.WriteFile(test, []byte(strings.Replace(small["a/a_test.go"], "Half(6)", "Half(8)", 1)), 0o666))
	var out bytes.Buffer
	err := run(t.Context(), dir, options{jobs: 1, pattern: regexp.MustCompile("")}, &out)
	require.ErrorIs(t, err, errFound)
	require.Contains(t, out.String(), "the tests of a fail without any fault")
}

func TestAnInterruptedRunLeavesNothingBehind(t *testing.T) {
	tmp := t.TempDir()
	dir := smallModule(t, "a Count\n- i++\n+ i--\n")
	slow := filepath.Join(dir, "a", "a_test.go")
	ready := filepath.Join(dir, "ready")
	require.NoError(t, os.WriteFile(slow, []byte(`package a

import (
	"os"
	"testing"
	"time"
)

func TestHalf(t *testing.T) {
	os.WriteFile("../ready", nil, 0o666)
	time.Sleep(time.Hour)
}
`), 0o666))
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- run(ctx, dir, options{jobs: 2, pattern: regexp.MustCompile("")}, new(bytes.Buffer))
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(ready); return err == nil }, limitOfTest, limitOfTest/1000)
	cancel()
	require.ErrorContains(t, <-ended, "interrupted")
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestFaultsThatDoNotEndAreToldApart(t *testing.T) {
	dir := smallModule(t, "a Count\n- i++\n+ i--\n")
	m, err := loadModule(t.Context(), dir)
	require.NoError(t, err)
	l, err := newLab(t.Context(), m, options{})
	require.NoError(t, err)
	defer l.close()
	faults, err := readFaults(filepath.Join(dir, "internal", "mutate", "faults"))
	require.NoError(t, err)
	overlay, err := l.overlay(faults[0], l.dir)
	require.NoError(t, err)
	for _, limit := range []pace{{limitOfTest / 600, limitOfTest}, {limitOfTest, limitOfTest / 600}} {
		_, err = l.test(t.Context(), "a", l.dir, overlay, limit)
		require.ErrorIs(t, err, errTimeout)
	}
}

const limitOfTest = time.Minute
