package examples_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// programs are those of the gallery in their short form. result finds the number that each is
// measured by, the last of the output where there are several, which lies between least and most.
var programs = []struct {
	name        string
	args        []string
	result      string
	least, most float64
}{
	{"mnist", nil, `accuracy ([\d.]+) %`, 97, 100},
	{"unet", nil, `mean intersection over union ([\d.]+)`, 0.75, 1},
	{"gpt", []string{"-steps", "300"}, `([\d.]+) % of 500 new questions`, 30, 100},
	{"gan", nil, `([\d.]+) of 8 places reached`, 6, 8},
	{"finetune", nil, `the features tuned: test accuracy ([\d.]+) %`, 75, 100},
	{"customop", []string{"-short"}, `Snake .*, from 8 to 16: ([\d.]+)`, 0, 8},
	{"serve", []string{"-short"}, `([\d.]+) % right`, 85, 100},
	{"pictures", []string{"-epochs", "3"}, `epoch  3: .* validation accuracy ([\d.]+) %`, 90, 100},
}

// built compiles programs of the gallery into a folder.
func built(t *testing.T, names ...string) (dir string) {
	dir = t.TempDir()
	args := []string{"build", "-ldflags=-s -w", "-o", dir + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "./"+name)
	}
	out, err := exec.Command("go", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

func TestProgramsOfTheGalleryReachWhatTheyPromise(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join("*", "main.go"))
	require.NoError(t, err)
	require.Len(t, dirs, len(programs), "each program has a row")
	gallery := programs
	if testing.Short() {
		gallery = programs[:1] // that of the README
	}
	var names []string
	for _, p := range gallery {
		names = append(names, p.name)
	}
	dir := built(t, names...)
	for _, p := range gallery {
		t.Run(p.name, func(t *testing.T) {
			out, err := exec.Command(filepath.Join(dir, p.name), p.args...).CombinedOutput()
			require.NoError(t, err, "%s", out)
			found := regexp.MustCompile(p.result).FindAllSubmatch(out, -1)
			require.NotEmpty(t, found, "%s", out)
			got, err := strconv.ParseFloat(string(found[len(found)-1][1]), 64)
			require.NoError(t, err)
			require.GreaterOrEqual(t, got, p.least, "%s", out)
			require.LessOrEqual(t, got, p.most, "%s", out)
		})
	}
}

// Ctrl-C ends a program of the gallery at once, with one line that says so and no file left behind.
// That of the README leaves the signal to the system.
func TestCtrlCEndsEveryProgramOfTheGallery(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("compiles the gallery, and sends signals when /proc says that they are handled")
	}
	var names []string
	for _, p := range programs {
		names = append(names, p.name)
	}
	dir := built(t, names...)
	for _, p := range programs {
		for _, after := range []time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond} {
			t.Run(fmt.Sprint(p.name, " after ", after), func(t *testing.T) {
				handles := p.name != "mnist"
				temporary := t.TempDir()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // for one that hangs
				defer cancel()
				cmd := exec.CommandContext(ctx, filepath.Join(dir, p.name))
				if handles { // it begins with the signal ignored, so that one sees when it asks for it
					cmd = exec.CommandContext(ctx, "/bin/sh", "-c", `trap "" INT; exec "$0"`, filepath.Join(dir, p.name))
				}
				var errs strings.Builder
				cmd.Stderr, cmd.Dir, cmd.Env = &errs, temporary, append(os.Environ(), "TMPDIR="+temporary)
				require.NoError(t, cmd.Start())
				if handles {
					waitUntilHandled(ctx, t, cmd.Process.Pid)
				}
				time.Sleep(after)
				_ = cmd.Process.Signal(os.Interrupt) // it may have ended
				err := cmd.Wait()
				require.NoError(t, ctx.Err(), "it does not end")
				if err != nil && handles {
					require.Equal(t, 1, cmd.ProcessState.ExitCode())
					require.Regexp(t, "^"+p.name+": [^\n]*interrupt[^\n]*\n$", errs.String())
				} else {
					require.Empty(t, errs.String())
				}
				left, err := os.ReadDir(temporary)
				require.NoError(t, err)
				require.Empty(t, left)
			})
		}
	}
}

// waitUntilHandled waits until a process that began with SIGINT ignored has a handler for it. How long
// it takes to start is not what is tested.
func waitUntilHandled(ctx context.Context, t *testing.T, pid int) {
	t.Helper()
	for ctx.Err() == nil {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		require.NoError(t, err)
		found := regexp.MustCompile(`(?m)^SigCgt:\s*([0-9a-f]+)$`).FindSubmatch(status)
		require.NotNil(t, found, "it ended without a handler:\n%s", status)
		caught, err := strconv.ParseUint(string(found[1]), 16, 64)
		require.NoError(t, err)
		ended := regexp.MustCompile(`(?m)^State:\s*Z`).Match(status)
		require.False(t, ended, "it ended without a handler")
		if caught>>(syscall.SIGINT-1)&1 == 1 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("it has no handler")
}

// What a program learnt from a folder of pictures, it names pictures by.
func TestPicturesOfAFolderAreLearntAndNamed(t *testing.T) {
	program, dir := filepath.Join(built(t, "pictures"), "pictures"), filepath.Join(t.TempDir(), "digits")
	writeDigits(t, dir, 40)
	out, err := exec.Command(program, "-epochs", "12", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "80 pictures of 2 classes [\"one\" \"zero\"]")
	out, err = exec.Command(program, dir, filepath.Join(dir, "one", "3.png"), filepath.Join(dir, "zero", "5.png")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `(?s)3\.png: one .*5\.png: zero `, string(out))

	parted := filepath.Join(t.TempDir(), "parted")
	writeDigits(t, filepath.Join(parted, "train"), 20)
	writeDigits(t, filepath.Join(parted, "val"), 10)
	out, err = exec.Command(program, "-epochs", "1", parted).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "60 pictures of 2 classes [\"one\" \"zero\"]", "those of train and val, which are no classes")

	out, err = exec.Command(program, filepath.Join(dir, "nowhere")).CombinedOutput()
	require.Error(t, err)
	require.Regexp(t, `^pictures: .*nowhere`, string(out))
}
