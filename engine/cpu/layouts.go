package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// The layouts of images that kernels take: byImages, where there are 16 or a multiple, and
// channelsLast.
var (
	lastOnly    = []engine.Layout{channelsLast}
	bothLayouts = []engine.Layout{byImages, channelsLast}
)

var _ engine.Layouter = Engine{}

// Layouts implements [engine.Layouter]: images can have channels last, and batches of them can be
// interleaved by 16.
func (e Engine) Layouts(t shape.Type) []engine.Layout {
	switch {
	case t.Rank() != 4:
		return nil
	case byImages.Fits(t):
		return bothLayouts
	}
	return lastOnly
}

// arranged adds to b, a kernel for rows, that the first so many of in, and the result, can have
// layout l, by which it gains so much; see [engine.Arrangement].
func (e Engine) arranged(b engine.Bound, l engine.Layout, gain, images int, in []engine.Operand, out engine.Operand) engine.Bound {
	if e.takes(l, out.Type) && e.takes(l, engine.Types(in[:images])...) {
		b.Arrangements = append(b.Arrangements, engine.Arrangement{In: engine.Images(l, images, len(in)), Out: l, Gain: gain})
	}
	return b
}

// arrangedToRows is arranged for a result in rows.
func (e Engine) arrangedToRows(b engine.Bound, l engine.Layout, gain, images int, in []engine.Operand) engine.Bound {
	if e.takes(l, engine.Types(in[:images])...) {
		b.Arrangements = append(b.Arrangements, engine.Arrangement{In: engine.Images(l, images, len(in)), Gain: gain})
	}
	return b
}

// takes reports whether kernels other than maps take tensors of all these types in layout l.
func (e Engine) takes(l engine.Layout, ts ...shape.Type) bool {
	if l == channelsLast {
		return e.lastable(ts...)
	}
	return e.interleavable(ts...)
}
