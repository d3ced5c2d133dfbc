package nn_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var (
	sequence = shape.F32(shape.N, 4, 8)
	image    = shape.F32(shape.N, 4, 8, 8)
	volume   = shape.F32(shape.N, 4, 3, 4, 4)
	features = shape.F32(shape.N, 4)
)

// layers are all those of the package with an input that they take. Those that are only ever
// containers are left out.
var layers = []struct {
	layer nn.Layer
	x     shape.Type
}{
	{nn.Conv1D{Out: 4, Kernel: 3, Groups: 2}, sequence},
	{nn.Conv2D{Out: 4, Kernel: 3, Groups: 2}, image},
	{nn.Conv3D{Out: 4, Kernel: [3]int{2, 2, 2}, Groups: 2}, volume},
	{nn.ConvTranspose1D{Out: 4, Kernel: 3, Groups: 2}, sequence},
	{nn.ConvTranspose2D{Out: 4, Kernel: 3, Groups: 2}, image},
	{nn.ConvTranspose3D{Out: 4, Kernel: [3]int{2, 2, 2}, Groups: 2}, volume},
	{nn.Linear{Out: 2}, features},
	{nn.Embedding{Count: 5, Dim: 2}, shape.I32(shape.N, 4)},
	{nn.LSTM{Hidden: 2}, sequence}, {nn.GRU{Hidden: 2}, sequence}, {nn.SelfAttention{Heads: 2}, sequence},
	{nn.BatchNorm{}, image}, {nn.LayerNorm{}, image}, {nn.GroupNorm{Groups: 2}, image}, {nn.InstanceNorm{}, image},
	{nn.LRN{}, image}, {nn.LRNWithinChannel{}, image},
	{nn.MaxPool1D{Kernel: 2}, sequence}, {nn.AvgPool1D{Kernel: 2}, sequence},
	{nn.MaxPool2D{Kernel: 2}, image}, {nn.AvgPool2D{Kernel: 2}, image}, {nn.LpPool2D{P: 2, Kernel: 2}, image},
	{nn.MaxPool3D{Kernel: [3]int{2, 2, 2}}, volume}, {nn.AvgPool3D{Kernel: [3]int{2, 2, 2}}, volume},
	{nn.GlobalAvgPool2D{}, image}, {nn.GlobalMaxPool2D{}, image},
	{nn.AdaptiveAvgPool2D{Size: 3}, image}, {nn.AdaptiveMaxPool2D{Size: 3}, image},
	{nn.Upsample{Scale: 2}, image}, {nn.Upsample{Scale: 2, Bilinear: true}, image},
	{nn.ReLU{}, image}, {nn.LeakyReLU{}, image}, {nn.PReLU{PerChannel: true}, image}, {nn.ELU{}, image}, {nn.SELU{}, image}, {nn.GELU{}, image},
	{nn.SiLU{}, image}, {nn.Mish{}, image}, {nn.Softplus{}, image}, {nn.Softsign{}, image}, {nn.HardSigmoid{}, image}, {nn.HardSwish{}, image},
	{nn.Clip{Hi: 6}, image}, {nn.Sigmoid{}, image}, {nn.Tanh{}, image}, {nn.Softmax{}, image}, {nn.LogSoftmax{}, image},
	{nn.Dropout{P: .5}, image}, {nn.Flatten{}, image},
}

// anyRank are the layers that work element by element, or on whatever is behind the batch, and so
// have no wrong rank.
var anyRank = []nn.Layer{
	nn.ReLU{}, nn.LeakyReLU{}, nn.ELU{}, nn.SELU{}, nn.GELU{}, nn.SiLU{}, nn.Mish{}, nn.Softplus{}, nn.Softsign{}, nn.HardSigmoid{}, nn.HardSwish{},
	nn.Clip{}, nn.Sigmoid{}, nn.Tanh{}, nn.Dropout{}, nn.Embedding{},
}

func TestEveryLayerIsInTheTableOfMistakes(t *testing.T) {
	have := map[string]bool{"Func": true, "Sequential": true, "Frozen": true, "Eval": true, "Residual": true, "Views": true, "Inputs": true}
	for _, l := range layers {
		have[reflect.TypeOf(l.layer).Name()] = true
	}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != "Apply" {
				continue
			}
			if of := f.Recv.List[0].Type.(*ast.Ident); of.IsExported() {
				require.True(t, have[of.Name], of.Name)
			}
		}
	}
}

// wrong are inputs that a layer refuses: of other element types, ranks, and channels that its
// groups cannot share.
func wrong(l nn.Layer, x shape.Type) map[string]shape.Type {
	w := map[string]shape.Type{"dtype": x.As(shape.Bool), "rank": x.Of(shape.Of(shape.N))}
	switch l := l.(type) {
	case nn.Upsample:
		if !l.Bilinear {
			delete(w, "dtype") // it takes any
		}
	case nn.Embedding:
		w["dtype"] = x.As(shape.Float32)
	case nn.Flatten:
		delete(w, "dtype") // it takes any
		w["rank"] = x.Of(shape.Of())
	}
	for _, any := range anyRank {
		if reflect.TypeOf(any) == reflect.TypeOf(l) {
			delete(w, "rank")
		}
	}
	v := reflect.ValueOf(l)
	if v.Kind() == reflect.Struct && v.FieldByName("Groups").IsValid() {
		w["channels for the groups"] = x.Of(x.With(1, 5))
	}
	if v.Kind() == reflect.Struct && v.FieldByName("Out").IsValid() {
		w["channels of the batch"] = x.Of(x.With(1, shape.N))
	}
	return w
}

// A model with a mistake in any layer has one error: the layer's name, the user's line, and what
// would be right.
func TestAMistakeInAnyLayerIsOneErrorWithItsName(t *testing.T) {
	for _, tt := range layers {
		require.NoError(t, apply(tt.layer, tt.x).g.Err(), "%#v", tt.layer)
		for what, x := range wrong(tt.layer, tt.x) {
			t.Run(fmt.Sprintf("%T/%v/%s", tt.layer, tt.x, what), func(t *testing.T) {
				n := apply(nn.Sequential{
					nn.Func(func(x *graph.Node) *graph.Node { return ops.StopGradient(x) }),
					nn.Named("body", nn.Sequential{nn.Named("here", tt.layer)}),
					nn.Conv2D{Out: 3, Kernel: 3}, nn.BatchNorm{}, nn.Flatten{}, nn.Linear{Out: 2},
				}, x)
				list := n.errs(t)
				require.Len(t, list, 1)
				require.Equal(t, "body.here", list[0].Layer)
				require.Equal(t, "nn_test.go", filepath.Base(list[0].Pos.File))
				require.Regexp(t, `want|must|cannot|cast|no axis`, list[0].Err.Error())
				require.False(t, n.y.Valid())
			})
		}
	}
}
