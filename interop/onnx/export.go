package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/atomicfile"
	"github.com/plexaura/plexaura/internal/rescue"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// ExportOptions configure [WriteFile] and [Export].
type ExportOptions struct {
	Name     string            // of the graph; "" means "model"
	Outputs  []string          // names of the outputs; nil means "output", or "output0" and so on
	Metadata map[string]string // kept in the file

	// External has WriteFile put the elements of parameters into a file beside the model's, with
	// ".data" behind its name, instead of inside: a file of the format has less than 2 GiB.
	External bool
}

// ExportOpset is the version of the operators of an exported model. It is of December 2022: all runtimes of
// today have it.
const ExportOpset = 18

// What an exported model says that it is.
const (
	exportIRVersion = 8
	exportProducer  = "plexaura"
)

// maxFile is the size of the largest protocol buffer, in bytes.
const maxFile = 1<<31 - 1

// WriteFile writes the inference form of outputs, with their parameters in store, to path as an ONNX
// model: opset 18, whose first axis is as open as N is. Inputs, parameters and states keep their
// names. Ops without an ONNX form, such as a user's, are an error that lists them all, and nothing is
// written. The file is replaced as a whole. See [graph.Inference].
func WriteFile(path string, outputs []*graph.Node, store *vm.Store, opts ExportOptions) error {
	m, err := Export(outputs, store, opts)
	if err != nil {
		return err
	}
	if opts.External {
		if err := writeExternal(path+".data", m.Graph.Initializers); err != nil {
			return err
		}
	}
	b := m.Marshal()
	if len(b) > maxFile {
		return fmt.Errorf("onnx: the model has %d bytes; a file has at most %d, so write its parameters beside it: ExportOptions.External", len(b), maxFile)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// externalAlign is where the elements of external tensors begin, so that readers can map them.
const externalAlign = 4096

// writeExternal writes the elements of tensors to path, and leaves their places in them.
func writeExternal(path string, tensors []*ir.Tensor) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		at := 0
		for _, t := range tensors {
			if len(t.Raw) < externalAlign {
				continue
			}
			gap := (externalAlign - at%externalAlign) % externalAlign
			for _, b := range [][]byte{make([]byte, gap), t.Raw} {
				if _, err := w.Write(b); err != nil {
					return err
				}
			}
			at += gap
			t.External = []ir.Entry{
				{Key: "location", Value: filepath.Base(path)}, {Key: "offset", Value: strconv.Itoa(at)}, {Key: "length", Value: strconv.Itoa(len(t.Raw))},
			}
			at += len(t.Raw)
			t.Outside, t.HasRaw, t.Raw = true, false, nil
		}
		return nil
	})
}

// Export returns what [WriteFile] writes.
func Export(outputs []*graph.Node, store *vm.Store, opts ExportOptions) (*ir.Model, error) {
	x, err := newExporter(outputs, store, opts)
	if err != nil {
		return nil, err
	}
	for _, n := range graph.Reachable(x.outs...) {
		x.add(n)
	}
	for i, n := range x.outs {
		x.output(n, x.outNames[i])
	}
	if len(x.refused) > 0 {
		return nil, fmt.Errorf("onnx: %w", x.refused)
	}
	m := &ir.Model{IRVersion: exportIRVersion, Producer: exportProducer, Opsets: []ir.Opset{{Version: ExportOpset}}, Graph: x.graph}
	for _, k := range slices.Sorted(maps.Keys(opts.Metadata)) {
		m.Metadata = append(m.Metadata, ir.Entry{Key: k, Value: opts.Metadata[k]})
	}
	x.tidy()
	return m, nil
}

// An exporter turns nodes into those of an ONNX graph, inputs first.
type exporter struct {
	graph    *ir.Graph
	outs     []*graph.Node
	outNames []string
	store    *vm.Store

	values  map[*graph.Node]string // the name of what a node computes
	uniform map[*graph.Node]string // a scalar that has the value of all elements
	cells   map[*graph.Node]*cells
	taken   map[string]bool
	consts  map[string]string
	source  *graph.Node // an input with an axis that depends on N
	count   string      // N, an int64 of one element
	refused graph.ErrorList

	node *graph.Node // that is being added
	undo []func()    // takes back the entries that are made for it
}

func newExporter(outputs []*graph.Node, store *vm.Store, opts ExportOptions) (*exporter, error) {
	if len(outputs) == 0 {
		return nil, errors.New("onnx: no outputs to export")
	}
	if opts.Outputs != nil && len(opts.Outputs) != len(outputs) {
		return nil, fmt.Errorf("onnx: %d names for %d outputs", len(opts.Outputs), len(outputs))
	}
	if store == nil {
		return nil, errors.New("onnx: no store, whose values the parameters have")
	}
	for i, n := range outputs {
		if n == nil {
			return nil, fmt.Errorf("onnx: output %d is nil", i)
		}
		if err := n.Graph().Err(); err != nil {
			return nil, fmt.Errorf("onnx: the graph has errors: %w", err)
		}
	}
	x := &exporter{
		graph: &ir.Graph{Name: cmp.Or(opts.Name, "model")}, outs: graph.Inference(outputs...), outNames: opts.Outputs,
		values: map[*graph.Node]string{}, uniform: map[*graph.Node]string{}, cells: map[*graph.Node]*cells{}, taken: map[string]bool{}, consts: map[string]string{},
	}
	for i := range outputs {
		switch {
		case opts.Outputs != nil:
		case len(outputs) == 1:
			x.outNames = append(x.outNames, "output")
		default:
			x.outNames = append(x.outNames, fmt.Sprint("output", i))
		}
	}
	for _, name := range x.outNames {
		if name == "" || x.taken[name] {
			return nil, fmt.Errorf("onnx: outputs are called %q; want names, each once", x.outNames)
		}
		x.taken[name] = true
	}
	return x, x.leaves(store)
}

// leaves takes the names of the leaves, and the values of parameters, where the store lacks some the
// initial ones.
func (x *exporter) leaves(store *vm.Store) error {
	var leaves []*graph.Node
	names := []string{} // nil would be all
	for _, n := range graph.Reachable(x.outs...) {
		switch n.Kind() {
		case graph.Param, graph.State:
			leaves, names = append(leaves, n), append(names, n.Name())
		case graph.Input:
		default:
			continue
		}
		if x.taken[n.Name()] {
			return fmt.Errorf("onnx: an output is called %q, as is %v; want another name in ExportOptions.Outputs", n.Name(), n)
		}
		x.taken[n.Name()] = true
	}
	s, err := store.Snapshot(names...)
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	if err := s.Init(leaves...); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	x.store = s
	return nil
}

// add adds a node, whose inputs have been. One that is refused silences those built on it.
func (x *exporter) add(n *graph.Node) {
	x.node = n
	for _, in := range n.Ins() {
		if !x.has(in) {
			return
		}
	}
	err := x.guarded(func() error { return x.export(n) })
	if err != nil {
		x.refused = append(x.refused, graph.ErrorAt(n, err))
	}
}

// guarded runs f, and returns what it refuses.
func (x *exporter) guarded(f func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case refusal:
			err = noForm(r.error)
		default:
			err = rescue.Of(r)
		}
	}()
	return f()
}

// has reports whether n has been exported.
func (x *exporter) has(n *graph.Node) bool {
	return x.values[n] != "" || x.uniform[n] != "" || x.cells[n] != nil
}

func (x *exporter) export(n *graph.Node) error {
	switch n.Kind() {
	case graph.Input:
		return x.input(n)
	case graph.Param, graph.State:
		return x.parameter(n)
	case graph.Const:
		return x.constant(n)
	}
	if x.batchNorm(n) {
		return nil
	}
	if !symbolicIn(n) {
		return x.at(n, 1)
	}
	return x.anyN(n)
}

// symbolicIn reports whether the type of n or of an input depends on N.
func symbolicIn(n *graph.Node) bool {
	return !n.Type().Concrete() || slices.ContainsFunc(n.Ins(), func(in *graph.Node) bool { return !in.Type().Concrete() })
}

// anyN exports n for any batch size: what two of them have in common, if that is all.
func (x *exporter) anyN(n *graph.Node) error {
	const few, more = 2, 3
	before, inits := len(x.graph.Nodes), len(x.graph.Initializers)
	signature := func() (s []ir.Node) {
		for _, k := range x.graph.Nodes[before:] {
			s = append(s, ir.Node{Op: k.Op, Attributes: k.Attributes})
		}
		return s
	}
	tensors := func() (all []ir.Tensor) {
		for _, t := range x.graph.Initializers[inits:] {
			all = append(all, ir.Tensor{Dims: t.Dims, Type: t.Type, Raw: t.Raw})
		}
		return all
	}
	x.undo = nil
	if err := x.at(n, more); err != nil {
		return err
	}
	nodes, made := signature(), tensors()
	x.reset(before, inits)
	if err := x.at(n, few); err != nil {
		return err
	}
	if !reflect.DeepEqual(nodes, signature()) || !reflect.DeepEqual(made, tensors()) {
		return fmt.Errorf("it depends on N in a way that an ONNX model cannot; compile the graph for inputs of a fixed batch size")
	}
	return nil
}

// reset takes back what an attempt has added.
func (x *exporter) reset(nodes, inits int) {
	for _, f := range x.undo {
		f()
	}
	x.graph.Nodes, x.graph.Initializers = x.graph.Nodes[:nodes], x.graph.Initializers[:inits]
	delete(x.values, x.node)
	delete(x.uniform, x.node)
	delete(x.cells, x.node)
}

// bindable is an op that asks an engine for its kernel.
type bindable interface {
	Bind(e engine.Engine, in []engine.Operand, out engine.Operand) (engine.Bound, error)
}

// at exports a computed node for batch size size.
func (x *exporter) at(n *graph.Node, size int) error {
	in := make([]shape.Type, n.NIn())
	for i, v := range n.Ins() {
		in[i] = v.Type().At(size)
	}
	out := n.Type().At(size)
	switch op := n.Op().(type) {
	case engine.UniformOp:
		return x.number(n, op)
	case engine.ElementwiseOp:
		return x.elementwise(op.Map(in, out), in, out)
	case interface{ Aliases() }:
		x.give(x.reshape(x.in(0), n.Type().Shape))
		return nil
	case bindable:
		_, err := op.Bind(recorder{x: x}, engine.InRows(in...), engine.InRow(out))
		if err == nil && !x.has(n) {
			err = errors.New("its kernel is none that an engine has")
		}
		return noForm(err)
	}
	return noForm(errors.New("it is computed by none of the methods that engines know"))
}

// noForm says what is to be done about an op without an ONNX form.
func noForm(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("it has no ONNX form (%w); compute it by other ops of package ops, or export outputs that do not need it", err)
}

// number exports an op that has one number for all elements; a number of elements may depend on N.
func (x *exporter) number(n *graph.Node, op engine.UniformOp) error {
	at := func(size int) float64 {
		in := make([]shape.Type, n.NIn())
		for i, v := range n.Ins() {
			in[i] = v.Type().At(size)
		}
		return op.Uniform(in, n.Type().At(size))
	}
	d := n.Type().DType
	one, two, three := at(1), at(2), at(3)
	switch {
	case one == two && two == three:
		x.uniform[n] = x.scalar(d, one)
	case two == 2*one && three == 3*one:
		count := x.cast(x.reshape(x.batch(), shape.Of()), d)
		x.uniform[n] = x.op("Mul", nil, count, x.scalar(d, one))
	default:
		return fmt.Errorf("its number depends on N in a way that an ONNX model cannot")
	}
	return nil
}

// in returns the name of input i of the node that is being added.
func (x *exporter) in(i int) string { return x.valueOf(x.node.In(i)) }

// valueOf returns the name of what n computes.
func (x *exporter) valueOf(n *graph.Node) string {
	if x.values[n] == "" && x.uniform[n] != "" {
		x.values[n] = x.expand(x.uniform[n], shape.Of(), n.Type().Shape)
		x.undo = append(x.undo, func() { delete(x.values, n) })
	}
	if x.values[n] == "" {
		refuse("only the hidden states of a recurrent layer and its last cell state have an ONNX form")
	}
	return x.values[n]
}

// give says that the value called name is what the node that is being added computes.
func (x *exporter) give(name string) { x.values[x.node] = name }

// name returns a name for a value of the node that is being added, after its layer and op.
func (x *exporter) name(op string) string {
	base := op
	if layer := x.node.Layer(); layer != "" {
		base = layer + "/" + op
	}
	name := base
	for i := 1; x.taken[name]; i++ {
		name = fmt.Sprint(base, "_", i)
	}
	x.taken[name] = true
	x.undo = append(x.undo, func() { delete(x.taken, name) })
	return name
}

// op adds an operator and returns the name of its only result.
func (x *exporter) op(op string, attributes []ir.Attribute, in ...string) string {
	return x.ops(op, attributes, 1, in...)[0]
}

// ops adds an operator with so many results.
func (x *exporter) ops(op string, attributes []ir.Attribute, outs int, in ...string) []string {
	n := &ir.Node{Op: op, Inputs: in, Attributes: attributes}
	for range outs {
		n.Outputs = append(n.Outputs, x.name(op))
	}
	n.Name = n.Outputs[0]
	x.graph.Nodes = append(x.graph.Nodes, n)
	return n.Outputs
}

// output gives what n computes one of the model's output names.
func (x *exporter) output(n *graph.Node, name string) {
	if !x.has(n) {
		return
	}
	x.node = n
	var value string
	err := x.guarded(func() error { value = x.valueOf(n); return nil })
	if err != nil {
		x.refused = append(x.refused, graph.ErrorAt(n, err))
		return
	}
	x.graph.Nodes = append(x.graph.Nodes, &ir.Node{Name: name, Op: "Identity", Inputs: []string{value}, Outputs: []string{name}})
	x.graph.Outputs = append(x.graph.Outputs, valueInfo(name, n.Type()))
}

func (x *exporter) input(n *graph.Node) error {
	x.graph.Inputs = append(x.graph.Inputs, valueInfo(n.Name(), n.Type()))
	x.give(n.Name())
	if x.source == nil && !n.Type().Concrete() {
		x.source = n
	}
	return nil
}

func (x *exporter) parameter(n *graph.Node) error {
	v, err := x.store.Value(n.Name())
	if err != nil {
		return err
	}
	x.initializer(n.Name(), n.Type(), engine.BufferOfDense(v).Bytes())
	x.give(n.Name())
	return nil
}

func (x *exporter) constant(n *graph.Node) error {
	t := n.Type()
	b := engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, t.Len())
	engine.Load(b, n.Values())
	name := x.name("constant")
	x.initializer(name, t, b.Bytes())
	x.give(name)
	return nil
}

func valueInfo(name string, t shape.Type) ir.ValueInfo {
	s := &ir.Shape{}
	for _, d := range t.Dims() {
		if n, ok := d.Int(); ok {
			s.Dims = append(s.Dims, ir.Dim{Value: int64(n), HasValue: true})
		} else {
			s.Dims = append(s.Dims, ir.Dim{Param: d.String()})
		}
	}
	return ir.ValueInfo{Name: name, Type: &ir.Type{Kind: ir.TensorKind, Elem: elemOf(t.DType), Shape: s}}
}

// exportElems are the element types of ours.
var exportElems = map[shape.DType]ir.DataType{
	shape.Float32: ir.Float, shape.Float64: ir.Double, shape.Int32: ir.Int32, shape.Int64: ir.Int64, shape.Uint8: ir.Uint8,
	shape.Bool: ir.Bool, shape.BFloat16: ir.BFloat16, shape.Float16: ir.Float16, shape.Int8: ir.Int8,
}

func elemOf(d shape.DType) ir.DataType { return exportElems[d] }

// initializer adds a tensor with the elements in b, which it keeps, in the byte order of this machine.
func (x *exporter) initializer(name string, t shape.Type, b []byte) {
	dims := make([]int64, t.Rank())
	for i, n := range t.Ints() {
		dims[i] = int64(n)
	}
	exchange(b, t.DType.Width())
	x.graph.Initializers = append(x.graph.Initializers, &ir.Tensor{Name: name, Dims: dims, Type: elemOf(t.DType), Raw: b, HasRaw: true})
}

// constants returns an initialiser with the given elements, one for all that are equal.
func (x *exporter) constants(t shape.Type, values ...float64) string {
	b := engine.BufferAt(engine.Aligned(t.Bytes()), t.DType, t.Len())
	engine.Load(b, values)
	key := fmt.Sprint(t, values)
	if name, ok := x.consts[key]; ok {
		return name
	}
	node := x.node
	x.node = nil
	name := x.name("constant")
	x.node = node
	x.initializer(name, t, b.Bytes())
	x.consts[key] = name
	x.undo = append(x.undo, func() { delete(x.consts, key) })
	return name
}

func (x *exporter) scalar(d shape.DType, v float64) string {
	return x.constants(shape.Type{DType: d}, v)
}

// ints returns an int64 initialiser along one axis.
func (x *exporter) ints(v ...int) string {
	f := make([]float64, len(v))
	for i, n := range v {
		f[i] = float64(n)
	}
	return x.constants(shape.I64(shape.Dim(len(v))), f...)
}

// batch returns N, an int64 of one element.
func (x *exporter) batch() string {
	if x.count != "" {
		return x.count
	}
	if x.source == nil {
		refuse("it depends on N, which no input has")
	}
	x.undo = append(x.undo, func() { x.count = "" })
	axis := slices.IndexFunc(x.source.Type().Dims(), shape.Dim.Symbolic)
	x.count = x.op("Shape", attrs(attrInt("start", int64(axis)), attrInt("end", int64(axis+1))), x.source.Name())
	if k := x.source.Type().Dim(axis).Factor(); k > 1 {
		x.count = x.op("Div", nil, x.count, x.ints(k))
	}
	return x.count
}

// shapeOf returns s as an int64 tensor.
func (x *exporter) shapeOf(s shape.Shape) string {
	if s.Concrete() {
		return x.ints(s.Ints()...)
	}
	var parts []string
	for _, d := range s.Dims() {
		switch n, ok := d.Int(); {
		case ok:
			parts = append(parts, x.ints(n))
		case d.Factor() == 1:
			parts = append(parts, x.batch())
		default:
			parts = append(parts, x.op("Mul", nil, x.batch(), x.ints(d.Factor())))
		}
	}
	return x.op("Concat", attrs(attrInt("axis", 0)), parts...)
}

// reshape gives v the shape s.
func (x *exporter) reshape(v string, s shape.Shape) string {
	dims, open := make([]int, s.Rank()), 0
	for i, d := range s.Dims() {
		n, ok := d.Int()
		if dims[i] = n; !ok {
			dims[i] = -1
			open++
		}
	}
	if open > 1 || slices.Contains(dims, 0) {
		return x.op("Reshape", attrs(attrInt("allowzero", 1)), v, x.shapeOf(s))
	}
	return x.op("Reshape", nil, v, x.ints(dims...))
}

// expand broadcasts v, of shape from, to shape to.
func (x *exporter) expand(v string, from, to shape.Shape) string {
	if from == to {
		return v
	}
	dims, known := to.Dims(), true
	for i, d := range dims {
		if !d.Symbolic() {
			continue
		}
		if k := i - to.Rank() + from.Rank(); k >= 0 && from.Dim(k) == d {
			dims[i] = 1 // it is there
			continue
		}
		known = false
	}
	if known {
		to = shape.Of(dims...)
	}
	return x.op("Expand", nil, v, x.shapeOf(to))
}

// attrs is a list of attributes.
func attrs(a ...ir.Attribute) []ir.Attribute { return a }

func attrInt(name string, v int64) ir.Attribute {
	return ir.Attribute{Name: name, Type: ir.AttributeInt, Int: v}
}

func attrInts[T int | uint8](name string, v ...T) ir.Attribute {
	ints := make([]int64, len(v))
	for i, n := range v {
		ints[i] = int64(n)
	}
	return ir.Attribute{Name: name, Type: ir.AttributeInts, Ints: ints}
}

func attrFloat(name string, v float64) ir.Attribute {
	return ir.Attribute{Name: name, Type: ir.AttributeFloat, Float: float32(v)}
}

func attrString(name, v string) ir.Attribute {
	return ir.Attribute{Name: name, Type: ir.AttributeString, String: v}
}
