package python

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// interpreter writes a program that stands for Python with nothing but the module json.
func interpreter(t *testing.T, path string) {
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	const script = "#!/bin/sh\n[ \"$2\" = 'import json' ] && exit 0\necho Traceback\necho \"No module named 'torch'\"\nexit 1\n"
	require.NoError(t, os.WriteFile(path, []byte(script), 0o755))
}

func TestTheVirtualEnvironmentComesFirst(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("needs a shell: ", err)
	}
	cache, bin := t.TempDir(), t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	t.Setenv("PATH", bin)

	_, err := Find("json")
	require.ErrorContains(t, err, "requirements.txt")
	interpreter(t, filepath.Join(bin, "python3"))
	path, err := Find("json")
	require.NoError(t, err)
	require.Equal(t, "python3", path)

	folder, err := os.UserCacheDir()
	require.NoError(t, err)
	own := filepath.Join(folder, "plexaura", "python", "bin", "python")
	interpreter(t, own)
	path, err = Find("json")
	require.NoError(t, err)
	require.Equal(t, own, path)

	_, err = Find("json", "torch")
	require.ErrorContains(t, err, own+": exit status 1: No module named 'torch'")
	require.ErrorContains(t, err, "python3: exit status 1: No module named 'torch'")
}
