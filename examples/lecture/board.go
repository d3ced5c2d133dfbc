package lecture

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math"
	"strings"
)

// Options are the settings of a chapter.
type Options struct {
	// Short is a fraction of the data and of the training, with the same claims: for tests.
	Short bool
	// Seed determines initial weights, the order of examples, and everything drawn at random.
	Seed uint64
	// Image is a picture of the user's for the chapters that show one; nil for that of the lecture.
	Image image.Image
	// Progress is called when the chapter begins something, with a description; it may be nil.
	Progress func(doing string)
}

// Board collects the output of a chapter.
type Board struct {
	Options
	Blocks []Block // in the order in which they were written

	values map[string]float64
}

// Block is a paragraph, a table of numbers or a figure: one of the three is set.
type Block struct {
	Text   string
	Table  *Table
	Figure *Figure
}

// Table is a table of numbers; each row has a cell for each head.
type Table struct {
	Heads []string
	Rows  [][]string
}

// Figure is a picture of a chapter.
type Figure struct {
	Name string // of its file, with extension: .png or .svg
	Alt  string // what it shows, in words
	Data []byte
}

// Renderer is what package viz draws.
type Renderer interface {
	Render() (*image.RGBA, error)
}

// NewBoard returns an empty board.
func NewBoard(o Options) *Board { return &Board{Options: o, values: map[string]float64{}} }

// doing announces what the chapter does next.
func (b *Board) doing(format string, args ...any) {
	if b.Progress != nil {
		b.Progress(fmt.Sprintf(format, args...))
	}
}

// say writes a paragraph.
func (b *Board) say(format string, args ...any) {
	b.Blocks = append(b.Blocks, Block{Text: fmt.Sprintf(format, args...)})
}

// number is a measured value of a chapter, under a name that is used once.
type number struct {
	name   string
	value  float64
	format string // of the value, with its unit: "%.1f%%"
}

// numbers writes measured values, a line each. Tests ask for them by name.
func (b *Board) numbers(all ...number) {
	t := &Table{Heads: []string{"measured", ""}}
	for _, n := range all {
		b.keep(n.name, n.value)
		t.Rows = append(t.Rows, []string{n.name, written(n.format, n.value)})
	}
	b.Blocks = append(b.Blocks, Block{Table: t})
}

// table writes measured values in rows and columns, all in one format. The value in a row and a
// column is kept under "row, column".
func (b *Board) table(corner string, columns, rows []string, values [][]float64, format string) {
	t := &Table{Heads: append([]string{corner}, columns...)}
	for i, row := range rows {
		line := []string{row}
		for j, column := range columns {
			b.keep(row+", "+column, values[i][j])
			line = append(line, written(format, values[i][j]))
		}
		t.Rows = append(t.Rows, line)
	}
	b.Blocks = append(b.Blocks, Block{Table: t})
}

// written is a value in its format; a whole number has a comma every three digits.
func written(format string, v float64) string {
	if format != "%.0f" || !(math.Abs(v) < 1<<53) {
		return fmt.Sprintf(format, v)
	}
	return commas(int(math.RoundToEven(v)))
}

func commas(n int) string {
	sign, s := "", fmt.Sprint(n)
	if n < 0 {
		sign, s = s[:1], s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

func (b *Board) keep(name string, v float64) {
	if _, taken := b.values[name]; taken {
		panic("lecture: two numbers are called " + name)
	}
	b.values[name] = v
}

// Value returns the measured number of a name.
func (b *Board) Value(name string) (v float64, ok bool) {
	v, ok = b.values[name]
	return v, ok
}

// draw adds a picture, of which name is that of its file without the extension.
func (b *Board) draw(name, alt string, r Renderer) error {
	img, err := r.Render()
	if err != nil {
		return err
	}
	var data bytes.Buffer
	if err := png.Encode(&data, img); err != nil {
		return err
	}
	b.Blocks = append(b.Blocks, Block{Figure: &Figure{name + ".png", alt, data.Bytes()}})
	return nil
}

// drawSVG adds a drawing.
func (b *Board) drawSVG(name, alt string, svg []byte) {
	b.Blocks = append(b.Blocks, Block{Figure: &Figure{name + ".svg", alt, svg}})
}

// Figures returns the pictures, in order.
func (b *Board) Figures() (all []Figure) {
	for _, k := range b.Blocks {
		if k.Figure != nil {
			all = append(all, *k.Figure)
		}
	}
	return all
}

// String is what the chapter prints: paragraphs and tables, in columns.
func (t Table) String() string {
	widths := make([]int, len(t.Heads))
	lines := append([][]string{t.Heads}, t.Rows...)
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var s strings.Builder
	for _, line := range lines {
		var row strings.Builder
		for i, cell := range line {
			fmt.Fprintf(&row, "%-*s  ", widths[i], cell)
		}
		s.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	return s.String()
}
