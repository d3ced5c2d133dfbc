package serving_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/serving"
	"github.com/plexaura/plexaura/serve"
)

// add serves a file of the current folder.
func add(server *serve.Server) error {
	m, err := onnx.ReadFile("resnet18.onnx", onnx.Options{})
	if err != nil {
		return err
	}
	model, err := serving.New(m, cpu.New(), serving.Options{})
	if err != nil {
		return err
	}
	err = server.Add("resnet18", model, nil)
	return err
}

func TestTheDocumentationServesAFile(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("resnet18.onnx", open(t).Proto().Marshal(), 0o666)) // stands for one
	s, err := serve.New(serve.Options{})
	require.NoError(t, err)
	require.NoError(t, add(s))
	require.NoError(t, s.Close(context.Background()))
}
