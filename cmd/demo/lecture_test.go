package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/examples/lecture"
)

func TestLectureListsItsChapters(t *testing.T) {
	status, out, errs := demo(t.Context(), "lecture")
	require.Zero(t, status, errs)
	for _, c := range lecture.Chapters() {
		require.Regexp(t, `(?m)^`+c.Name+` +`+regexp.QuoteMeta(c.Title)+`$`, out)
	}
	require.Contains(t, out, "demo lecture NAME, or demo lecture all for a page of them all\n")
}

// A chapter prints what it says and its numbers, writes its figures, and tells where they are. The
// name may stand before the flags or behind them.
func TestAChapterPrintsItsNumbersAndWritesItsFigures(t *testing.T) {
	for _, before := range []bool{true, false} {
		dir := filepath.Join(t.TempDir(), "new", "folder")
		args := []string{"lecture", "-short", "-out", dir, "edges"}
		if before {
			args = []string{"lecture", "edges", "-short", "-out", dir}
		}
		status, out, errs := demo(t.Context(), args...)
		require.Zero(t, status, errs)
		require.True(t, strings.HasPrefix(out, "Edges of a signal\n\nConvolution is a local dot product"), out)
		require.Regexp(t, `(?m)^falls before +sample 5$`, out)
		require.True(t, strings.HasSuffix(out, "\n"+filepath.Join(dir, "edges.png")+"\n"), out)
		require.NotContains(t, out, "\r", "there is no terminal")
		file, err := os.ReadFile(filepath.Join(dir, "edges.png"))
		require.NoError(t, err)
		_, err = png.Decode(bytes.NewReader(file))
		require.NoError(t, err)
		require.NoFileExists(t, filepath.Join(dir, "index.html"), "that is of all chapters")
	}
}

// The page of all chapters has every figure in it, as it lies beside, and every number.
func TestAllChaptersMakeAPage(t *testing.T) {
	dir := t.TempDir()
	status, out, errs := demo(t.Context(), "lecture", "all", "-short", "-out", dir)
	require.Zero(t, status, errs)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	chapters := lecture.Chapters()
	require.Len(t, lines, len(chapters)+1, "a line a chapter, and the page: %s", out)
	for i, c := range chapters {
		require.Regexp(t, `^ *\d+/\d+ `+c.Name+` +\d+\.\d s$`, lines[i])
	}
	require.Equal(t, filepath.Join(dir, "index.html"), lines[len(chapters)])

	file, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	page := string(file)
	inlined := map[string]bool{}
	for _, m := range regexp.MustCompile(`src="data:image/(?:png|svg\+xml|svg&#43;xml);base64,([^"]+)"`).FindAllStringSubmatch(page, -1) {
		data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(m[1], "&#43;", "+"))
		require.NoError(t, err)
		inlined[string(data)] = true
	}
	beside, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, inlined, len(beside)-1, "each figure once")
	for _, f := range beside {
		if f.Name() == "index.html" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		require.True(t, inlined[string(data)], "%s is not in the page", f.Name())
	}
	for _, c := range chapters {
		require.Contains(t, page, `<h2 id="`+c.Name+`">`)
		require.Contains(t, page, "lecture "+c.Name+"</code>")
	}
	require.NotContains(t, page, `src="http`)
	require.NotContains(t, page, "<script")
}

func TestMistakesInTheLectureAreOneLine(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("text.png"), []byte("this is no picture"), 0o644))
	var tiny bytes.Buffer
	require.NoError(t, png.Encode(&tiny, image.NewGray(image.Rect(0, 0, 2, 2))))
	require.NoError(t, os.WriteFile(at("tiny.png"), tiny.Bytes(), 0o644))
	require.NoError(t, os.WriteFile(at("huge.png"), huge(), 0o644))
	require.NoError(t, os.MkdirAll(filepath.Join(at("taken"), "index.html"), 0o755))
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"sobl", 2, `no chapter "sobl"; there are edges, smooth, sobel`},
		{"-short sobl", 2, `no chapter "sobl"; there are edges, smooth, sobel`},
		{"edges smooth", 2, `one chapter at a time, or all: have "edges" and "smooth" too`},
		{"-short edges smooth", 2, `one chapter at a time, or all: have "edges" and "smooth" too`},
		{"edges -seed many", 2, "invalid value"},
		{"edges -nonsense", 2, "not defined: -nonsense"},
		{"sobel -image " + at("none.png"), 1, "none.png"},
		{"sobel -image " + at("text.png"), 1, "text.png: no picture that can be read, PNG, JPEG, WebP, GIF, BMP or TIFF"},
		{"sobel -image " + at("huge.png"), 1, "huge.png: a picture of 60000 by 60000 pixels is too large; at most 67108864 pixels"},
		{"sobel -image " + dir, 1, "a folder, not a regular file"},
		{"layers -image " + at("tiny.png") + " -out " + at("new"), 1, "layers: your picture in grey, 2 by 2 pixels: at least 3 by 3 are needed"},
		{"edges -out " + at("text.png"), 1, "text.png"},
		{"edges -out " + at("text.png") + "/below", 1, "text.png"},
		{"all -short -out " + at("taken"), 1, "index.html"},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, out, errs := demo(t.Context(), append([]string{"lecture"}, strings.Fields(c.args)...)...)
			require.Equal(t, c.status, status, errs)
			require.Empty(t, out)
			require.Contains(t, errs, c.want)
			require.True(t, strings.HasPrefix(errs, "demo lecture: "), errs)
			require.Equal(t, 1, strings.Count(errs, "\n"), "one line: %q", errs)
		})
	}
	beside, err := os.ReadDir(at("taken"))
	require.NoError(t, err)
	require.Len(t, beside, 1, "nothing was computed")
}

// huge is the beginning of a picture that claims 60,000 by 60,000 pixels.
func huge() []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))) // a Buffer takes everything
	data := b.Bytes()
	binary.BigEndian.PutUint32(data[16:], 60_000)
	binary.BigEndian.PutUint32(data[20:], 60_000)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

// A signal ends the lecture soon, in one line; there is no page of a part of it, and no half of a
// figure.
func TestASignalEndsTheLecture(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := t.TempDir()
	var errs bytes.Buffer
	out := &trigger{text: "edges", cancel: cancel}
	require.Equal(t, 1, run(ctx, calledAs("demo"), []string{"lecture", "all", "-short", "-out", dir}, out, &errs))
	require.Equal(t, "demo lecture: interrupted\n", errs.String())
	require.NoFileExists(t, filepath.Join(dir, "index.html"))
	chapters := lecture.Chapters()
	require.NotContains(t, out.String(), chapters[len(chapters)-1].Name)

	ended, end := context.WithCancel(t.Context())
	end()
	for _, c := range chapters {
		if c.Name == "lenet" || c.Name == "alexnet" {
			continue // they compute nothing
		}
		require.ErrorIs(t, c.Run(ended, lecture.NewBoard(lecture.Options{Short: true})), context.Canceled, "%s does not look at its context", c.Name)
	}
}

// A disk that is full, or an output that is closed, is not success.
func TestALectureThatCannotBePrinted(t *testing.T) {
	for _, args := range []string{"lecture", "lecture lenet -out " + t.TempDir(), "lecture -h"} {
		for _, room := range []int{0, 40} {
			var errs bytes.Buffer
			require.Equal(t, 1, run(t.Context(), calledAs("demo"), strings.Fields(args), &fullDisk{room}, &errs), args)
			require.Equal(t, "demo lecture: what it printed is not complete: no space left\n", errs.String())
		}
	}
}

func TestParagraphsAndTablesFitTheTerminal(t *testing.T) {
	text := "The share is 12 % of it, and a very-long-word-that-cannot-be-broken stands for itself: 100 %"
	require.Equal(t, "The share is\n12 % of it,\nand a\nvery-long-word-that-cannot-be-broken\nstands for\nitself:\n100 %", wrapped(text, 12))
	require.Equal(t, text, wrapped(text, 100))

	table := lecture.Table{Heads: []string{"layer", "first", "second"}, Rows: [][]string{{"width", "1", "20"}, {"height", "300", "4"}}}
	require.Equal(t, "layer   first  second\nwidth   1      20\nheight  300    4\n", tabled(table, 21))
	require.Equal(t, "width\n  first   1\n  second  20\nheight\n  first   300\n  second  4\n", tabled(table, 20))
}

// The line that says what goes on never reaches the last column, and nothing of it remains.
func TestTheLineOfAChapterFitsTheTerminal(t *testing.T) {
	for _, columns := range []int{1, 20, 200} {
		var out bytes.Buffer
		s := newStatus(newOutput(&out), "1/2 sobel")
		s.columns = func() int { return columns }
		for _, now := range []string{"two convolutions of 512 by 512 pixels", "drawing"} {
			out.Reset()
			s.doing(now)
			require.LessOrEqual(t, len(strings.TrimPrefix(out.String(), "\r")), columns-1)
		}
		out.Reset()
		s.end()
		require.Empty(t, strings.Trim(out.String(), "\r "))
	}
}
