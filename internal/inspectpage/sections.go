package inspectpage

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/inspect"
	"github.com/plexaura/plexaura/viz"
)

const (
	mostLayers    = 8    // number of convolutions whose patches are shown
	mostPoints    = 1000 // of an embedding
	mostMistakes  = 16
	mostGradients = 256 // number of examples for the gradients of parameters
	ownImages     = 4   // number of images from the dataset, if no image is given
)

// surveyed makes the pass over the dataset.
func (m *maker) surveyed(ctx context.Context) (err error) {
	m.survey, err = m.net.Survey(ctx, m.data, inspect.SurveyOptions{
		Convolutions: m.chosen(), Channels: m.Channels, Hidden: mostPoints,
		Progress: func(done, of int) { m.doing("image %d of %d", done, of) },
	})
	if err != nil {
		return err
	}
	m.page.Examples, m.page.Accuracy, m.page.Judged = m.survey.Examples, m.survey.Accuracy(), m.survey.Classes != nil
	for _, u := range m.survey.Units {
		m.page.Units = append(m.page.Units, unitsOf(u))
	}
	return nil
}

// chosen returns the convolutions whose patches are shown: all or, if there are many, some from the
// first to the last.
func (m *maker) chosen() (some []inspect.Convolution) {
	all := m.net.Convolutions()
	all = slices.DeleteFunc(all, func(c inspect.Convolution) bool { return c.Node.Type().Rank() != 4 })
	n := min(len(all), mostLayers)
	for i := range n {
		at := i
		if n > 1 {
			at = i * (len(all) - 1) / (n - 1)
		}
		some = append(some, all[at])
	}
	return some
}

// explained is an image with the attributions of its class.
type explained struct {
	Name, Top, Class string
	Pictures, Maps   []figure
	Sum, Difference  float64 // of integrated gradients, and of the outputs
}

func (m *maker) explain(ctx context.Context) error {
	images := m.Images
	if len(images) == 0 {
		var err error
		if images, err = m.some(); err != nil {
			return err
		}
	}
	for _, img := range images {
		e, err := m.explainOne(ctx, img)
		if err != nil {
			return fmt.Errorf("%s: %w", img.Name, err)
		}
		m.page.Images = append(m.page.Images, e)
	}
	return nil
}

// some returns the first images of the dataset that have different classes.
func (m *maker) some() (images []Image, err error) {
	seen := map[int]bool{}
	for i := 0; i < m.data.Len() && len(images) < ownImages; i++ {
		x := make([]float32, m.info.Input.Len())
		class, err := inspect.Example(m.data, i, x)
		if err != nil {
			return nil, err
		}
		if class >= 0 && seen[class] {
			continue
		}
		seen[class] = true
		images = append(images, Image{fmt.Sprintf("image %d, %s", i, m.class(class)), x})
	}
	return images, nil
}

func (m *maker) explainOne(ctx context.Context, img Image) (e explained, err error) {
	m.doing("%s: outputs", img.Name)
	y, err := m.net.Outputs(ctx, img.X)
	if err != nil {
		return e, err
	}
	class := slices.Index(y, slices.Max(y))
	if class < 0 {
		return e, fmt.Errorf("the output is not a number")
	}
	e = explained{Name: img.Name, Class: m.class(class), Top: m.top(y)}
	h, w := m.info.Input.Int(1), m.info.Input.Int(2)
	photo := m.photo(img.X, h, w)
	if err := m.add(&e, photo, "image", ""); err != nil {
		return e, err
	}
	in := asked{&e, img.X, y, class, photo}
	for _, a := range attributions() {
		m.doing("%s: %s", img.Name, a.name)
		tile, says, err := a.do(m, ctx, &in)
		if err != nil {
			return e, err
		}
		if err := m.add(&e, tile, a.name, cmp.Or(says, a.says)); err != nil {
			return e, err
		}
	}
	m.doing("%s: activation maps", img.Name)
	e.Maps, err = m.maps(ctx, img.X)
	return e, err
}

// add draws a picture of an image.
func (m *maker) add(e *explained, t viz.Tile, name, says string) error {
	f, err := m.mosaic([]viz.Tile{t}, 1, 0, 168)
	f.Name, f.Caption, f.Alt = name, says, name+" of "+e.Name
	e.Pictures = append(e.Pictures, f)
	return err
}

// top returns the names of the three most probable classes.
func (m *maker) top(y []float32) string {
	sum, most := 0., float64(slices.Max(y))
	order := make([]int, len(y))
	for i, v := range y {
		sum += math.Exp(float64(v) - most)
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if y[a] > y[b] {
			return -1
		}
		return 1
	})
	var names []string
	for _, c := range order[:min(3, len(order))] {
		names = append(names, fmt.Sprintf("%s %.1f %%", m.class(c), 100*math.Exp(float64(y[c])-most)/sum))
	}
	return strings.Join(names, ", ")
}

// attribution is a method of attribution.
type attribution struct {
	name, says string
	do         func(m *maker, ctx context.Context, in *asked) (viz.Tile, string, error)
}

// asked is the input of an attribution.
type asked struct {
	*explained
	x, y  []float32
	class int
	photo viz.Tile
}

func attributions() []attribution {
	return []attribution{
		{"saliency", "how much a pixel changes the output", (*maker).saliency},
		{"integrated gradients", "red raises the output, blue lowers it, against a black image", (*maker).integrated},
		{"Grad-CAM", "where the last activation maps raise the output", (*maker).gradCAM},
		{"occlusion", "red where the output falls when a square covers the place", (*maker).occlusion},
	}
}

func (m *maker) saliency(ctx context.Context, a *asked) (t viz.Tile, says string, err error) {
	v, err := m.net.Saliency(ctx, a.x, []int{a.class})
	if err != nil {
		return t, "", err
	}
	return viz.Heat(v, a.photo.H, a.photo.W, 0), "", nil
}

func (m *maker) integrated(ctx context.Context, a *asked) (t viz.Tile, says string, err error) {
	black := make([]float32, len(a.x))
	m.info.Preprocess.Apply(black)
	v, err := m.net.IntegratedGradients(ctx, a.x, black, []int{a.class}, 0)
	if err != nil {
		return t, "", err
	}
	dark, err := m.net.Outputs(ctx, black)
	if err != nil {
		return t, "", err
	}
	plane := a.photo.H * a.photo.W
	sum := make([]float32, plane)
	for i, g := range v {
		a.Sum += float64(g)
		sum[i%plane] += g
	}
	a.Difference = float64(a.y[a.class]) - float64(dark[a.class])
	return viz.Diverging(sum, a.photo.H, a.photo.W, 0), "", nil
}

func (m *maker) gradCAM(ctx context.Context, a *asked) (t viz.Tile, says string, err error) {
	last, err := m.net.LastMaps()
	if err != nil {
		return a.photo, "the network has no activation maps", nil
	}
	v, err := m.net.GradCAM(ctx, last.Node, a.x, []int{a.class})
	if err != nil {
		return t, "", err
	}
	if magnitude(v) == 0 {
		says = "nowhere do the last activation maps raise the output"
	}
	maps := last.Node.Type()
	return viz.Overlay(a.photo, v, maps.Int(2), maps.Int(3)), says, nil
}

func (m *maker) occlusion(ctx context.Context, a *asked) (t viz.Tile, says string, err error) {
	size := max(3, min(a.photo.H, a.photo.W)/6)
	v, err := m.net.Occlusion(ctx, a.x, []int{a.class}, inspect.Window{Size: size, Stride: max(1, size/3)})
	if err != nil {
		return t, "", err
	}
	return viz.Diverging(v, a.photo.H, a.photo.W, 0), "", nil
}

// maps draws the activation maps of every layer.
func (m *maker) maps(ctx context.Context, x []float32) (all []figure, err error) {
	layers := m.net.Layers()
	maps, err := m.net.Maps(ctx, layers, x)
	if err != nil {
		return nil, err
	}
	for i, l := range layers {
		columns, gap, about := 0, 1, 56
		if maps[i].H*maps[i].W == 1 {
			columns, gap, about = min(maps[i].C, 32), 0, 14
		}
		f, err := m.mosaic(m.tiles(maps[i]), columns, gap, about)
		if err != nil {
			return nil, err
		}
		f.Name, f.Caption = l.Name, l.Op+", "+m.size(maps[i])
		f.Alt = "activation maps of " + l.Name
		all = append(all, f)
	}
	return all, nil
}

// size describes the size of maps, and how many are shown.
func (m *maker) size(v inspect.Map) string {
	text := fmt.Sprintf("%d×%d×%d", v.C, v.H, v.W)
	if v.H*v.W == 1 {
		text = fmt.Sprintf("%d features", v.C)
	}
	if v.C > m.Channels {
		text += fmt.Sprintf(", the first %d", m.Channels)
	}
	return text
}

// filters draws the filters of every convolution.
func (m *maker) filters(ctx context.Context) error {
	for _, c := range m.net.Convolutions() {
		m.doing("filters of %s", c.Name)
		v, err := m.net.Filters(ctx, c)
		if err != nil {
			return err
		}
		t := c.Filter.Type()
		tiles, columns := m.kernels(v, t.Int(0), t.Int(1), t.Int(2), t.Int(3))
		gap, about := 1, 60
		if columns > 0 { // a table, not wider than the page
			about = min(26, 720/columns)
		}
		if t.Int(2)*t.Int(3) == 1 {
			gap, about = 0, min(about, 8)
		}
		f, err := m.mosaic(tiles, columns, gap, about)
		if err != nil {
			return err
		}
		f.Name, f.Alt = c.Name, "filters of "+c.Name
		f.Caption = fmt.Sprintf("%d filters of %d×%d×%d", t.Int(0), t.Int(1), t.Int(2), t.Int(3))
		if columns > 0 {
			f.Caption += ": a row each, a column for each channel that it reads"
		}
		if most := m.Channels; t.Int(0) > most || columns > 0 && t.Int(1) > most {
			f.Caption += fmt.Sprintf("; the first %d", most)
		}
		m.page.Filters = append(m.page.Filters, f)
	}
	return nil
}

// kernels draws filters (O,C,KH,KW): with one or three channels a tile each, otherwise a row each.
func (m *maker) kernels(v []float32, filters, channels, h, w int) (tiles []viz.Tile, columns int) {
	scale, area := magnitude(v), h*w
	for f := range min(filters, m.Channels) {
		filter := v[f*channels*area : (f+1)*channels*area]
		switch channels {
		case 1:
			tiles = append(tiles, viz.Diverging(filter, h, w, scale))
		case 3:
			tiles = append(tiles, viz.Tile{C: 3, H: h, W: w, Pix: unit(filter)})
		default:
			for c := range min(channels, m.Channels) {
				tiles = append(tiles, viz.Diverging(filter[c*area:(c+1)*area], h, w, scale))
			}
			columns = min(channels, m.Channels)
		}
	}
	return tiles, columns
}

// excited is a convolution with the patches that excite its channels.
type excited struct {
	Name     string
	Channels []excitedChannel
	Of       int
	Field    string
}

type excitedChannel struct {
	Number           int
	Most             float32
	Patches, Rebuilt figure
}

func (m *maker) patches(ctx context.Context) error {
	m.page.LayersOf = len(m.net.Convolutions())
	for i, c := range m.chosen() {
		m.doing("reconstructions of %s", c.Name)
		l := newGallery(m, len(m.survey.Peaks[i]))
		if err := m.net.EachPatch(ctx, m.data, c, m.survey.Peaks[i], l.see); err != nil {
			return err
		}
		e := excited{Name: c.Name, Of: c.Node.Type().Int(1), Field: fmt.Sprintf("%d×%d", l.h, l.w)}
		for number := range l.pixels {
			channel := excitedChannel{Number: number, Most: l.most[number]}
			if len(l.pixels[number]) == 0 {
				continue // the dataset is empty, or all values are NaN
			}
			var err error
			if channel.Patches, err = m.mosaic(l.pixels[number], 3, 1, 30); err != nil {
				return err
			}
			if channel.Rebuilt, err = m.mosaic(l.rebuilt[number], 3, 1, 30); err != nil {
				return err
			}
			e.Channels = append(e.Channels, channel)
		}
		m.page.Layers = append(m.page.Layers, e)
	}
	return nil
}

// gallery keeps the patches of a layer, reduced in size.
type gallery struct {
	*maker
	pixels, rebuilt [][]viz.Tile // by channel
	most            []float32
	h, w            int // of the largest receptive field
}

func newGallery(m *maker, channels int) *gallery {
	return &gallery{maker: m, pixels: make([][]viz.Tile, channels), rebuilt: make([][]viz.Tile, channels), most: make([]float32, channels)}
}

func (g *gallery) see(channel int, p inspect.Patch) error {
	h, w := p.Field.Dy(), p.Field.Dx()
	g.h, g.w = max(g.h, h), max(g.w, w)
	if len(g.pixels[channel]) == 0 {
		g.most[channel] = p.Value // the first is the greatest
	}
	g.pixels[channel] = append(g.pixels[channel], g.photo(p.Pixels, h, w).Within(patchSide))
	g.rebuilt[channel] = append(g.rebuilt[channel], signed(p.Reconstruction, h, w, 0).Within(patchSide))
	return nil
}

// embed draws the last hidden layer.
func (m *maker) embed(ctx context.Context) error {
	hidden := m.net.Hidden()
	points, err := inspect.TSNE(ctx, m.survey.Hidden, m.survey.Width, inspect.TSNEOptions{
		Seed:     m.Seed,
		Progress: func(done, of int) { m.doing("t-SNE, iteration %d of %d", done, of) },
	})
	if err != nil {
		return err
	}
	s := viz.Scatter{Classes: m.info.Classes}
	for _, p := range points {
		s.X, s.Y = append(s.X, p.X), append(s.Y, p.Y)
	}
	if m.survey.Classes != nil {
		s.Class = m.survey.Classes[:len(points)]
	}
	svg, err := s.SVG()
	m.page.Embedding, m.page.Embedded = template.HTML(svg), len(points)
	m.page.Hidden, m.page.Width = hidden.Name, m.survey.Width
	return err
}

func (m *maker) mistakes(context.Context) error {
	if m.survey.Classes == nil {
		return nil
	}
	counts := m.survey.Confusion(len(m.info.Classes))
	if len(counts) > 1 {
		img, err := viz.Confusion{Classes: m.names(len(counts)), Counts: counts}.Render()
		f, err := m.picture(img, err, 1)
		if err != nil {
			return err
		}
		f.Alt = "confusion matrix"
		m.page.Confusion = &f
	}
	h, w := m.info.Input.Int(1), m.info.Input.Int(2)
	for _, i := range m.survey.Mistakes(mostMistakes) {
		x := make([]float32, m.info.Input.Len())
		class, err := inspect.Example(m.data, i, x)
		if err != nil {
			return err
		}
		f, err := m.mosaic([]viz.Tile{m.photo(x, h, w)}, 1, 0, 112)
		if err != nil {
			return err
		}
		f.Name = fmt.Sprintf("%s, taken for %s", m.class(class), m.class(m.survey.Predicted[i]))
		f.Caption = fmt.Sprintf("image %d, with %.1f %%", i, 100*m.survey.Probability[i])
		f.Alt = f.Name
		m.page.Mistakes = append(m.page.Mistakes, f)
	}
	return nil
}

func (m *maker) names(n int) (names []string) {
	for c := range n {
		names = append(names, m.class(c))
	}
	return names
}

// parameter is a row of the table of parameters.
type parameter struct {
	Name, Shape      string
	Values, Gradient distribution
}

// distribution is a histogram with its drawing.
type distribution struct {
	Bars            template.HTML
	Lo, Hi          string
	Std             string
	Zeros, NoNumber int
}

func (m *maker) parameters(ctx context.Context) error {
	ds := data.Limit(m.data, mostGradients)
	m.page.Gradients = ds.Len()
	all, err := m.net.Parameters(ctx, ds)
	if err != nil {
		return err
	}
	for _, p := range all {
		m.page.Parameters = append(m.page.Parameters, parameter{p.Name, p.Shape.String(), drawn(p.Values), drawn(p.Gradient)})
	}
	return nil
}

func drawn(h inspect.Histogram) distribution {
	return distribution{
		Bars: template.HTML(viz.Bars(h.Counts).SVG()),
		Lo:   number(h.Lo), Hi: number(h.Hi), Std: number(h.Std),
		Zeros: h.Zeros, NoNumber: h.NotFinite,
	}
}

// number formats three digits, with a minus sign as wide as a digit.
func number(v float64) string { return strings.ReplaceAll(fmt.Sprintf("%.3g", v), "-", "−") }

// units is a row of the table of rectifiers.
type units struct {
	Name        string
	Count, Dead int
	Which       string
	Active      string // mean fraction of positive values
	Bars        template.HTML
}

func unitsOf(u inspect.Units) units {
	const show = 12
	var which []string
	for _, k := range u.Dead[:min(show, len(u.Dead))] {
		which = append(which, fmt.Sprint(k))
	}
	if len(u.Dead) > show {
		which = append(which, "…")
	}
	mean, bins := 0., make(viz.Bars, 20)
	for _, a := range u.Active {
		mean += a / float64(len(u.Active))
		bins[min(int(a*float64(len(bins))), len(bins)-1)]++
	}
	return units{u.Name, u.Count, len(u.Dead), strings.Join(which, ", "), fmt.Sprintf("%.1f %%", 100*mean), template.HTML(bins.SVG())}
}
