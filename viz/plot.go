package viz

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strconv"
)

// Series is one curve: the points (X[i], Y[i]) in the given order. Without X it is 1, 2, 3, ... A
// point with a NaN or a value beyond ±1e300 is left out, and the curve has a gap there.
type Series struct {
	Name   string
	X, Y   []float64
	Points bool      // only markers, without a line: to be drawn over a line
	Err    []float64 // half the length of the error bar of each point; nil for none
}

// Panel is one set of axes. Series with the same name have the same colour in all panels of a plot.
type Panel struct {
	Heading string // the quantity on the y axis
	XLabel  string
	Series  []Series
	// LogX and LogY make an axis logarithmic; a point without a logarithm leaves a gap.
	LogX, LogY bool
	// Bounds are limits that the y axis crosses only if values do, such as 0 and 1 for a fraction;
	// both 0 for none.
	Bounds [2]float64
}

// Plot draws panels side by side, or in rows of Columns. A panel without data says so.
type Plot struct {
	Title   string
	Panels  []Panel
	Columns int // default: all panels
	Width   int // pixels; default 1200, at least 240 per column
	Height  int // pixels; default 500 per row, at least 300 per row
}

const (
	margin  = 28 // around a picture, in pixels
	curveW  = 2.25
	denseW  = 1.25 // for curves of many points
	markerR = 4.0
)

var (
	titleStyle   = style{20, true}
	headingStyle = style{15, true}
	bodyStyle    = style{13, false}
)

// Render draws the picture. It fails if X or Err of a series differs from Y in length, if there are
// no panels, or if the size is out of bounds.
func (p Plot) Render() (*image.RGBA, error) {
	if len(p.Panels) == 0 || p.Columns < 0 {
		return nil, fmt.Errorf("viz: a plot of %d panels in %d columns: at least one panel, columns from 1 or 0 for all", len(p.Panels), p.Columns)
	}
	p.Columns = min(orDefault(p.Columns, len(p.Panels)), len(p.Panels))
	rows := (len(p.Panels) + p.Columns - 1) / p.Columns
	p.Width, p.Height = orDefault(p.Width, 1200), orDefault(p.Height, 500*rows)
	if leastW, leastH := 240*p.Columns, 300*rows; p.Width < leastW || p.Height < leastH {
		return nil, fmt.Errorf("viz: curves of %d×%d pixels cannot be read: at least %d×%d", p.Width, p.Height, leastW, leastH)
	}
	for _, panel := range p.Panels {
		for _, s := range panel.Series {
			if err := s.check(); err != nil {
				return nil, err
			}
		}
	}
	c, err := newCanvas()
	if err != nil {
		return nil, err
	}
	if err := c.open(p.Width, p.Height); err != nil {
		return nil, err
	}
	p.draw(c, rows)
	return c.RGBA, nil
}

func (s Series) check() error {
	if s.X != nil && len(s.X) != len(s.Y) {
		return fmt.Errorf("viz: series %q has %d X and %d Y: one each a point", s.Name, len(s.X), len(s.Y))
	}
	if s.Err != nil && len(s.Err) != len(s.Y) {
		return fmt.Errorf("viz: series %q has %d error bars and %d Y: one each a point", s.Name, len(s.Err), len(s.Y))
	}
	return nil
}

func (p Plot) draw(c *canvas, rows int) {
	area := c.Rect.Inset(margin)
	if p.Title != "" {
		c.text(titleStyle, area.Min.X, area.Min.Y+c.capHeight(titleStyle), left, ink, c.fit(titleStyle, p.Title, area.Dx()))
		area.Min.Y += 40
	}
	const gutter = 44
	w := (area.Dx() - (p.Columns-1)*gutter) / p.Columns
	h := (area.Dy() - (rows-1)*gutter) / rows
	var groups [][]Series
	for _, panel := range p.Panels {
		groups = append(groups, panel.Series)
	}
	pens := pensFor(groups...)
	for i, panel := range p.Panels {
		x, y := area.Min.X+i%p.Columns*(w+gutter), area.Min.Y+i/p.Columns*(h+gutter)
		if i%p.Columns == p.Columns-1 {
			x = area.Max.X - w
		}
		panel.draw(c, image.Rect(x, y, x+w, y+h), pens)
	}
}

// pen distinguishes a series from the others: by colour and marker, and after all colours are used
// also by dashes.
type pen struct {
	color color.RGBA
	dash  float64 // length in pixels, 0 for a full line
	round int     // which marker
}

func pensFor(groups ...[]Series) map[string]pen {
	pens := map[string]pen{}
	for _, s := range slices.Concat(groups...) {
		if _, ok := pens[s.Name]; ok {
			continue
		}
		i := len(pens)
		pens[s.Name] = pen{
			color: palette[i%len(palette)],
			dash:  float64(8 * min(i/len(palette), 3)),
			round: i,
		}
	}
	return pens
}

// marker returns the shape at a point: circle, square, triangle or diamond, of about equal area.
func (p pen) marker(at point, radius float64) []point {
	switch p.round % 4 {
	case 1:
		return ngon(at, 1.2*radius, 4, 1./8)
	case 2:
		return ngon(at, 1.4*radius, 3, -1./4)
	case 3:
		return ngon(at, 1.25*radius, 4, 0)
	}
	return ngon(at, radius, 24, 0)
}

func (p Panel) draw(c *canvas, area image.Rectangle, pens map[string]pen) {
	x, y, ok := p.axes()
	top := area.Min.Y + c.capHeight(headingStyle)
	bottom := area.Max.Y - 46 // the marks and the name of the x axis
	var yMarks []mark
	if ok {
		yMarks = y.marks((bottom-top)/48, false)
	}
	room := 0
	for _, m := range yMarks {
		room = max(room, c.width(bodyStyle, m.text)+8)
	}
	plot := image.Rect(area.Min.X+room, top, area.Max.X, bottom)
	c.text(headingStyle, plot.Min.X, top, left, ink, p.Heading)
	plot.Min.Y = p.legend(c, plot, pens) + 12
	centre := image.Pt((plot.Min.X+plot.Max.X)/2, (plot.Min.Y+plot.Max.Y)/2)
	c.text(bodyStyle, centre.X, area.Max.Y, center, ink, c.fit(bodyStyle, p.XLabel, plot.Dx()))
	c.frame(plot, pale)
	if !ok {
		c.middle(bodyStyle, centre.X, centre.Y, center, faint, "no data")
		return
	}

	const inset = 8 // curves keep clear of the frame
	x.from, x.to = float64(plot.Min.X+inset), float64(plot.Max.X-inset)
	y.from, y.to = float64(plot.Max.Y-inset), float64(plot.Min.Y+inset)
	end := math.MinInt // of the previous label, which the next must not touch
	for _, m := range x.marks(plot.Dx()/72, p.wholeX()) {
		at := int(math.Round(x.at(m.value)))
		c.fill(image.Rect(at, plot.Min.Y, at+1, plot.Max.Y), gridline)
		if half := c.width(bodyStyle, m.text)/2 + 5; at-half > end {
			c.text(bodyStyle, at, plot.Max.Y+20, center, faint, m.text)
			end = at + half
		}
	}
	end = math.MaxInt
	for _, m := range yMarks {
		at := int(math.Round(y.at(m.value)))
		c.fill(image.Rect(plot.Min.X, at, plot.Max.X, at+1), gridline)
		if at+14 < end {
			c.middle(bodyStyle, plot.Min.X-8, at, right, faint, m.text)
			end = at
		}
	}
	for _, s := range p.Series {
		drawSeries(c, s, x, y, pens[s.Name])
	}
}

// axes returns axes for the points that can be drawn; ok is false if there are none.
func (p Panel) axes() (x, y axis, ok bool) {
	x.log, y.log = p.LogX, p.LogY
	var xs, ys []float64
	for _, s := range p.Series {
		for i := range s.Y {
			if q := s.at(i); q.finite() && x.has(q.x) && y.has(q.y) {
				e := s.bar(i)
				xs, ys = append(xs, x.scale(q.x)), append(ys, y.scale(q.y), y.scale(q.y+e))
				if y.has(q.y - e) {
					ys = append(ys, y.scale(q.y-e))
				}
			}
		}
	}
	if len(xs) == 0 {
		return axis{}, axis{}, false
	}
	inf := math.Inf(1)
	least, most := p.Bounds[0], p.Bounds[1]
	if least == 0 && most == 0 || p.LogY {
		least, most = -inf, inf
	}
	return x.over(xs).padded(0, -inf, inf), y.over(ys).padded(0.05, least, most), true
}

// wholeX reports whether all X are whole numbers. Then no labels between them are needed.
func (p Panel) wholeX() bool {
	for _, s := range p.Series {
		for _, x := range s.X {
			if x != math.Trunc(x) && !math.IsNaN(x) {
				return false
			}
		}
	}
	return true
}

// legend writes the names with their last values below the heading, and returns where it ends. A
// series without a name is left out. Names that do not fit into a third of the plot's height are
// counted, not drawn.
func (p Panel) legend(c *canvas, plot image.Rectangle, pens map[string]pen) (bottom int) {
	const (
		line, gap, sample = 20, 18, 22
	)
	x, y := plot.Min.X, plot.Min.Y+24
	limit := plot.Min.Y + max(line, plot.Dy()/3)
	if !slices.ContainsFunc(p.Series, func(s Series) bool { return s.Name != "" }) {
		return plot.Min.Y
	}
	for i, s := range p.Series {
		if s.Name == "" {
			continue
		}
		last := s.last()
		name := c.fit(bodyStyle, s.Name, plot.Dx()-sample-14-c.width(bodyStyle, last))
		w := sample + 6 + c.width(bodyStyle, name) + 8 + c.width(bodyStyle, last)
		if x > plot.Min.X && x+w > plot.Max.X {
			x, y = plot.Min.X, y+line
			if y > limit {
				c.text(bodyStyle, plot.Max.X, plot.Min.Y, right, faint, fmt.Sprintf("and %d more", len(p.Series)-i))
				y -= line
				break
			}
		}
		pen := pens[s.Name]
		mid := float64(y) - float64(c.capHeight(bodyStyle))/2
		stretch := [][]point{{{float64(x), mid}, {float64(x + sample), mid}}}
		if pen.dash > 0 {
			stretch = dashed(stretch, pen.dash*2/3)
		}
		if !s.Points {
			c.stroke(stretch, curveW, pen.color)
		}
		c.polygons([][]point{pen.marker(point{float64(x) + sample/2, mid}, markerR)}, pen.color)
		c.text(bodyStyle, x+sample+6, y, left, ink, name)
		c.text(bodyStyle, x+w, y, right, faint, last)
		x += w + gap
	}
	return y
}

func drawSeries(c *canvas, s Series, x, y axis, p pen) {
	runs := s.runs(x, y)
	points := 0
	for _, run := range runs {
		points += len(run)
	}
	sparse := float64(points)*3.5*markerR <= x.to-x.from
	width := curveW
	if float64(points) > (x.to-x.from)/2 {
		width = denseW
	}

	lines := make([][]point, len(runs))
	var dots []point
	for i, run := range runs {
		lines[i] = thin(run)
		if s.Points || sparse || len(run) == 1 {
			dots = append(dots, run...)
		}
	}
	if p.dash > 0 {
		lines = dashed(lines, p.dash)
	}
	if !s.Points {
		c.stroke(lines, width, p.color)
	}
	c.stroke(s.bars(x, y), denseW, p.color)
	for _, d := range dots {
		c.polygons([][]point{p.marker(d, markerR+1.5)}, white)
		c.polygons([][]point{p.marker(d, markerR)}, p.color)
	}
}

// at returns point i in the units of the series.
func (s Series) at(i int) point {
	if s.X == nil {
		return point{float64(i + 1), s.Y[i]}
	}
	return point{s.X[i], s.Y[i]}
}

// bar returns half the length of the error bar of point i, or 0 if it cannot be drawn.
func (s Series) bar(i int) float64 {
	if s.Err == nil || !(math.Abs(s.Err[i]) <= tooLarge) {
		return 0
	}
	return math.Abs(s.Err[i])
}

// bars returns the error bars, in pixels: a vertical line with a cap at either end.
func (s Series) bars(x, y axis) (lines [][]point) {
	const half = 4
	for i := range s.Err {
		q, e := s.at(i), s.bar(i)
		if e == 0 || !q.finite() || !x.has(q.x) || !y.has(q.y) {
			continue
		}
		at, top, bottom := x.at(q.x), y.at(q.y+e), y.from
		if y.has(q.y - e) {
			bottom = y.at(q.y - e)
		}
		lines = append(lines, []point{{at, bottom}, {at, top}}, []point{{at - half, top}, {at + half, top}}, []point{{at - half, bottom}, {at + half, bottom}})
	}
	return lines
}

// last formats the last value, even if it is not finite, which shows that a training diverged.
func (s Series) last() string {
	if len(s.Y) == 0 {
		return ""
	}
	v := s.Y[len(s.Y)-1]
	if size := math.Abs(v); v == 0 || (size >= 1e-2 && size < 1e3) {
		return minus(strconv.FormatFloat(v, 'f', 4, 64))
	}
	return minus(number(v, 3))
}

// runs returns the parts without a gap, in pixels.
func (s Series) runs(x, y axis) [][]point {
	var runs [][]point
	open := false
	for i := range s.Y {
		q := s.at(i)
		if !q.finite() || !x.has(q.x) || !y.has(q.y) {
			open = false
			continue
		}
		if !open {
			runs, open = append(runs, nil), true
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], point{x.at(q.x), y.at(q.y)})
	}
	return runs
}

// thin keeps, of consecutive points in one pixel column, the first, the lowest, the highest and the
// last: the line covers the same pixels, and a million steps are drawn as fast as a thousand.
func thin(run []point) []point {
	var out []point
	for from := 0; from < len(run); {
		to := from + 1
		for to < len(run) && math.Floor(run[to].x) == math.Floor(run[from].x) {
			to++
		}
		if to-from <= 4 {
			out = append(out, run[from:to]...)
		} else {
			out = append(out, extremes(run[from:to])...)
		}
		from = to
	}
	return out
}

// extremes returns the first, lowest, highest and last point in their order, each once.
func extremes(run []point) []point {
	low, high := 0, 0
	for i, p := range run {
		if p.y < run[low].y {
			low = i
		}
		if p.y > run[high].y {
			high = i
		}
	}
	keep := []int{0, low, high, len(run) - 1}
	slices.Sort(keep)
	var out []point
	for _, i := range slices.Compact(keep) {
		out = append(out, run[i])
	}
	return out
}

func orDefault(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}
