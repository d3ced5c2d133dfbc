package arch

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the table of imports in ARCHITECTURE.md")

// imported lists, for each package of the module, the packages of the module that it imports, and
// tensor. Those of internal are left out on either side, and so are commands and examples.
func imported(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	walk(t, func(file string) {
		pkg := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "../../")
		top, _, _ := strings.Cut(pkg, "/")
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || slices.Contains([]string{"internal", "cmd", "examples"}, top) {
			return
		}
		all[pkg] = append(all[pkg], imports(t, file)...)
	})
	for pkg, paths := range all {
		paths = slices.DeleteFunc(paths, func(p string) bool { return strings.HasPrefix(p, "internal/") })
		for i, p := range paths {
			paths[i] = strings.TrimPrefix(p, "gorgonia.org/")
		}
		slices.Sort(paths)
		all[pkg] = slices.Compact(paths)
	}
	return all
}

// known is what a doc.go says that its package knows.
var known = regexp.MustCompile(`(?s)Knows (.*?)\. Never import`)

// What a package says that it knows is what it imports, neither more nor less.
func TestEveryPackageKnowsWhatItImports(t *testing.T) {
	all := imported(t)
	for _, pkg := range slices.Sorted(maps.Keys(all)) {
		m := known.FindStringSubmatch(packageDoc(t, filepath.Join("..", "..", pkg, "doc.go")))
		if m == nil {
			t.Errorf("%s/doc.go has no sentence Knows ... before the one of what it never imports", pkg)
			continue
		}
		words := strings.FieldsFunc(m[1], func(r rune) bool { return strings.ContainsRune(" ,;.:()'\n", r) })
		for _, p := range all[pkg] {
			if !slices.Contains(words, p) {
				t.Errorf("%s/doc.go does not say that the package knows %s", pkg, p)
			}
		}
		for _, word := range words {
			if _, isPackage := all[word]; (isPackage || word == "tensor") && !slices.Contains(all[pkg], word) {
				t.Errorf("%s/doc.go says that the package knows %s, which it does not import", pkg, word)
			}
		}
	}
}

// The table in ARCHITECTURE.md is what the packages import. -update writes it.
func TestTheTableOfImports(t *testing.T) {
	var b strings.Builder
	b.WriteString("| package | imports, besides `internal/...` |\n|---|---|\n")
	all := imported(t)
	for _, pkg := range slices.Sorted(maps.Keys(all)) {
		list := "nothing"
		if len(all[pkg]) > 0 {
			list = "`" + strings.Join(all[pkg], "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", pkg, list)
	}
	const begin, end = "<!-- imports: go test ./internal/arch -update -->\n", "<!-- end -->\n"
	file := filepath.Join("..", "..", "ARCHITECTURE.md")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok, "the place of the table")
	table, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "the end of the table")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(before+begin+b.String()+end+after), 0o644))
		return
	}
	require.Equal(t, b.String(), table, "go test ./internal/arch -update")
}
