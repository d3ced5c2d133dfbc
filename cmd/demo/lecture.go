package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/examples/lecture"
	"github.com/plexaura/plexaura/internal/regular"
)

// lectureCommand lists the chapters, or runs one or all of them.
func lectureCommand(ctx context.Context, c *call) error {
	out := c.String("out", "lecture", "the `folder` for the figures, and for the page of all chapters")
	seed := c.Uint64("seed", 1, "seed of initial weights, of the order of examples and of random draws")
	image := c.String("image", "", "a picture `file` in place of the lecture's, in chapters that show one")
	short := c.Bool("short", false, "less data and less training: seconds in place of minutes")
	name, err := c.chapter()
	if err != nil {
		return err
	}
	if name == "" {
		return listChapters(c)
	}
	options := lecture.Options{Short: *short, Seed: *seed}
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

// chapter reads the flags and the name, which may stand before or behind them; "" where there is
// none.
func (c *call) chapter() (name string, err error) {
	before := len(c.args) > 0 && !strings.HasPrefix(c.args[0], "-")
	if before {
		name, c.args = c.args[0], c.args[1:]
	}
	if err := c.parse(true); err != nil {
		return "", err
	}
	rest := c.Args()
	if !before && len(rest) > 0 {
		name, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 {
		return "", usagef("one chapter at a time, or all: have %q and %q too", name, rest[0])
	}
	return name, nil
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
	index := filepath.Join(out, "index.html")
	if page {
		if err := regular.Replaceable(index); err != nil { // before minutes are spent
			return err
		}
	}
	var sections []lecture.Section
	for i, chapter := range chapters {
		number := fmt.Sprintf("%*d/%d", len(fmt.Sprint(len(chapters))), i+1, len(chapters))
		b, err := teachOne(ctx, c, chapter, o, number, page)
		if err != nil {
			return fmt.Errorf("%s: %w", chapter.Name, err)
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
	return save(c.stdout, index, html, true)
}

// teachOne runs a chapter and prints what it says or, where it goes on a page, how long it took.
func teachOne(ctx context.Context, c *call, chapter lecture.Chapter, o lecture.Options, number string, page bool) (*lecture.Board, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	status := newStatus(c.stdout, number+" "+chapter.Name)
	o.Progress = status.doing
	b := lecture.NewBoard(o)
	err := chapter.Run(ctx, b)
	status.end()
	switch {
	case err != nil:
	case page:
		_, err = fmt.Fprintf(c.stdout, "%s %-12s %s\n", number, chapter.Name, status.took())
	default:
		err = printChapter(c.stdout, chapter, b)
	}
	return b, err
}

func printChapter(w *output, chapter lecture.Chapter, b *lecture.Board) error {
	terminal, columns := w.columns(), w.textColumns()
	if _, err := fmt.Fprintf(w, "%s\n\n%s\n", chapter.Title, wrapped(chapter.Says, columns)); err != nil {
		return err
	}
	for _, block := range b.Blocks {
		var err error
		switch {
		case block.Text != "":
			_, err = fmt.Fprintf(w, "\n%s\n", wrapped(block.Text, columns))
		case block.Table != nil:
			_, err = fmt.Fprintf(w, "\n%s", tabled(*block.Table, cmp.Or(terminal, math.MaxInt)))
		}
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

// tabled is a table of at most so many columns of text; one that is wider becomes a list, a row
// after the other.
func tabled(t lecture.Table, columns int) string {
	text := t.String()
	for line := range strings.Lines(text) {
		if len([]rune(line))-1 > columns {
			return listed(t)
		}
	}
	return text
}

// listed writes a row below its first cell, a line for each of the others.
func listed(t lecture.Table) string {
	var b strings.Builder
	for _, row := range t.Rows {
		b.WriteString(row[0] + "\n")
		part := lecture.Table{Heads: []string{"", ""}}
		for i := range row[1:] {
			part.Rows = append(part.Rows, []string{"  " + t.Heads[i+1], row[i+1]})
		}
		b.WriteString(strings.TrimPrefix(part.String(), "\n")) // which is its heads
	}
	return b.String()
}

func writeFigures(w io.Writer, out string, b *lecture.Board, tell bool) error {
	for _, f := range b.Figures() {
		if err := save(w, filepath.Join(out, f.Name), f.Data, tell); err != nil {
			return err
		}
	}
	return nil
}

// stuck stands for a space at which no line ends.
const stuck = "\x00"

// wrapped breaks a paragraph into lines of at most so many columns. A percent sign stays with its
// number.
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
