package webdataset

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/npy"
	"github.com/plexaura/plexaura/shape"
)

func zipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func opened(t testing.TB, o StreamOptions, paths ...string) *Stream {
	t.Helper()
	s, err := NewStream(paths, o)
	require.NoError(t, err)
	return s
}

// seen is an example as a loader gives it.
type seen struct {
	name  string
	class int32
	x     []float32
}

func epochOf(t testing.TB, s *Stream, epoch int, o data.Batching) (all []seen, err error) {
	t.Helper()
	l, err := data.NewStreamLoader(s, o)
	require.NoError(t, err)
	for b, err := range l.Epoch(epoch) {
		if err != nil {
			return all, err
		}
		size := len(b.X.Float32s()) / len(b.Examples)
		for j, name := range b.Names {
			all = append(all, seen{name, b.Y.Int32s()[j], slices.Clone(b.X.Float32s()[j*size : (j+1)*size])})
		}
	}
	return all, nil
}

// shards writes archives of the given numbers of examples, every second one compressed.
func shards(t testing.TB, examples ...int) (paths []string) {
	t.Helper()
	k := 0
	for i, n := range examples {
		members := []member{file("README", "x")}
		for range n {
			name := fmt.Sprintf("d/%04d", k)
			members = append(members, file(name+".cls", fmt.Sprint(k%2)), member{name: name + ".png", content: red(t, uint8(k))}, file(name+".txt", "a cat"))
			k++
		}
		content := packed(t, members...)
		if i%2 == 1 {
			content = zipped(t, content)
		}
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.tar", i))
		require.NoError(t, os.WriteFile(path, content, 0o644))
		paths = append(paths, path)
	}
	return paths
}

// A stream has the examples of the index, in its order, packed or not.
func TestAStreamHasTheExamplesOfTheIndex(t *testing.T) {
	arrays := func(v float32) member {
		b, err := (&npy.Array{Shape: []int{3, 8, 8}, Data: slices.Repeat([]float32{v}, 192)}).Marshal()
		require.NoError(t, err)
		return member{name: fmt.Sprint(v, ".npy"), content: b}
	}
	contents := [][]byte{
		packed(t, file("README", "x"), member{name: "d/a.png", content: red(t, 255)}, file("d/a.cls", "1\n"), file("d/a.txt", "a dog"),
			file("notes.txt", "x"), file("d/b.json", `{"label": "cat", "x": [1]}`), member{name: "d/b.PNG", content: red(t, 51)}),
		packed(t, file("only.txt", "x")),
		packed(t, arrays(3), file("3.cls", "0"), file("5.cls", "dog"), arrays(5)),
	}
	o := pictures
	o.Preprocess.Mean, o.Preprocess.Std = []float32{.5}, []float32{.25}
	var plain, zip []string
	for _, c := range contents {
		plain, zip = append(plain, stored(t, c)), append(zip, stored(t, zipped(t, c)))
	}
	ds, err := Open(t.Context(), plain, o)
	require.NoError(t, err)
	require.Equal(t, 4, ds.Len())
	for _, paths := range [][]string{plain, zip} {
		s := opened(t, StreamOptions{Options: o}, paths...)
		require.Equal(t, ds.Info(), s.Info())
		for _, workers := range []int{0, 3} {
			all, err := epochOf(t, s, 0, data.Batching{Size: 2, Workers: workers})
			require.NoError(t, err)
			require.Len(t, all, ds.Len())
			e := data.Example{X: make([]float32, 192), Labels: make([]int32, 1)}
			for i, have := range all {
				require.NoError(t, ds.Read(i, e))
				require.Equal(t, e.X, have.x)
				require.Equal(t, e.Labels[0], have.class)
				require.Equal(t, filepath.Base(ds.Path(i)), filepath.Base(have.name))
			}
			require.Equal(t, paths[0]+"/d/b", all[1].name)
		}
	}
}

func TestArchivesAreShuffledByEpoch(t *testing.T) {
	paths := shards(t, 3, 1, 2, 4)
	names := func(s *Stream, epoch int) (names []string) {
		all, err := epochOf(t, s, epoch, data.Batching{Size: 3})
		require.NoError(t, err)
		for _, e := range all {
			names = append(names, e.name)
		}
		return names
	}
	plain := opened(t, StreamOptions{Options: pictures}, paths...)
	want := names(plain, 0)
	require.Len(t, want, 10)
	require.Equal(t, want, names(plain, 1))
	s := opened(t, StreamOptions{Options: pictures, Shuffle: true, Seed: 4}, paths...)
	orders := map[string]int{}
	for epoch := range 50 {
		have := names(s, epoch)
		require.Equal(t, have, names(opened(t, StreamOptions{Options: pictures, Shuffle: true, Seed: 4}, paths...), epoch))
		orders[strings.Join(have, " ")]++
		for _, shard := range paths { // the examples of an archive stay together, in their order
			in := func(all []string) string {
				return strings.Join(slices.DeleteFunc(slices.Clone(all), func(n string) bool { return !strings.HasPrefix(n, shard) }), " ")
			}
			require.Equal(t, in(want), in(have))
			require.Contains(t, strings.Join(have, " "), in(want))
		}
	}
	require.Greater(t, len(orders), 15, "of 24")
	other, same := opened(t, StreamOptions{Options: pictures, Shuffle: true, Seed: 5}, paths...), 0
	for epoch := range 10 {
		if slices.Equal(names(s, epoch), names(other, epoch)) {
			same++
		}
	}
	require.Less(t, same, 5, "the seed decides")
}

func TestStreamsThatAreRefused(t *testing.T) {
	all, whole := refused(t)
	for want, content := range all {
		for _, stream := range [][]byte{content, zipped(t, content)} {
			path := stored(t, stream)
			_, err := epochOf(t, opened(t, StreamOptions{Options: pictures}, stored(t, whole), path), 0, data.Batching{Size: 1})
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, "data: example 1 of the stream: webdataset: "+path+", at byte ")
			require.NotContains(t, err.Error(), "\n")
		}
	}
	for _, c := range [][]byte{whole, zipped(t, whole)} { // wherever it is cut
		for cut := range c {
			if cut%97 != 0 || cut > len(c)-1024 && &c[0] == &whole[0] {
				continue
			}
			_, err := epochOf(t, opened(t, StreamOptions{Options: pictures}, stored(t, c[:cut])), 0, data.Batching{Size: 1})
			require.ErrorContains(t, err, "the archive ends early", cut)
		}
	}
	damaged := zipped(t, whole)
	damaged[len(damaged)-6] ^= 1
	_, err := epochOf(t, opened(t, StreamOptions{Options: pictures}, stored(t, damaged)), 0, data.Batching{Size: 1})
	require.ErrorContains(t, err, "gzip: invalid checksum")

	broken := stored(t, packed(t, member{name: "a.png", content: red(t, 1)[:30]}, file("a.cls", "1")))
	_, err = epochOf(t, opened(t, StreamOptions{Options: pictures}, broken), 0, data.Batching{Size: 1})
	require.ErrorContains(t, err, "data: example 0, "+broken+"/a: ")

	_, err = NewStream(nil, StreamOptions{Options: pictures})
	require.EqualError(t, err, "webdataset: no archives")
	_, err = NewStream([]string{filepath.Join(t.TempDir(), "none.tar")}, StreamOptions{Options: pictures})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = NewStream([]string{stored(t, whole)}, StreamOptions{Options: Options{Input: shape.Of(3, 8, 8), Preprocess: data.Preprocess{Image: "mnist"}}})
	require.ErrorContains(t, err, `webdataset: preprocessing "mnist"`)
	_, err = opened(t, StreamOptions{Options: pictures}, stored(t, whole)).Open(t.Context(), 0)
	require.NoError(t, err)
}

func TestNoFileStaysOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it counts the open files in /proc")
	}
	count := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(files)
	}
	paths := shards(t, 3, 3, 3)
	s := opened(t, StreamOptions{Options: pictures}, append(paths, stored(t, []byte("no archive")))...)
	before := count()
	for stopAt := range 12 {
		l, err := data.NewStreamLoader(s, data.Batching{Size: 1, Buffer: 2, Workers: 1})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		for b := range l.EpochFrom(ctx, 0, 0) {
			if b.Index == stopAt {
				break
			}
			if b.Index == stopAt-1 && stopAt%2 == 0 {
				cancel()
			}
		}
		cancel()
		for i := 0; i < 10_000 && count() > before; i++ {
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, before, count())
	}
}

// A header may claim more than there is.
func TestMemoryIsForWhatIsThere(t *testing.T) {
	raw, err := appendContent(nil, io.LimitReader(zeros{}, 3<<20), 1<<40)
	require.ErrorIs(t, err, errEarly)
	require.LessOrEqual(t, cap(raw), 8<<20)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// FuzzStream holds that no archive makes a stream panic, and that it has the examples that Open finds.
func FuzzStream(f *testing.F) {
	whole := packed(f, member{name: "a.png", content: red(f, 1)}, file("a.cls", "1"), file("b.cls", "0"), member{name: "b.png", content: red(f, 1)})
	f.Add(whole)
	f.Add(whole[:len(whole)-600])
	f.Add(zipped(f, whole))
	f.Add(packed(f, file("a.npy", "x"), file("a.json", `{"label":"dog"}`)))
	f.Add(sparse(f))
	path := filepath.Join(f.TempDir(), "x.tar")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o644))
		r, err := opened(t, StreamOptions{Options: pictures}, path).Open(t.Context(), 0)
		require.NoError(t, err)
		var names []string
		var record data.Record
		for err = r.Next(&record); err == nil && len(names) < 100; err = r.Next(&record) {
			names = append(names, record.Name)
			record.Raw, record.Labels = record.Raw[:0], record.Labels[:0]
		}
		require.NoError(t, r.Close())
		ds, indexed := Open(t.Context(), []string{path}, pictures)
		if indexed != nil || len(names) == 100 {
			return
		}
		require.ErrorIs(t, err, io.EOF)
		require.Len(t, names, ds.Len())
		for i, name := range names {
			require.Equal(t, ds.Path(i), name)
		}
	})
}
