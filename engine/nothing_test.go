package engine_test

import (
	"testing"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Aligned":        engine.Aligned,
			"AppendFloat32s": engine.AppendFloat32s,
			"BufferOfDense":  engine.BufferOfDense,
			"DTypeOf":        engine.DTypeOf,
			"DenseOf":        engine.DenseOf,
			"ElementsOf":     engine.ElementsOf,
			"ReadDense":      engine.ReadDense,
			"RowMajor":       engine.RowMajor,
			"TensorDType":    engine.TensorDType,
			"AxesOf":         engine.AxesOf,
			"BufferAt":       engine.BufferAt,
			"BufferOf":       engine.BufferOf[float32],
			"Floats":         engine.Floats,
			"Imm":            engine.Imm,
			"In":             engine.In,
			"Lanes":          engine.Lanes,
			"Load":           engine.Load,
			"MapOf":          engine.MapOf,
			"Missing":        engine.Missing,
			"Res":            engine.Res,
			"Slice":          engine.Slice[float32],
			"Unsupported":    engine.Unsupported,
		},
		Types: []any{
			new(engine.Arg),
			new(engine.Axes),
			new(engine.Buffer),
			new(engine.Fn),
			new(engine.Map),
			new(engine.PadMode),
			new(engine.Reduction),
		},
		Panics: map[string]string{
			"AppendFloat32s": "which takes a tensor with elements of ours",
			"BufferOfDense":  "which takes a tensor with elements of ours",
			"DenseOf":        "which takes a buffer with elements",
			"ElementsOf":     "which takes a tensor with elements of ours",
			"ReadDense":      "which takes a tensor with elements of ours",
			"RowMajor":       "which takes a tensor",
			"Slice":          "which takes a buffer of the type",
		},
		Good: func() []any {
			return []any{shape.F32(2, 3), engine.BufferOf([]float32{1, 2}), "ref"}
		},
	})
}
