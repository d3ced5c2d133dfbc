package conformance_test

import (
	"bytes"
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

	"github.com/plexaura/plexaura/interop/onnx/conformance"
	"github.com/plexaura/plexaura/interop/onnx/ir"
)

var update = flag.Bool("update", false, "write the table of ONNX operators")

const tablePath = "../../../docs/ONNX.md"

const tableHead = `# ONNX

What of ONNX is imported, by ONNX's own tests: those in the Python package onnx 1.22.0, the last one that carries them. ` + "`go test ./interop/onnx/conformance\n-run TestTheTableOfONNX -update`" + ` runs them on ` + "`engine/cpu`" + ` and writes this file; a test fails when it is out of date. A test counts
as passed if all its outputs were computed and are equal: types, shapes, integers exactly, and other numbers to within 1e-7 + 1e-3 of the expected value.
` + "`demo onnx conformance DIR`" + ` runs a folder of them and ends with the figure below.
`

// folders are those of the tests, with what they are.
var folders = []struct{ name, what string }{
	{"node", "single operators, and functions expanded into operators"},
	{"simple", "small graphs"},
	{"pytorch-operator", "operators as PyTorch exports them"},
	{"pytorch-converted", "layers as PyTorch exports them"},
}

// row is an operator of the table.
type row struct {
	passed, all int
	opsets      map[int64]bool
	reasons     map[string]int
}

func TestTheTableOfONNX(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs two thousand tests")
	}
	var doc bytes.Buffer
	doc.WriteString(tableHead)
	table := map[string]*row{}
	fmt.Fprintf(&doc, "\n| tests | | passed | of |\n|---|---|---|---|\n")
	data := published(t)
	for _, f := range folders {
		dir := filepath.Join(data, f.name)
		results := resultsOf(t, f.name)
		fmt.Fprintf(&doc, "| %s | %s | %d | %d |\n", f.name, f.what, conformance.Passed(results), len(results))
		if f.name == "node" {
			for _, r := range results {
				add(t, table, dir, r)
			}
		}
	}
	fmt.Fprintf(&doc, "\n## Operators\n\nThe tests of the folder `node`, by the operator that they are about. Opsets are those of the tests.\n\n")
	fmt.Fprintf(&doc, "| operator | opsets | passed | of | why others are not |\n|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(table)) {
		r := table[name]
		fmt.Fprintf(&doc, "| %s | %s | %d | %d | %s |\n", name, r.versions(), r.passed, r.all, r.why())
	}
	if *update {
		require.NoError(t, os.WriteFile(tablePath, doc.Bytes(), 0o644))
	}
	have, err := os.ReadFile(tablePath)
	require.NoError(t, err)
	require.Equal(t, string(have), doc.String(), "go test ./interop/onnx/conformance -run TestTheTableOfONNX -update")
}

// add counts a test at the operator that it is about.
func add(t *testing.T, table map[string]*row, dir string, r conformance.Result) {
	m, err := ir.ReadFile(filepath.Join(dir, r.Name, "model.onnx"))
	require.NoError(t, err)
	name := operator(dir, r.Name, m)
	if table[name] == nil {
		table[name] = &row{opsets: map[int64]bool{}, reasons: map[string]int{}}
	}
	w := table[name]
	w.all++
	for _, o := range m.Opsets {
		w.opsets[o.Version] = true
	}
	if r.Err == nil {
		w.passed++
		return
	}
	w.reasons[reason(r.Err)]++
}

var expanded = regexp.MustCompile(`_expanded(_.*|\d*)?$`)

// operator is what a test is about: that of its only node. The test of an expanded function is about the
// function, whose test has the same name without that word.
func operator(dir, name string, m *ir.Model) string {
	if short := expanded.ReplaceAllString(name, ""); short != name {
		if of, err := ir.ReadFile(filepath.Join(dir, short, "model.onnx")); err == nil {
			return operator(dir, short, of)
		}
	}
	for _, n := range m.Graph.Nodes {
		if n.Op == "Constant" && len(m.Graph.Nodes) > 1 {
			continue
		}
		if n.Domain != "" && n.Domain != "ai.onnx" {
			return n.Domain + "." + n.Op
		}
		return n.Op
	}
	return "-"
}

// versions lists the opsets.
func (r *row) versions() string {
	v := slices.Sorted(maps.Keys(r.opsets))
	text := make([]string, len(v))
	for i, n := range v {
		text[i] = fmt.Sprint(n)
	}
	return strings.Join(text, " ")
}

var (
	place = regexp.MustCompile(`^.*: node [^:]*: `)
	types = regexp.MustCompile(` \(inputs: .*\)$`)
)

// reason is an error without where it is.
func reason(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	line = types.ReplaceAllString(place.ReplaceAllString(line, ""), "")
	return strings.ReplaceAll(line, "|", "\\|")
}

// why lists the reasons, the most frequent first.
func (r *row) why() string {
	names := slices.SortedFunc(maps.Keys(r.reasons), func(a, b string) int {
		if d := r.reasons[b] - r.reasons[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	text := make([]string, 0, 3)
	for i, n := range names {
		if i == 3 {
			text = append(text, "...")
			break
		}
		text = append(text, fmt.Sprintf("%s (%d)", n, r.reasons[n]))
	}
	return strings.Join(text, "; ")
}
