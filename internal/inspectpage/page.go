package inspectpage

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/inspect"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// MaxPage is the largest size of a page, in bytes.
const MaxPage = 25 << 20

// MaxImages is the largest number of images that a page explains.
const MaxImages = 16

// Options configure a page.
type Options struct {
	Title  string
	Source string // of weights and data, in words
	// Images are explained on the page. If there are none, some images of the dataset are.
	Images   []Image
	Channels int // number of channels shown of each layer, from the first; default 64
	Seed     uint64
	// Begin is called when each of the steps begins, Doing with what happens in it; they may be
	// nil.
	Begin func(step, of int, name string)
	Doing func(what string)
}

// Image is an input of the network, preprocessed, and its name.
type Image struct {
	Name string
	X    []float32
}

// maker makes one page.
type maker struct {
	Options
	net    *inspect.Network
	data   data.Dataset
	info   data.Info
	survey *inspect.Survey
	bytes  int // size of all pictures so far
	page   page
}

// page is the data of the template.
type page struct {
	Title, Source string
	Examples      int
	Accuracy      float64
	Judged        bool
	Channels      int
	Images        []explained
	Filters       []figure
	Layers        []excited
	LayersOf      int // number of convolutions
	Embedding     template.HTML
	Embedded      int
	Hidden        string
	Width         int
	Confusion     *figure
	Mistakes      []figure
	Parameters    []parameter
	Gradients     int // number of examples that gradients are computed for
	Units         []units
}

// step is a part of the work.
type step struct {
	name string
	do   func(*maker, context.Context) error
}

func steps() []step {
	return []step{
		{"data set", (*maker).surveyed},
		{"images", (*maker).explain},
		{"filters", (*maker).filters},
		{"patches", (*maker).patches},
		{"embedding", (*maker).embed},
		{"mistakes", (*maker).mistakes},
		{"parameters", (*maker).parameters},
	}
}

// Make returns the page of a network that takes images, with results on all of ds. It is an error
// if the page would be larger than [MaxPage].
func Make(ctx context.Context, n *inspect.Network, ds data.Dataset, o Options) ([]byte, error) {
	if len(o.Images) > MaxImages {
		return nil, fmt.Errorf("%d images; a page explains at most %d", len(o.Images), MaxImages)
	}
	if n.Input().Rank() != 3 {
		return nil, fmt.Errorf("the network's input is %v; want images (C,H,W)", n.Input())
	}
	o.Channels = cmp.Or(o.Channels, 64)
	m := &maker{Options: o, net: n, data: ds, info: ds.Info()}
	m.page = page{Title: o.Title, Source: o.Source, Channels: o.Channels}
	all := steps()
	for i, s := range all {
		if o.Begin != nil {
			o.Begin(i+1, len(all), s.name)
		}
		if err := s.do(m, ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, m.page); err != nil {
		return nil, err
	}
	if b.Len() > MaxPage {
		return nil, errTooLarge
	}
	return b.Bytes(), nil
}

var errTooLarge = errors.New("the page would be larger than 25 MB; show fewer -channels or fewer images")

func (m *maker) doing(format string, args ...any) {
	if m.Doing != nil {
		m.Doing(fmt.Sprintf(format, args...))
	}
}

// class returns the name of a class.
func (m *maker) class(c int) string {
	if c >= 0 && c < len(m.info.Classes) {
		return m.info.Classes[c]
	}
	return fmt.Sprint(c)
}

// AccuracyPercent is for the template.
func (p page) AccuracyPercent() float64 { return 100 * p.Accuracy }
