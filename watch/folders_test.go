package watch

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/train"
)

func epochLineOf(n int) string {
	return fmt.Sprintf(`{"epoch":%d,"loss":%g,"accuracy":0.5,"validation_accuracy":%g,"learning_rate":0.1,"seconds":1,"examples_per_second":100}`+"\n", n, 1/float64(n), float64(n)/10)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
}

// look again as if some time had gone by.
func (f *Folders) lookNow() {
	f.looked = time.Time{}
	f.refresh(time.Now())
}

// A run is followed while its file grows, and when another run takes its place.
func TestAFolderIsFollowed(t *testing.T) {
	dir := t.TempDir()
	metrics := filepath.Join(dir, train.MetricsFile)
	write(t, filepath.Join(dir, lockFile), "")
	f, err := OpenFolders(dir)
	require.NoError(t, err)
	f.lookNow()
	r := f.runs[0]
	require.Equal(t, waiting, r.State.Phase)

	write(t, filepath.Join(dir, train.SettingsFile), `{"epochs": 4, "lr": 0.05, "model": "lenet"}`)
	write(t, metrics, epochLineOf(1)+epochLineOf(2)+epochLineOf(3)[:20])
	f.lookNow()
	require.Equal(t, "running", r.State.Phase)
	require.Equal(t, 2, r.table.rows(), "a line that is being written is none yet")
	require.Equal(t, 4, r.State.Epochs)
	require.Equal(t, "0.05", r.State.Settings["lr"])
	require.EqualValues(t, .2, r.State.Best)

	write(t, metrics, epochLineOf(1)+epochLineOf(2)+epochLineOf(3))
	f.lookNow()
	require.Equal(t, 3, r.table.rows())
	require.NoError(t, os.Remove(filepath.Join(dir, lockFile)))
	f.lookNow()
	require.Equal(t, stopped, r.State.Phase)
	write(t, metrics, epochLineOf(1)+epochLineOf(2)+epochLineOf(3)+epochLineOf(4))
	f.lookNow()
	require.Equal(t, finished, r.State.Phase)

	write(t, metrics, epochLineOf(1))
	f.lookNow()
	require.Equal(t, 1, r.table.rows(), "another run is in the folder")
	require.NoError(t, os.RemoveAll(dir))
	f.lookNow()
	require.Equal(t, "missing", r.State.Phase)
}

// What a browser has is what is in the files, from the first message on, for each of several runs.
func TestABrowserFollowsFolders(t *testing.T) {
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	var paths []string
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(path, 0o777))
		write(t, filepath.Join(path, train.MetricsFile), epochLineOf(1))
		paths = append(paths, path)
	}
	f, err := OpenFolders(paths...)
	require.NoError(t, err)
	s, err := Serve(":0", f)
	require.NoError(t, err)
	events := listen(context.Background(), t, s)
	rows, grown := 0, false
	for e := range events {
		if e.name == "rows" {
			rows++
		}
		if rows == 2 && !grown {
			grown = true
			write(t, filepath.Join(paths[1], train.MetricsFile), epochLineOf(1)+epochLineOf(2))
		}
		if rows == 3 {
			require.Contains(t, string(e.data), `"table":"1"`)
			require.Contains(t, string(e.data), "[2,0.5,0.5,null,0.2,0.1,100,1]")
			break
		}
	}
	require.NoError(t, s.Close())
	noneLeft(t, before)
}

// The folder of a run that goes on is only read.
func TestALockedFolderIsRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	lock, err := train.LockFolder(dir)
	require.NoError(t, err)
	defer lock.Close()
	write(t, filepath.Join(dir, train.MetricsFile), epochLineOf(1))
	f, err := OpenFolders(dir)
	require.NoError(t, err)
	f.lookNow()
	require.Equal(t, "running", f.runs[0].State.Phase)
	_, err = train.LockFolder(dir)
	require.ErrorContains(t, err, "in use by", "the lock is still the run's")
}

func TestWhatIsNoFolderOfARunIsOneLine(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "x")
	for _, row := range []struct {
		paths []string
		want  string
	}{
		{nil, "watch: no folder of a run"},
		{[]string{filepath.Join(dir, "missing")}, "missing"},
		{[]string{file}, file + " is not a folder of a run: it is a file; give its folder"},
		{[]string{dir}, dir + " is not a folder of a run: there is no metrics.jsonl in it"},
		{make([]string, maxFolders+1), "watch: 33 folders; at most 32 can be watched at a time"},
	} {
		_, err := OpenFolders(row.paths...)
		require.ErrorContains(t, err, row.want)
		require.NotContains(t, err.Error(), "\n")
	}
}

// A file in place of the metrics that cannot be read is a message, and bounded.
func TestMetricsThatAreNoneAreAMessage(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, train.MetricsFile), 0o777))
	f, err := OpenFolders(dir)
	require.NoError(t, err)
	f.lookNow()
	require.Contains(t, f.runs[0].State.Message, "not a regular file")

	large := t.TempDir()
	file, err := os.Create(filepath.Join(large, train.MetricsFile))
	require.NoError(t, err)
	require.NoError(t, file.Truncate(maxMetrics+1))
	require.NoError(t, file.Close())
	f, err = OpenFolders(large)
	require.NoError(t, err)
	f.lookNow()
	require.Contains(t, f.runs[0].State.Message, "more than the 16777216 bytes")
}

func TestNamesAreWithoutWhatAllBeginWith(t *testing.T) {
	require.Equal(t, []string{"runs/a"}, shortNames([]string{"runs/a"}))
	require.Equal(t, []string{"a", "b"}, shortNames([]string{"runs/a", "runs/b/"}))
	require.Equal(t, []string{"x/a", "y/a"}, shortNames([]string{"/tmp/x/a", "/tmp/y/a"}))
	require.Equal(t, []string{"a", "a"}, shortNames([]string{"runs/a", "runs/a"}))
	require.Equal(t, []string{"runs", "runs/a"}, shortNames([]string{"runs", "runs/a"}))
	require.Equal(t, []string{"runs", "/runs"}, shortNames([]string{"runs", "/runs"}))
}

func TestMetricsOfAFolderHaveColumns(t *testing.T) {
	r := folderRun{table: newTable("x", epochColumns()...), State: folderState{Best: none}}
	r.table.version = 3
	r.take(parseMetrics([]byte(`{"epoch":1,"loss":2,"accuracy":0.5}
{"epoch":2,"loss":1,"f1.macro":0.25,"validation_f1.macro":null,"seconds":1,"wait_share":0,"odd":"text"}
{"epoch":3,"loss":1,"f1.macro":0.5,"validation_f1.macro":0.75,"` + strings.Repeat("x", 100) + `":1}
`)))
	m, ok := r.table.since(&cursor{})
	require.True(t, ok)
	require.Equal(t, append(epochColumns(), "f1.macro", "validation f1.macro"), m.Columns)
	require.Equal(t, 3, r.table.version)
	at := len(epochColumns())
	require.True(t, math.IsNaN(float64(m.Rows[0][at])))
	require.Equal(t, number(.25), m.Rows[1][at])
	require.True(t, math.IsNaN(float64(m.Rows[1][at+1])))
	require.Equal(t, []number{.5, .75}, m.Rows[2][at:])
	require.Len(t, r.State.Last, at)
}

// Whatever is in the file: lines of epochs in their order, and no panic.
func FuzzMetrics(f *testing.F) {
	f.Add(epochLineOf(1) + epochLineOf(2))
	f.Add(`{"epoch":1e99,"loss":1}` + "\n" + `{"epoch":3,"loss":null}` + "\n{}\nnull\n[]\n")
	f.Add(strings.Repeat("{\"epoch\":1,\"loss\":1}\n", 3))
	f.Fuzz(func(t *testing.T, text string) {
		lines := parseMetrics([]byte(text))
		for i, l := range lines {
			if l.Epoch < 1 || l.Loss == nil || i > 0 && l.Epoch <= lines[i-1].Epoch {
				t.Fatal(lines)
			}
		}
		r := folderRun{table: newTable("x", epochColumns()...), State: folderState{Best: none}}
		r.take(lines)
		if m, ok := r.table.since(&cursor{}); ok {
			if _, err := m.JSON(); err != nil {
				t.Fatal(err)
			}
		}
		parseSettings([]byte(text))
	})
}
