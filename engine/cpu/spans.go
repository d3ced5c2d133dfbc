package cpu

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/shape"
)

// What is copied is a pairing: x is the result, and y the input.

// spansOf are the elements of g, whose strides are those of the input if from is set, else of the result; in
// the other tensor they follow each other.
func spansOf(g grid, from bool) (s pairing) {
	dense := g.size()
	for k := range g.rank {
		dense /= g.extent[k]
		if from {
			s.add(g.extent[k], dense, g.stride[k])
		} else {
			s.add(g.extent[k], g.stride[k], dense)
		}
	}
	return s
}

// inWords gives s, of elements of so many words of 4 bytes, in words. Its rows are of adjoining elements.
func (s pairing) inWords(words int) pairing {
	last := s.rank - 1
	for k := range last {
		s.x[k] *= words
		s.y[k] *= words
	}
	s.extent[last] *= words
	return s
}

// forward reports whether all steps are, and the last axis is of adjoining elements.
func (s *pairing) forward() bool {
	last := s.rank - 1
	if last < 0 || s.x[last] != 1 || s.y[last] != 1 {
		return false
	}
	return slices.Min(s.x[:s.rank]) >= 0 && slices.Min(s.y[:s.rank]) >= 0
}

const (
	wordBytes = 4
	// shortSpan is the most words of a row that are copied by kernels of rows; more are work enough for a call.
	shortSpan = 4096
	// taskWords is about how many words are copied in a task.
	taskWords = 1 << 14
)

// copySpans returns the loop that copies elements of that width from input in to output 0, where they begin at
// to and from, many rows in a call. It reports false unless they are short rows of adjoining elements of whole words.
func (e Engine) copySpans(s pairing, width, in, to, from int) (*loop, bool) {
	each := width / wordBytes
	if each == 0 || !s.forward() || each*s.extent[s.rank-1] > shortSpan {
		return nil, false
	}
	s, to, from = s.inWords(each), each*to, each*from
	var p vec.Places
	p.N, _, _ = s.pop()
	p.Rows, p.DstRow, p.SrcRow = s.pop()
	if p.Rows*p.N <= taskWords {
		p.Planes, p.DstPlane, p.SrcPlane = s.pop()
	} else {
		p.Planes, p.DstPlane, p.SrcPlane = p.Rows, p.DstRow, p.SrcRow
		p.Rows = 1
	}
	sets := partsOf(p.Planes, taskWords/(p.Rows*p.N))
	return e.newLoop(s.size()*sets.count, sets.each*p.Rows*(2+p.N/16), func(c *engine.Call, _, lo, hi int) {
		dst, src := wordsOf(c.Out[0]), wordsOf(c.In[in])
		for i := lo; i < hi; i++ {
			set := p
			dstAt, srcAt := s.at(i / sets.count)
			first, end := sets.bounds(i % sets.count)
			set.Planes = end - first
			e.simd.Vec.CopyPlanes(dst[to+dstAt+first*p.DstPlane:], src[from+srcAt+first*p.SrcPlane:], set)
		}
	}), true
}

// wordsOf is memory, whose elements are whole words, as words of 4 bytes.
func wordsOf(b engine.Buffer) []float32 {
	bytes := b.Bytes()
	return engine.Slice[float32](engine.BufferAt(bytes, shape.Float32, len(bytes)/wordBytes))
}

// broadcasting returns the loop that fills output 0 with the elements of an input that has fewer, in one pass, or
// false where the map for any function is as good.
func (e Engine) broadcasting(from, to shape.Type) (*loop, bool) {
	g := gridOf(from.Shape, to.Shape)
	if to.Len() == 0 || from.Len() <= 1 {
		return nil, false
	}
	if g.stride[g.rank-1] != 0 {
		return e.copySpans(spansOf(g, true), to.Width(), 0, 0, 0)
	}
	n, _ := g.pop()
	if n > taskWords {
		return nil, false
	}
	switch to.Width() {
	case 4:
		return repeating(e, g, n, e.simd.Vec.Repeat), true
	case 8:
		return repeating(e, g, n, e.simd.Vec.Repeat64), true
	}
	return nil, false
}

// repeating fills a row of n elements with each element of g.
func repeating[T float32 | float64](e Engine, g grid, n int, repeat func(dst []T, n int, x []T, stride int)) *loop {
	rows, stride := g.pop()
	sets := partsOf(rows, taskWords/n)
	return e.newLoop(g.size()*sets.count, sets.each*(3+n/16), func(c *engine.Call, _, lo, hi int) {
		dst, src := words[T](c.Out[0]), words[T](c.In[0])
		for i := lo; i < hi; i++ {
			first, end := sets.bounds(i % sets.count)
			at := g.offset(i/sets.count) + first*stride
			repeat(dst[(i/sets.count*rows+first)*n:][:(end-first)*n], n, src[at:], stride)
		}
	})
}
