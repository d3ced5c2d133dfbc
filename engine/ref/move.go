package ref

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var _ engine.Mover = Engine{}

// word stands for all element types of the same width, which are moved in the same way.
type word interface {
	uint8 | shape.Half | int32 | int64
}

// id are the element types of indices.
type id interface{ uint8 | int32 | int64 }

// elems views b's elements as words of their width.
func elems[W word](b engine.Buffer) []W {
	return engine.Slice[W](engine.BufferAt(b.Bytes(), shape.DTypeOf[W](), b.Len()))
}

// bindMove picks the kernel for the width of d's elements.
func bindMove(d shape.DType, w1, w2, w4, w8 engine.Kernel) (engine.Bound, error) {
	switch d.Width() {
	case 1:
		return bound(w1), nil
	case 2:
		return bound(w2), nil
	case 4:
		return bound(w4), nil
	}
	return bound(w8), nil
}

// part is a grid that starts at an offset.
type part struct {
	grid
	start int
}

// partOf returns the part, of the given shape, that w cuts from a tensor of shape whole.
func partOf(whole, cut shape.Shape, w engine.Window) (p part) {
	for i, stride := range whole.Strides() {
		p.start += w.Start[i] * stride
		p.add(cut.Int(i), w.Step[i]*stride)
	}
	return p
}

// take copies the elements of src that p iterates over to dst, in order.
func take[W word](dst, src []W, p *part) {
	n, stride := p.row()
	for i := 0; i < len(dst); i += n {
		at := p.start + p.offset(i)
		for j := range dst[i:][:n] {
			dst[i+j] = src[at+j*stride]
		}
	}
}

// put copies the elements of src, in order, to those of dst that p iterates over.
func put[W word](dst, src []W, p *part) {
	n, stride := p.row()
	for i := 0; i < len(src); i += n {
		at := p.start + p.offset(i)
		for j, x := range src[i:][:n] {
			dst[at+j*stride] = x
		}
	}
}

// BindTranspose implements [engine.Mover].
func (Engine) BindTranspose(p engine.Perm, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	var x part
	strides := in[0].Strides()
	for i := range out.Rank() {
		x.add(out.Int(i), strides[p[i]])
	}
	return bindTake(x, out)
}

// BindSlice implements [engine.Mover].
func (Engine) BindSlice(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	return bindTake(partOf(in[0].Shape, out.Shape, w), out)
}

func bindTake(p part, out engine.Operand) (engine.Bound, error) {
	return bindMove(out.DType, takes[uint8](p), takes[shape.Half](p), takes[int32](p), takes[int64](p))
}

func takes[W word](p part) engine.Kernel {
	return func(c *engine.Call) error {
		take(elems[W](c.Out[0]), elems[W](c.In[0]), &p)
		return nil
	}
}

// BindEmbed implements [engine.Mover].
func (Engine) BindEmbed(w engine.Window, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	p := partOf(out.Shape, in[0].Shape, w)
	return bindMove(out.DType, embeds[uint8](p), embeds[shape.Half](p), embeds[int32](p), embeds[int64](p))
}

func embeds[W word](p part) engine.Kernel {
	return func(c *engine.Call) error {
		dst := elems[W](c.Out[0])
		clear(dst)
		put(dst, elems[W](c.In[0]), &p)
		return nil
	}
}

// BindConcat implements [engine.Mover].
func (Engine) BindConcat(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	parts := make([]part, len(in))
	w := engine.Window{Step: unitSteps}
	for i, t := range in {
		parts[i] = partOf(out.Shape, t.Shape, w)
		w.Start[axis] += t.Int(axis)
	}
	b, err := bindMove(out.DType, concats[uint8](parts), concats[shape.Half](parts), concats[int32](parts), concats[int64](parts))
	b.Joined = engine.Parts(axis, engine.Types(in))
	return b, err
}

var unitSteps = [shape.MaxRank]int{1, 1, 1, 1, 1, 1, 1, 1}

func concats[W word](parts []part) engine.Kernel {
	return func(c *engine.Call) error {
		for i := range parts {
			put(elems[W](c.Out[0]), elems[W](c.In[i]), &parts[i])
		}
		return nil
	}
}

// BindOneHot implements [engine.Mover].
func (Engine) BindOneHot(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	switch ids := in[0].DType; ids {
	case shape.Int32:
		return bindOneHot[int32](out)
	case shape.Int64:
		return bindOneHot[int64](out)
	case shape.Uint8:
		return bindOneHot[uint8](out)
	}
	return engine.Bound{}, engine.Unsupported("ref", "OneHot", in)
}

func bindOneHot[I id](out engine.Operand) (engine.Bound, error) {
	one := engine.BufferAt(engine.Aligned(out.Width()), out.DType, 1)
	engine.Load(one, []float64{1})
	k := out.Int(-1)
	b, err := bindMove(out.DType, oneHots[I, uint8](k, one), oneHots[I, shape.Half](k, one), oneHots[I, int32](k, one), oneHots[I, int64](k, one))
	b.Fails = true
	return b, err
}

// oneHots writes the bits of one; those of zero are 0 in every type.
func oneHots[I id, W word](k int, one engine.Buffer) engine.Kernel {
	return func(c *engine.Call) error {
		dst, bits := elems[W](c.Out[0]), elems[W](one)[0]
		clear(dst)
		for i, class := range engine.Slice[I](c.In[0]) {
			if class < 0 || int64(class) >= int64(k) {
				return fmt.Errorf("id %d, element %d, is not one of the %d classes 0..%d", class, i, k, k-1)
			}
			dst[i*k+int(class)] = bits
		}
		return nil
	}
}
