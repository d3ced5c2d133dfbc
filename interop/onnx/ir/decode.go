package ir

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/plexaura/plexaura/internal/plain"
)

// Unmarshal reads a ModelProto. Raw elements of tensors share the memory of b.
func Unmarshal(b []byte) (*Model, error) {
	m := &Model{}
	return m, readModel(newDecoder(b), b, m)
}

// UnmarshalTensor reads a TensorProto, such as a file of test data is. Raw elements share the memory
// of b.
func UnmarshalTensor(b []byte) (*Tensor, error) {
	t := &Tensor{}
	return t, readTensor(newDecoder(b), b, t)
}

func readModel(d *decoder, b []byte, m *Model) error {
	return d.message(b, func(f field) (err error) {
		switch f.num {
		case 1:
			return f.int(&m.IRVersion)
		case 2:
			return f.text(&m.Producer)
		case 3:
			return f.text(&m.ProducerVersion)
		case 4:
			return f.text(&m.Domain)
		case 5:
			return f.int(&m.Version)
		case 6:
			return f.text(&m.Doc)
		case 7:
			m.Graph, err = sub(d, f, readGraph)
			return in(err, "graph")
		case 8:
			return in(add(d, f, &m.Opsets, readOpset), "opset %d", len(m.Opsets))
		case 14:
			return add(d, f, &m.Metadata, readEntry)
		case 25:
			return in(addTo(d, f, &m.Functions, readFunction), "function %d", len(m.Functions))
		}
		return nil
	})
}

func readOpset(d *decoder, b []byte, o *Opset) error {
	return d.message(b, func(f field) error {
		switch f.num {
		case 1:
			return f.text(&o.Domain)
		case 2:
			return f.int(&o.Version)
		}
		return nil
	})
}

func readEntry(d *decoder, b []byte, e *Entry) error {
	return d.message(b, func(f field) error {
		switch f.num {
		case 1:
			return f.text(&e.Key)
		case 2:
			return f.text(&e.Value)
		}
		return nil
	})
}

func readGraph(d *decoder, b []byte, g *Graph) error {
	return d.message(b, func(f field) error {
		switch f.num {
		case 1:
			return in(addTo(d, f, &g.Nodes, readNode), "node %d", len(g.Nodes))
		case 2:
			return f.text(&g.Name)
		case 5:
			return in(addTo(d, f, &g.Initializers, readTensor), "initialiser %d", len(g.Initializers))
		case 11:
			return in(add(d, f, &g.Inputs, readValueInfo), "input %d", len(g.Inputs))
		case 12:
			return in(add(d, f, &g.Outputs, readValueInfo), "output %d", len(g.Outputs))
		case 13:
			return in(add(d, f, &g.Values, readValueInfo), "value %d", len(g.Values))
		case 15:
			return in(addTo(d, f, &g.Sparse, readSparse), "sparse initialiser %d", len(g.Sparse))
		}
		return nil
	})
}

func readNode(d *decoder, b []byte, n *Node) error {
	return d.message(b, func(f field) error {
		switch f.num {
		case 1:
			return f.texts(&n.Inputs)
		case 2:
			return f.texts(&n.Outputs)
		case 3:
			return f.text(&n.Name)
		case 4:
			return f.text(&n.Op)
		case 5:
			return in(add(d, f, &n.Attributes, readAttribute), "attribute %d", len(n.Attributes))
		case 7:
			return f.text(&n.Domain)
		case 8:
			return f.text(&n.Overload)
		}
		return nil
	})
}

func readAttribute(d *decoder, b []byte, a *Attribute) error {
	err := d.message(b, func(f field) (err error) {
		switch f.num {
		case 1:
			return f.text(&a.Name)
		case 2:
			a.Float = math.Float32frombits(uint32(f.bits))
			return f.want(protowire.Fixed32Type)
		case 3:
			return f.int(&a.Int)
		case 4:
			return f.octets(&a.String)
		case 5:
			a.Tensor, err = sub(d, f, readTensor)
			return err
		case 6:
			a.Graph, err = sub(d, f, readGraph)
			return err
		case 7:
			return f.floats(&a.Floats)
		case 8:
			return varints(f, &a.Ints, asInt64)
		case 9:
			var s string
			err := f.octets(&s)
			a.Strings = append(a.Strings, s)
			return err
		case 10:
			return addTo(d, f, &a.Tensors, readTensor)
		case 11:
			return addTo(d, f, &a.Graphs, readGraph)
		case 14:
			a.Of, err = sub(d, f, readType)
			return err
		case 20:
			return enum(f, &a.Type)
		case 21:
			return f.text(&a.Ref)
		case 22:
			a.Sparse, err = sub(d, f, readSparse)
			return err
		}
		return nil
	})
	if a.Type == AttributeUndefined { // files of version 1 have none
		a.Type = a.held()
	}
	return in(err, "%q", plain.Name(a.Name))
}

// held is the type of the value that a has.
func (a *Attribute) held() AttributeType {
	switch {
	case a.Tensor != nil:
		return AttributeTensor
	case a.Graph != nil:
		return AttributeGraph
	case len(a.Floats) > 0:
		return AttributeFloats
	case len(a.Ints) > 0:
		return AttributeInts
	case len(a.Strings) > 0:
		return AttributeStrings
	case a.String != "":
		return AttributeString
	case a.Float != 0:
		return AttributeFloat
	}
	return AttributeInt
}

func readFunction(d *decoder, b []byte, fn *Function) error {
	return d.message(b, func(f field) error {
		switch f.num {
		case 1:
			return f.text(&fn.Name)
		case 4:
			return f.texts(&fn.Inputs)
		case 5:
			return f.texts(&fn.Outputs)
		case 6:
			return f.texts(&fn.Attributes)
		case 7:
			return in(addTo(d, f, &fn.Nodes, readNode), "node %d", len(fn.Nodes))
		case 9:
			return add(d, f, &fn.Opsets, readOpset)
		case 10:
			return f.text(&fn.Domain)
		case 11:
			return add(d, f, &fn.Defaults, readAttribute)
		case 13:
			return f.text(&fn.Overload)
		}
		return nil
	})
}

func readValueInfo(d *decoder, b []byte, v *ValueInfo) error {
	return d.message(b, func(f field) (err error) {
		switch f.num {
		case 1:
			return f.text(&v.Name)
		case 2:
			v.Type, err = sub(d, f, readType)
			return err
		}
		return nil
	})
}

// kinds are the fields of a TypeProto.
var kinds = map[protowire.Number]Kind{1: TensorKind, 4: SequenceKind, 5: MapKind, 8: SparseKind, 9: OptionalKind}

func readType(d *decoder, b []byte, t *Type) error {
	return d.message(b, func(f field) error {
		kind, ok := kinds[f.num]
		if !ok {
			return nil
		}
		if err := f.want(protowire.BytesType); err != nil {
			return err
		}
		*t = Type{Kind: kind}
		return d.message(f.data, t.field(d))
	})
}

// field reads the fields of the message for t's kind, whose numbers are alike.
func (t *Type) field(d *decoder) func(field) error {
	tensor := t.Kind == TensorKind || t.Kind == SparseKind
	return func(f field) (err error) {
		switch {
		case f.num == 1 && (tensor || t.Kind == MapKind):
			return enum(f, &t.Elem)
		case f.num == 2 && tensor:
			t.Shape, err = sub(d, f, readShape)
		case f.num == 1 && !tensor, f.num == 2 && t.Kind == MapKind:
			t.Of, err = sub(d, f, readType)
		}
		return err
	}
}

func readShape(d *decoder, b []byte, s *Shape) error {
	return d.message(b, func(f field) error {
		if f.num != 1 {
			return nil
		}
		return add(d, f, &s.Dims, readDim)
	})
}

func readDim(d *decoder, b []byte, dim *Dim) error {
	return d.message(b, func(f field) error {
		switch f.num {
		case 1:
			dim.HasValue, dim.Param = true, ""
			return f.int(&dim.Value)
		case 2:
			dim.HasValue, dim.Value = false, 0
			return f.text(&dim.Param)
		}
		return nil
	})
}

func readSparse(d *decoder, b []byte, s *SparseTensor) error {
	return d.message(b, func(f field) (err error) {
		switch f.num {
		case 1:
			s.Values, err = sub(d, f, readTensor)
		case 2:
			s.Indices, err = sub(d, f, readTensor)
		case 3:
			return varints(f, &s.Dims, asInt64)
		}
		return err
	})
}

// external is the value of data_location for elements in another file.
const external = 1

func readTensor(d *decoder, b []byte, t *Tensor) error {
	err := d.message(b, func(f field) error {
		switch f.num {
		case 1:
			return varints(f, &t.Dims, asInt64)
		case 2:
			return enum(f, &t.Type)
		case 4:
			return f.floats(&t.Floats)
		case 5:
			return varints(f, &t.Int32s, asInt32)
		case 6:
			var s string
			err := f.octets(&s)
			t.Strings = append(t.Strings, s)
			return err
		case 7:
			return varints(f, &t.Int64s, asInt64)
		case 8:
			return f.text(&t.Name)
		case 9:
			t.Raw, t.HasRaw = f.data[:len(f.data):len(f.data)], true
			return f.want(protowire.BytesType)
		case 10:
			return f.doubles(&t.Doubles)
		case 11:
			return varints(f, &t.Uint64s, asUint64)
		case 13:
			return add(d, f, &t.External, readEntry)
		case 14:
			t.Outside = f.bits == external
			return f.want(protowire.VarintType)
		}
		return nil
	})
	if t.HasRaw && len(t.Raw) == 0 && t.listed() > 0 { // some writers add an empty one
		t.HasRaw = false
	}
	return in(err, "tensor %q", plain.Name(t.Name))
}
