package examples_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what the commands print into the documents")

// documents are the files whose fenced blocks are held to be true.
var documents = append([]string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "examples/README.md", "docs/DISTRIBUTED.md"}, guide()...)

// guide lists the pages of docs/guide.
func guide() (pages []string) {
	names, _ := filepath.Glob(filepath.Join("..", "docs", "guide", "*.md")) // the pattern is well formed
	for _, name := range names {
		pages = append(pages, filepath.Join("docs", "guide", filepath.Base(name)))
	}
	return pages
}

// fence matches a fenced block: its language and its lines.
var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// blocks returns the blocks of a document in a language.
func blocks(t *testing.T, document, language string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", document))
	require.NoError(t, err)
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			all = append(all, m[2])
		}
	}
	return all
}

// TestFencesHaveALanguageThatIsChecked keeps blocks from escaping the tests below.
func TestFencesHaveALanguageThatIsChecked(t *testing.T) {
	for _, document := range documents {
		text, err := os.ReadFile(filepath.Join("..", document))
		require.NoError(t, err)
		checked := 0
		for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
			require.Contains(t, []string{"go", "text", "console", "sh"}, m[1], document) // sh is not run
			checked++
		}
		require.Equal(t, 2*checked, strings.Count("\n"+string(text), "\n```"), "%s has a fence without a language", document)
	}
}

func TestGoInTheDocumentsIsThatOfAnExample(t *testing.T) {
	sources := exampleLines(t, strings.TrimSpace)
	for _, document := range documents {
		for _, block := range blocks(t, document, "go") {
			require.True(t, standsIn(sources, block, strings.TrimSpace), "%s: no file in examples has these lines:\n%s", document, block)
		}
	}
}

// The program of the README, its first block, is a file that is compiled and run, whole.
func TestTheProgramOfTheReadmeIsExamplesMnist(t *testing.T) {
	program, err := os.ReadFile(filepath.Join("mnist", "main.go"))
	require.NoError(t, err)
	require.Equal(t, string(program), blocks(t, "README.md", "go")[0])
}

// Who opens the page sees at once what this is, a program, a picture, figures and limits.
func TestTheFirstScreenOfTheReadmeIsSixtyLines(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	lines := strings.Split(string(text), "\n")
	require.Greater(t, len(lines), 60)
	first := strings.Join(lines[:60], "\n")
	for _, part := range []string{"\n- **Errors", "\n```sh\n", "\n```go\n", "\n<img ", "bench -case alexnet/train/64", "\n**What it is not for**"} {
		require.Contains(t, first, part)
	}
}

// row matches a row of the table of figures: its text, its command and its value.
var (
	row    = regexp.MustCompile("(?m)^\\| (.+) \\| `go run \\./cmd/demo( bench -case )?(.*?)` \\| (.+) \\|$")
	figure = regexp.MustCompile(`\d+(?:\.\d+)?`)
)

// Figures are published once, in docs/PERFORMANCE.md, on the line of the case or the command.
func TestFiguresOfTheReadmeAreThoseOfPerformance(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	published, err := os.ReadFile(filepath.Join("..", "docs", "PERFORMANCE.md"))
	require.NoError(t, err)
	rows := row.FindAllStringSubmatch(string(readme), -1)
	require.Len(t, rows, 3)
	for _, m := range rows {
		key := "`go run ./cmd/demo`"
		if m[2] != "" {
			key = "| `" + m[3] + "` |"
		}
		var line string
		for l := range strings.Lines(string(published)) {
			if strings.Contains(l, key) {
				line = l
				break
			}
		}
		require.NotEmpty(t, line, "docs/PERFORMANCE.md has no line with %s", key)
		figures := figure.FindAllString(m[4], -1)
		if _, ratio, found := strings.Cut(m[1], "PyTorch takes "); found {
			figures = append(figures, figure.FindString(ratio))
		}
		require.NotEmpty(t, figures, m[0])
		for _, f := range figures {
			require.Contains(t, figure.FindAllString(line, -1), f, "%s: docs/PERFORMANCE.md says %s", m[0], line)
		}
	}
}

// A page that nothing leads to is not read.
func TestTheReadmeListsEveryPageOfTheGuide(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	pages := guide()
	require.NotEmpty(t, pages)
	for _, page := range pages {
		require.Contains(t, string(readme), "]("+filepath.ToSlash(page)+")")
	}
}

// TestTheCatalogueNamesEveryLayer takes as a layer what has an Apply in package nn.
func TestTheCatalogueNamesEveryLayer(t *testing.T) {
	catalogue, err := os.ReadFile(filepath.Join("..", "docs", "guide", "catalogue.md"))
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join("..", "nn", "*.go"))
	require.NoError(t, err)
	layer := regexp.MustCompile(`(?m)^func \((?:\w+ )?([A-Z]\w*)\) Apply\(`)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range layer.FindAllStringSubmatch(string(source), -1) {
			require.Contains(t, string(catalogue), "`"+m[1]+"`")
			found++
		}
	}
	require.Positive(t, found)
}

func TestTextInTheDocumentsIsTheOutputOfAnExample(t *testing.T) {
	comment := func(line string) string {
		return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "//"))
	}
	sources := exampleLines(t, comment)
	for _, document := range documents {
		for _, block := range blocks(t, document, "text") {
			require.True(t, standsIn(sources, block, comment), "%s: no Example prints\n%s", document, block)
		}
	}
}

// exampleLines returns the lines of the files here, as clean makes them.
func exampleLines(t *testing.T, clean func(string) string) (files [][]string) {
	names, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	programs, err := filepath.Glob(filepath.Join("*", "main.go"))
	require.NoError(t, err)
	names = append(names, programs...)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		files = append(files, lines(string(text), clean))
	}
	return files
}

func lines(text string, clean func(string) string) []string {
	ls := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range ls {
		ls[i] = clean(ls[i])
	}
	return ls
}

// standsIn reports whether a file has the block's lines one after the other.
func standsIn(files [][]string, block string, clean func(string) string) bool {
	want := lines(block, clean)
	return slices.ContainsFunc(files, func(have []string) bool {
		for i := range len(have) - len(want) + 1 {
			if slices.Equal(have[i:i+len(want)], want) {
				return true
			}
		}
		return false
	})
}

// command matches a command of a console block and what it prints.
var command = regexp.MustCompile(`(?m)^\$ go run \./cmd/demo (.*)\n((?:[^$].*\n|\n)*)`)

// position matches a line of source code, the number of which may change.
var position = regexp.MustCompile(`\.go:\d+`)

func TestConsoleBlocksInTheDocumentsAreReal(t *testing.T) {
	demo := filepath.Join(t.TempDir(), "demo")
	if runtime.GOOS == "windows" {
		demo += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", demo, "../cmd/demo").CombinedOutput()
	require.NoError(t, err, "%s", out)

	commands := 0
	for _, document := range documents {
		for _, block := range blocks(t, document, "console") {
			found := command.FindAllStringSubmatch(block, -1)
			require.NotEmpty(t, found, "%s: no $ go run ./cmd/demo in\n%s", document, block)
			commands += len(found)
			real := command.ReplaceAllStringFunc(block, func(s string) string {
				m := command.FindStringSubmatch(s)
				out, err := exec.Command(demo, strings.Fields(m[1])...).Output()
				require.NoError(t, err, "%s: %s", document, m[1])
				return "$ go run ./cmd/demo " + m[1] + "\n" + trimmed(string(out))
			})
			if *update {
				replace(t, document, block, real)
				continue
			}
			require.Equal(t, position.ReplaceAllString(real, ".go"), position.ReplaceAllString(block, ".go"),
				"%s: if the change is meant: go test ./examples -update", document)
		}
	}
	require.Positive(t, commands)
}

// trimmed is text without space at the ends of lines.
func trimmed(text string) string {
	right := func(line string) string { return strings.TrimRight(line, " ") }
	return strings.Join(lines(text, right), "\n") + "\n"
}

func replace(t *testing.T, document, old, new string) {
	t.Helper()
	file := filepath.Join("..", document)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), old, new, 1)), 0o644))
}
