package python

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Find returns the path of an interpreter that imports all of the given modules: that of the
// virtual environment in plexaura/python below the user's folder for caches ([os.UserCacheDir]),
// else the python3 of the path. The error says which of them lacks what, and how to install it.
func Find(modules ...string) (string, error) {
	var errs []error
	for _, candidate := range candidates() {
		err := imports(candidate, modules)
		if err == nil {
			return candidate, nil
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("python: no interpreter imports %s: %w\n%s", strings.Join(modules, ", "), errors.Join(errs...), hint)
}

const hint = `for the tests that compare with PyTorch:
	python3 -m venv ~/.cache/plexaura/python
	~/.cache/plexaura/python/bin/pip install -r internal/parity/pytorch/requirements.txt`

func candidates() (all []string) {
	if cache, err := os.UserCacheDir(); err == nil {
		all = append(all, filepath.Join(cache, "plexaura", "python", "bin", "python"))
	}
	return append(all, "python3")
}

// imports tries to import the modules, from a folder of no modules: Python looks there first.
func imports(interpreter string, modules []string) error {
	cmd := exec.Command(interpreter, "-c", "import "+strings.Join(modules, ", "))
	cmd.Dir = os.TempDir()
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("%s: %w: %s", interpreter, err, lines[len(lines)-1])
}
