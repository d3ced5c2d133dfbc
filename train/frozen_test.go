package train_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

var body = nn.Sequential{nn.Flatten{}, nn.Linear{Name: "fc", Out: 6}, nn.BatchNorm{Name: "bn"}, nn.ReLU{}}

// A head is trained on a body from a file; the body, its running statistics too, stays as it was.
func TestAHeadIsTrainedOnAFrozenBody(t *testing.T) {
	whole := config(t)
	whole.Model, whole.Optimizer = append(body[:4:4], nn.Linear{Name: "out", Out: 2}), optim.SGD{LR: .1}
	file := filepath.Join(t.TempDir(), "body.safetensors")
	before := fit(t, whole).Checkpoint.Store
	require.NoError(t, before.Save(file, nil))

	c := config(t)
	model := append(nn.Until(nn.Frozen{Layer: nn.Eval{Layer: whole.Model}}, "bn"), nn.ReLU{}, nn.Linear{Name: "head", Out: 2})
	g := graph.New()
	model.Apply(nn.Root(g), g.Input("x", c.Train.Info().Input.Of(c.Train.Info().Input.Insert(0, 4))))
	store := vm.NewStore(3)
	report, err := store.Load(file, vm.LoadOptions{For: g.Leaves(), Partial: true})
	require.NoError(t, err)
	require.Equal(t, []string{"head.bias", "head.weight"}, report.Missing)
	c.Model, c.Optimizer, c.Store, c.Partial = model, optim.SGD{LR: .1}, store, []string{"head.*"}
	after := fit(t, c).Checkpoint.Store
	for _, name := range report.Loaded {
		require.Equal(t, floats(t, before, name), floats(t, after, name), name)
	}
	require.Subset(t, report.Loaded, []string{"bn.running_mean", "bn.running_var", "bn.weight", "fc.weight"})
	require.NotEqual(t, make([]float64, 2), floats(t, after, "head.bias"))
}

// twice applies the body to x and to its negative, with the same weights.
type twice struct{}

func (twice) Apply(s nn.Scope, x *graph.Node) *graph.Node {
	y := ops.Sub(body.Apply(s, x), body.Apply(s.Shared(), ops.Neg(x)))
	return nn.Linear{Name: "out", Out: 2}.Apply(s, y)
}

// A layer that is applied twice trains, and predicts, as any.
func TestALayerAppliedTwiceIsTrained(t *testing.T) {
	c := config(t)
	c.Model, c.Optimizer = twice{}, optim.SGD{LR: .1}
	result := fit(t, c)
	require.Less(t, result.Epochs[len(result.Epochs)-1].Train.Loss(), result.Epochs[0].Train.Loss())
	require.NotEqual(t, make([]float64, 6), floats(t, result.Checkpoint.Store, "bn.running_mean"))
	_, err := train.NewPredictor(c.Model, result.Checkpoint, c.Engine)
	require.NoError(t, err)
}
