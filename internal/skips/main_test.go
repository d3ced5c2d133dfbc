package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const events = `{"Action":"start","Package":"a/b"}
{"Action":"run","Package":"a/b","Test":"TestX"}
{"Action":"output","Package":"a/b","Test":"TestX","Output":"=== RUN   TestX\n"}
{"Action":"output","Package":"a/b","Test":"TestX","Output":"    x_test.go:7: no such thing here\n"}
{"Action":"output","Package":"a/b","Test":"TestX","Output":"--- SKIP: TestX (0.00s)\n"}
{"Action":"skip","Package":"a/b","Test":"TestX","Elapsed":0}
{"Action":"output","Package":"a/b","Output":"PASS\n"}
{"Action":"output","Package":"a/b","Output":"ok  \ta/b\t0.1s\n"}
{"Action":"pass","Package":"a/b","Elapsed":0.1}
`

const failure = `{"Action":"output","Package":"a/c","Test":"TestY","Output":"    y_test.go:8: one is not two\n"}
{"Action":"fail","Package":"a/c","Test":"TestY","Elapsed":0}
{"Action":"output","Package":"a/c","Output":"FAIL\ta/c\t0.1s\n"}
{"Action":"fail","Package":"a/c","Elapsed":0.1}
`

func judged(t *testing.T, input, allowed string) (string, error) {
	t.Helper()
	rules, err := parseRules(allowed)
	require.NoError(t, err)
	var out strings.Builder
	err = run(strings.NewReader(input), &out, rules)
	return out.String(), err
}

func TestASkipThatIsAllowedIsListedWithItsReason(t *testing.T) {
	out, err := judged(t, events, "# some\n\nb TestX ^no such thing\n")
	require.NoError(t, err)
	require.Equal(t, "ok  \ta/b\t0.1s\n\n1 tests were skipped\nb  TestX  no such thing here\n", out)
}

func TestASkipThatIsNotAllowedFails(t *testing.T) {
	for _, allowed := range []string{"", "b TestY no such thing", "a TestX no such thing", "b TestX ^such"} {
		out, err := judged(t, events, allowed)
		require.EqualError(t, err, "1 skips are not in internal/skips/allowed.txt")
		require.Contains(t, out, "b  TestX  NOT ALLOWED: no such thing here")
	}
}

func TestPartsOfATestAreItsOwn(t *testing.T) {
	_, err := judged(t, strings.ReplaceAll(events, "TestX", "TestX/cpu/float32"), "b TestX no such thing")
	require.NoError(t, err)
}

func TestFailuresAreShown(t *testing.T) {
	out, err := judged(t, events+failure, "b TestX .")
	require.EqualError(t, err, "tests failed")
	require.Contains(t, out, "y_test.go:8: one is not two")
	require.Contains(t, out, "FAIL\ta/c")
	_, err = judged(t, "go: no such package\n", "")
	require.EqualError(t, err, "tests failed")
	out, err = judged(t, `{"ImportPath":"a/d","Action":"build-output","Output":"d.go:1: no\n"}`+"\n"+`{"ImportPath":"a/d","Action":"build-fail"}`+"\n", "")
	require.EqualError(t, err, "tests failed")
	require.Contains(t, out, "d.go:1: no")
}

func TestTheListIsRead(t *testing.T) {
	rules, err := parseRules(allowed)
	require.NoError(t, err)
	require.NotEmpty(t, rules)
	for text, want := range map[string]string{"a b\n": `"a b" is no package, test and reason`, "a b (": "error parsing regexp: missing closing ): `(`"} {
		_, err := parseRules(text)
		require.EqualError(t, err, want)
	}
}
