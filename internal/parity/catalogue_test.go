package parity_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// constructors are the exported functions of package ops that return nodes.
func constructors(t *testing.T) (names []string) {
	files, err := filepath.Glob("../../ops/*.go")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && fn.Name.IsExported() && returnsNode(fn) {
				names = append(names, fn.Name.Name)
			}
		}
	}
	require.Greater(t, len(names), 100)
	return names
}

func returnsNode(fn *ast.FuncDecl) bool {
	if fn.Type.Results == nil {
		return false
	}
	star, ok := fn.Type.Results.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Node"
}

func TestEveryFunctionOfOpsHasACaseOrAReason(t *testing.T) {
	cases, err := parity.Cases()
	require.NoError(t, err)
	have := map[string]bool{}
	for _, c := range cases {
		have[c.Op] = true
	}
	exist := map[string]bool{}
	for _, name := range constructors(t) {
		exist[name] = true
		_, without := parity.Uncompared[name]
		require.NotEqual(t, have[name], without, "%s: want either a case in pytorch/ops.py or a reason in Uncompared", name)
	}
	for name := range have {
		require.True(t, exist[name], "there are cases of %s, which package ops does not have", name)
	}
	for name := range parity.Uncompared {
		require.True(t, exist[name], "Uncompared has %s, which package ops does not have", name)
	}
}

// notMet are the ops that the graph of no case has, and why.
var notMet = map[string]string{
	"Random":           parity.Uncompared["Random"],
	"MaxPool2DGather":  "is part of second derivatives alone, which finite differences check",
	"Conv2D+Bias+ReLU": "the compiler makes it; the models have it",
	"MatMul+Bias+ReLU": "the compiler makes it; the models have it",
	"Embed+Add":        "the compiler makes it of the adjoints of several slices; autodiff/gradcheck has it",
	"LSTM+Slice":       "the compiler makes it where one slice of the planes is used; ops' tests hold it to the two ops",
	"Conv2D+MaxPool2D": "the compiler makes it in inference; engine/cpu's tests hold it to the bits of the two ops that it is made of",
	"QuantConv2D":      quantised,
	"QuantMatMul":      quantised,
	"QuantMaxPool2D":   quantised,
}

const quantised = "the compiler makes it, of ranges; the tests of vm hold it to the definition, internal/opbench/int8.py compares its error with that of ONNX Runtime"

func TestEveryOpOfTheCatalogueIsPartOfACase(t *testing.T) {
	cases, err := parity.Cases()
	require.NoError(t, err)
	met := map[string]bool{}
	for _, c := range cases {
		n, err := c.Build(shape.Float64)
		require.NoError(t, err)
		for _, x := range graph.Reachable(n.Outs...) {
			if x.Kind() == graph.Computed {
				met[x.Op().Name()] = true
			}
		}
	}
	for _, op := range ops.All {
		_, without := notMet[op.Name()]
		require.NotEqual(t, met[op.Name()], without, "%s: want either a case that it is part of or a reason in notMet", op.Name())
	}
}

// Each algorithm that the cpu engine has for convolutions computes one of the cases at least.
func TestEveryAlgorithmOfConvolutionIsThatOfACase(t *testing.T) {
	cases, err := parity.Cases()
	require.NoError(t, err)
	met := map[string]bool{}
	for _, c := range cases {
		n, err := c.Build(shape.Float32)
		require.NoError(t, err)
		p, err := vm.Compile(cpu.New(), n.Outs)
		require.NoError(t, err)
		program, err := p.Describe(1)
		require.NoError(t, err)
		for _, in := range program {
			met[in.Name+" "+in.Alg] = true
		}
	}
	for _, op := range []string{"Conv2D", "Conv2DInputGrad", "Conv2DFilterGrad"} {
		for _, alg := range []string{"direct", "im2col", "winograd"} {
			require.True(t, met[op+" "+alg], "%s by %s", op, alg)
		}
	}
}

func TestTheDocumentHasALineForEveryFunction(t *testing.T) {
	text, err := os.ReadFile("../../docs/PARITY.md")
	require.NoError(t, err)
	cases, err := parity.Cases()
	require.NoError(t, err)
	perOp := map[string]int{}
	for _, c := range cases {
		perOp[c.Op]++
	}
	for op, n := range perOp {
		require.Regexp(t, fmt.Sprintf(`(?m)^%s +%d `, op, n), string(text), "run demo parity again")
	}
}
