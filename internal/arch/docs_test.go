package arch

import (
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// walk calls f for every file of the module, with its path.
func walk(t *testing.T, f func(file string)) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return skip(root, file)
		}
		f(file)
		return nil
	})
	require.NoError(t, err)
}

// packageDoc returns the doc comment of a file's package clause, on one line.
func packageDoc(t *testing.T, file string) string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
	require.NoError(t, err)
	return strings.Join(strings.Fields(f.Doc.Text()), " ")
}

// A command may say it in main.go instead.
func TestEveryPackageHasADocThatSaysWhatItKnows(t *testing.T) {
	dirs := map[string]bool{}
	walk(t, func(file string) {
		if strings.HasSuffix(file, ".go") {
			dirs[filepath.Dir(file)] = true
		}
	})
	for dir := range dirs {
		if main := filepath.Join(dir, "main.go"); exists(main) {
			require.NotEmpty(t, packageDoc(t, main), main)
			continue
		}
		file := filepath.Join(dir, "doc.go")
		if !exists(file) {
			t.Errorf("%s has no doc.go", dir)
			continue
		}
		text := packageDoc(t, file)
		if !strings.HasPrefix(text, "Package "+filepath.Base(dir)+" ") {
			t.Errorf("%s does not begin with Package %s", file, filepath.Base(dir))
		}
		if !strings.Contains(text, "Knows ") || !strings.Contains(text, "Never import") {
			t.Errorf("%s does not say what the package knows and never imports", file)
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// Code in a package's documentation stands in a test as well, line by line.
func TestGoInPackageDocsIsTested(t *testing.T) {
	var tests strings.Builder
	var docs []string
	walk(t, func(file string) {
		switch {
		case strings.HasSuffix(file, "_test.go"):
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			tests.WriteString(unindented(string(text)))
		case filepath.Base(file) == "doc.go":
			docs = append(docs, file)
		}
	})
	for _, file := range docs {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
		require.NoError(t, err)
		for _, code := range goIn(f.Doc) {
			require.True(t, strings.Contains(tests.String(), unindented(code)), "%s shows code that no test has:\n%s", file, code)
		}
	}
}

// goIn returns the code blocks of a doc comment that are Go; others are formats of files.
func goIn(doc *ast.CommentGroup) (all []string) {
	var p comment.Parser
	for _, b := range p.Parse(doc.Text()).Content {
		code, ok := b.(*comment.Code)
		if !ok {
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc _() {\n"+code.Text+"}", 0); err == nil {
			all = append(all, code.Text)
		}
	}
	return all
}

func unindented(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n") + "\n"
}

var (
	link    = regexp.MustCompile(`(?:\]\(|src="|href=")([^)\s#"]*)(#[^)\s"]*)?`) // its file and its anchor
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	unsaid  = regexp.MustCompile(`[^\p{L}\p{N} _-]`) // what an anchor leaves out of its heading
)

// prose is a document without its blocks.
func prose(t *testing.T, file string) []byte {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return fenced.ReplaceAll(text, nil)
}

// anchors are those of a document's headings, as GitHub makes them.
func anchors(t *testing.T, file string) map[string]bool {
	all := map[string]bool{"": true}
	for _, m := range heading.FindAllSubmatch(prose(t, file), -1) {
		name := unsaid.ReplaceAllString(strings.ToLower(string(m[1])), "")
		all["#"+strings.ReplaceAll(name, " ", "-")] = true
	}
	return all
}

func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	files, within := 0, 0
	walk(t, func(file string) {
		if !strings.HasSuffix(file, ".md") {
			return
		}
		for _, m := range link.FindAllSubmatch(prose(t, file), -1) {
			to, anchor := string(m[1]), string(m[2])
			if strings.Contains(to, "://") {
				continue
			}
			target := file
			if to != "" {
				target = filepath.Join(filepath.Dir(file), filepath.FromSlash(to))
			}
			files++
			if !exists(target) {
				t.Errorf("%s links to %s, which does not exist", file, to)
			} else if anchor != "" {
				within++
				if !anchors(t, target)[anchor] {
					t.Errorf("%s links to %s%s, and there is no such heading", file, to, anchor)
				}
			}
		}
	})
	require.Positive(t, files)
	require.Positive(t, within)
}

// testName matches a test that a document names.
var testName = regexp.MustCompile("`(Test[A-Z]\\w+)`")

func TestTestsThatTheDocumentsNameExist(t *testing.T) {
	var source strings.Builder
	named := map[string]string{}
	walk(t, func(file string) {
		isTest, isDocument := strings.HasSuffix(file, "_test.go"), strings.HasSuffix(file, ".md")
		if !isTest && !isDocument {
			return
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if isTest {
			source.Write(text)
			return
		}
		for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
			named[m[1]] = file
		}
	})
	require.NotEmpty(t, named)
	for name, file := range named {
		require.True(t, strings.Contains(source.String(), "func "+name+"("), "%s names %s, which does not exist", file, name)
	}
}
