package lenet_test
import (
	"testing"
	"fmt"
	"time"
	"math/rand/v2"
	"github.com/stretchr/testify/require"
	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/vm"
)
func TestZZ(t *testing.T) {
	digits, err := mnist.Train()
	require.NoError(t, err)
	for _, ls := range []string{"map10","map1","map40","ce"} {
	for _, lr := range []float64{.0005,.002,.005,.01} {
			g := graph.New()
			x, y := g.Input("x", shape.F32(shape.N, 1, 28, 28)), g.Input("y", shape.I32(shape.N))
			logits := lenet.Model1998.Apply(nn.Root(g), x)
			j := map[string]float64{"map10":10,"map1":1,"map40":40}[ls]
			loss := crossEntropy(logits, y)
			if j != 0 {
				op := ops.PadOp{Value: graph.Float(-j)}; op.After[1]=1
				loss = ops.CrossEntropy(ops.Pad(logits, op), y)
			}
			optim.SGD{LR: lr, Momentum: .9}.Apply(g, autodiff.Grad(loss, g.Params()...))
			p, err := vm.Compile(ref.Engine{}, []*graph.Node{loss}, vm.Train)
			require.NoError(t, err)
			st := vm.NewStore(1)
			m, err := p.NewMachine(st)
			require.NoError(t, err)
			pe, _ := vm.Compile(ref.Engine{}, []*graph.Node{logits})
			const batch, batches, epochs = 32, 100, 3
			t0 := time.Now()
			_ = rand.Int
			res := ""
			for range epochs {
				sum := 0.0
				for i := range batches {
					bx, by := read(t, digits, i*batch, batch, pixel1998)
					outs, err := m.Run(t.Context(), bx, by)
					if err != nil { res += err.Error(); break }
					l, _ := vm.Number(outs[0])
					sum += l
				}
				me, err := pe.NewMachine(st)
				require.NoError(t, err)
				right := 0
				bx, by := read(t, digits, 50000, 1000, pixel1998)
				outs, err := me.Run(t.Context(), bx)
				require.NoError(t, err)
				v := outs[0].Data().([]float32)
				for i, want := range by.Data().([]int32) {
					best := 0
					for k := range 10 { if v[i*10+k] > v[i*10+best] { best = k } }
					if best == int(want) { right++ }
				}
				res += fmt.Sprintf(" %.3f/%d", sum/batches, right)
			}
			fmt.Println(ls, lr, res, time.Since(t0))
	}
	}
}
