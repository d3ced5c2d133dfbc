package vm_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/enginetest"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

var update = flag.Bool("update", false, "write the golden files")

// passCases gives each pass a graph that shows what it does.
var passCases = map[string]func() []*graph.Node{
	"validate": repeated,
	"fold": func() []*graph.Node {
		g, x := vector()
		c := g.Const(shape.F32(2), []float64{1, 2})
		return []*graph.Node{ops.Add(ops.Sum(x), ops.Sum(ops.Mul(ops.Exp(c), c)))}
	},
	"simplify": func() []*graph.Node {
		_, x := vector()
		return []*graph.Node{ops.Neg(ops.Neg(ops.MulScalar(ops.StopGradient(x), 1)))}
	},
	"cse":      repeated,
	"deadcode": repeated,
	"scale":    normalised,
	"hoist":    normalised,
	"tail":     followedByMaps,
	"quantise": quantisable,
	"weights": func() []*graph.Node { // not the second product, whose factors change or are a constant
		g := graph.New()
		x := g.Input("x", shape.F32(shape.N, 2))
		y := ops.MatMul(ops.MatMul(x, g.Param("w", shape.F32(2, 3), nil)), g.Const(shape.F32(3, 2), []float64{1, 2, 3, 4, 5, 6}))
		return []*graph.Node{ops.MatMul(y, x, ops.MatMulOp{TransB: true}), ops.MatMul(ops.Reshape(g.Param("v", shape.F32(4), nil), 2, 2), x, ops.MatMulOp{TransB: true})}
	},
	"lower": func() []*graph.Node { // counts and scalars become immediates
		_, x := vector()
		return []*graph.Node{ops.AddScalar(ops.MulScalar(ops.Mean(ops.Mul(x, ops.FullLike(x, 3))), .5), 1), ops.FullLike(x, 7)}
	},
	"distribute": func() []*graph.Node { return fire(ops.ReLU) },
	"join": func() []*graph.Node { // the second one has a part that others read
		_, x := vector()
		y := ops.Softmax(x, 0)
		return []*graph.Node{ops.Concat(0, ops.Softmax(ops.Neg(x), 0), ops.LogSoftmax(x, 0)), ops.Concat(0, y, ops.LogSoftmax(y, 0))}
	},
	"absorb": convolution,
	"layout": layoutModel,
	"mask":   layoutModel,
	"fuse": func() []*graph.Node { // one output is needed outside the chain as well
		g, x := vector()
		w := g.Param("w", shape.F32(4), nil)
		v := ops.AddScalar(ops.MulScalar(w, .9), 1)
		g.Update(w, ops.Sub(v, ops.Tanh(v)))
		return []*graph.Node{ops.Sum(ops.Exp(ops.Neg(x))), v}
	},
	"select": convolution,
	"remat": func() []*graph.Node { // the first value waits while the largest are made
		g := graph.New()
		x := g.Input("x", shape.F32(1000))
		a := ops.Softmax(x, 0)
		b := ops.Softmax(ops.Concat(0, ops.LogSoftmax(a, 0), x), 0)
		return []*graph.Node{ops.Sum(ops.Softmax(ops.Mul(a, ops.Sum(b)), 0))}
	},
	"schedule": func() []*graph.Node { // the sums come early, so that only one big value lives
		g := graph.New()
		x := g.Input("x", shape.F32(1000))
		a, b, c := ops.Softmax(x, 0), ops.LogSoftmax(x, 0), ops.Softmax(ops.Neg(x), 0)
		return []*graph.Node{ops.Add(ops.Add(ops.Sum(a), ops.Sum(b)), ops.Sum(c))}
	},
	"alias": func() []*graph.Node {
		g := graph.New()
		x := g.Input("x", shape.F32(shape.N, 6))
		return []*graph.Node{ops.Reshape(ops.Softmax(ops.Reshape(x, shape.N, 2, 3), 1), shape.N, 3, 2)}
	},
	"inplace": momentum,
	"group":   sums,
	"pack": func() []*graph.Node { // v changes, so that its kernel packs it anew in every run
		g, _, y := reversed(&packLog{})
		v := g.Param("v", shape.F32(2), nil)
		g.Update(v, ops.AddScalar(v, 1))
		return []*graph.Node{y, graph.Apply(reversing{&packLog{}}, y, v)}
	},
	"memory": func() []*graph.Node { // the last value takes the place of the first
		_, x := vector()
		return []*graph.Node{ops.Softmax(ops.Concat(0, ops.Concat(0, ops.Softmax(x, 0), x), x), 0)}
	},
	"lean": func() []*graph.Node { return rooms([2]int{3, 5}, [2]int{3, 4}) },
	"link": momentum,
}

func repeated() []*graph.Node {
	_, x := vector()
	return []*graph.Node{ops.Add(ops.Exp(ops.Neg(x)), ops.Mul(ops.Exp(ops.Neg(x)), x))}
}

func convolution() []*graph.Node {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2, 6, 6))
	w, b := g.Param("w", shape.F32(3, 2, 3, 3), nil), g.Param("b", shape.F32(3), nil)
	return []*graph.Node{ops.MaxPool2D(ops.ReLU(ops.AddBias(ops.Conv2D(x, w, ops.Conv2DOp{}), b)), ops.MaxPool2DOp{Kernel: [2]int{2, 2}})}
}

// followedByMaps is a convolution followed by maps of its result and another value.
func followedByMaps() []*graph.Node {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 2, 6, 6))
	y := ops.Conv2D(x, g.Param("w", shape.F32(2, 2, 1, 1), nil), ops.Conv2DOp{})
	return []*graph.Node{ops.Sum(ops.Clip(ops.Add(x, ops.Tanh(y)), 0, 6))}
}

// momentum is an update that is computed into its leaves.
func momentum() []*graph.Node {
	g := graph.New()
	x := g.Input("x", shape.F32(4))
	w, v := g.Param("w", shape.F32(4), nil), g.State("v", shape.F32(4), nil)
	next := ops.Add(ops.MulScalar(v, .9), ops.Mul(w, x))
	g.Update(v, next)
	g.Update(w, ops.Sub(w, next))
	return []*graph.Node{ops.Sum(ops.Square(x))}
}

var position = regexp.MustCompile(`\t*\S*\.go:\d+`)

func TestPasses(t *testing.T) {
	for _, p := range vm.Passes() {
		t.Run(p.Name, func(t *testing.T) {
			build, ok := passCases[p.Name]
			require.True(t, ok, "no graph shows what the pass does")
			var b bytes.Buffer
			var e engine.Engine = ref.Engine{}
			switch p.Name {
			case "layout":
				e = interleaving(2)
			case "tail":
				e = enginetest.Followed{}
			case "group":
				e = newSharingEngine()
			}
			opts := []vm.Option{vm.Checked, vm.Dump(before(p.Name), &b), vm.Dump(p.Name, &b)}
			if p.Name == "remat" {
				opts = append(opts, vm.WithMemory(13000))
			}
			if p.Name == "weights" {
				opts = append(opts, vm.WithWeights(shape.Int8))
			}
			if p.Name == "quantise" {
				opts = append(opts, vm.Quantise(quantisableRanges()))
			}
			outs := build()
			if len(outs[0].Graph().Updates()) > 0 {
				opts = append(opts, vm.Train)
			}
			prog, err := vm.Compile(e, outs, opts...)
			require.NoError(t, err)
			_, err = prog.Memory(2)
			require.NoError(t, err)
			have := position.ReplaceAllString(b.String(), "")
			file := filepath.Join("testdata", p.Name+".golden")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(file, []byte(have), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err, "run go test ./vm -update")
			require.Equal(t, string(want), have, "if the change is meant: go test ./vm -update")
		})
	}
}

// before is the pass before the named one; the first one has itself.
func before(name string) string {
	last := name
	for _, p := range vm.Passes() {
		if p.Name == name {
			return last
		}
		last = p.Name
	}
	return last
}
