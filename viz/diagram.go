package viz

import (
	"encoding/xml"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/internal/plain"
)

// Diagram draws a network: blocks in rows from top to bottom, and edges from each row to the next.
type Diagram struct {
	Title  string
	Blocks []Block
	Edges  []Edge
}

// Block is a box with a line of text.
type Block struct {
	Row  int // from the top, from 0; blocks of a row are side by side, in the given order
	Text string
}

// Edge is an arrow between two blocks.
type Edge struct {
	From, To int      // indices in Blocks; To is in the row after that of From
	Lines    []string // text beside the edge, the first line in bold
	Kind     string   // edges of one kind have the same colour, which a legend explains; may be empty
	Weight   float64  // from 0 to 1: thickness of the arrow
}

const (
	blockPad  = 12 // at both sides of the text of a block
	blockH    = 34
	blockGap  = 22 // between blocks of a row
	labelGap  = 26 // between blocks and what stands beside the edges
	lineH     = 18 // from line to line
	leastGap  = 46 // between rows
	thinnest  = 1.5
	thickest  = 20.
	maxLabel  = 420 // longer lines are cut
	maxBlocks = 1000
	fontNames = "Go, Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', sans-serif"
)

var (
	blockStyle = style{14, true}
	labelStyle = style{13, true}
	blockFill  = color.RGBA{0xf2, 0xf5, 0xf8, 255}
)

// SVG returns the drawing, on white, as a self-contained file. Text is stored as text, with the
// width that it has in the Go fonts, whatever font is used to show it. SVG fails if there are no
// blocks, a row is empty, there are more than 1,000 blocks or edges, an edge does not lead to the
// next row, or a Weight is outside 0 to 1.
func (d Diagram) SVG() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	c, err := newCanvas()
	if err != nil {
		return nil, err
	}
	s := drawing{canvas: c, Diagram: d}
	s.layout()
	s.write()
	return []byte(s.out.String()), nil
}

func (d Diagram) check() error {
	if len(d.Blocks) == 0 || len(d.Blocks) > maxBlocks || len(d.Edges) > maxBlocks {
		return fmt.Errorf("viz: a diagram of %d blocks and %d edges: want 1 to %d blocks and at most as many edges", len(d.Blocks), len(d.Edges), maxBlocks)
	}
	rows := map[int]bool{}
	for _, b := range d.Blocks {
		rows[b.Row] = true
	}
	for row := range len(rows) {
		if !rows[row] {
			return fmt.Errorf("viz: a diagram of %d rows has no block in row %d: rows count from 0, without a gap", len(rows), row)
		}
	}
	for i, e := range d.Edges {
		switch n := len(d.Blocks); {
		case e.From < 0 || e.From >= n || e.To < 0 || e.To >= n:
			return fmt.Errorf("viz: edge %d leads from block %d to %d, of %d blocks", i, e.From, e.To, n)
		case d.Blocks[e.To].Row != d.Blocks[e.From].Row+1:
			return fmt.Errorf("viz: edge %d leads from row %d to row %d: want the next row", i, d.Blocks[e.From].Row, d.Blocks[e.To].Row)
		case !(e.Weight >= 0 && e.Weight <= 1):
			return fmt.Errorf("viz: edge %d has a weight of %g: want 0 to 1", i, e.Weight)
		}
	}
	return nil
}

// drawing is a diagram with the positions of its parts, in pixels.
type drawing struct {
	*canvas
	Diagram
	rows   [][]int    // the blocks of each row
	boxes  []box      // of the blocks
	outs   [][]int    // the edges that start at each block
	ins    [][]int    // the edges that end at each block
	labels [][]string // the text between each row and the one above
	kinds  []string   // in the order of the legend, each with a colour of the palette
	labelX int
	w, h   int
	out    strings.Builder
}

// box is the position of a block; all are blockH high.
type box struct{ x, y, w int }

// port returns the x at which one of the edges on a side of the block ends: they are side by side
// in their order.
func (b box) port(edge int, all []int) float64 {
	room := math.Min(18, float64(b.w-2*blockPad)/float64(len(all)))
	at := float64(slices.Index(all, edge)) - float64(len(all)-1)/2
	return float64(b.x) + float64(b.w)/2 + at*room
}

// layout computes the position of every part, and the size of the drawing.
func (s *drawing) layout() {
	s.collect()
	s.boxes = make([]box, len(s.Blocks))
	widest := 0
	for blocks, w := range s.widths() {
		widest = max(widest, blocks*(w+blockGap)-blockGap)
	}
	s.labelX = margin + widest + labelGap
	s.w = max(s.labelX+s.labelWidth(), margin+min(s.width(titleStyle, s.Title), maxLabel), margin+s.legendWidth()) + margin

	y := margin
	if s.Title != "" {
		y += 40
	}
	if len(s.kinds) > 0 {
		y += 34
	}
	for i, row := range s.rows {
		if i > 0 {
			y += max(leastGap, len(s.labels[i])*lineH+2*10)
		}
		s.centre(row, widest, y)
		y += blockH
	}
	s.h = y + margin
}

// collect sorts blocks, lines and kinds.
func (s *drawing) collect() {
	for i, b := range s.Blocks {
		for len(s.rows) <= b.Row {
			s.rows = append(s.rows, nil)
		}
		s.rows[b.Row] = append(s.rows[b.Row], i)
	}
	s.labels = make([][]string, len(s.rows))
	s.outs, s.ins = make([][]int, len(s.Blocks)), make([][]int, len(s.Blocks))
	for i, e := range s.Edges {
		s.outs[e.From], s.ins[e.To] = append(s.outs[e.From], i), append(s.ins[e.To], i)
		row := s.Blocks[e.To].Row
		s.labels[row] = append(s.labels[row], e.Lines...)
		if e.Kind != "" && !slices.Contains(s.kinds, e.Kind) {
			s.kinds = append(s.kinds, e.Kind)
		}
	}
}

// widths makes all blocks in rows with the same number of blocks equally wide, so that vertical
// edges are straight. It returns the widths by the number of blocks.
func (s *drawing) widths() map[int]int {
	widths := map[int]int{}
	for _, row := range s.rows {
		for _, i := range row {
			w := s.width(blockStyle, s.fit(blockStyle, s.Blocks[i].Text, maxLabel)) + 2*blockPad
			widths[len(row)] = max(widths[len(row)], w)
		}
	}
	for _, row := range s.rows {
		for _, i := range row {
			s.boxes[i].w = widths[len(row)]
		}
	}
	return widths
}

// centre places the blocks of a row side by side in the middle of room pixels.
func (s *drawing) centre(row []int, room, y int) {
	w := s.boxes[row[0]].w
	x := margin + (room-len(row)*(w+blockGap)+blockGap)/2
	for _, i := range row {
		s.boxes[i].x, s.boxes[i].y = x, y
		x += w + blockGap
	}
}

func (s *drawing) labelWidth() (w int) {
	for _, lines := range s.labels {
		for i, line := range lines {
			w = max(w, s.width(styleOf(i), s.fit(styleOf(i), line, maxLabel)))
		}
	}
	return w
}

// styleOf returns the style of a line beside an edge.
func styleOf(line int) style {
	if line == 0 {
		return labelStyle
	}
	return bodyStyle
}

// A legend has a sample of each kind in front of its name.
const legendSample, legendGap = 26, 20

func (s *drawing) legendWidth() (w int) {
	for _, kind := range s.kinds {
		w += legendSample + s.width(bodyStyle, s.fit(bodyStyle, kind, maxLabel)) + legendGap
	}
	return w
}

func (s *drawing) write() {
	s.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" font-family="%s">`+"\n",
		s.w, s.h, s.w, s.h, fontNames)
	s.printf("<title>%s</title>\n", escape(s.Title))
	s.printf(`<rect width="%d" height="%d" fill="%s"/>`+"\n", s.w, s.h, hex(white))
	y := margin
	if s.Title != "" {
		s.line(titleStyle, margin, y+s.capHeight(titleStyle), left, ink, s.fit(titleStyle, s.Title, s.w-2*margin))
		y += 40
	}
	s.legend(y)
	for i := range s.Edges {
		s.arrow(i)
	}
	for i, b := range s.Blocks {
		at := s.boxes[i]
		s.printf(`<rect x="%d" y="%d" width="%d" height="%d" rx="6" fill="%s" stroke="%s"/>`+"\n", at.x, at.y, at.w, blockH, hex(blockFill), hex(pale))
		s.line(blockStyle, at.x+at.w/2, at.y+(blockH+s.capHeight(blockStyle))/2, center, ink, s.fit(blockStyle, b.Text, maxLabel))
	}
	for i, row := range s.rows {
		s.beside(s.labels[i], s.boxes[row[0]].y)
	}
	s.printf("</svg>\n")
}

// beside writes lines in the gap above a row that begins at y.
func (s *drawing) beside(lines []string, y int) {
	gap := max(leastGap, len(lines)*lineH+2*10)
	at := y - gap/2 - len(lines)*lineH/2
	for i, text := range lines {
		col := faint
		if i == 0 {
			col = ink
		}
		s.line(styleOf(i), s.labelX, at+(lineH+s.capHeight(styleOf(i)))/2, left, col, s.fit(styleOf(i), text, maxLabel))
		at += lineH
	}
}

func (s *drawing) legend(y int) {
	x := margin
	for _, kind := range s.kinds {
		name := s.fit(bodyStyle, kind, maxLabel)
		s.printf(`<rect x="%d" y="%d" width="%d" height="6" fill="%s"/>`+"\n", x, y+2, legendSample-8, hex(s.color(kind)))
		s.line(bodyStyle, x+legendSample, y+10, left, ink, name)
		x += legendSample + s.width(bodyStyle, name) + legendGap
	}
}

func (s *drawing) color(kind string) color.RGBA {
	if i := slices.Index(s.kinds, kind); i >= 0 {
		return palette[i%len(palette)]
	}
	return faint
}

// arrow draws an edge, from the lower side of a block to the upper side of another.
func (s *drawing) arrow(i int) {
	e := s.Edges[i]
	from := point{s.boxes[e.From].port(i, s.outs[e.From]), float64(s.boxes[e.From].y + blockH)}
	to := point{s.boxes[e.To].port(i, s.ins[e.To]), float64(s.boxes[e.To].y) - 2}
	width := thinnest + e.Weight*(thickest-thinnest)
	head := 7 + 0.35*width // length of the head; half its width is nearly as much
	length := math.Hypot(to.x-from.x, to.y-from.y)
	neck := along(to, from, head/length)
	dx, dy := (to.x-from.x)/length, (to.y-from.y)/length
	half := width/2 + 3.5
	s.printf(`<path d="M%.1f %.1fL%.1f %.1f" stroke="%s" stroke-width="%.1f" fill="none"/>`+"\n",
		from.x, from.y, neck.x, neck.y, hex(s.color(e.Kind)), width)
	s.printf(`<path d="M%.1f %.1fL%.1f %.1fL%.1f %.1fZ" fill="%s"/>`+"\n",
		to.x, to.y, neck.x-dy*half, neck.y+dx*half, neck.x+dy*half, neck.y-dx*half, hex(s.color(e.Kind)))
}

// line writes on the baseline y.
func (s *drawing) line(st style, x, y int, a align, col color.Color, text string) {
	if text == "" {
		return
	}
	weight := ""
	if st.bold {
		weight = ` font-weight="bold"`
	}
	w := s.width(st, text)
	x -= int(math.Round(float64(a) * float64(w)))
	s.printf(`<text x="%d" y="%d" font-size="%g"%s fill="%s" textLength="%d" lengthAdjust="spacingAndGlyphs">%s</text>`+"\n",
		x, y, st.size, weight, hex(col), w, escape(text))
}

func (s *drawing) printf(format string, args ...any) { fmt.Fprintf(&s.out, format, args...) }

// escape returns text escaped for XML.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(plain.Name(text))) // a Builder does not fail
	return b.String()
}

func hex(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
