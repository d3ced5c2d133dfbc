package serve

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/python"
)

// NVIDIA's client for Python is served as by Triton.
func TestTheClientOfTritonIsServed(t *testing.T) {
	interpreter, err := python.Find("tritonclient.http")
	if err != nil {
		t.Skip(err)
	}
	const token = "0123456789abcdef"
	s, err := New(Options{Token: token, Delay: time.Millisecond})
	require.NoError(t, err)
	require.NoError(t, s.Add("m", &fake{bias: 0.5}, func(context.Context) (Model, error) { return &fake{bias: 1.5}, nil }))
	web := newWeb(t, s)
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	out, err := exec.CommandContext(t.Context(), interpreter, filepath.Join("testdata", "client.py"), web.Listener.Addr().String(), token).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "all is well")
}
