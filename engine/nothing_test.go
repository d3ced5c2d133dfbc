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
			"AxesOf":         engine.AxesOf,
			"BufferAt":       engine.BufferAt,
			"BufferOf":       engine.BufferOf[float32],
			"BufferOfDense":  engine.BufferOfDense,
			"Converted":      engine.Converted,
			"DTypeOf":        engine.DTypeOf,
			"DenseDType":     engine.DenseDType,
			"DenseOf":        engine.DenseOf,
			"IsRowMajor":     engine.IsRowMajor,
			"Floats":         engine.Floats,
			"HostRegion":     engine.HostRegion,
			"Hosted":         engine.Hosted,
			"Images":         engine.Images,
			"Imm":            engine.Imm,
			"In":             engine.In,
			"InRow":          engine.InRow,
			"InRows":         engine.InRows,
			"AppendFloat32s": engine.AppendFloat32s,

			"Interleaved": engine.Interleaved,
			"MapTypes":    engine.MapTypes,
			"Types":       engine.Types,

			"Load":        engine.Load,
			"MapOf":       engine.MapOf,
			"MemoryOf":    engine.MemoryOf,
			"Missing":     engine.Missing,
			"NewRegion":   engine.NewRegion,
			"Parts":       engine.Parts,
			"Res":         engine.Res,
			"Slice":       engine.Slice[float32],
			"Unsupported": engine.Unsupported,

			"Int8Of":       engine.Int8Of,
			"Int8Scale":    engine.Int8Scale,
			"Byte":         engine.Byte,
			"QuantOf":      engine.QuantOf,
			"QuantWeights": engine.QuantWeights,
			"Round":        engine.Round,
			"SmallWeights": engine.SmallWeights,
		},
		Types: []any{
			new(engine.Affine),
			new(engine.Arg),
			new(engine.Arrangement),
			new(engine.Axes),
			new(engine.Bound),
			new(engine.Buffer),
			new(engine.Call),
			new(engine.Combine),
			new(engine.Fn),
			new(engine.Host),
			new(engine.Layout),
			new(engine.Cell),
			new(engine.Map),
			new(engine.Norm),
			new(engine.Operand),
			new(engine.PadMode),
			new(engine.Perm),
			new(engine.Quant),
			new(engine.Quantised),
			new(engine.Reduction),
			new(engine.Region),
		},
		Unheld: []string{"Bound.*", "Call.*"}, // which kernels and whoever binds and runs them call
		Panics: map[string]string{
			"DenseOf":      "which takes a buffer of the shape",
			"QuantWeights": "which takes weights of the type",
			"Round":        "which takes weights of the type",
			"Slice":        "which takes a buffer of the type",
		},
		Good: func() []any {
			return []any{shape.F32(2, 3), engine.BufferOf([]float32{1, 2}), "ref"}
		},
	})
}
