package viz

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// Scatter draws points in a plane without axes, such as an embedding, in the colours of their
// classes.
type Scatter struct {
	X, Y    []float64
	Class   []int    // of each point; nil for one class
	Classes []string // names, placed in the middle of their points unless there are more than 20
}

// The size of a scatter in its own units, and the margin for names.
const scatterW, scatterH, scatterPad = 480., 400., 26.

// SVG returns the drawing for a web page: text and its outline use the colours of the page,
// currentColor and --paper. It fails if X, Y and Class differ in length, or if a point is not
// finite.
func (s Scatter) SVG() ([]byte, error) {
	if len(s.X) != len(s.Y) || s.Class != nil && len(s.Class) != len(s.X) {
		return nil, fmt.Errorf("viz: a scatter of %d X, %d Y and %d classes: one each a point", len(s.X), len(s.Y), len(s.Class))
	}
	for i := range s.X {
		if p := (point{s.X[i], s.Y[i]}); !p.finite() {
			return nil, fmt.Errorf("viz: point %d of a scatter is not finite", i)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" font-family="sans-serif">`, scatterW, scatterH)
	places := s.places()
	for i, p := range places {
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="2.6" fill="%s" fill-opacity=".75"><title>%s</title></circle>`,
			p.x, p.y, classColor(s.class(i)), s.name(s.class(i)))
	}
	if len(s.Classes) <= 20 {
		for c := range s.Classes {
			s.label(&b, places, c)
		}
	}
	b.WriteString("</svg>")
	return b.Bytes(), nil
}

func (s Scatter) class(i int) int {
	if s.Class == nil {
		return 0
	}
	return s.Class[i]
}

// name returns the name of a class, escaped.
func (s Scatter) name(c int) string {
	if c < 0 || c >= len(s.Classes) {
		return ""
	}
	return escape(s.Classes[c])
}

// places returns the points in the drawing. Both axes have the same scale.
func (s Scatter) places() []point {
	if len(s.X) == 0 {
		return nil
	}
	left, right, low, high := slices.Min(s.X), slices.Max(s.X), slices.Min(s.Y), slices.Max(s.Y)
	scale := math.Min((scatterW-2*scatterPad)/math.Max(right-left, 1e-290), (scatterH-2*scatterPad)/math.Max(high-low, 1e-290))
	all := make([]point, len(s.X))
	for i := range all {
		all[i] = point{
			scatterW/2 + (s.X[i]-(left+right)/2)*scale,
			scatterH/2 - (s.Y[i]-(low+high)/2)*scale,
		}
	}
	return all
}

// label writes the name of a class at the medians of its points.
func (s Scatter) label(b *bytes.Buffer, places []point, c int) {
	var x, y []float64
	for i, p := range places {
		if s.class(i) == c {
			x, y = append(x, p.x), append(y, p.y)
		}
	}
	if len(x) == 0 {
		return
	}
	slices.Sort(x)
	slices.Sort(y)
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle" font-size="17" font-weight="bold" fill="currentColor" `+
		`stroke="var(--paper, #fff)" stroke-width="4" paint-order="stroke">%s</text>`, x[len(x)/2], y[len(y)/2]+6, s.name(c))
}

// classColor returns the colour of a class. After the palette, hues are separated by the golden
// angle.
func classColor(c int) string {
	if c >= 0 && c < len(classColors) {
		return hex(classColors[c])
	}
	return fmt.Sprintf("hsl(%.0f 55%% 52%%)", math.Mod(137.508*float64(max(c, 0)), 360))
}

// Bars is a histogram: counts side by side. Heights are square roots, so that small counts are
// visible next to large ones.
type Bars []int

// SVG returns the drawing for a web page, without text. Bars use the page's currentColor.
func (v Bars) SVG() []byte {
	const width, height = 4., 44.
	most := 0
	for _, n := range v {
		most = max(most, n)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" preserveAspectRatio="none" role="img"><path fill="currentColor" d="`,
		width*float64(max(len(v), 1)), height)
	for i, n := range v {
		if n > 0 {
			h := math.Max(1, height*math.Sqrt(float64(n)/float64(most)))
			fmt.Fprintf(&b, "M%g %gv%.2fh%.1fv%.2fz", width*float64(i), height, -h, width-.6, h)
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes()
}
