package viz

import (
	"encoding/xml"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// svg is what the tests look at in a drawing.
type svg struct {
	W     int    `xml:"width,attr"`
	H     int    `xml:"height,attr"`
	Title string `xml:"title"`
	Rects []struct {
		X  int `xml:"x,attr"`
		Y  int `xml:"y,attr"`
		W  int `xml:"width,attr"`
		H  int `xml:"height,attr"`
		RX int `xml:"rx,attr"`
	} `xml:"rect"`
	Paths []struct {
		D     string  `xml:"d,attr"`
		Width float64 `xml:"stroke-width,attr"`
		Color string  `xml:"stroke,attr"`
	} `xml:"path"`
	Texts []svgText `xml:"text"`
}

type svgText struct {
	X    int     `xml:"x,attr"`
	Y    int     `xml:"y,attr"`
	Size float64 `xml:"font-size,attr"`
	W    int     `xml:"textLength,attr"`
	Text string  `xml:",chardata"`
}

// box is where a text stands, from its capitals to below its baseline.
func (t svgText) box() image.Rectangle {
	return image.Rect(t.X, t.Y-int(.8*t.Size), t.X+t.W, t.Y+int(.2*t.Size))
}

func parsed(t *testing.T, d Diagram) (s svg, boxes []image.Rectangle) {
	t.Helper()
	data, err := d.SVG()
	require.NoError(t, err)
	again, err := d.SVG()
	require.NoError(t, err)
	require.Equal(t, data, again)
	require.NoError(t, xml.Unmarshal(data, &s))
	for _, r := range s.Rects {
		if r.RX > 0 {
			boxes = append(boxes, image.Rect(r.X, r.Y, r.X+r.W, r.Y+r.H))
		}
	}
	require.Len(t, boxes, len(d.Blocks))
	return s, boxes
}

// fits checks that all texts are in the picture, that none touches another or the edge of a box,
// and that every block has its text.
func fits(t *testing.T, d Diagram) svg {
	t.Helper()
	s, boxes := parsed(t, d)
	meet(t, d, s, boxes)
	page := image.Rect(0, 0, s.W, s.H)
	for i, a := range s.Texts {
		require.True(t, a.box().In(page), "%q leaves the picture", a.Text)
		require.Positive(t, a.W)
		for _, b := range s.Texts[i+1:] {
			require.False(t, a.box().Overlaps(b.box()), "%q lies over %q", a.Text, b.Text)
		}
		for _, box := range boxes {
			require.True(t, a.box().In(box) || !a.box().Overlaps(box), "%q crosses the edge of a box", a.Text)
		}
	}
	for i, box := range boxes {
		require.True(t, box.In(page.Inset(margin/2)))
		within := 0
		for _, text := range s.Texts {
			if text.box().In(box) {
				within++
				require.True(t, text.box().In(image.Rect(box.Min.X+8, box.Min.Y, box.Max.X-8, box.Max.Y)), "%q is at the edge of its box", text.Text)
			}
		}
		require.Equal(t, min(1, len(d.Blocks[i].Text)), within, "texts in block %d", i)
		for _, other := range boxes[i+1:] {
			require.False(t, box.Overlaps(other))
		}
	}
	return s
}

// meet checks that each arrow begins at the lower side of its block, and ends at the upper side of
// the other.
func meet(t *testing.T, d Diagram, s svg, boxes []image.Rectangle) {
	t.Helper()
	require.Len(t, s.Paths, 2*len(d.Edges))
	for i, e := range d.Edges {
		var x, y float64
		_, err := fmt.Sscanf(s.Paths[2*i].D, "M%f %fL", &x, &y)
		require.NoError(t, err)
		require.Equal(t, float64(boxes[e.From].Max.Y), y)
		require.True(t, x > float64(boxes[e.From].Min.X) && x < float64(boxes[e.From].Max.X))
		_, err = fmt.Sscanf(s.Paths[2*i+1].D, "M%f %fL", &x, &y)
		require.NoError(t, err)
		require.Equal(t, float64(boxes[e.To].Min.Y-2), y)
		require.True(t, x > float64(boxes[e.To].Min.X) && x < float64(boxes[e.To].Max.X))
	}
}

func towers() Diagram {
	return Diagram{
		Title: "Two <towers> & one",
		Blocks: []Block{
			{0, "3@224×224"}, {1, "48@55×55"}, {1, "48@55×55"}, {2, "128@27×27"}, {2, "128@27×27"}, {3, "4,096"},
		},
		Edges: []Edge{
			{0, 1, []string{"conv1: 11×11 convolution, stride 4", "34,944 parameters"}, "convolution", .2}, {From: 0, To: 2, Kind: "convolution", Weight: .2},
			{1, 3, []string{"conv2"}, "convolution", .25}, {From: 2, To: 4, Kind: "convolution", Weight: .25},
			{3, 5, []string{"fc"}, "dense layer", 0}, {From: 4, To: 5, Kind: "dense layer"},
		},
	}
}

func TestADiagramHasItsTextsInTheirPlaces(t *testing.T) {
	s := fits(t, towers())
	require.Equal(t, "Two <towers> & one", s.Title)
	var texts []string
	for _, x := range s.Texts {
		texts = append(texts, x.Text)
	}
	require.Equal(t, []string{
		"Two <towers> & one", "convolution", "dense layer",
		"3@224×224", "48@55×55", "48@55×55", "128@27×27", "128@27×27", "4,096",
		"conv1: 11×11 convolution, stride 4", "34,944 parameters", "conv2", "fc",
	}, texts)
}

// An arrow has a line, as thick as its weight and of its kind's colour, and a head that ends at its
// block.
func TestArrowsLeadFromBlockToBlock(t *testing.T) {
	d := towers()
	s, boxes := parsed(t, d)
	meet(t, d, s, boxes)
	for i, e := range d.Edges {
		line := s.Paths[2*i]
		require.InDelta(t, 1.5+18.5*e.Weight, line.Width, .051)
		require.Equal(t, map[string]string{"convolution": "#0072b2", "dense layer": "#d55e00"}[e.Kind], line.Color)
	}
	// The second convolution leads straight down in both towers.
	require.Equal(t, boxes[1].Min.X, boxes[3].Min.X)
	require.Equal(t, boxes[2].Max.X, boxes[4].Max.X)
}

// TestAnyDiagramFits draws random ones, with texts that are long, empty, and of signs that XML or a
// line does not take.
func TestAnyDiagramFits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	texts := []string{"", "a", "6@28×28", "<&\"'>", "\x00\x1b\n", "\xff", "学习", strings.Repeat("W", 100), "]]>"}
	any := func() string { return texts[r.IntN(len(texts))] }
	for range 60 {
		d := Diagram{Title: any()}
		rows := 1 + r.IntN(5)
		of := make([][]int, rows)
		for row := range rows {
			for range 1 + r.IntN(4) {
				of[row] = append(of[row], len(d.Blocks))
				d.Blocks = append(d.Blocks, Block{row, any()})
			}
		}
		for range r.IntN(16) {
			if rows == 1 {
				break
			}
			row := r.IntN(rows - 1)
			e := Edge{From: of[row][r.IntN(len(of[row]))], To: of[row+1][r.IntN(len(of[row+1]))], Kind: any(), Weight: r.Float64()}
			for range r.IntN(4) {
				e.Lines = append(e.Lines, any())
			}
			d.Edges = append(d.Edges, e)
		}
		fits(t, d)
	}
}

func TestDiagramsThatCannotBeDrawn(t *testing.T) {
	two := []Block{{0, "a"}, {1, "b"}}
	for want, d := range map[string]Diagram{
		"a diagram of 0 blocks and 0 edges: want 1 to 1000 blocks":                    {},
		"a diagram of 1001 blocks":                                                    {Blocks: make([]Block, 1001)},
		"a diagram of 2 blocks and 1001 edges":                                        {Blocks: two, Edges: make([]Edge, 1001)},
		"a diagram of 2 rows has no block in row 1: rows count from 0, without a gap": {Blocks: []Block{{0, ""}, {2, ""}}},
		"a diagram of 1 rows has no block in row 0":                                   {Blocks: []Block{{-1, ""}}},
		"edge 0 leads from block 0 to 2, of 2 blocks":                                 {Blocks: two, Edges: []Edge{{To: 2}}},
		"edge 0 leads from block -1 to 1, of 2 blocks":                                {Blocks: two, Edges: []Edge{{From: -1, To: 1}}},
		"edge 0 leads from row 1 to row 0: want the next row":                         {Blocks: two, Edges: []Edge{{From: 1, To: 0}}},
		"edge 0 leads from row 0 to row 0: want the next row":                         {Blocks: two, Edges: []Edge{{}}},
		"edge 0 has a weight of NaN: want 0 to 1":                                     {Blocks: two, Edges: []Edge{{To: 1, Weight: math.NaN()}}},
		"edge 1 has a weight of 1.5: want 0 to 1":                                     {Blocks: two, Edges: []Edge{{To: 1}, {To: 1, Weight: 1.5}}},
	} {
		_, err := d.SVG()
		require.ErrorContains(t, err, want)
		require.True(t, strings.HasPrefix(err.Error(), "viz: "))
	}
}
