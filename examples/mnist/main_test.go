package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program is built and run as a reader does it: it is what README.md shows.
func TestTheFirstProgramLearnsDigits(t *testing.T) {
	program := filepath.Join(t.TempDir(), "mnist.exe")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command(program).CombinedOutput()
	require.NoError(t, err, "%s", out)
	m := regexp.MustCompile(`(?m)test images: (0\.\d{4})$`).FindSubmatch(out)
	require.NotNil(t, m, "%s", out)
	accuracy, err := strconv.ParseFloat(string(m[1]), 64)
	require.NoError(t, err)
	require.Greater(t, accuracy, 0.98)
}
