package onnx_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/interop/onnx/ir/irtest"
)

// forest has the attributes of drawn trees.
type forest struct {
	r                                      *rand.Rand
	trees, ids, features, yes, no, missing []int64
	values                                 []float32
	modes                                  []string
	leafTrees, leafNodes, leafTargets      []int64
	weights                                []float32
	inputs, targets                        int
	positive                               bool
}

// grow adds a node, with what is below it, and returns its id.
func (f *forest) grow(tree int64, next *int64, depth int) int64 {
	id, at := *next, len(f.ids)
	*next++
	f.trees, f.ids, f.missing = append(f.trees, tree), append(f.ids, id), append(f.missing, int64(f.r.IntN(2)))
	f.features, f.values = append(f.features, int64(f.r.IntN(f.inputs))), append(f.values, float32(f.r.IntN(7)-3)/2)
	f.yes, f.no, f.modes = append(f.yes, 0), append(f.no, 0), append(f.modes, "LEAF")
	if depth == 0 || f.r.IntN(5) == 0 {
		f.features[at], f.values[at], f.missing[at] = 0, 0, 0
		for t := range f.targets {
			if t > 0 && f.r.IntN(2) == 0 {
				continue
			}
			w := f.r.Float32()
			if !f.positive {
				w -= .5
			}
			f.leafTrees, f.leafNodes, f.leafTargets, f.weights = append(f.leafTrees, tree), append(f.leafNodes, id), append(f.leafTargets, int64(t)), append(f.weights, w)
		}
		return id
	}
	f.modes[at] = []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"}[f.r.IntN(6)]
	f.yes[at] = f.grow(tree, next, depth-1)
	f.no[at] = f.grow(tree, next, depth-1)
	return id
}

func stringsOf(name string, v ...string) ir.Attribute {
	return ir.Attribute{Name: name, Type: ir.AttributeStrings, Strings: v}
}

func floatsOf(name string, v ...float32) ir.Attribute {
	return ir.Attribute{Name: name, Type: ir.AttributeFloats, Floats: v}
}

func stringOf(name, v string) ir.Attribute {
	return ir.Attribute{Name: name, Type: ir.AttributeString, String: v}
}

// drawTrees is a file with trees, as scikit-learn's converters write them, and rows that they decide about: many features are equal to
// what they are compared with.
func drawTrees(r *rand.Rand, classifies bool) (*ir.Model, *onnx.Tensor) {
	f := &forest{r: r, inputs: 1 + r.IntN(4), targets: 1 + r.IntN(3), positive: r.IntN(2) == 0}
	classes := f.targets
	if classifies {
		if f.targets == 1 || f.targets == 2 { // two classes, of which weights have one
			f.targets, classes = 1, 2
		}
	}
	for tree := range int64(1 + r.IntN(4)) {
		next := int64(0)
		f.grow(tree, &next, 1+r.IntN(4))
	}
	posts := []string{"NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"}
	attributes := []ir.Attribute{irtest.Ints("nodes_treeids", f.trees...), irtest.Ints("nodes_nodeids", f.ids...), irtest.Ints("nodes_featureids", f.features...),
		irtest.Ints("nodes_truenodeids", f.yes...), irtest.Ints("nodes_falsenodeids", f.no...), irtest.Ints("nodes_missing_value_tracks_true", f.missing...),
		floatsOf("nodes_values", f.values...), stringsOf("nodes_modes", f.modes...), stringOf("post_transform", posts[r.IntN(len(posts))])}
	if r.IntN(2) == 0 {
		v := make([]float32, f.targets)
		for i := range v {
			v[i] = r.Float32() - .5
		}
		attributes = append(attributes, floatsOf("base_values", v...))
	}
	leaves := func(prefix string) {
		attributes = append(attributes, irtest.Ints(prefix+"_treeids", f.leafTrees...), irtest.Ints(prefix+"_nodeids", f.leafNodes...),
			irtest.Ints(prefix+"_ids", f.leafTargets...), floatsOf(prefix+"_weights", f.weights...))
	}
	g := &ir.Graph{Inputs: inputs(info("x", ir.Float, "n", f.inputs)), Outputs: inputs(info("output", ir.Float, "n", "c"))}
	if classifies {
		leaves("class")
		var labels []int64
		for i := range classes {
			labels = append(labels, int64(10*i+3))
		}
		attributes = append(attributes, irtest.Ints("classlabels_int64s", labels...))
		g.Nodes = []*ir.Node{irtest.Node("TreeEnsembleClassifier", in("x"), in("label", "scores"), attributes...),
			node("Cast", in("label"), "l", intAttr("to", int64(ir.Float))), node("Unsqueeze", in("l", "one"), "c"),
			node("Concat", in("c", "scores"), "output", intAttr("axis", 1))}
		g.Initializers = []*ir.Tensor{intInit("one", 1)}
	} else {
		leaves("target")
		attributes = append(attributes, intAttr("n_targets", int64(f.targets)), stringOf("aggregate_function", []string{"SUM", "AVERAGE", "MIN", "MAX"}[r.IntN(4)]))
		g.Nodes = []*ir.Node{node("TreeEnsembleRegressor", in("x"), "output", attributes...)}
	}
	g.Nodes[0].Domain = "ai.onnx.ml"
	rows := 1 + r.IntN(20)
	x := make([]float32, rows*f.inputs)
	for i := range x {
		if x[i] = float32(r.IntN(9)-4) / 2; r.IntN(10) == 0 {
			x[i] = float32(math.NaN())
		}
	}
	return irtest.Model(g, "ai.onnx.ml"), floats([]int{rows, f.inputs}, x...)
}

func TestTreesDecideAsInONNXRuntime(t *testing.T) {
	root := t.TempDir()
	var all []exported
	for seed := range uint64(80) {
		m, x := drawTrees(rand.New(rand.NewPCG(seed, 6)), seed%2 == 0)
		all = append(all, drawnInRuntime(t, filepath.Join(root, fmt.Sprint(seed)), fmt.Sprintf("%s, seed %d", m.Graph.Nodes[0].Op, seed), m, x))
	}
	runtime(t, all)
	for _, e := range all {
		got, err := e.result()
		require.NoError(t, err, e.name)
		requireClose(t, e.name, got, e.want, 1e-5)
	}
}

func TestTreesThatDoNotEndAreRefused(t *testing.T) {
	tree := func(change func(a map[string]*ir.Attribute)) error {
		list := []ir.Attribute{irtest.Ints("nodes_treeids", 0, 0, 0), irtest.Ints("nodes_nodeids", 0, 1, 2), irtest.Ints("nodes_featureids", 0, 0, 0),
			irtest.Ints("nodes_truenodeids", 1, 0, 0), irtest.Ints("nodes_falsenodeids", 2, 0, 0), floatsOf("nodes_values", 0, 0, 0),
			stringsOf("nodes_modes", "BRANCH_LT", "LEAF", "LEAF"), irtest.Ints("target_treeids", 0), irtest.Ints("target_nodeids", 1),
			irtest.Ints("target_ids", 0), floatsOf("target_weights", 1)}
		by := map[string]*ir.Attribute{}
		for i := range list {
			by[list[i].Name] = &list[i]
		}
		change(by)
		n := node("TreeEnsembleRegressor", in("x"), "y", list...)
		n.Domain = "ai.onnx.ml"
		s := session(t, irtest.Model(&ir.Graph{Nodes: []*ir.Node{n}, Inputs: inputs(info("x", ir.Float, "n", 1)), Outputs: out("y")}, "ai.onnx.ml"))
		_, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{1, 1}, -1)})
		return err
	}
	require.NoError(t, tree(func(map[string]*ir.Attribute) {}))
	for want, change := range map[string]func(a map[string]*ir.Attribute){
		"in a circle": func(a map[string]*ir.Attribute) {
			a["nodes_modes"].Strings[1] = "BRANCH_LT"
			a["nodes_truenodeids"].Ints[1] = 1
		},
		"has no node 7":    func(a map[string]*ir.Attribute) { a["nodes_truenodeids"].Ints[0] = 7 },
		"reads feature 3":  func(a map[string]*ir.Attribute) { a["nodes_featureids"].Ints[0] = 3 },
		"of target 2":      func(a map[string]*ir.Attribute) { a["target_ids"].Ints[0] = 2 },
		`mode "BRANCH_X"`:  func(a map[string]*ir.Attribute) { a["nodes_modes"].Strings[0] = "BRANCH_X" },
		"has two nodes 1":  func(a map[string]*ir.Attribute) { a["nodes_nodeids"].Ints[2] = 1 },
		"0 modes":          func(a map[string]*ir.Attribute) { a["nodes_modes"].Strings = nil },
		"want 3":           func(a map[string]*ir.Attribute) { a["nodes_featureids"].Ints = []int64{0} },
		"weights for 1 le": func(a map[string]*ir.Attribute) { a["target_weights"].Floats = nil },
	} {
		err := tree(change)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
}
