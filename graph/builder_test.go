package graph

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// A package that is added to the module builds for its users without being listed.
func TestEveryPackageBuildsForItsUsers(t *testing.T) {
	for file, want := range map[string]bool{
		"ops/conv2d.go":            true,
		"interop/onnx/importer.go": true,
		"internal/rescue/do.go":    true,
		"ops/conv2d_test.go":       false,
		"cmd/demo/models.go":       false,
		"examples/gpt/gpt.go":      false,
		"models/lenet/lenet.go":    false,
	} {
		require.Equal(t, want, builder(runtime.Frame{File: module + file, Function: "github.com/plexaura/plexaura/p.F"}), file)
	}
	require.False(t, builder(runtime.Frame{File: module + "internal/mutate/main.go", Function: "main.run"}), "a command")
	require.False(t, builder(runtime.Frame{File: "/home/ann/net/net.go", Function: "net.Build"}))
}

func TestFramesOfTheRuntimeAreNobodys(t *testing.T) {
	var pc [8]uintptr
	n := runtime.Callers(0, pc[:1]) // only the runtime
	pos, user := userLine(pc[:n])
	require.False(t, user)
	require.Equal(t, Pos{}, pos)
}
