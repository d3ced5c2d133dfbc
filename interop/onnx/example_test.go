package onnx_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/interop/onnx"
)

// classify runs a file in the current folder.
func classify(ctx context.Context, x *onnx.Tensor) error {
	m, err := onnx.ReadFile("resnet18.onnx", onnx.Options{})
	if err != nil {
		return err
	}
	s, err := m.NewSession(cpu.New(), nil)
	if err != nil {
		return err
	}
	outs, err := s.Run(ctx, map[string]*onnx.Tensor{"x": x})
	if err != nil {
		return err
	}
	fmt.Println(m.Inputs(), outs["y"])
	return nil
}

func TestTheDocumentationRunsAFile(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("resnet18.onnx", linear().Marshal(), 0o666)) // stands for one
	require.NoError(t, classify(t.Context(), floats([]int{2, 2}, 1, 1, 2, 2)))
}
