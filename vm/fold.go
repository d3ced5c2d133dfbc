package vm

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// maxFold bounds the elements of a folded value, so that programs stay small.
const maxFold = 1 << 16

// fold replaces what depends on Consts alone by a Const. Values that are uniform are left
// to lowering, where they become immediates.
func fold(u *unit) error {
	var failed error
	u.rewrite(func(dst *graph.Graph, n *graph.Node, in []*graph.Node) *graph.Node {
		image := dst.Replay(n, in...)
		if failed != nil || !foldable(image) {
			return image
		}
		v, err := evaluate(u.eng, image)
		if err != nil {
			failed = graph.ErrorAt(n, err)
			return image
		}
		return dst.Const(image.Type(), v)
	})
	return failed
}

// foldable leaves Int64 alone: a Const holds float64 numbers.
func foldable(n *graph.Node) bool {
	if n.NIn() == 0 || n.Type().DType == shape.Int64 || !n.Type().Shape.Concrete() || n.Type().Len() > maxFold {
		return false
	}
	for _, x := range n.Ins() {
		if x.Kind() != graph.Const {
			return false
		}
	}
	_, uniform := n.Op().(engine.UniformOp)
	return !uniform
}

// evaluate computes a node whose inputs are Consts.
func evaluate(e engine.Engine, n *graph.Node) ([]float64, error) {
	if _, ok := n.Op().(Aliaser); ok {
		return n.In(0).Values(), nil
	}
	types := make([]shape.Type, n.NIn())
	in := make([]engine.Buffer, n.NIn())
	for i, x := range n.Ins() {
		types[i] = x.Type()
		in[i] = allocate(x.Type())
		engine.Load(in[i], x.Values())
	}
	b, err := bindOp(e, n.Op(), types, n.Type())
	if err != nil {
		return nil, err
	}
	out := allocate(n.Type())
	err = b.Kernel(&engine.Call{Out: []engine.Buffer{out}, In: in, Scratch: engine.Aligned(b.Scratch)})
	return engine.Floats(out), err
}

// maxBytes bounds a value, and an arena: 64 TiB, beyond which sums of bytes could overflow
// and no machine goes.
const maxBytes = 1 << 46

// fits refuses a concrete type that is too large.
func fits(t shape.Type) error {
	size, err := t.Shape.Size()
	if err == nil && size > maxBytes/shape.Dim(max(t.Width(), 1)) {
		err = fmt.Errorf("%v has %d elements, more than memory can hold", t, size)
	}
	return err
}

// allocate returns memory for a value of concrete type t.
func allocate(t shape.Type) engine.Buffer {
	return engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, t.Len())
}

// bindOp finds the kernel of one op: an Elementwise op goes through the engine's Mapper.
func bindOp(e engine.Engine, op graph.Op, in []shape.Type, out shape.Type) (engine.Bound, error) {
	if m, ok := op.(engine.ElementwiseOp); ok {
		return bindMap(e, m.Map(in, out), in, []shape.Type{out})
	}
	if b, ok := op.(Bindable); ok {
		bound, err := b.Bind(e, in, out)
		return checkBound(bound, err, in, []shape.Type{out})
	}
	return engine.Bound{}, engine.Missing(e, op.Name())
}

func bindMap(e engine.Engine, m engine.Map, in, out []shape.Type) (engine.Bound, error) {
	mapper, ok := e.(engine.Mapper)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "elementwise functions")
	}
	if err := m.Check(in, out); err != nil {
		return engine.Bound{}, err
	}
	b, err := mapper.BindMap(m, in, out)
	return checkBound(b, err, in, out)
}

// checkBound refuses what a Binder must not give.
func checkBound(b engine.Bound, err error, in, out []shape.Type) (engine.Bound, error) {
	if err != nil {
		return b, err
	}
	if b.Kernel == nil || b.Scratch < 0 || b.Scratch > maxBytes {
		return b, fmt.Errorf("bound to a kernel that is nil or wants %d bytes of scratch", b.Scratch)
	}
	if err := checkPacking(b.Packing, len(in)); err != nil {
		return b, err
	}
	for _, o := range b.InPlace {
		if o.Out < 0 || o.Out >= len(out) || o.In < 0 || o.In >= len(in) {
			return b, fmt.Errorf("bound to a kernel that may overwrite input %d of %d by output %d of %d", o.In, len(in), o.Out, len(out))
		}
	}
	return b, nil
}
