package ir

import "errors"

// Value is a TensorProto, SequenceProto or OptionalProto.
type Value struct {
	Kind   Kind
	Elem   DataType // of tensors
	Tensor *Tensor  // of a tensor
	Items  []*Value // of a sequence, or the one of an optional that has one
}

// UnmarshalValue reads a file of test data, which holds a value of type t. Maps and sparse tensors are
// not read. Raw elements share the memory of b.
func UnmarshalValue(b []byte, t *Type) (*Value, error) {
	if t == nil {
		return nil, errors.New("the value has no type")
	}
	v := &Value{Kind: t.Kind}
	for t.Of != nil {
		t = t.Of
	}
	v.Elem = t.Elem
	return v, readValue(newDecoder(b), b, v)
}

// parts are the fields of a SequenceProto and of an OptionalProto.
var parts = map[Kind]map[int32]Kind{
	SequenceKind: {3: TensorKind, 5: SequenceKind, 7: OptionalKind},
	OptionalKind: {3: TensorKind, 5: SequenceKind, 7: OptionalKind},
}

func readValue(d *decoder, b []byte, v *Value) error {
	if v.Kind == TensorKind {
		v.Tensor = &Tensor{}
		if err := readTensor(d, b, v.Tensor); err != nil {
			return err
		}
		v.Elem = v.Tensor.Type
		return nil
	}
	return d.message(b, func(f field) error {
		kind, ok := parts[v.Kind][int32(f.num)]
		if !ok {
			return nil
		}
		return in(addTo(d, f, &v.Items, func(d *decoder, b []byte, item *Value) error {
			item.Kind, item.Elem = kind, v.Elem
			return readValue(d, b, item)
		}), "item %d", len(v.Items))
	})
}
