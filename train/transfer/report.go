package transfer

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/vm"
)

// Report says what became of the values of a file. Names are those of the model, where it has the value, in
// alphabetical order.
type Report struct {
	Path   string
	Format string // "safetensors", "PyTorch" or "ONNX"

	// Of the LoadReport, Missing, Unused and Mismatched are differences that Partial allowed.
	vm.LoadReport
	// Mapped has the names in the file of those that have another one in the model.
	Mapped map[string]string
	// Ignored are the values of the file that only training needs: counters, the state of optimisers.
	Ignored []string
	// Turned are the matrices of an ONNX file that were transposed, because its products take them so.
	Turned []string
	// Fresh are the values of the model that were made anew, for whatever reason.
	Fresh []string
}

func (r *Report) mapped(name, inFile string) {
	if r.Mapped == nil {
		r.Mapped = map[string]string{}
	}
	r.Mapped[name] = inFile
}

// most is how many names a line of a report has.
const most = 6

// String returns the report in a few lines, without a line end: how much was loaded, and what differs.
func (r Report) String() string {
	first := fmt.Sprintf("%s, %s: %s loaded", plain.Name(filepath.Base(r.Path)), r.Format, count(len(r.Loaded), "value"))
	for _, p := range r.prefixes() {
		first += ", " + p
	}
	if n := len(r.Widened); n > 0 {
		first += fmt.Sprintf(", %d of them widened to float32", n)
	}
	if n := len(r.Turned); n > 0 {
		first += fmt.Sprintf(", %d of them transposed", n)
	}
	lines := []string{first}
	add := func(what string, names []string) {
		if len(names) > 0 {
			lines = append(lines, what+": "+plain.Names(names, most))
		}
	}
	add("made anew", r.Fresh)
	add("not used", r.Unused)
	var others []string
	for _, m := range r.Mismatched {
		others = append(others, m.String())
	}
	if len(others) > 0 {
		lines = append(lines, "of another shape: "+plain.List(others, most))
	}
	return strings.Join(lines, "\n")
}

// prefixes says how names differ between the file and the model.
func (r Report) prefixes() (all []string) {
	for name, inFile := range r.Mapped {
		told := ""
		if p, ok := strings.CutSuffix(inFile, name); ok && p != "" {
			told = fmt.Sprintf("names without %q", plain.Name(p))
		} else if p, ok := strings.CutSuffix(name, inFile); ok && p != "" {
			told = fmt.Sprintf("names with %q before them", plain.Name(p))
		}
		if told != "" && !slices.Contains(all, told) {
			all = append(all, told)
		}
	}
	slices.Sort(all)
	return all[:min(len(all), 3)]
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
