package cpu

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tensor library tests its engine from inside its own package, where this engine cannot be
// imported. So its source is copied from the module cache, its tests are made to take their engine
// from a variable, and an external test file sets that, which may import what imports the library.

// suiteFiles are the library's tests that compute with an engine, and what these share.
var suiteFiles = []string{
	"api_arith_generated_test.go", "api_arith_test.go", "api_cmp_generated_test.go", "api_cmp_test.go",
	"api_unary_generated_test.go", "api_unary_test.go", "dense_apply_test.go", "dense_argmethods_test.go",
	"dense_arith_test.go", "dense_cmp_test.go", "dense_colmajor_linalg_test.go", "dense_linalg_test.go",
	"dense_mask_inspection_test.go", "dense_maskcmp_methods_test.go", "dense_matop_test.go", "dense_norms_test.go",
	"dense_reduction_test.go", "dense_selbyidx_test.go", "dense_softmax_test.go", "dense_svd_test.go",
	"known_issues_test.go", "testutils_test.go", "test_test.go",
}

// suiteEngine is added to the library's package.
const suiteEngine = `package tensor

var suiteEngine standardEngine = StdEng{}

func SetSuiteEngine(e Engine) { suiteEngine = e.(standardEngine) }

func suiteNew(opts ...ConsOpt) *Dense {
	return New(append([]ConsOpt{WithEngine(suiteEngine)}, opts...)...)
}

func suiteNewDense(dt Dtype, shape Shape, opts ...ConsOpt) *Dense {
	return NewDense(dt, shape, append([]ConsOpt{WithEngine(suiteEngine)}, opts...)...)
}
`

// suiteMain is added beside it.
const suiteMain = `package tensor_test

import (
	"fmt"
	"os"
	"testing"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/cpu"
)

func TestMain(m *testing.M) {
	if os.Getenv("SUITE_ENGINE") == "cpu" {
		tensor.SetSuiteEngine(cpu.New())
	}
	os.Exit(m.Run())
}

func TestSuiteEngine(t *testing.T) {
	for _, d := range []tensor.Engine{tensor.SuiteNew().Engine(), tensor.SuiteNewDense().Engine()} {
		if got := fmt.Sprintf("%T", d); got != os.Getenv("SUITE_ENGINE_TYPE") {
			t.Fatal(got)
		}
	}
}
`

// suiteExports lets suiteMain see which engine the tests' tensors have.
const suiteExports = `
func SuiteNew() *Dense      { return suiteNew(FromScalar(1.0)) }
func SuiteNewDense() *Dense { return suiteNewDense(Float64, Shape{2}) }
`

// rewritten returns a test file of the library with its engine taken from the variable, and with
// random numbers that are the same in every run.
func rewritten(t *testing.T, name string, src []byte) []byte {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
	require.NoError(t, err)
	type edit struct {
		from, to int
		text     string
	}
	var edits []edit
	replace := func(n ast.Node, text string) {
		edits = append(edits, edit{files.Position(n.Pos()).Offset, files.Position(n.End()).Offset, text})
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "New" || f.Name == "NewDense") {
				replace(f, "suite"+f.Name)
			}
		case *ast.CompositeLit:
			if typ, ok := n.Type.(*ast.Ident); ok && typ.Name == "StdEng" {
				replace(n, "suiteEngine")
				return false
			}
		}
		return true
	})
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(b.from, a.from) })
	for _, e := range edits {
		src = slices.Concat(src[:e.from], []byte(e.text), src[e.to:])
	}
	return bytes.ReplaceAll(src, []byte("time.Now()"), []byte("time.Unix(0, 1)"))
}

// goTool runs the go command, offline, and returns what it prints.
func goTool(dir string, args ...string) (string, error) {
	c := exec.Command("go", args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off", "GOTOOLCHAIN=local")
	out, err := c.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// copySuite copies the library, with the tests rewritten, from one folder to another.
func copySuite(t *testing.T, from, to string) {
	err := filepath.WalkDir(from, func(file string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		test := strings.HasSuffix(file, "_test.go")
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if test && !slices.Contains(suiteFiles, rel) {
			return nil
		}
		src, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if test {
			src = rewritten(t, file, src)
		}
		return os.WriteFile(filepath.Join(to, rel), src, 0o644)
	})
	require.NoError(t, err)
}

// buildSuite returns the program that runs the library's tests.
func buildSuite(t *testing.T) string {
	source, err := goTool(".", "list", "-m", "-f", "{{.Dir}}", "gorgonia.org/tensor")
	if err != nil || source == "" {
		t.Skip("the source of gorgonia.org/tensor is not in the module cache: ", source)
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	tmp := t.TempDir()
	library, main := filepath.Join(tmp, "tensor"), filepath.Join(tmp, "main")
	copySuite(t, source, library)
	require.NoError(t, os.MkdirAll(main, 0o755))
	write := func(file, text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o644)) }
	write(filepath.Join(library, "suite_engine_test.go"), suiteEngine+suiteExports)
	write(filepath.Join(library, "suite_main_test.go"), suiteMain)

	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	const module = "github.com/plexaura/plexaura"
	write(filepath.Join(main, "go.mod"), strings.Replace(string(mod), "module "+module, "module suite", 1)+
		fmt.Sprintf("\nrequire %s v0.0.0\nreplace %s => %s\nreplace gorgonia.org/tensor => %s\n", module, module, root, library))
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	write(filepath.Join(main, "go.sum"), string(sum))

	program := filepath.Join(tmp, "suite.test")
	out, err := goTool(main, "test", "-c", "-trimpath", "-vet=off", "-o", program, "gorgonia.org/tensor")
	if err != nil && strings.Contains(out, "GOPROXY=off") {
		t.Skip("not all that the library's tests import is in the module cache: ", out)
	}
	require.NoError(t, err, out)
	return program
}

var (
	suiteStart  = regexp.MustCompile(`(?m)^=== RUN   (\w+)$`)
	suiteResult = regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): (\w+) `)
)

// suiteCommand is the program set to run the given tests with an engine.
func suiteCommand(t *testing.T, program, engine, typ string, tests ...string) *exec.Cmd {
	c := exec.Command(program, "-test.v", "-test.run", "^("+strings.Join(tests, "|")+")$")
	c.Dir = t.TempDir()
	c.Env = append(os.Environ(), "SUITE_ENGINE="+engine, "SUITE_ENGINE_TYPE="+typ, "GODEBUG=randautoseed=0")
	return c
}

// runSuite runs the given tests with an engine, and returns the outcome of each. A panic ends the
// program: it is the outcome of the test that ran, and the program is started again for the rest.
func runSuite(t *testing.T, program, engine, typ string, tests []string) map[string]string {
	outcome := map[string]string{}
	rest := slices.Clone(tests)
	for len(rest) > 0 {
		out, err := suiteCommand(t, program, engine, typ, rest...).CombinedOutput()
		panicked := ""
		for _, m := range suiteStart.FindAllSubmatch(out, -1) {
			panicked = string(m[1])
		}
		for _, m := range suiteResult.FindAllSubmatch(out, -1) {
			outcome[string(m[2])] = string(m[1])
		}
		if bytes.Contains(out, []byte("\npanic: ")) || bytes.Contains(out, []byte("\nfatal error: ")) {
			outcome[panicked] = "PANIC"
		}
		before := len(rest)
		rest = slices.DeleteFunc(rest, func(name string) bool { return outcome[name] != "" })
		require.Less(t, len(rest), before, "%s: %v\n%s", engine, err, tail(string(out), 2000))
	}
	return outcome
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// TestTheLibrarysOwnTestsPass runs the tests of gorgonia.org/tensor with its StdEng and with this
// engine: what passes there passes here.
func TestTheLibrarysOwnTestsPass(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the tests of another module")
	}
	program := buildSuite(t)
	list, err := exec.Command(program, "-test.list", ".").Output()
	require.NoError(t, err)
	tests := strings.Fields(string(list))
	require.Greater(t, len(tests), 300)

	std := runSuite(t, program, "std", "tensor.StdEng", tests)
	cpu := runSuite(t, program, "cpu", "cpu.Engine", tests)
	require.Equal(t, "PASS", std["TestSuiteEngine"])
	require.Equal(t, "PASS", cpu["TestSuiteEngine"])
	passed := 0
	for _, name := range tests {
		t.Logf("%-40s StdEng %-5s cpu %s", name, std[name], cpu[name])
		if std[name] == "PASS" {
			passed++
			if cpu[name] != "PASS" {
				out, _ := suiteCommand(t, program, "cpu", "cpu.Engine", name).CombinedOutput()
				t.Errorf("%s passes with StdEng, not with cpu: %s\n%s", name, cpu[name], tail(string(out), 4000))
			}
		}
	}
	t.Logf("%d tests; %d pass with StdEng", len(tests), passed)
	require.Greater(t, passed, 300)
}
