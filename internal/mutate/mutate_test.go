package main

import (
	"bytes"
	"go/ast"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A fault whose text is gone tests nothing.
func TestEveryFaultStillApplies(t *testing.T) {
	faults, err := readFaults("faults")
	require.NoError(t, err)
	parsed := map[string][]source{}
	for _, f := range faults {
		if parsed[f.pkg] == nil {
			parsed[f.pkg], err = parsePackage(filepath.Join("..", "..", filepath.FromSlash(f.pkg)))
			require.NoError(t, err, f.place)
		}
		if _, _, err := f.apply(parsed[f.pkg]); err != nil {
			t.Error(err)
		}
	}
}

const block = `vm (*plan).guards 2
# a remark
- if a {
- return b
- }
+ return c
> train
= both are the same,
= said in two lines
`

func TestFaultsAreReadAsTheyAreWritten(t *testing.T) {
	faults, err := parseFaults(strings.NewReader("# a remark on the list\n\n"+block+"\n"+block), "list")
	require.NoError(t, err)
	require.Len(t, faults, 2)
	require.Equal(t, fault{
		pkg: "vm", symbol: "(*plan).guards", nth: 2, notes: []string{"a remark"},
		old: "if a {\nreturn b\n}", new: "return c", by: "train",
		reason: "both are the same, said in two lines", place: "list:3",
	}, faults[0])
	var out bytes.Buffer
	require.NoError(t, writeFaults(&out, faults))
	one := strings.Replace(block, ",\n= ", ", ", 1)
	require.Equal(t, one+"\n"+one, out.String())
}

func TestAListThatMakesNoSenseIsAnError(t *testing.T) {
	for text, want := range map[string]string{
		"vm\n- a\n":         `list:1: "vm" is no package, symbol and number`,
		"vm f 0\n- a\n":     `list:1: "0" is no number of an occurrence`,
		"vm f\n* a\n":       "list:2: a line that begins with none of # - + > =",
		"vm f\n- a\n+ a\n":  "list:1: vm.f changes nothing",
		"vm f\n+ a\n":       "list:1: vm.f changes nothing",
		"vm f\n- a\n\n- b":  `list:4: "- b" names no package`,
		"vm f g h\n- a\n\n": `list:1: "vm f g h" is no package, symbol and number`,
	} {
		_, err := parseFaults(strings.NewReader(text), "list")
		require.EqualError(t, err, want)
	}
}

func TestSnippetsAreFoundWithinTheirSymbol(t *testing.T) {
	const text = `package p

type grid[T any] struct{ n int }

func f() { a(); a() }

// M calls a().
func (g *grid[T]) M() {
	if b {
		a()
	}
	a()
}

var x, y = 1, 2
`
	files := parsed(t, text)
	for _, c := range []struct {
		f    fault
		want string // the text around it
	}{
		{fault{symbol: "f", nth: 2, old: "a()", new: "b()"}, "a(); b() }"},
		{fault{symbol: "(*grid).M", nth: 1, old: "a()", new: "b()"}, "\t\tb()\n"},
		{fault{symbol: "(*grid).M", nth: 1, old: "}\na()"}, "a()\n\t\n}\n"},
		{fault{symbol: "y", nth: 1, old: "2", new: "3"}, "1, 3"},
		{fault{symbol: "grid", nth: 1, old: "int", new: "uint"}, "{ n uint }"},
	} {
		_, out, err := c.f.apply(files)
		require.NoError(t, err)
		require.Contains(t, string(out), c.want)
	}
	_, _, err := fault{pkg: "p", symbol: "g", place: "list:1"}.apply(files)
	require.EqualError(t, err, "list:1: package p has no g")
	_, _, err = fault{pkg: "p", symbol: "f", nth: 3, old: "a()", place: "list:1"}.apply(files)
	require.EqualError(t, err, "list:1: p.f has no longer (occurrence 3 of) the text\n\ta()")
}

// What is proposed is found again where it was proposed.
func TestProposedFaultsApply(t *testing.T) {
	files := parsed(t, `package p

func f(a, b int) (c int) {
	for i := 0; i < a; i++ {
		if a+b > 2 && b < 7 {
			c = min(a, b) // a remark
			continue
		}
		c += 3
		g(a, b)
	}
	return c
}
`)
	f := files[0].function(files[0].declared("f")[0].(undocumented).Node.(*ast.FuncDecl), "p")
	var have []string
	for _, c := range f.faults {
		_, _, err := c.apply(files)
		require.NoError(t, err)
		have = append(have, c.new)
	}
	for _, want := range []string{
		"for i := 0; i <= a; i++ {", "if !(a+b > 2 && b < 7) {", "if a-b > 2 && b < 7 {", "if a+b > 2 || b < 7 {", "if a+b > 3 && b < 7 {",
		"c = max(a, b)", "c = min(b, a)", "", "break", "c -= 3", "c += 4", "g(b, a)", "for i := 1; i < a; i++ {",
	} {
		require.Contains(t, have, want)
	}
}

func parsed(t *testing.T, text string) []source {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p.go"), []byte(text), 0o666))
	files, err := parsePackage(dir)
	require.NoError(t, err)
	return files
}
