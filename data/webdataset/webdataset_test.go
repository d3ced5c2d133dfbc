package webdataset

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/internal/npy"
	"github.com/plexaura/plexaura/shape"
)

type member struct {
	name    string
	content []byte
	kind    byte
}

func packed(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content)), Typeflag: tar.TypeReg}
		if m.kind != 0 {
			h.Typeflag, h.Linkname = m.kind, "/etc/passwd"
		}
		require.NoError(t, w.WriteHeader(h))
		_, err := w.Write(m.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func stored(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shard.tar")
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return path
}

func red(t testing.TB, v uint8) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 9, 8))
	for i := range 72 {
		img.Set(i%9, i/9, color.RGBA{v, 0, 0, 255})
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	return b.Bytes()
}

var pictures = Options{Input: shape.Of(3, 8, 8), Preprocess: data.Preprocess{Image: picture.Shorter(8).String()}, Classes: []string{"cat", "dog"}}

func file(name, content string) member { return member{name: name, content: []byte(content)} }

func TestExamplesOfShardsInAnyOrder(t *testing.T) {
	a := stored(t, packed(t, member{name: "d/", kind: tar.TypeDir}, file("README", "x"),
		member{name: "d/a.png", content: red(t, 255)}, file("d/a.cls", "1\n"), file("d/a.txt", "a dog"),
		file("d/b.json", `{"label": "cat", "x": [1]}`), member{name: "d/b.PNG", content: red(t, 51)}))
	b := stored(t, packed(t, member{name: "a.png", content: red(t, 0)}, file("a.cls", "cat")))
	ds, err := Open(t.Context(), []string{a, b}, pictures)
	require.NoError(t, err)
	require.Equal(t, 3, ds.Len())
	labels, err := data.Labels(ds)
	require.NoError(t, err)
	require.Equal(t, []int32{1, 0, 0}, labels)
	require.Equal(t, a+"/d/b", ds.Path(1))
	e := data.Example{X: make([]float32, 192), Labels: make([]int32, 1)}
	for _, i := range []int{2, 0, 1} {
		require.NoError(t, ds.Read(i, e))
		require.InDelta(t, []float32{1, .2, 0}[i], e.X[10], 1e-6)
		require.Equal(t, labels[i], e.Labels[0])
	}
	l, err := data.NewLoader(ds, data.Batching{Size: 2, Shuffle: true, Workers: 2})
	require.NoError(t, err)
	for _, err := range l.Epoch(0) {
		require.NoError(t, err)
	}
}

func TestArraysAreInputsToo(t *testing.T) {
	array := func(dims []int, v any) []byte {
		b, err := (&npy.Array{Shape: dims, Data: v}).Marshal()
		require.NoError(t, err)
		return b
	}
	path := stored(t, packed(t, member{name: "0.npy", content: array([]int{2, 1}, []float32{3, -1})}, file("0.cls", "7"),
		member{name: "1.npy", content: array([]int{2, 1}, []uint8{255, 0})}, file("1.cls", "0"),
		member{name: "2.npy", content: array([]int{3}, []float32{3, -1, 2})}, file("2.cls", "0"),
		member{name: "3.npy", content: array([]int{2, 1}, []int64{3, -1})}, file("3.cls", "0"),
		member{name: "4.npy", content: array([]int{1, 2}, []float32{3, -1})}, file("4.cls", "0")))
	ds, err := Open(t.Context(), []string{path}, Options{Input: shape.Of(2, 1)})
	require.NoError(t, err)
	e := data.Example{X: make([]float32, 2), Labels: make([]int32, 1)}
	require.NoError(t, ds.Read(0, e))
	require.Equal(t, []float32{3, -1, 7}, append(e.X, float32(e.Labels[0])))
	require.NoError(t, ds.Read(1, e))
	require.Equal(t, []float32{1, 0}, e.X)
	require.ErrorContains(t, ds.Read(2, e), "webdataset: "+path+"/2: an array of [3]; want [2 1]")
	require.ErrorContains(t, ds.Read(3, e), "elements are []int64; want float32")
	require.ErrorContains(t, ds.Read(4, e), "/4: an array of [1 2]; want [2 1]")
	require.ErrorContains(t, ds.Read(5, e), "no example 5 among 5")
}

// refused are archives, by a part of their error. Example a of whole is good.
func refused(t testing.TB) (all map[string][]byte, whole []byte) {
	t.Helper()
	good := []member{{name: "a.png", content: red(t, 1)}, file("a.cls", "1")}
	whole = packed(t, good...)
	at := len(whole) - 1024
	return map[string][]byte{
		`"../a.png": the name leads out of the archive`:                                       packed(t, member{name: "../a.png", content: red(t, 1)}),
		`"/etc/a.png": the name leads out of the archive`:                                     packed(t, member{name: "/etc/a.png", content: red(t, 1)}),
		`"d/../../a.cls": the name leads out of the archive`:                                  packed(t, file("d/../../a.cls", "1")),
		`"a.png": no regular file: links and devices are not read`:                            packed(t, member{name: "a.png", kind: tar.TypeSymlink}),
		`"a.png": a sparse file, which is not read`:                                           sparse(t),
		`example "a" has no class: no .cls, and no .json with`:                                packed(t, good[0]),
		`example "a" has a class, but no picture and no .npy`:                                 packed(t, good[1]),
		`no .json with the field "label"; the members of an example stand next to each other`: packed(t, good[0], file("b.cls", "1"), good[1]),
		`"a.jpg": "a" has two inputs`:                                                         packed(t, good[0], file("a.jpg", "x")),
		`"a.json": "a" has two classes`:                                                       packed(t, good[0], good[1], file("a.json", `{"label":1}`)),
		`"a.cls": no class "2"; there are 2`:                                                  packed(t, good[0], file("a.cls", "2")),
		`"a.cls": no class "-1"; there`:                                                       packed(t, good[0], file("a.cls", "-1")),
		`"a.cls": 2097152 bytes; at most 1048576`:                                             packed(t, member{name: "a.cls", content: make([]byte, 2<<20)}),
		fmt.Sprintf("at byte %d: the archive ends early: its", at):                            whole[:at],
		"at byte 0: archive/tar: invalid tar header":                                          bytes.Repeat([]byte("no tar "), 200),
		`at byte 512: "a.png": the archive ends early`:                                        whole[:520],
	}, whole
}

// sparse is an archive with a file as GNU tar writes one with holes.
func sparse(t testing.TB) []byte {
	t.Helper()
	records := "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n25 GNU.sparse.name=a.png\n28 GNU.sparse.realsize=1024\n"
	b := packed(t, file("x", records), member{name: "a.png", content: append([]byte("1\n0\n512\n"), make([]byte, 1024-9)...)})
	b[156] = tar.TypeXHeader
	sum := 8 * int(' ')
	for i, v := range b[:512] {
		if i < 148 || i >= 156 {
			sum += int(v)
		}
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

func TestArchivesThatAreRefused(t *testing.T) {
	all, whole := refused(t)
	all["and 0 other archives have no examples"] = packed(t, file("README", "x"))
	all["is compressed, so that its examples cannot be read in any order"] = zipped(t, whole)
	for want, content := range all {
		path := stored(t, content)
		_, err := Open(t.Context(), []string{path}, pictures)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
	}
	_, err := Open(t.Context(), []string{stored(t, whole)}, Options{Input: shape.Of(3, 8, 8)})
	require.ErrorContains(t, err, "Preprocess does not say how to prepare it")
	_, err = Open(t.Context(), nil, pictures)
	require.ErrorContains(t, err, "no archives")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Open(ctx, []string{stored(t, whole)}, pictures)
	require.ErrorIs(t, err, context.Canceled)
	for cut := range whole[:len(whole)-1023] { // wherever it is cut
		if cut%97 == 0 {
			_, err := Open(t.Context(), []string{stored(t, whole[:cut])}, pictures)
			require.Error(t, err, cut)
		}
	}
}

// The archive is written by Python's tarfile, which WebDataset uses.
func TestArchivesOfPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "x.tar")
	long := "a-rather-long-folder/that-does-not-fit-into-the-hundred-bytes-of-a-header/and-therefore-has-a-record-of-its-own"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p.png"), red(t, 255), 0o644))
	out, err := exec.Command(python, "-c", `
import sys, io, tarfile
png = open(sys.argv[2], "rb").read()
for path, mode in ((sys.argv[1], "w"), (sys.argv[1] + ".gz", "w:gz")):
  with tarfile.open(path, mode) as t:
    for key in ("0", sys.argv[3] + "/1"):
        for name, content in ((key + ".png", png), (key + ".cls", b"1")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            t.addfile(info, io.BytesIO(content))
`, path, filepath.Join(dir, "p.png"), long).CombinedOutput()
	require.NoError(t, err, "%s", out)
	ds, err := Open(t.Context(), []string{path}, pictures)
	require.NoError(t, err)
	require.Equal(t, 2, ds.Len())
	require.Equal(t, path+"/"+long+"/1", ds.Path(1))
	e := data.Example{X: make([]float32, 192), Labels: make([]int32, 1)}
	require.NoError(t, ds.Read(1, e))
	require.Equal(t, float32(1), e.X[5])
	for _, path := range []string{path, path + ".gz"} {
		all, err := epochOf(t, opened(t, StreamOptions{Options: pictures}, path), 0, data.Batching{Size: 2})
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, seen{path + "/" + long + "/1", 1, e.X}, all[1])
	}
}

// FuzzOpen holds that no archive makes Open panic, and that what it accepts can be read or is an error.
func FuzzOpen(f *testing.F) {
	f.Add(packed(f, member{name: "a.png", content: red(f, 1)}, file("a.cls", "1")))
	f.Add(packed(f, file("a.npy", "x"), file("a.json", `{"label":"dog"}`)))
	path := filepath.Join(f.TempDir(), "x.tar")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o644))
		ds, err := Open(t.Context(), []string{path}, pictures)
		if err != nil {
			return
		}
		e := data.Example{X: make([]float32, 192), Labels: make([]int32, 1)}
		for i := range ds.Len() {
			_ = ds.Read(i, e)
		}
	})
}
