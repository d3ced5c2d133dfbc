package transfer

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// onnxSource has the initialisers of an ONNX file that are floating point and have an axis: others are extents and
// the like.
type onnxSource struct {
	path    string
	tensors []safetensors.Tensor // by name
	inputs  map[string]bool      // which matrices products take as (In,Out), and which as (Out,In): true and false
}

func newONNXSource(path string, m *ir.Model) (*onnxSource, error) {
	if m.Graph == nil {
		return nil, fmt.Errorf("%s: the model has no graph", path)
	}
	s := &onnxSource{path: path, inputs: map[string]bool{}}
	for _, init := range m.Graph.Initializers {
		t, ok, err := floating(init)
		if err != nil {
			return nil, fmt.Errorf("%s: initialiser %q: %w", path, plain.Name(init.Name), err)
		}
		if ok {
			s.tensors = append(s.tensors, t)
		}
	}
	slices.SortStableFunc(s.tensors, func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(s.tensors); i++ {
		if name := s.tensors[i].Name; name == s.tensors[i-1].Name {
			return nil, fmt.Errorf("%s: two initialisers are called %q", path, plain.Name(name))
		}
	}
	s.readProducts(m.Graph)
	return s, nil
}

// floating returns an initialiser, or false if it is not one of the weights.
func floating(init *ir.Tensor) (t safetensors.Tensor, ok bool, err error) {
	switch init.Type {
	case ir.Float, ir.Double, ir.Float16, ir.BFloat16:
	default:
		return t, false, nil
	}
	if init.Name == "" || len(init.Dims) == 0 || len(init.Dims) > shape.MaxRank {
		return t, false, nil
	}
	h, err := onnx.FromProto(init)
	if err != nil {
		return t, false, err
	}
	dims := shape.OfInts(h.Dims...)
	switch v := h.Data.(type) {
	case []float32:
		t = safetensors.Of(init.Name, dims, v)
	case []float64:
		t = safetensors.Of(init.Name, dims, v)
	case []shape.Half:
		t = safetensors.Of(init.Name, dims, v)
	case []shape.Brain:
		t = safetensors.Of(init.Name, dims, v)
	}
	return t, t.Type.Valid(), t.Err()
}

// readProducts finds how products take their matrices: MatMul as (In,Out), and Gemm also as (Out,In), where transB is set.
func (s *onnxSource) readProducts(g *ir.Graph) {
	for _, n := range g.Nodes {
		if len(n.Inputs) < 2 || n.Domain != "" || n.Op != "MatMul" && n.Op != "Gemm" {
			continue
		}
		turned := slices.ContainsFunc(n.Attributes, func(a ir.Attribute) bool { return a.Name == "transB" && a.Int != 0 })
		s.inputs[n.Inputs[1]] = !(n.Op == "Gemm" && turned)
	}
}

// turn has matrices transposed that the file has as (In,Out) and the model as (Out,In), or the other way round. It
// returns their names in the model. model says of names there whether they are (In,Out).
func (s *onnxSource) turn(renamed map[string]string, model map[string]bool) (names []string) {
	for i, t := range s.tensors {
		as := renamed[t.Name]
		file, inFile := s.inputs[t.Name]
		own, inModel := model[as]
		if !inFile || !inModel || file == own || t.Type.Rank() != 2 {
			continue
		}
		s.tensors[i] = transposed(t)
		names = append(names, as)
	}
	slices.Sort(names)
	return names
}

// transposed returns a matrix with its axes exchanged.
func transposed(t safetensors.Tensor) safetensors.Tensor {
	rows, columns, width := t.Type.Int(0), t.Type.Int(1), t.Type.Width()
	out := make([]byte, len(t.Data))
	for r := range rows {
		for c := range columns {
			copy(out[(c*rows+r)*width:][:width], t.Data[(r*columns+c)*width:])
		}
	}
	t.Type.Shape, t.Data = shape.OfInts(columns, rows), out
	return t
}

// orientations says of each matrix among leaves, if all products take it in one way, whether that is (In,Out).
func orientations(leaves []*graph.Node) map[string]bool {
	out, both := map[string]bool{}, map[string]bool{}
	if len(leaves) == 0 {
		return out
	}
	for _, n := range leaves[0].Graph().Nodes() {
		op, ok := n.Op().(ops.MatMulOp)
		if !ok {
			continue
		}
		name := n.Ins()[1].Name()
		if old, known := out[name]; known && old == op.TransB {
			both[name] = true
		}
		out[name] = !op.TransB
	}
	for name := range both {
		delete(out, name)
	}
	return out
}

func (s *onnxSource) Name() string                { return s.path }
func (s *onnxSource) Metadata() map[string]string { return nil }
func (s *onnxSource) Close() error                { return nil }

func (s *onnxSource) Tensors() iter.Seq[safetensors.Tensor] { return slices.Values(s.tensors) }

func (s *onnxSource) ValuesAs(name string, d shape.DType, dst []byte) error {
	i, found := slices.BinarySearchFunc(s.tensors, name, func(t safetensors.Tensor, name string) int { return strings.Compare(t.Name, name) })
	if !found {
		return errors.New("there is no initialiser " + plain.Name(name))
	}
	if err := s.tensors[i].Decode(d, dst, s.tensors[i].Data); err != nil {
		return fmt.Errorf("%s: initialiser %q: %w", s.path, plain.Name(name), err)
	}
	return nil
}
