package nhwc

import "github.com/plexaura/plexaura/internal/simd/isa"

// bands cut images of so many rows of windows into tasks of some rows each.
type bands struct {
	images, height int
	block          int // rows of a task
	blocks         int // tasks of an image
}

// bandsOf returns bands of nearly equal height, at most most rows.
func bandsOf(images, height, most int) bands {
	block := isa.Even(height, most)
	return bands{images, height, block, isa.Ceil(height, block)}
}

// Tasks is the number of tasks of Run.
func (b bands) Tasks() int { return b.images * b.blocks }

// band returns the image of task i, and which of its rows it has.
func (b bands) band(i int) (image, first, last int) {
	first = i % b.blocks * b.block
	return i / b.blocks, first, min(first+b.block, b.height)
}

// rowsOf returns the rows of task i among those of all images.
func (b bands) rowsOf(i int) (from, to int) {
	image, first, last := b.band(i)
	return image*b.height + first, image*b.height + last
}
