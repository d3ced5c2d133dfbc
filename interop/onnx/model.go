package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

// Options configure [ReadFile] and [Read].
type Options struct {
	// Name is how errors call the model; by default the name of its file, or "model".
	Name string
	// Bind gives values to inputs, which are then no inputs any more. An input must be bound if an
	// operator needs its value when a program is made, such as the shape of a Reshape, and there is no
	// [Session] that does it.
	Bind map[string]*Tensor
	// Outputs are names of values, of nodes or inputs, that are the outputs instead of those of the
	// file. Nodes that they do not need are left out: a network without its head is
	// Outputs: []string{"the input of its last Gemm"}.
	Outputs []string
	// Memory bounds the bytes that the programs of a [Session] keep: the values of as many runs as there were at a time, copies
	// of their inputs, and constants; parameters are the store's. Programs that were not used for the longest time are
	// forgotten, and made again when they are needed; those that a run goes through are kept. 0 means 1 GiB. What
	// a single run may take is bounded by the option WithMemory of package vm.
	Memory int
}

// Model is a model that was read from a file. It is immutable.
type Model struct {
	ir        *ir.Model
	name      string
	opsets    map[string]int64
	functions map[functionKey]*ir.Function
	operators catalogue
	bound     map[string]*Tensor
	tensors   map[*ir.Tensor]*Tensor
	params    map[*ir.Tensor]string // the names of initialisers as parameters: unique in the file
	inputs    []Input
	memory    int // of Options

	// Of the body of a loop, which is a model of its own:
	outer  map[string]*value // known values of the graph around it
	attrs  map[string]*ir.Attribute
	prefix string
	depth  int
}

// read tells a Model that was made by one of the functions of this package.
func (m *Model) read() bool { return m != nil && m.ir != nil }

var errNoModel = errors.New("onnx: there is no model; make one by ReadFile")

type functionKey struct{ domain, name, overload string }

// Input describes an input or output of a model.
type Input struct {
	Name string
	Kind ir.Kind     // what it is: a tensor, a sequence...
	Type ir.DataType // of a tensor, or of those in a sequence
	Dims []Dim       // nil if not even the number of axes is stated
}

// Dim is the extent of an axis: a number or, if Size is -1, one of each run. Extents with the same
// Name are equal.
type Dim struct {
	Size int
	Name string
}

// String returns the number, the name, or "?".
func (d Dim) String() string {
	switch {
	case d.Size >= 0:
		return fmt.Sprint(d.Size)
	case d.Name != "":
		return plain.Name(d.Name)
	}
	return "?"
}

// String returns "x float(N,3,224,224)".
func (in Input) String() string {
	kind := map[ir.Kind]string{ir.SequenceKind: "sequence of ", ir.OptionalKind: "optional ", ir.MapKind: "map of ", ir.SparseKind: "sparse "}[in.Kind]
	dims := "(...)"
	if in.Dims != nil {
		dims = "("
		for i, d := range in.Dims {
			if i > 0 {
				dims += ","
			}
			dims += d.String()
		}
		dims += ")"
	}
	return plain.Name(in.Name) + " " + kind + in.Type.String() + dims
}

// ReadFile reads the model at path, and the files beside it that hold elements of its tensors.
func ReadFile(path string, opts Options) (*Model, error) {
	m, err := ir.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if opts.Name == "" {
		opts.Name = filepath.Base(path)
	}
	model, err := New(m, opts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return model, nil
}

// Read reads a model that is in memory. It keeps b, which must not be changed afterwards.
func Read(b []byte, opts Options) (*Model, error) {
	m, err := ir.Unmarshal(b)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	model, err := New(m, opts)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	return model, nil
}

// New returns the model of the given messages, which it keeps.
func New(m *ir.Model, opts Options) (*Model, error) {
	if m == nil || m.Graph == nil {
		return nil, errors.New("the model has no graph: is it an ONNX file?")
	}
	if opts.Name == "" {
		opts.Name = "model"
	}
	model := &Model{ir: m, name: plain.Name(opts.Name), opsets: opsetsOf(m.Opsets), functions: map[functionKey]*ir.Function{},
		operators: operators(), memory: cmp.Or(max(opts.Memory, 0), defaultMemory), bound: opts.Bind, tensors: map[*ir.Tensor]*Tensor{}, params: map[*ir.Tensor]string{}}
	taken := map[string]int{}
	model.nameParams(m.Graph, taken)
	for _, f := range m.Functions {
		model.nameParamsIn(f.Nodes, taken)
	}
	if len(m.Opsets) == 0 { // version 1 of the format had none
		model.opsets[""] = 1
	}
	for _, f := range m.Functions {
		key := functionKey{domain(f.Domain), f.Name, f.Overload}
		if model.functions[key] != nil {
			return nil, fmt.Errorf("two functions are called %q", plain.Name(f.Name))
		}
		model.functions[key] = f
	}
	if opts.Outputs != nil {
		if err := model.cut(opts.Outputs); err != nil {
			return nil, err
		}
	}
	if err := model.readInputs(); err != nil {
		return nil, err
	}
	return model, nil
}

// nameParams gives the initialisers of a graph, and then of those in its nodes, names: their own or, if
// another has it, that with a number.
func (m *Model) nameParams(g *ir.Graph, taken map[string]int) {
	for _, t := range g.Initializers {
		name := t.Name
		for taken[name] > 0 {
			taken[t.Name]++
			name = fmt.Sprintf("%s#%d", t.Name, taken[t.Name])
		}
		taken[name] = 1
		m.params[t] = name
	}
	m.nameParamsIn(g.Nodes, taken)
}

func (m *Model) nameParamsIn(nodes []*ir.Node, taken map[string]int) {
	for _, n := range nodes {
		for _, a := range n.Attributes {
			for _, g := range append([]*ir.Graph{a.Graph}, a.Graphs...) {
				if g != nil {
					m.nameParams(g, taken)
				}
			}
		}
	}
}

func opsetsOf(list []ir.Opset) map[string]int64 {
	v := map[string]int64{}
	for _, o := range list {
		v[domain(o.Domain)] = o.Version
	}
	return v
}

// readInputs lists the inputs that a run must be given.
func (m *Model) readInputs() error {
	named := map[string]bool{}
	for _, v := range m.ir.Graph.Inputs {
		if named[v.Name] || v.Name == "" {
			return fmt.Errorf("the name of input %q is empty or that of another", plain.Name(v.Name))
		}
		named[v.Name] = true
		in, err := inputOf(v)
		if err != nil {
			return err
		}
		if m.bound[v.Name] == nil && !m.initialised(v.Name) {
			m.inputs = append(m.inputs, in)
		}
	}
	for name, t := range m.bound {
		if !named[name] {
			return fmt.Errorf("Bind: the model has no input %q", plain.Name(name))
		}
		if err := t.check(); err != nil {
			return fmt.Errorf("Bind: %q: %w", plain.Name(name), err)
		}
	}
	return nil
}

func (m *Model) initialised(name string) bool {
	return slices.ContainsFunc(m.ir.Graph.Initializers, func(t *ir.Tensor) bool { return t.Name == name })
}

func inputOf(v ir.ValueInfo) (Input, error) {
	in := Input{Name: v.Name, Kind: ir.TensorKind}
	if v.Type == nil {
		return in, nil
	}
	in.Kind = v.Type.Kind
	t := v.Type
	for t.Kind != ir.TensorKind && t.Of != nil {
		t = t.Of
	}
	in.Type = t.Elem
	if t.Shape == nil {
		return in, nil
	}
	in.Dims = []Dim{}
	for _, d := range t.Shape.Dims {
		dim := Dim{-1, d.Param}
		if d.Param == "?" { // is no name
			dim.Name = ""
		}
		if d.HasValue && d.Value != -1 { // with which exporters of Paddle say that it is open
			if d.Value < 0 || d.Value > 1<<31-1 {
				return in, fmt.Errorf("%q: extent %d is not valid", plain.Name(v.Name), d.Value)
			}
			dim = Dim{Size: int(d.Value)}
		}
		in.Dims = append(in.Dims, dim)
	}
	return in, nil
}

// tensor returns the elements of an initialiser or attribute, which are decoded once.
func (m *Model) tensor(t *ir.Tensor) (*Tensor, error) {
	if h := m.tensors[t]; h != nil {
		return h, nil
	}
	return FromProto(t)
}

// function returns the function of the file that n calls, or nil.
func (m *Model) function(n *ir.Node) *ir.Function {
	return m.functions[functionKey{domain(n.Domain), n.Op, n.Overload}]
}

// inDomain says which version of a domain the file uses.
func (m *Model) inDomain(d string) string {
	if domain(d) == "" {
		return fmt.Sprintf(" in opset %d", m.opsets[""])
	}
	return fmt.Sprintf(" in domain %s", plain.Name(d))
}

// Inputs returns the inputs that a run must be given, in the order of the file: those that have
// neither an initialiser nor a value by Options.Bind.
func (m *Model) Inputs() []Input {
	if m == nil {
		return nil
	}
	return slices.Clone(m.inputs)
}

// Outputs returns the outputs in the order of the file, with the types that it states.
func (m *Model) Outputs() []Input {
	var outs []Input
	if !m.read() {
		return nil
	}
	for _, v := range m.ir.Graph.Outputs {
		out, _ := inputOf(v)
		outs = append(outs, out)
	}
	return outs
}

// Opset returns the version of the operators of a domain that the file uses, and 0 if it uses none;
// the domain of the standard is "".
func (m *Model) Opset(d string) int {
	if m == nil {
		return 0
	}
	return int(m.opsets[domain(d)])
}

// Metadata returns the file's own keys and values.
func (m *Model) Metadata() map[string]string {
	v := map[string]string{}
	if !m.read() {
		return v
	}
	for _, e := range m.ir.Metadata {
		v[e.Key] = e.Value
	}
	return v
}

// Producer returns the name and version of the program that wrote the file.
func (m *Model) Producer() (name, version string) {
	if !m.read() {
		return "", ""
	}
	return m.ir.Producer, m.ir.ProducerVersion
}

// Proto returns the messages of the file, which must not be changed.
func (m *Model) Proto() *ir.Model {
	if !m.read() {
		return nil
	}
	return m.ir
}

// Layer returns the model as a layer, which [train.Config] and [nn.Sequential] take: of a model with
// one input, it gives the first output. Mistakes are errors of the graph.
//
// [train.Config]: https://pkg.go.dev/github.com/plexaura/plexaura/train#Config
func (m *Model) Layer() nn.Layer { return layer{m} }

// layer is a comparable type, as layers are.
type layer struct{ m *Model }

// Apply implements [nn.Layer].
func (l layer) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	outs, err := l.m.Apply(s, x)
	if err == nil && len(outs) == 0 {
		err = fmt.Errorf("onnx: %s has no outputs", l.m.name)
	}
	if err == nil {
		return outs[0]
	}
	in := []*graph.Node{x}
	for _, n := range s.Graph().Nodes() {
		if !n.Valid() { // the graph has the error already, at this node
			in = append(in, n)
			break
		}
	}
	return s.Graph().Reject("ONNX", err, in...)
}

// Missing is an operator that is not supported.
type Missing struct {
	Operator string // with its domain, if that is not the standard's
	Version  int    // of its domain
	Nodes    []string
}

// String returns "Foo (domain version 3), 2 nodes: a, b".
func (m Missing) String() string {
	return fmt.Sprintf("%s (version %d): %s", plain.Name(m.Operator), m.Version, plain.Names(m.Nodes, 3))
}

// Missing returns the operators that the file uses and that are not supported, in the order of their
// first use. Those of branches that are never taken are among them.
func (m *Model) Missing() []Missing {
	if !m.read() {
		return nil
	}
	var all []Missing
	at := map[string]int{}
	add := func(n *ir.Node, i int, opsets map[string]int64, prefix string) {
		version := opsets[domain(n.Domain)]
		if m.function(n) != nil || m.operators.find(n.Domain, n.Op, version) != nil {
			return
		}
		name := n.Op
		if d := domain(n.Domain); d != "" {
			name = d + "." + n.Op
		}
		k, ok := at[name]
		if !ok {
			k = len(all)
			at[name] = k
			all = append(all, Missing{Operator: name, Version: int(version)})
		}
		all[k].Nodes = append(all[k].Nodes, prefix+nodeName(n, i))
	}
	eachNode(m.ir.Graph.Nodes, func(n *ir.Node, i int) { add(n, i, m.opsets, "") })
	for _, f := range m.ir.Functions {
		opsets := m.opsets
		if len(f.Opsets) > 0 {
			opsets = opsetsOf(f.Opsets)
		}
		eachNode(f.Nodes, func(n *ir.Node, i int) { add(n, i, opsets, plain.Name(f.Name)+"/") })
	}
	return all
}

// eachNode calls f for nodes and those of the graphs in their attributes.
func eachNode(nodes []*ir.Node, f func(n *ir.Node, i int)) {
	for i, n := range nodes {
		f(n, i)
		for _, a := range n.Attributes {
			for _, g := range append([]*ir.Graph{a.Graph}, a.Graphs...) {
				if g != nil {
					eachNode(g.Nodes, f)
				}
			}
		}
	}
}

// Apply adds the nodes of the model to the graph of s and returns its outputs. The inputs are nodes
// for [Model.Inputs], in their order; their first extents are usually N.
//
// Initialisers of floating-point numbers with at least one axis become parameters of s, called as in
// the file; a store that lacks them gets the numbers of the file. The mean and variance of a
// BatchNormalization are States. Other known values are constants. In training, batch normalisation
// normalises by the batch; see [graph.Inference].
//
// Errors are returned all together, and are those of the graph too.
func (m *Model) Apply(s nn.Scope, inputs ...*graph.Node) ([]*graph.Node, error) {
	if !m.read() {
		return nil, errNoModel
	}
	if len(inputs) != len(m.inputs) {
		return nil, fmt.Errorf("onnx: %s has %d inputs, %d nodes were given", m.name, len(m.inputs), len(inputs))
	}
	ev := newEvaluator(m, s)
	values := map[string]*value{}
	for i, n := range inputs {
		if err := m.inputs[i].admits(n.Type()); err != nil {
			return nil, fmt.Errorf("onnx: %s: %w", m.name, err)
		}
		values[m.inputs[i].Name] = computed(n, m.inputs[i].Type)
	}
	outs, err := ev.run(values)
	if err != nil {
		return nil, err
	}
	nodes := make([]*graph.Node, len(outs))
	err = guarded(func() {
		for i, v := range outs {
			nodes[i] = ev.nodeOf(v)
		}
	})
	return nodes, err
}

// run evaluates the model with values for its inputs, and returns all errors.
func (ev *evaluator) run(inputs map[string]*value) (outs []*value, err error) {
	for name, t := range ev.m.bound {
		inputs[name] = known(t)
	}
	err = guarded(func() { outs = ev.model(inputs) })
	if bad := ev.g.Err(); bad != nil {
		return nil, bad
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ev.m.name, err)
	}
	return outs, nil
}

// admits returns an error if a node of type t cannot be the input.
func (in Input) admits(t shape.Type) error {
	e, ok := elements[in.Type]
	switch {
	case in.Kind != ir.TensorKind:
		return fmt.Errorf("input %v: only tensors can be inputs", in)
	case !ok:
		return fmt.Errorf("input %v: element type %v is not supported", in, in.Type)
	case t.DType != e.compute:
		return fmt.Errorf("input %v is given %v; want elements of type %v", in, t, e.compute)
	case in.Dims != nil && len(in.Dims) != t.Rank():
		return fmt.Errorf("input %v is given %v", in, t)
	}
	for i, d := range in.Dims {
		if n, ok := t.Dim(i).Int(); ok && d.Size >= 0 && n != d.Size {
			return fmt.Errorf("input %v is given %v", in, t)
		}
	}
	return nil
}
