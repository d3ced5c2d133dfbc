package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/examples/lecture"
	"github.com/plexaura/plexaura/internal/atomicfile"
	"github.com/plexaura/plexaura/internal/regular"
)

// lectureCommand lists the chapters, or runs one or all of them.
func lectureCommand(ctx context.Context, c *call) error {
	out := c.String("out", "lecture", "the `folder` for the figures, and for the page of all chapters")
	seed := c.Uint64("seed", 1, "of initial weights, of the order of examples and of what is drawn at random")
	image := c.String("image", "", "a picture `file` in place of the lecture's, in chapters that show one")
	short := c.Bool("short", false, "less data and less training: seconds in place of minutes")
	name := c.first()
	if err := c.parse(false); err != nil {
		return err
	}
	if name == "" {
		return listChapters(c)
	}
	options := lecture.Options{Short: *short, Seed: *seed}
	var err error
	if *image != "" {
		if options.Image, err = picture.DecodeFile(*image); err != nil {
			return err
		}
	}
	chapters := lecture.Chapters()
	if name != "all" {
		one, err := lecture.Find(name)
		if err != nil {
			return usageError{err}
		}
		chapters = []lecture.Chapter{one}
	}
	return teach(ctx, c, chapters, options, *out, name == "all")
}

// first takes an argument that stands before the flags.
func (c *call) first() (arg string) {
	if len(c.args) > 0 && !strings.HasPrefix(c.args[0], "-") {
		arg, c.args = c.args[0], c.args[1:]
	}
	return arg
}

func listChapters(c *call) error {
	for _, chapter := range lecture.Chapters() {
		if _, err := fmt.Fprintf(c.stdout, "%-12s %s\n", chapter.Name, chapter.Title); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(c.stdout, "\n%s, or %s for a page of them all\n", c.line("lecture", "NAME"), c.line("lecture", "all"))
	return err
}

// teach runs chapters, prints what they say unless all go on one page, and writes figures and page.
func teach(ctx context.Context, c *call, chapters []lecture.Chapter, o lecture.Options, out string, page bool) error {
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	var sections []lecture.Section
	for i, chapter := range chapters {
		status := newStatus(c.stdout, fmt.Sprintf("%d/%d %s", i+1, len(chapters), chapter.Name))
		o.Progress = status.doing
		b := lecture.NewBoard(o)
		err := chapter.Run(ctx, b)
		status.end()
		if err != nil {
			return fmt.Errorf("%s: %w", chapter.Name, err)
		}
		if page {
			_, err = fmt.Fprintf(c.stdout, "%d/%d %-12s %s\n", i+1, len(chapters), chapter.Name, status.took())
		} else {
			err = printChapter(c.stdout, chapter, b)
		}
		if err != nil {
			return err
		}
		if err := writeFigures(c.stdout, out, b, !page); err != nil {
			return err
		}
		sections = append(sections, lecture.Section{Chapter: chapter, Board: b})
	}
	if !page {
		return nil
	}
	html, err := lecture.Page(sections)
	if err != nil {
		return err
	}
	return save(c.stdout, filepath.Join(out, "index.html"), html, true)
}

func printChapter(w *output, chapter lecture.Chapter, b *lecture.Board) error {
	columns := w.columns()
	if columns == 0 {
		columns = usualColumns
	}
	columns = min(columns, 100)
	if _, err := fmt.Fprintf(w, "%s\n\n%s\n", chapter.Title, wrapped(chapter.Says, columns)); err != nil {
		return err
	}
	for _, block := range b.Blocks {
		var err error
		switch {
		case block.Text != "":
			_, err = fmt.Fprintf(w, "\n%s\n", wrapped(block.Text, columns))
		case block.Table != nil:
			_, err = fmt.Fprintf(w, "\n%s", block.Table)
		}
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

func writeFigures(w io.Writer, out string, b *lecture.Board, tell bool) error {
	for _, f := range b.Figures() {
		if err := save(w, filepath.Join(out, f.Name), f.Data, tell); err != nil {
			return err
		}
	}
	return nil
}

// save writes a file whole, and tells where it is.
func save(w io.Writer, path string, data []byte, tell bool) error {
	if err := regular.Replaceable(path); err != nil {
		return err
	}
	err := atomicfile.Write(path, func(w io.Writer) error { _, err := w.Write(data); return err })
	if err != nil || !tell {
		return err
	}
	_, err = fmt.Fprintln(w, path)
	return err
}

// stuck stands for a space at which no line ends.
const stuck = "\x00"

// wrapped breaks a paragraph into lines of at most so many columns. A percent sign stays with its number.
func wrapped(text string, columns int) string {
	var b strings.Builder
	at := 0
	for _, word := range strings.Fields(strings.ReplaceAll(text, " %", stuck+"%")) {
		word = strings.ReplaceAll(word, stuck, " ")
		n := len([]rune(word))
		switch {
		case at == 0:
		case at+1+n > columns:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}

// status is a line of a terminal that says what goes on.
type status struct {
	out   *output
	what  string
	from  time.Time
	width int
}

func newStatus(out *output, what string) *status {
	return &status{out: out, what: what, from: time.Now()}
}

// doing replaces the line, on a terminal.
func (s *status) doing(now string) {
	columns := s.out.columns()
	if columns == 0 {
		return
	}
	line := []rune(fmt.Sprintf("%s  %s  %s", s.what, s.took(), now))
	line = line[:min(len(line), columns-1)]
	blank := max(0, min(s.width, columns-1)-len(line))
	s.width = len(line)
	_, _ = fmt.Fprintf(s.out, "\r%s%s", string(line), strings.Repeat(" ", blank))
}

// end removes the line.
func (s *status) end() {
	if s.width > 0 {
		_, _ = fmt.Fprintf(s.out, "\r%s\r", strings.Repeat(" ", s.width))
	}
}

func (s *status) took() string { return fmt.Sprintf("%.1f s", time.Since(s.from).Seconds()) }
