// Package serving makes a model of an ONNX file that package serve serves.
//
//	m, err := onnx.ReadFile("resnet18.onnx", onnx.Options{})
//	if err != nil {
//		return err
//	}
//	model, err := serving.New(m, cpu.New(), serving.Options{})
//	if err != nil {
//		return err
//	}
//	err = server.Add("resnet18", model, nil)
//
// Knows engine, shape, interop/onnx, interop/onnx/ir, serve, vm, internal/isnil and internal/plain.
// Never imports train, models or an implementation of engine.
package serving
