// Package onnx exports networks to ONNX files, and imports them from files of any opset from 1 to 27 as far as their operators
// are supported: the forms before opset 7 only where they are still found in files.
//
//	m, err := onnx.ReadFile("resnet18.onnx", onnx.Options{})
//	if err != nil {
//		return err
//	}
//	s, err := m.NewSession(cpu.New(), nil)
//	if err != nil {
//		return err
//	}
//	outs, err := s.Run(ctx, map[string]*onnx.Tensor{"x": x})
//
// [Model.Apply] adds the nodes of the model to a graph instead, to train it further or to put
// something else behind it. Initialisers become parameters under their names.
//
// # Element types
//
// A value of the graph has the element type of the file where package shape has it. Other integers
// are computed in wider ones and wrapped: int8, int16 and uint16 in int32, uint32 in int64, and
// uint64 in int64 with the same bits, so that uint64 from 2^63 on is wrong where it is divided,
// compared or cast to floating point. float16 and bfloat16 are computed in float32, and each result
// is rounded. Integers of 2 and 4 bits are computed in int32, and floating-point types of 8 bits and
// less in float32; a Cast to the latter is computed on the host, between two programs. Strings are
// computed with on the host too, and a program is made for those that it is given. Complex numbers are
// not supported. Sequences and optionals are Items of a [Tensor].
//
// # How a file becomes nodes
//
// An evaluator walks over the nodes of the file. A value is known (the elements are on the host), a
// list of extents of which some depend on N, or a node of the graph. A node of the file whose inputs
// are all known is folded: the operator's own code builds it in a small graph, which runs on
// engine/ref. Extents have arithmetic of their own (op_shape.go). What depends on parameters is not
// folded, so that they can be trained; the compiler computes it once. A known value becomes a
// parameter or constant when an operator asks for its node.
//
// Where an operator needs the elements of a value that depends on an input, a Session runs what it has
// so far, and evaluates the file again with the result; see [Session]. The operator waits for it, and
// so does what depends on the operator; all else is evaluated meanwhile, so that one program computes
// what all that wait need. Apply, which has no data, returns an error that names the input.
//
// A Loop or Scan becomes nodes if the number of its iterations is known and small. Another one runs on
// the host, its body by an inner Session, until its condition or the context ends it.
//
// # Quantised files
//
// Layers between DequantizeLinear and QuantizeLinear compute in 8-bit integers in a Session, where these
// give what the file says (quantised.go), and so do operators whose inputs are integers, such as
// QLinearConv (op_integer.go).
//
// # Adding an operator
//
// An operator is one function, in the file of its family, op_*.go, and a row in the family's table,
// by which everything else finds it:
//
//	"LeakyRelu": always(1, 1, leakyRelu), // the least and the most inputs
//
//	func leakyRelu(c *call) []*value {
//		return result(ops.LeakyReLU(c.node(0), c.floatAttr("alpha", 0.01)), c.elem(0))
//	}
//
// The call has what an operator asks for: inputs as nodes (node, optional, nodes), as known elements
// (ints, floats, scalar, known) or as extents (dims), their shapes (shape, numbers) and element types
// (elem), attributes with their defaults (intAttr, floatAttr, flag...), and the version of the
// operator's domain. What the operator cannot do it refuses, by refuse, which ends it with an error
// about the node; errors of package ops are found by themselves. It returns one value for each output
// that it has: result wraps or rounds what was computed to the element type, moved does not, for
// elements that are only moved. An output that the file leaves out need not be computed.
//
// Where versions of an operator differ in more than a default, the table has a row for each. An
// operator that also computes extents has a second function (withExtents). One that passes values on,
// or makes known ones, is direct: it is not folded. So is one whose results have extents that depend on
// elements: it gives onHost a function of tensors.
//
// Then run ONNX's own tests of it:
//
//	go run ./cmd/demo onnx conformance -only '^test_leakyrelu' DIR
//
// # Exporting
//
// [WriteFile] binds each op of the inference form to an engine that writes operators instead of computing
// (export_ops.go), for two batch sizes, whose forms must be equal. A capability of engines that it lacks is an op
// without an ONNX form.
//
// Knows graph, shape, ops, nn, engine, engine/ref, vm, tensor, interop/onnx/ir, internal/atomicfile, internal/isnil,
// internal/plain and internal/rescue. Never imports train, models or an engine to run on.
package onnx
