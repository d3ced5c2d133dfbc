// Package transfer begins a training run with the weights of a file, whatever framework wrote it:
//
//	start, err := transfer.From("resnet18.pth", transfer.Options{Model: model, Info: ds.Info(), Head: true, Freeze: []string{"layer[12].*"}})
//	if err != nil {
//		return err // says what is missing, not used, or of another shape
//	}
//	fmt.Println(start.Report)
//	result, err := train.Fit(ctx, train.Config{Model: model, Train: ds, Store: start.Store, Freeze: start.Freeze, ...})
//
// It knows files by their content: safetensors, of Hugging Face or of a run here; files of torch.save,
// usually called .pt or .pth; and ONNX, of which initialisers count by their names.
//
// Knows data, graph, interop/onnx, interop/onnx/ir, interop/pytorch, interop/safetensors, nn, ops, shape, train, vm,
// internal/patterns, internal/plain and internal/regular. Never imports an engine.
package transfer
