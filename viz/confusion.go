package viz

import (
	"fmt"
	"image"
	"strconv"
)

// Confusion draws a confusion matrix: a row for each true class, a column for each predicted one.
// The colour of a cell is its fraction of the row; the title ends with the accuracy. Counts are
// written if they fit, and class names if they do not overlap.
type Confusion struct {
	Title   string   // default "Confusion matrix"
	Classes []string // names; default 0, 1, 2, ...
	Counts  [][]int  // Counts[true][predicted], square, 2 to 1000 classes
	Cell    int      // pixels, 3 to 200; default depends on the number of classes
}

// Render draws the picture. It fails if the matrix is not square or has negative counts, or if
// there is not one name per class.
func (cm Confusion) Render() (*image.RGBA, error) {
	if err := cm.check(); err != nil {
		return nil, err
	}
	k := len(cm.Counts)
	cm.Cell = orDefault(cm.Cell, min(110, max(720/k, min(9, 3000/k))))
	if cm.Title == "" {
		cm.Title = "Confusion matrix"
	}
	if cm.Classes == nil {
		for i := range k {
			cm.Classes = append(cm.Classes, strconv.Itoa(i))
		}
	}
	c, err := newCanvas()
	if err != nil {
		return nil, err
	}
	if err := cm.draw(c); err != nil {
		return nil, err
	}
	return c.RGBA, nil
}

func (cm Confusion) check() error {
	k := len(cm.Counts)
	if k < 2 || k > 1000 {
		return fmt.Errorf("viz: a confusion matrix of %d classes: 2 to 1000 can be drawn", k)
	}
	if cm.Classes != nil && len(cm.Classes) != k {
		return fmt.Errorf("viz: %d class names for a confusion matrix of %d classes", len(cm.Classes), k)
	}
	if cm.Cell != 0 && (cm.Cell < 3 || cm.Cell > 200) {
		return fmt.Errorf("viz: confusion cells of %d pixels: 3 to 200, or 0 for the default", cm.Cell)
	}
	for i, row := range cm.Counts {
		if len(row) != k {
			return fmt.Errorf("viz: row %d of the confusion matrix has %d cells, but there are %d classes", i, len(row), k)
		}
		for j, n := range row {
			if n < 0 || int64(n) > 1<<40 {
				return fmt.Errorf("viz: confusion count %d of true class %d, predicted %d: 0 to 2^40", n, i, j)
			}
		}
	}
	return nil
}

// accuracy formats the accuracy like the eval command.
func (cm Confusion) accuracy() string {
	var right, total int64
	for i, row := range cm.Counts {
		right += int64(row[i])
		total += sum(row)
	}
	if total == 0 {
		return "no samples"
	}
	return fmt.Sprintf("accuracy %.4f (%d/%d)", float64(right)/float64(total), right, total)
}

func sum(row []int) (total int64) {
	for _, n := range row {
		total += int64(n)
	}
	return total
}

func (cm Confusion) draw(c *canvas) error {
	k := len(cm.Counts)
	side := k * cm.Cell
	nameStyle := style{clamp(float64(cm.Cell)*0.7, 9, 14), false}
	names, longest := cm.names(c, nameStyle)
	wide := longest > cm.Cell-4 // then the names below are vertical
	below := int(nameStyle.size)
	if wide {
		below = longest
	}

	matrix := image.Rect(0, 0, side, side).Add(image.Pt(margin+24+longest+10, margin+48))
	w := max(matrix.Max.X+24+16+44+margin, 480)
	h := max(matrix.Max.Y+8+below+14+14+margin, 240)
	if err := c.open(w, h); err != nil {
		return err
	}
	cm.title(c, image.Rect(margin, margin, w-margin, matrix.Min.Y))
	cm.cells(c, matrix)
	c.frame(matrix, pale)

	for i, name := range names {
		at := i*cm.Cell + cm.Cell/2
		c.middle(nameStyle, matrix.Min.X-8, matrix.Min.Y+at, right, ink, name)
		if wide {
			c.upright(nameStyle, matrix.Min.X+at, matrix.Max.Y+8, right, ink, name)
			continue
		}
		c.text(nameStyle, matrix.Min.X+at, matrix.Max.Y+8+c.capHeight(nameStyle), center, ink, name)
	}
	centre := image.Pt((matrix.Min.X+matrix.Max.X)/2, (matrix.Min.Y+matrix.Max.Y)/2)
	c.text(bodyStyle, centre.X, matrix.Max.Y+8+below+22, center, faint, "predicted class")
	c.upright(bodyStyle, margin+6, centre.Y, center, faint, "true class")
	cm.scale(c, image.Rect(matrix.Max.X+24, matrix.Min.Y, matrix.Max.X+40, matrix.Max.Y))
	return nil
}

// title writes the title, shortened if necessary, followed by the accuracy, which is never
// shortened.
func (cm Confusion) title(c *canvas, area image.Rectangle) {
	accuracy := cm.accuracy()
	y := area.Min.Y + c.capHeight(titleStyle)
	title := c.fit(titleStyle, cm.Title, area.Dx()-c.width(headingStyle, accuracy)-14)
	c.text(titleStyle, area.Min.X, y, left, ink, title)
	c.text(headingStyle, area.Min.X+c.width(titleStyle, title)+14, y, left, faint, accuracy)
}

// names returns the class names, shortened. Some are left empty if cells are lower than text.
func (cm Confusion) names(c *canvas, s style) (names []string, longest int) {
	every := 1
	for every*cm.Cell < int(s.size)+2 {
		every++
	}
	names = make([]string, len(cm.Classes))
	for i := 0; i < len(names); i += every {
		names[i] = c.fit(s, cm.Classes[i], 140)
		longest = max(longest, c.width(s, names[i]))
	}
	return names, longest
}

func (cm Confusion) cells(c *canvas, matrix image.Rectangle) {
	countStyle, written := cm.countStyle(c)
	gap := 0
	if cm.Cell >= 16 {
		gap = 1
	}
	for i, row := range cm.Counts {
		total := sum(row)
		for j, n := range row {
			corner := matrix.Min.Add(image.Pt(j*cm.Cell, i*cm.Cell))
			cell := image.Rectangle{corner, corner.Add(image.Pt(cm.Cell-gap, cm.Cell-gap))}
			col := absent
			if total > 0 {
				col = shade(float64(n) / float64(total))
			}
			c.fill(cell, col)
			if !written {
				continue
			}
			text := readableOn(col)
			if n == 0 {
				text = pale // most cells of a good matrix are zero; errors must stand out
			}
			c.middle(countStyle, corner.X+cm.Cell/2, corner.Y+cm.Cell/2, center, text, strconv.Itoa(n))
		}
	}
}

// countStyle returns the largest style in which every count fits its cell, and false if there is
// none.
func (cm Confusion) countStyle(c *canvas) (style, bool) {
	most := 0
	for _, row := range cm.Counts {
		for _, n := range row {
			most = max(most, n)
		}
	}
	for _, size := range [...]float64{16, 14, 12, 10, 9} {
		s := style{size, false}
		if c.width(s, strconv.Itoa(most))+6 <= cm.Cell && int(size)+4 <= cm.Cell {
			return s, true
		}
	}
	return style{}, false
}

// scale draws the colour scale. It is a square root like the colours, so that 25 % is in the
// middle.
func (cm Confusion) scale(c *canvas, bar image.Rectangle) {
	for y := bar.Min.Y; y < bar.Max.Y; y++ {
		at := (float64(bar.Max.Y-y) - 0.5) / float64(bar.Dy())
		c.fill(image.Rect(bar.Min.X, y, bar.Max.X, y+1), shade(at*at))
	}
	c.frame(bar, pale)
	small := style{12, false}
	for _, tick := range [...]struct {
		at   float64 // square root of the fraction
		text string
	}{{0, "0"}, {0.1, "1 %"}, {0.5, "25 %"}, {1, "100 %"}} {
		y := bar.Max.Y - int(tick.at*float64(bar.Dy()))
		if tick.at == 0.1 && bar.Dy() < 200 {
			continue // would touch the 0
		}
		c.fill(image.Rect(bar.Max.X+1, y, bar.Max.X+4, y+1), pale)
		c.middle(small, bar.Max.X+8, y, left, faint, tick.text)
	}
}
