package engine_test

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

func TestBuffersAreLoadedAndReadAsNumbers(t *testing.T) {
	for d, want := range map[shape.DType][]float64{
		shape.Float32: {0, 1, -2, float64(float32(.1))},
		shape.Float64: {0, 1, -2, .1},
		shape.Int32:   {0, 1, -2, 0},
		shape.Int64:   {0, 1, -2, 0},
		shape.Bool:    {0, 1, 1, 1},
	} {
		b := engine.BufferAt(engine.Aligned(4*d.Width()), d, 4)
		engine.Load(b, []float64{0, 1, -2, .1})
		require.Equal(t, want, engine.Floats(b), d)
		require.Equal(t, d, b.DType())
		require.Len(t, b.Bytes(), 4*d.Width())
	}
	b := engine.BufferOf([]uint8{7, 255})
	require.Equal(t, []float64{7, 255}, engine.Floats(b))
	engine.Load(b, []float64{1, 200})
	require.Equal(t, []uint8{1, 200}, engine.Slice[uint8](b))
}

func TestBuffersRefuseAnotherType(t *testing.T) {
	b := engine.BufferOf([]float32{1, 2})
	require.Panics(t, func() { engine.Slice[float64](b) })
	require.Panics(t, func() { engine.BufferAt(make([]byte, 7), shape.Float32, 2) })
	require.Panics(t, func() { engine.BufferAt(engine.Aligned(16)[1:], shape.Float32, 2) })
}

func TestAlignedMemory(t *testing.T) {
	for n := range 200 {
		mem := engine.Aligned(n)
		require.Len(t, mem, n)
		require.Zero(t, uintptr(unsafe.Pointer(unsafe.SliceData(mem)))%64)
	}
}

// Memory that the collector gives a second time is zeroed too, whatever pages it lies in.
func TestLargeMemoryLiesInHugePages(t *testing.T) {
	for _, n := range []int{4<<20 - 1, 4 << 20, 5<<20 + 1} {
		for range 3 {
			mem := engine.Aligned(n)
			require.Len(t, mem, n)
			if n >= 4<<20 {
				require.Zero(t, uintptr(unsafe.Pointer(unsafe.SliceData(mem)))%(2<<20))
			}
			require.Equal(t, -1, bytes.IndexFunc(mem, func(r rune) bool { return r != 0 }))
			for i := range mem {
				mem[i] = 1
			}
			runtime.GC()
		}
	}
}

func TestMemoryOfTheHost(t *testing.T) {
	m := engine.Host{}
	require.Equal(t, engine.Memory(m), engine.MemoryOf(nil))
	_, err := m.Alloc(-1)
	require.Error(t, err)
	r, err := m.Alloc(32)
	require.NoError(t, err)
	require.Equal(t, 32, r.Len())
	b := r.At(8, shape.Float64, 2)
	require.Equal(t, engine.Memory(m), b.Memory())
	require.Equal(t, 16, b.Size())
	require.NoError(t, m.Load(b, []byte{0, 0, 0, 0, 0, 0, 0xf0, 0x3f}))
	require.Equal(t, []float64{1, 0}, engine.Slice[float64](b))
	require.NoError(t, m.Copy(b.At(8, shape.Float64, 1), b.At(0, shape.Float64, 1)))
	require.Equal(t, []float64{1, 1}, engine.Floats(b))
	got := make([]byte, 8)
	require.NoError(t, m.Store(got, r.At(16, shape.Uint8, 8)))
	require.Equal(t, byte(0x3f), got[7])
	require.Panics(t, func() { r.At(24, shape.Float64, 2) })
	require.Panics(t, func() { b.At(4, shape.Float64, 1) }, "it is not aligned")
	require.False(t, engine.Buffer{}.Valid())
	r.Free()
	require.Equal(t, []float64{1, 1}, engine.Floats(b), "the garbage collector knows who views it")
	require.Empty(t, (*engine.Region)(nil).Bytes())
}

func TestOverlaps(t *testing.T) {
	mem := engine.Aligned(64)
	at := func(from, n int) engine.Buffer { return engine.BufferAt(mem[from:], shape.Float32, n) }
	for _, c := range []struct {
		b        engine.Buffer
		from, to int
		want     bool
	}{
		{at(0, 4), 0, 64, true},
		{at(0, 4), 0, 1, true},
		{at(0, 4), 16, 64, false},
		{at(16, 4), 0, 16, false},
		{at(16, 4), 0, 17, true},
		{at(16, 4), 20, 24, true},
		{at(16, 0), 0, 64, true}, // of no elements, yet within
		{at(16, 4), 20, 20, true},
		{engine.BufferOf(make([]float32, 4)), 0, 64, false},
		{engine.Buffer{}, 0, 64, false},
	} {
		require.Equal(t, c.want, c.b.Overlaps(mem[c.from:c.to]), "%d to %d", c.from, c.to)
	}
	require.False(t, at(0, 4).Overlaps(nil))
}

func TestMapsAreChecked(t *testing.T) {
	x, row := shape.F32(2, 3), shape.F32(3)
	add := engine.MapOf(engine.Add, shape.Float32, engine.In(0), engine.In(1))
	require.NoError(t, add.Check([]shape.Type{x, row}, []shape.Type{x}))
	less := engine.Map{
		Steps: []engine.Step{
			{Fn: engine.Lt, DType: shape.Bool, Args: [3]engine.Arg{engine.In(0), engine.Imm(0)}},
			{Fn: engine.Select, DType: shape.Float32, Args: [3]engine.Arg{engine.Res(0), engine.Imm(1), engine.In(0)}},
		},
		Outs: []int{1, 0},
	}
	require.NoError(t, less.Check([]shape.Type{x}, []shape.Type{x, x.As(shape.Bool)}))
	for _, c := range []struct {
		want    string
		m       engine.Map
		in, out []shape.Type
	}{
		{"cannot read in1", add, []shape.Type{x}, []shape.Type{x}},
		{"1 outputs, 2 types", add, []shape.Type{x, x}, []shape.Type{x, x}},
		{"cannot return output 0 as float64", add, []shape.Type{x, x}, []shape.Type{x.As(shape.Float64)}},
		{"does not broadcast to (3)", add, []shape.Type{x, x}, []shape.Type{row}},
		{"cannot return output 1", less, []shape.Type{x}, []shape.Type{x, row.As(shape.Bool)}},
		{"has no function", engine.Map{Steps: make([]engine.Step, 1), Outs: []int{0}}, nil, []shape.Type{x}},
	} {
		require.ErrorContains(t, c.m.Check(c.in, c.out), c.want)
	}
}

func TestNumbersComeBackAsTheyWere(t *testing.T) {
	for _, v := range []float64{0, math.Copysign(0, -1), 1e-310, math.Inf(1), .1} {
		got, ok := engine.Imm(v).Number()
		require.True(t, ok)
		require.Equal(t, math.Float64bits(v), math.Float64bits(got))
	}
	_, ok := engine.In(0).Number()
	require.False(t, ok)
}

func ExampleMap() {
	m := engine.Map{
		Steps: []engine.Step{
			{Fn: engine.Mul, DType: shape.Float32, Args: [3]engine.Arg{engine.In(0), engine.Imm(2)}},
			{Fn: engine.Add, DType: shape.Float32, Args: [3]engine.Arg{engine.Res(0), engine.In(1)}},
		},
		Outs: []int{1},
	}
	fmt.Println(m)
	fmt.Println(m.Check([]shape.Type{shape.F32(4)}, []shape.Type{shape.F32(4)}))
	// Output:
	// r0=mul(in0,2) r1=add(r0,in1) -> r1
	// map r0=mul(in0,2) r1=add(r0,in1) -> r1: step 1 cannot read in1
}
