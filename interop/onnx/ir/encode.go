package ir

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Marshal returns m as a ModelProto, from which [Unmarshal] makes an equal one.
func (m *Model) Marshal() []byte {
	var w writer
	if m == nil {
		return nil
	}
	w.int(1, m.IRVersion)
	w.text(2, m.Producer)
	w.text(3, m.ProducerVersion)
	w.text(4, m.Domain)
	w.int(5, m.Version)
	w.text(6, m.Doc)
	if m.Graph != nil {
		w.message(7, m.Graph.write)
	}
	each(&w, 8, m.Opsets, writeOpset)
	each(&w, 14, m.Metadata, writeEntry)
	each(&w, 25, m.Functions, writeFunction)
	return w.b
}

// Marshal returns t as a TensorProto.
func (t *Tensor) Marshal() []byte {
	var w writer
	if t != nil {
		writeTensor(&w, t)
	}
	return w.b
}

// writer appends fields to b. Zeros and empty texts are left out, as for proto3.
type writer struct{ b []byte }

func (w *writer) int(num protowire.Number, v int64) {
	if v != 0 {
		w.b = protowire.AppendVarint(protowire.AppendTag(w.b, num, protowire.VarintType), uint64(v))
	}
}

func (w *writer) text(num protowire.Number, s string) {
	if s != "" {
		w.bytes(num, []byte(s))
	}
}

// bytes writes b, also if it is empty.
func (w *writer) bytes(num protowire.Number, b []byte) {
	w.b = protowire.AppendBytes(protowire.AppendTag(w.b, num, protowire.BytesType), b)
}

func (w *writer) texts(num protowire.Number, list []string) {
	for _, s := range list {
		w.bytes(num, []byte(s))
	}
}

func (w *writer) message(num protowire.Number, f func(*writer)) {
	var inner writer
	f(&inner)
	w.bytes(num, inner.b)
}

func each[T any](w *writer, num protowire.Number, list []T, f func(*writer, T)) {
	for _, v := range list {
		w.message(num, func(w *writer) { f(w, v) })
	}
}

// packed writes a list as one field, if it has an element.
func packed[T any](w *writer, num protowire.Number, list []T, f func([]byte, T) []byte) {
	if len(list) == 0 {
		return
	}
	var b []byte
	for _, v := range list {
		b = f(b, v)
	}
	w.bytes(num, b)
}

func appendInt[T int32 | int64 | uint64](b []byte, v T) []byte {
	return protowire.AppendVarint(b, uint64(int64(v)))
}
func appendFloat(b []byte, v float32) []byte {
	return protowire.AppendFixed32(b, math.Float32bits(v))
}
func appendDouble(b []byte, v float64) []byte {
	return protowire.AppendFixed64(b, math.Float64bits(v))
}

func writeOpset(w *writer, o Opset) {
	w.text(1, o.Domain)
	w.int(2, o.Version)
}

func writeEntry(w *writer, e Entry) {
	w.text(1, e.Key)
	w.text(2, e.Value)
}

func (g *Graph) write(w *writer) {
	each(w, 1, g.Nodes, writeNode)
	w.text(2, g.Name)
	each(w, 5, g.Initializers, writeTensor)
	each(w, 11, g.Inputs, writeValueInfo)
	each(w, 12, g.Outputs, writeValueInfo)
	each(w, 13, g.Values, writeValueInfo)
	each(w, 15, g.Sparse, writeSparse)
}

func writeNode(w *writer, n *Node) {
	w.texts(1, n.Inputs)
	w.texts(2, n.Outputs)
	w.text(3, n.Name)
	w.text(4, n.Op)
	each(w, 5, n.Attributes, writeAttribute)
	w.text(7, n.Domain)
	w.text(8, n.Overload)
}

func writeAttribute(w *writer, a Attribute) {
	w.text(1, a.Name)
	if math.Float32bits(a.Float) != 0 {
		w.b = appendFloat(protowire.AppendTag(w.b, 2, protowire.Fixed32Type), a.Float)
	}
	w.int(3, a.Int)
	w.text(4, a.String)
	if a.Tensor != nil {
		w.message(5, func(w *writer) { writeTensor(w, a.Tensor) })
	}
	if a.Graph != nil {
		w.message(6, a.Graph.write)
	}
	for _, v := range a.Floats {
		w.b = appendFloat(protowire.AppendTag(w.b, 7, protowire.Fixed32Type), v)
	}
	for _, v := range a.Ints {
		w.b = appendInt(protowire.AppendTag(w.b, 8, protowire.VarintType), v)
	}
	w.texts(9, a.Strings)
	each(w, 10, a.Tensors, writeTensor)
	each(w, 11, a.Graphs, func(w *writer, g *Graph) { g.write(w) })
	if a.Of != nil {
		w.message(14, a.Of.write)
	}
	w.int(20, int64(a.Type))
	w.text(21, a.Ref)
	if a.Sparse != nil {
		w.message(22, func(w *writer) { writeSparse(w, a.Sparse) })
	}
}

func writeFunction(w *writer, f *Function) {
	w.text(1, f.Name)
	w.texts(4, f.Inputs)
	w.texts(5, f.Outputs)
	w.texts(6, f.Attributes)
	each(w, 7, f.Nodes, writeNode)
	each(w, 9, f.Opsets, writeOpset)
	w.text(10, f.Domain)
	each(w, 11, f.Defaults, writeAttribute)
	w.text(13, f.Overload)
}

func writeValueInfo(w *writer, v ValueInfo) {
	w.text(1, v.Name)
	if v.Type != nil {
		w.message(2, v.Type.write)
	}
}

func (t *Type) write(w *writer) {
	for num, kind := range kinds {
		if kind == t.Kind {
			w.message(num, t.writeKind)
		}
	}
}

func (t *Type) writeKind(w *writer) {
	of := protowire.Number(1)
	if t.Kind == MapKind {
		of = 2
	}
	w.int(1, int64(t.Elem))
	if t.Shape != nil {
		w.message(2, func(w *writer) { each(w, 1, t.Shape.Dims, writeDim) })
	}
	if t.Of != nil {
		w.message(of, t.Of.write)
	}
}

func writeDim(w *writer, d Dim) {
	if d.HasValue {
		w.b = appendInt(protowire.AppendTag(w.b, 1, protowire.VarintType), d.Value)
	}
	w.text(2, d.Param)
}

func writeSparse(w *writer, s *SparseTensor) {
	if s.Values != nil {
		w.message(1, func(w *writer) { writeTensor(w, s.Values) })
	}
	if s.Indices != nil {
		w.message(2, func(w *writer) { writeTensor(w, s.Indices) })
	}
	packed(w, 3, s.Dims, appendInt)
}

func writeTensor(w *writer, t *Tensor) {
	for _, d := range t.Dims { // not packed: some readers of old know no other form
		w.b = appendInt(protowire.AppendTag(w.b, 1, protowire.VarintType), d)
	}
	w.int(2, int64(t.Type))
	packed(w, 4, t.Floats, appendFloat)
	packed(w, 5, t.Int32s, appendInt)
	w.texts(6, t.Strings)
	packed(w, 7, t.Int64s, appendInt)
	w.text(8, t.Name)
	if t.HasRaw {
		w.bytes(9, t.Raw)
	}
	packed(w, 10, t.Doubles, appendDouble)
	packed(w, 11, t.Uint64s, appendInt)
	each(w, 13, t.External, writeEntry)
	if t.Outside {
		w.int(14, external)
	}
}
