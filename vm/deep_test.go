package vm_test

import (
	"fmt"
	"testing"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// residual is a training graph of the kind of a ResNet: blocks of convolution, batch
// normalisation and a sum, with a momentum update of each parameter.
func residual(blocks int) (*graph.Graph, *graph.Node) {
	g := graph.New()
	h := g.Input("x", shape.F32(shape.N, 4, 4, 4))
	for i := range blocks {
		name := func(s string) string { return fmt.Sprintf("%d.%s", i, s) }
		channels := shape.F32(4)
		w := g.Param(name("w"), shape.F32(4, 4, 3, 3), graph.Fill(.01))
		y := ops.Conv2D(h, w, ops.Conv2DOp{Pad: [2][2]int{{1, 1}, {1, 1}}})
		y = ops.BatchNorm(y, g.Param(name("gamma"), channels, graph.Fill(1)), g.Param(name("beta"), channels, nil),
			g.State(name("mean"), channels, nil), g.State(name("var"), channels, graph.Fill(1)), ops.BatchNormOptions{})
		h = ops.Add(h, ops.ReLU(y))
	}
	loss := ops.Mean(ops.Square(h))
	params := g.Params()
	for i, d := range autodiff.Grad(loss, params...) {
		v := g.State(params[i].Name()+".v", params[i].Type(), nil)
		next := ops.Add(ops.MulScalar(v, .9), d)
		g.Update(v, next)
		g.Update(params[i], ops.Sub(params[i], ops.MulScalar(next, .1)))
	}
	return g, loss
}

func BenchmarkCompile(b *testing.B) {
	for _, blocks := range []int{20, 40, 80, 160} {
		var g *graph.Graph
		b.Run(fmt.Sprintf("build/blocks=%d", blocks), func(b *testing.B) {
			for b.Loop() {
				g, _ = residual(blocks)
			}
			b.ReportMetric(float64(len(g.Nodes())), "nodes")
		})
		g, loss := residual(blocks)
		var p *vm.Program
		b.Run(fmt.Sprintf("compile/blocks=%d", blocks), func(b *testing.B) {
			for b.Loop() {
				p = vm.MustCompile(ref.Engine{}, []*graph.Node{loss}, vm.Train)
			}
			b.ReportMetric(float64(len(g.Nodes())), "nodes")
		})
		b.Run(fmt.Sprintf("specialise/blocks=%d", blocks), func(b *testing.B) {
			var list []vm.Instruction
			for b.Loop() {
				p = vm.MustCompile(ref.Engine{}, []*graph.Node{loss}, vm.Train)
				var err error
				if list, err = p.Describe(8); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(list)), "instrs")
		})
	}
}
