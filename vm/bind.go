package vm

import (
	"fmt"
	"reflect"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// maxBytes is the largest size of a value and of an arena: 64 TiB. It is more than any machine has,
// and sums of a few such sizes do not overflow.
const maxBytes = 1 << 46

// fits rejects a concrete type that is too large.
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

// bindOp finds the kernel of one op. An Elementwise op uses the engine's Mapper.
func bindOp(e engine.Engine, op graph.Op, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if m, ok := op.(engine.ElementwiseOp); ok {
		return bindMap(e, m.Map(engine.Types(in), out.Type), in, []engine.Operand{out})
	}
	if b, ok := op.(Bindable); ok {
		bound, err := b.Bind(e, in, out)
		return checkBound(e, bound, err, in, []engine.Operand{out})
	}
	return engine.Bound{}, engine.Missing(e, op.Name())
}

func bindMap(e engine.Engine, m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	mapper, ok := e.(engine.Mapper)
	if !ok {
		return engine.Bound{}, engine.Missing(e, "elementwise functions")
	}
	if err := m.Check(engine.Types(in), engine.Types(out)); err != nil {
		return engine.Bound{}, err
	}
	b, err := mapper.BindMap(m, in, out)
	return checkBound(e, b, err, in, out)
}

// checkBound rejects results of Bind that are not allowed.
func checkBound(e engine.Engine, b engine.Bound, err error, in, out []engine.Operand) (engine.Bound, error) {
	if err != nil {
		return b, err
	}
	if b.Kernel == nil || b.Scratch < 0 || b.Scratch > maxBytes {
		return b, fmt.Errorf("bound to a kernel that is nil or needs %d bytes of scratch", b.Scratch)
	}
	if b.Memory == engine.Memory(engine.Host{}) {
		b.Memory = nil
	}
	if own := engine.MemoryOf(e); b.Memory != nil && b.Memory != own {
		return b, fmt.Errorf("bound to a kernel for the memory of %s; that of engine %s is %s's", b.Memory.Name(), e.Name(), own.Name())
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

// checkPacking rejects a Packing that is not allowed for a kernel with the given number of inputs.
func checkPacking(k engine.Packing, inputs int) error {
	switch {
	case k.Kernel == nil:
		return nil
	case k.In < 0 || k.In >= inputs:
		return fmt.Errorf("bound to a kernel that packs input %d of %d", k.In, inputs)
	case k.Bytes < 0 || k.Scratch < 0 || k.Rest < 0:
		return fmt.Errorf("bound to a kernel that packs into %d bytes, with %d and then %d bytes of scratch", k.Bytes, k.Scratch, k.Rest)
	case k.Form != nil && !reflect.ValueOf(k.Form).Comparable():
		return fmt.Errorf("bound to a kernel that packs into a form that is not comparable, %v", k.Form)
	}
	return nil
}
