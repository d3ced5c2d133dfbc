package nn_test

import (
	"testing"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Cut":         nn.Cut,
			"MACs":        nn.MACs,
			"Named":       nn.Named,
			"BeforeAfter": nn.BeforeAfter,
			"Rect":        nn.Rect,
			"Replace":     nn.Replace,
			"Root":        nn.Root,
			"Sides":       nn.Sides,
			"Until":       nn.Until,
		},
		Types: []any{
			new(nn.AdaptiveAvgPool2D),
			new(nn.AdaptiveMaxPool2D),
			new(nn.AvgPool1D),
			new(nn.AvgPool2D),
			new(nn.AvgPool3D),
			new(nn.BatchNorm),
			new(nn.Clip),
			new(nn.Conv1D),
			new(nn.Conv2D),
			new(nn.Conv3D),
			new(nn.ConvTranspose1D),
			new(nn.ConvTranspose2D),
			new(nn.ConvTranspose3D),
			new(nn.Dropout),
			new(nn.ELU),
			new(nn.Embedding),
			new(nn.Eval),
			new(nn.Flatten),
			new(nn.Frozen),
			new(nn.Func),
			new(nn.GELU),
			new(nn.GRU),
			new(nn.GlobalAvgPool2D),
			new(nn.GlobalMaxPool2D),
			new(nn.GlorotNormal),
			new(nn.GlorotUniform),
			new(nn.GroupNorm),
			new(nn.Ends),
			new(nn.HW),
			new(nn.HardSigmoid),
			new(nn.HardSwish),
			new(nn.HeNormal),
			new(nn.HeUniform),
			new(nn.InstanceNorm),
			new(nn.LRN),
			new(nn.LRNWithinChannel),
			new(nn.LSTM),
			new(nn.LayerNorm),
			new(nn.LeakyReLU),
			new(nn.Linear),
			new(nn.LogSoftmax),
			new(nn.LpPool2D),
			new(nn.MaxPool1D),
			new(nn.MaxPool2D),
			new(nn.MaxPool3D),
			new(nn.Mish),
			new(nn.Normal),
			new(nn.PReLU),
			new(nn.ReLU),
			new(nn.Residual),
			new(nn.SELU),
			new(nn.SelfAttention),
			new(nn.Scope),
			new(nn.Sequential),
			new(nn.SiLU),
			new(nn.Sigmoid),
			new(nn.Softmax),
			new(nn.Softplus),
			new(nn.Softsign),
			new(nn.Tanh),
			new(nn.Views),
			new(nn.Inputs),
			new(nn.Uniform),
			new(nn.Upsample),
		},
		Takes: map[string]string{
			"Scope.Param(graph.Initializer)": "it is then zeros",
			"Scope.State(graph.Initializer)": "it is then zeros",
		},
		Good: func() []any {
			g := graph.New()
			x := g.Input("x", shape.F32(shape.N, 4))
			return []any{g, x, nn.Root(g), nn.Layer(nn.ReLU{}), shape.F32(4), nn.Func(func(x *graph.Node) *graph.Node { return x }), func(nn.Scope) *graph.Node { return x }, "name"}
		},
	})
}
