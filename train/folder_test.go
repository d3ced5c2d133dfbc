package train_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// contents are the files below a folder.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		all[path] = string(b)
		return err
	}))
	return all
}

// What is not a run's stays as it is, and nothing is made beside it.
func TestWhatIsNoFolderOfARunIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"a file":                   {func(p string) error { return os.WriteFile(p, []byte("notes"), 0o666) }, "is not a folder for a run: it is a file"},
		"below a file":             {func(p string) error { return os.WriteFile(filepath.Dir(p)+"/run", nil, 0o666) }, ""},
		"a folder of photographs":  {folderOf("a.jpg", "b.jpg"), `is not a folder of a run: it contains "b.jpg"`},
		"weights with other files": {folderOf("config.json", train.CheckpointFile), `it contains "config.json", but not all of model.safetensors, metrics.jsonl and settings.json`},
		"a folder in the folder":   {func(p string) error { return os.MkdirAll(p+"/src", 0o777) }, `it contains "src"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "run")
			require.NoError(t, c.make(path))
			if name == "below a file" {
				path += "/more"
			}
			before := contents(t, dir)
			cfg := config(t)
			cfg.Folder = path
			result, err := train.Fit(context.Background(), cfg)
			require.ErrorContains(t, err, c.want)
			require.Nil(t, result)
			require.Equal(t, before, contents(t, dir))
		})
	}
}

func folderOf(names ...string) func(path string) error {
	return func(path string) error {
		if err := os.Mkdir(path, 0o777); err != nil {
			return err
		}
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(path, name), []byte(name), 0o666); err != nil {
				return err
			}
		}
		return nil
	}
}

// A run that is there stays, to the byte, until there is a checkpoint to put in its place; then it
// is in a folder of its own.
func TestAnEarlierRunGivesWayOnlyToACheckpoint(t *testing.T) {
	parent := t.TempDir()
	first := config(t)
	first.Folder = filepath.Join(parent, "run")
	fit(t, first)
	require.NoError(t, os.WriteFile(filepath.Join(first.Folder, "notes.txt"), []byte("a good run"), 0o666))
	before := contents(t, parent)

	t.Run("stopped before the first step", func(t *testing.T) {
		c, ctx := first, context.Context(nil)
		ctx, cancel := context.WithCancelCause(context.Background())
		c.OnStart = func(train.Start) error { cancel(errStopped); return nil }
		result, err := train.Fit(ctx, c)
		require.ErrorIs(t, err, errStopped)
		require.False(t, result.Saved)
		require.Empty(t, result.Earlier)
		require.Equal(t, before, contents(t, parent))
	})
	t.Run("a first step that is not finite", func(t *testing.T) {
		c := first
		c.Optimizer = optim.SGD{LR: 1e38}
		_, err := train.Fit(context.Background(), c)
		require.ErrorIs(t, err, vm.ErrNotFinite)
		require.Equal(t, before, contents(t, parent))
	})
	t.Run("a checkpoint that cannot be saved", func(t *testing.T) {
		obstacle := filepath.Join(first.Folder, ".next.model.safetensors")
		require.NoError(t, os.Mkdir(obstacle, 0o777))
		result, err := train.Fit(context.Background(), first)
		require.ErrorContains(t, err, "not a regular file")
		require.Equal(t, 1, strings.Count(err.Error(), "train: "), err)
		require.False(t, result.Saved)
		require.NoError(t, os.Remove(obstacle))
		require.Equal(t, before, contents(t, parent))
	})
	t.Run("one step", func(t *testing.T) {
		c := first
		result, err := train.Fit(stopAfter(&c, 1), c)
		require.ErrorIs(t, err, errStopped)
		require.True(t, result.Saved)
		require.Equal(t, first.Folder+"-1", result.Earlier)
		after := contents(t, parent)
		for name, was := range before {
			require.Equal(t, was, after["run-1/"+filepath.Base(name)], name)
		}
		require.Equal(t, 4+3, len(after))
		require.Equal(t, 1, load(t, c.Folder).Progress.Batch)
	})
}

// Going on from a checkpoint that is not the folder's is another run to the folder.
func TestAResumedRunMovesAnotherAside(t *testing.T) {
	a, b := config(t), config(t)
	a.Folder, b.Folder, b.Seed = t.TempDir(), filepath.Join(t.TempDir(), "run"), 8
	fit(t, a)
	fit(t, b)
	theirs := contents(t, b.Folder)
	a.Resume, a.Folder, a.Epochs = load(t, a.Folder), b.Folder, 4
	require.Equal(t, b.Folder+"-1", fit(t, a).Earlier)
	require.Equal(t, theirs, contents(t, b.Folder+"-1"))
	require.Len(t, load(t, b.Folder).Progress.Epochs, 4)

	a.Resume, a.Epochs = load(t, b.Folder), 5
	require.Empty(t, fit(t, a).Earlier, "the folder's own run goes on in it")
}

func TestALinkedFolderStaysALink(t *testing.T) {
	for name, make := range map[string]func(string) error{
		"missing": func(string) error { return nil },
		"empty":   func(target string) error { return os.Mkdir(target, 0o777) },
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			target, link := filepath.Join(parent, "target"), filepath.Join(parent, "link")
			require.NoError(t, make(target))
			if err := os.Symlink("target", link); err != nil {
				t.Skip(err)
			}
			for _, want := range []string{"", target + "-1", target + "-2"} {
				c := config(t)
				c.Folder = link
				require.Equal(t, want, fit(t, c).Earlier)
				info, err := os.Lstat(link)
				require.NoError(t, err)
				require.Equal(t, fs.ModeSymlink, info.Mode().Type())
				require.FileExists(t, filepath.Join(target, train.CheckpointFile))
			}
		})
	}
}

// Two runs in one folder would mix their metrics: while one has it, the other is refused and told
// whose it is.
func TestOneRunHasAFolder(t *testing.T) {
	c := config(t)
	c.Folder = filepath.Join(t.TempDir(), "run")
	refused := 0
	c.OnStep = func(train.Step) error {
		other := config(t)
		other.Folder = c.Folder + "/../run"
		_, err := train.Fit(context.Background(), other)
		require.ErrorContains(t, err, fmt.Sprintf("is in use by process %d since 2", os.Getpid()))
		refused++
		return nil
	}
	fit(t, c)
	require.Equal(t, 12, refused)
	require.Len(t, contents(t, c.Folder), 3, "nothing of the lock is left")
	c.OnStep = nil
	fit(t, c)
}

// A program holds the folder for longer than Fit.
func TestALockOfTheProgramsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs", "run")
	l, err := train.LockFolder(path)
	require.NoError(t, err)
	c := config(t)
	c.Lock = l
	require.True(t, fit(t, c).Saved)
	c.Lock, c.Folder = nil, path
	_, err = train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "in use by process")
	require.NoError(t, l.Close())
	require.Len(t, contents(t, path), 3)
	c.Lock = l
	_, err = train.Fit(context.Background(), c)
	require.ErrorContains(t, err, "has been closed")

	empty, err := train.LockFolder(filepath.Join(t.TempDir(), "a", "b", "c"))
	require.NoError(t, err)
	require.NoError(t, empty.Close())
	require.NoDirExists(t, filepath.Dir(filepath.Dir(path))+"/a", "folders made for nothing go")
}

// Lines of another run, of the same epochs, are not taken for this one's.
func TestMetricsAreThoseOfTheCheckpoint(t *testing.T) {
	a, b := config(t), config(t)
	a.Folder, b.Folder, b.Seed = t.TempDir(), t.TempDir(), 8
	fit(t, a)
	fit(t, b)
	ours := metrics(t, a.Folder)
	theirs, err := os.ReadFile(filepath.Join(b.Folder, train.MetricsFile))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(a.Folder, train.MetricsFile), theirs, 0o666))
	a.Resume, a.Epochs = load(t, a.Folder), 4
	fit(t, a)
	require.Equal(t, ours, metrics(t, a.Folder)[:len(ours)])
	require.Equal(t, 4, strings.Count(metrics(t, a.Folder), "\n"))
}

// Of the metrics as many lines are read as there were epochs, each as long as ours are at most.
func TestMetricsOfAnySizeAreReadInLittleMemory(t *testing.T) {
	for _, size := range []int64{0, 1 << 40} { // sparse: one line of zeros
		c := config(t)
		c.Folder = t.TempDir()
		fit(t, c)
		ours := metrics(t, c.Folder)
		require.NoError(t, os.Truncate(filepath.Join(c.Folder, train.MetricsFile), 0))
		require.NoError(t, os.Truncate(filepath.Join(c.Folder, train.MetricsFile), size))
		c.Resume, c.Epochs = load(t, c.Folder), 4
		fit(t, c)
		require.Equal(t, ours, metrics(t, c.Folder)[:len(ours)])
	}
}
