package examples_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The images of MNIST, gorgonia and a server are linked only into programs that ask for them.
func TestTheLibraryLinksNoDataNorGorgonia(t *testing.T) {
	list := func(packages ...string) []string {
		out, err := exec.Command("go", append([]string{"list", "-deps"}, packages...)...).Output()
		require.NoError(t, err)
		return strings.Fields(string(out))
	}
	const module = "github.com/plexaura/plexaura/"
	deps := list(module+"data", module+"nn", module+"optim", module+"train", module+"engine/cpu")
	for _, heavy := range []string{module + "data/mnist", module + "data/fashion", "gorgonia.org/gorgonia", "net/http"} {
		require.NotContains(t, deps, heavy)
	}
	require.Contains(t, list(module+"examples/mnist"), module+"data/mnist")
	require.Contains(t, list(module+"interop/gorgonia"), "gorgonia.org/gorgonia")
}

// go install of a command at a version refuses a module with replace or exclude directives.
func TestTheDemoCanBeInstalledByItsPath(t *testing.T) {
	out, err := exec.Command("go", "mod", "edit", "-json", "../go.mod").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), `"Replace": null`)
	require.Contains(t, string(out), `"Exclude": null`)
	name, err := exec.Command("go", "list", "-f", "{{.Name}}", "github.com/plexaura/plexaura/cmd/demo").Output()
	require.NoError(t, err)
	require.Equal(t, "main", strings.TrimSpace(string(name)))
}
