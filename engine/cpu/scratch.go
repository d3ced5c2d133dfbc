package cpu

import (
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// region is a part of a call's scratch memory: n elements for each of several slots.
type region[T shape.Elem] struct{ at, n, pitch int }

// layout hands out regions of scratch memory. Its value is the bytes given so far.
type layout int

const lineBytes = 64

// reserve adds a region, aligned to cache lines, each slot's part apart.
func reserve[T shape.Elem](l *layout, slots, n int) region[T] {
	pitch := (n*shape.DTypeOf[T]().Width() + lineBytes - 1) / lineBytes * lineBytes
	r := region[T]{int(*l), n, pitch}
	*l += layout(slots * pitch)
	return r
}

// of returns the part of a slot.
func (r region[T]) of(c *engine.Call, slot int) []T {
	return engine.Slice[T](c.Scratch.At(r.at+slot*r.pitch, shape.DTypeOf[T](), r.n))
}
