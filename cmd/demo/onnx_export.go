package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

// onnxExport writes trained weights with their network.
func onnxExport(_ context.Context, c *call) error {
	pick := c.pickWeights()
	path := c.String("o", "", "write this `file` (default MODEL.onnx)")
	external := c.Bool("external", false, "put parameters into a file beside it, FILE.data: for more than 2 GiB")
	if err := c.parse(false); err != nil {
		return err
	}
	w, err := pick.load()
	if err != nil {
		return err
	}
	if *path == "" {
		*path = w.Name + ".onnx"
	}
	g := graph.New()
	x := g.Input("image", shape.Type{DType: shape.Float32, Shape: w.model.image.Insert(0, shape.N)})
	y := w.model.build(len(w.Info.Classes)).Apply(nn.Root(g), x)
	opts := onnx.ExportOptions{Name: w.Name, Outputs: []string{"logits"}, Metadata: exportMetadata(w), External: *external}
	if err := onnx.WriteFile(*path, []*graph.Node{y}, w.Store, opts); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "wrote %s: image float32%v to logits of %d classes, opset %d\n", *path, x.Type().Shape, len(w.Info.Classes), onnx.ExportOpset)
	return err
}

// exportMetadata says what a program needs to know beside the file: the classes, and how images become
// inputs.
func exportMetadata(w trained) map[string]string {
	meta := map[string]string{"model": w.Name}
	for name, v := range map[string]any{"classes": w.Info.Classes, "preprocess": w.Info.Preprocess} {
		if b, err := json.Marshal(v); err == nil {
			meta[name] = string(b)
		}
	}
	return meta
}

// exportedInfo returns what exportMetadata has written, if it was that: the classes of images, and how
// they become the only input.
func exportedInfo(m *onnx.Model) (info data.Info, ok bool) {
	in, meta := m.Inputs(), m.Metadata()
	if len(in) != 1 || len(in[0].Dims) == 0 || meta["model"] == "" {
		return info, false
	}
	var extents []shape.Dim
	for _, d := range in[0].Dims[1:] {
		extents = append(extents, shape.Dim(d.Size))
	}
	meta["input"], meta["target"] = shape.F32(extents...).String(), shape.I32().String()
	info, err := data.ParseInfo(meta)
	return info, err == nil && len(info.Classes) > 0
}
