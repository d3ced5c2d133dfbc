package ops_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// casting is a cast of many numbers.
type casting struct {
	from engine.Buffer
	to   shape.DType
}

// run computes it on e.
func (c casting) run(t *testing.T, e engine.Engine) engine.Buffer {
	t.Helper()
	g := graph.New()
	x := g.Input("x", shape.Make(c.from.DType(), shape.N))
	p, err := vm.Compile(e, []*graph.Node{ops.Cast(x, c.to)})
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	outs, err := m.Run(t.Context(), engine.DenseOf(shape.OfInts(c.from.Len()), c.from))
	require.NoError(t, err)
	require.Equal(t, c.to, engine.DTypeOf(outs[0]))
	return engine.BufferOfDense(outs[0])
}

// grid are float32 that lie on, between and next to the numbers of 16 bits, of both formats; any
// bits; and numbers that int8 has.
func grid() (v []float32) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 1 << 16 {
		for _, a := range []float32{shape.Brain(i).Float32(), shape.Half(i).Float32()} {
			unit := float32(math.Nextafter32(a, math.MaxFloat32) - a)
			for _, step := range []float32{0, 1 << 12, 1<<12 - 1, 1<<12 + 1, 1 << 15, 1<<15 - 1, 1<<15 + 1} {
				v = append(v, a+step*unit)
			}
		}
		v = append(v, math.Float32frombits(r.Uint32()))
	}
	return v
}

func all16[T ~uint16]() []T {
	v := make([]T, 1<<16)
	for i := range v {
		v[i] = T(i)
	}
	return v
}

// castings are those that PyTorch defines. Numbers of float64 are float32, since PyTorch rounds
// the others twice; ids are below 2^24 for the same reason.
func castings() []casting {
	narrow := grid()
	wide, small := make([]float64, len(narrow)), make([]float32, 4096)
	for i, v := range narrow {
		wide[i] = float64(v)
	}
	for i := range small {
		small[i] = -128 + 255.9*float32(i)/4096
	}
	int32s, int64s, bytes := make([]int32, 4096), make([]int64, 4096), make([]int8, 256)
	for i := range int32s {
		int32s[i] = int32(i*i - 1<<23)
		int64s[i] = int64(i)<<52 + int64(i)
	}
	for i := range bytes {
		bytes[i] = int8(i)
	}
	flags := []bool{false, true, true}
	halves, brains := engine.BufferOf(all16[shape.Half]()), engine.BufferOf(all16[shape.Brain]())
	var all []casting
	for _, to := range []shape.DType{shape.BFloat16, shape.Float16} {
		for _, from := range []engine.Buffer{engine.BufferOf(narrow), engine.BufferOf(wide), engine.BufferOf(int32s), engine.BufferOf(bytes), engine.BufferOf(flags), halves, brains} {
			all = append(all, casting{from, to})
		}
	}
	for _, to := range []shape.DType{shape.Float32, shape.Float64, shape.Bool} {
		all = append(all, casting{halves, to}, casting{brains, to}, casting{engine.BufferOf(bytes), to})
	}
	for _, to := range []shape.DType{shape.Int32, shape.Int64} {
		all = append(all, casting{engine.BufferOf(bytes), to})
	}
	for _, from := range []engine.Buffer{engine.BufferOf(small), engine.BufferOf(int32s), engine.BufferOf(int64s), engine.BufferOf(flags)} {
		all = append(all, casting{from, shape.Int8})
	}
	return all
}

// casts reads castings, each a line of JSON and the elements, and writes what they give.
const casts = `
import json, sys, numpy, torch
while line := sys.stdin.buffer.readline():
    c = json.loads(line)
    x = torch.frombuffer(bytearray(sys.stdin.buffer.read(c["bytes"])), dtype=getattr(torch, c["from"]))
    y = x.to(getattr(torch, c["to"]))
    sys.stdout.buffer.write(y.view(torch.uint8).numpy().tobytes())
`

// All numbers of 16 bits, and a grid about them, on each engine as PyTorch casts them, bit by bit
// but for which NaN it is.
func TestCastsAreThoseOfPyTorch(t *testing.T) {
	interpreter, err := python.Find("torch", "numpy")
	if err != nil {
		t.Skip(err)
	}
	all := castings()
	var in bytes.Buffer
	for _, c := range all {
		fmt.Fprintf(&in, "{\"from\":%q,\"to\":%q,\"bytes\":%d}\n", c.from.DType(), c.to, c.from.Size())
		in.Write(c.from.Bytes())
	}
	var stderr strings.Builder
	cmd := exec.Command(interpreter, "-c", casts)
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	for _, c := range all {
		size := c.from.Len() * c.to.Width()
		require.LessOrEqual(t, size, len(out))
		mem := engine.Aligned(size)
		copy(mem, out)
		out = out[size:]
		for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
			requireSameNumbers(t, engine.BufferAt(mem, c.to, c.from.Len()), c.run(t, e), c, e)
		}
	}
	require.Empty(t, out)
}

// requireSameNumbers takes any NaN for any other.
func requireSameNumbers(t *testing.T, want, got engine.Buffer, c casting, e engine.Engine) {
	t.Helper()
	if bytes.Equal(want.Bytes(), got.Bytes()) {
		return
	}
	from, a, b := engine.Floats(c.from), engine.Floats(want), engine.Floats(got)
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			require.Equal(t, a[i], b[i], "%s: %v as %v: element %d, %x", e.Name(), c.from.DType(), c.to, i, from[i])
		}
	}
}

// What PyTorch leaves to the processor, or rounds twice, has one answer here.
func TestCastsThatPyTorchDoesNotDefine(t *testing.T) {
	for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
		outside := casting{engine.BufferOf([]float32{300, -300, 127.9, -128.9, float32(nan), float32(inf), float32(-inf), float32(negZero)}), shape.Int8}
		require.Equal(t, []int8{127, -128, 127, -128, 0, 127, -128, 0}, engine.Slice[int8](outside.run(t, e)), e.Name())
		halves := casting{engine.BufferOf([]shape.Half{0x7c00, 0xfc00, 0x7e00, 0x5bff}), shape.Int8}
		require.Equal(t, []int8{127, -128, 0, 127}, engine.Slice[int8](halves.run(t, e)), e.Name())
		// By way of float32 these would be halfway, and then even.
		once := casting{engine.BufferOf([]float64{1 + 0x1p-8 + 0x1p-40, 1 + 0x3p-8 - 0x1p-40}), shape.BFloat16}
		require.Equal(t, []shape.Brain{0x3f81, 0x3f81}, engine.Slice[shape.Brain](once.run(t, e)), e.Name())
		ids := casting{engine.BufferOf([]int64{1<<40 + 1<<32 + 1, -(1<<62 + 1<<54 + 1), math.MinInt64, math.MaxInt64}), shape.BFloat16}
		require.Equal(t, []shape.Brain{0x5381, 0xde81, 0xdf00, 0x5f00}, engine.Slice[shape.Brain](ids.run(t, e)), e.Name())
		above := casting{engine.BufferOf([]int64{65519, 65520, -65520}), shape.Float16}
		require.Equal(t, []shape.Half{0x7bff, 0x7c00, 0xfc00}, engine.Slice[shape.Half](above.run(t, e)), e.Name())
	}
}
