package data_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/shape"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// counting returns n examples of one pixel, of which the i-th has value i and class i%3.
func counting(t testing.TB, n int) data.Dataset {
	t.Helper()
	x, y := make([]float32, n), make([]int, n)
	for i := range x {
		x[i], y[i] = float32(i), i%3
	}
	ds, err := data.New(x, y, data.Info{Input: shape.F32(1, 1, 1)})
	require.NoError(t, err)
	return ds
}

func loader(t testing.TB, ds data.Dataset, o data.Batching) *data.Loader {
	t.Helper()
	l, err := data.NewLoader(ds, o)
	require.NoError(t, err)
	return l
}

// batches returns the numbers of the examples in each batch, having checked that its
// tensors hold just those.
func batches(t testing.TB, l *data.Loader, epoch, first int) (all [][]int) {
	t.Helper()
	for b, err := range l.EpochFrom(context.Background(), epoch, first) {
		require.NoError(t, err)
		require.Equal(t, first+len(all), b.Index)
		n := len(b.Examples)
		require.Equal(t, tensor.Shape{n, 1, 1, 1}, b.X.Shape())
		require.Equal(t, tensor.Shape{n}, b.Y.Shape())
		x, y := b.X.Data().([]float32), b.Y.Data().([]int32)
		require.Len(t, x, n)
		require.Len(t, y, n)
		for j, i := range b.Examples {
			require.Equal(t, float32(i), x[j])
			require.Equal(t, int32(i%3), y[j])
		}
		all = append(all, slices.Clone(b.Examples))
	}
	return all
}

func TestAnEpochHasEveryExampleOnce(t *testing.T) {
	for _, n := range []int{1, 2, 9, 10, 11, 100} {
		for _, size := range []int{1, 3, 10, 1000} {
			l := loader(t, counting(t, n), data.Batching{Size: size, Shuffle: true, Seed: 5})
			all := batches(t, l, 2, 0)
			require.Len(t, all, l.Len())
			for _, b := range all[:len(all)-1] {
				require.Len(t, b, size)
			}
			flat := slices.Concat(all...)
			require.Len(t, flat, n)
			slices.Sort(flat)
			for i, v := range flat {
				require.Equal(t, i, v)
			}
		}
	}
}

func TestWithoutShuffleTheOrderIsThatOfTheDataset(t *testing.T) {
	l := loader(t, counting(t, 5), data.Batching{Size: 2, Seed: 5})
	for epoch := range 2 {
		require.Equal(t, [][]int{{0, 1}, {2, 3}, {4}}, batches(t, l, epoch, 0))
	}
}

func TestTheOrderDependsOnSeedAndEpochAlone(t *testing.T) {
	order := func(seed uint64, epoch, size int) []int {
		l := loader(t, counting(t, 50), data.Batching{Size: size, Shuffle: true, Seed: seed})
		for range l.Epoch(epoch + 3) { // another epoch before, broken off
			break
		}
		return slices.Concat(batches(t, l, epoch, 0)...)
	}
	want := order(1, 0, 7)
	require.Equal(t, want, order(1, 0, 13))
	require.NotEqual(t, want, order(1, 1, 7))
	require.NotEqual(t, want, order(2, 0, 7))
}

// Pinned, so that a seed means the same order in every version; the permutation was
// computed by a separate program.
func TestTheOrderIsPinned(t *testing.T) {
	l := loader(t, counting(t, 10), data.Batching{Size: 10, Shuffle: true, Seed: 42})
	require.Equal(t, [][]int{{6, 9, 8, 4, 3, 5, 1, 7, 0, 2}}, batches(t, l, 3, 0))
}

func TestEpochFromGoesOnWhereItWasBrokenOff(t *testing.T) {
	o := data.Batching{Size: 4, Shuffle: true, Seed: 9}
	whole := batches(t, loader(t, counting(t, 30), o), 6, 0)
	for k := range len(whole) + 1 {
		rest := batches(t, loader(t, counting(t, 30), o), 6, k)
		require.Equal(t, whole, append(slices.Clone(whole[:k]), rest...))
	}
	for _, bad := range [][2]int{{-1, 0}, {0, -1}} {
		for _, err := range loader(t, counting(t, 3), o).EpochFrom(context.Background(), bad[0], bad[1]) {
			require.ErrorContains(t, err, "data: no batch")
		}
	}
}

// Every permutation of four examples is met about equally often.
func TestTheShuffleIsUniform(t *testing.T) {
	const epochs = 24 * 500
	l := loader(t, counting(t, 4), data.Batching{Size: 4, Shuffle: true})
	count := map[[4]int]float64{}
	for epoch := range epochs {
		for b := range l.Epoch(epoch) {
			count[[4]int(b.Examples)]++
		}
	}
	require.Len(t, count, 24)
	chi := 0.0
	for _, c := range count {
		chi += (c - 500) * (c - 500) / 500
	}
	require.Less(t, chi, 49.7) // 99.9 % quantile of chi-squared with 23 degrees of freedom
}

func TestBatchesReuseTheirMemory(t *testing.T) {
	l := loader(t, counting(t, 10), data.Batching{Size: 4})
	var first *float32
	for b := range l.Epoch(0) {
		if first == nil {
			first = &b.X.Float32s()[0]
		}
		require.Same(t, first, &b.X.Float32s()[0])
	}
}

func TestLoadersMayShareADataset(t *testing.T) {
	ds := counting(t, 50)
	var group sync.WaitGroup
	for seed := range uint64(4) {
		l := loader(t, ds, data.Batching{Size: 8, Shuffle: true, Seed: seed})
		group.Go(func() {
			for b, err := range l.Epoch(0) {
				for j, i := range b.Examples {
					assert.NoError(t, err)
					assert.Equal(t, float32(i), b.X.Float32s()[j])
				}
			}
		})
	}
	group.Wait()
}

func TestAnEpochAllocatesNothingForABatch(t *testing.T) {
	x := make([]uint8, 512*3*8*8)
	y := make([]int32, 512)
	images, err := data.New(x, y, data.Info{Input: shape.F32(3, 8, 8)})
	require.NoError(t, err)
	_, half, err := data.Split(images, 255, 1)
	require.NoError(t, err)
	for _, ds := range []data.Dataset{images, half, counting(t, 500)} {
		allocs := func(size int) float64 {
			l := loader(t, ds, data.Batching{Size: size, Shuffle: true})
			return allocs.PerRun(3, func() {
				for _, err := range l.Epoch(1) {
					require.NoError(t, err)
				}
			})
		}
		require.LessOrEqual(t, allocs(2), allocs(200)+3, "some hundred batches, and two or three")
	}
}

func TestBytesBecomeNormalisedIntensities(t *testing.T) {
	info := data.Info{
		Input:      shape.F32(2, 1, 2),
		Preprocess: data.Preprocess{Mean: []float32{.5, .25}, Std: []float32{.5, 2}},
	}
	want := []float32{-1, 1, -.125, .375}
	bytes, err := data.New([]uint8{0, 255, 0, 255}, []uint8{1}, info)
	require.NoError(t, err)
	floats, err := data.New([]float32{0, 1, 0, 1}, []uint8{1}, info)
	require.NoError(t, err)
	for _, ds := range []data.Dataset{bytes, floats} {
		for range 2 { // reading changes nothing
			e := data.Example{X: make([]float32, 4), Labels: make([]int32, 1)}
			require.NoError(t, ds.Read(0, e))
			require.Equal(t, want, e.X)
			require.Equal(t, []int32{1}, e.Labels)
		}
	}
	x := []float32{0, 1, 0, 1}
	info.Preprocess.Apply(x)
	require.Equal(t, want, x)
}

func TestOneMeanServesAllChannels(t *testing.T) {
	x := []float32{0, 1, 2, 3}
	data.Preprocess{Mean: []float32{1}, Std: []float32{2}}.Apply(x)
	require.Equal(t, []float32{-.5, 0, .5, 1}, x)
	data.Preprocess{}.Apply(x)
	require.Equal(t, []float32{-.5, 0, .5, 1}, x)
}

func TestRegressionTargets(t *testing.T) {
	ds, err := data.New([]float32{1, 2, 3}, []float32{10, 11, 20, 21, 30, 31},
		data.Info{Input: shape.F32(1), Target: shape.F32(2)})
	require.NoError(t, err)
	for b, err := range loader(t, ds, data.Batching{Size: 2}).EpochFrom(context.Background(), 0, 1) {
		require.NoError(t, err)
		require.Equal(t, tensor.Shape{1, 2}, b.Y.Shape())
		require.Equal(t, []float32{30, 31}, b.Y.Data())
		require.Equal(t, []float32{3}, b.X.Data())
	}
}

func TestAClassForEachPixel(t *testing.T) {
	ds, err := data.New([]uint8{1, 2, 3, 4}, []int64{0, 1, 1, 0},
		data.Info{Input: shape.F32(1, 1, 2), Target: shape.I32(1, 2), Classes: []string{"sky", "sea"}})
	require.NoError(t, err)
	for b, err := range loader(t, ds, data.Batching{Size: 2}).Epoch(0) {
		require.NoError(t, err)
		require.Equal(t, tensor.Shape{2, 1, 2}, b.Y.Shape())
		require.Equal(t, []int32{0, 1, 1, 0}, b.Y.Data())
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	pixel := data.Info{Input: shape.F32(1, 1, 1)}
	with := func(change func(*data.Info)) data.Info {
		info := pixel
		change(&info)
		return info
	}
	try := func(x []uint8, y []int, info data.Info) error {
		_, err := data.New(x, y, info)
		return err
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{try([]uint8{1, 2}, []int{0}, pixel), "2 inputs float32(1,1,1), but 1 elements of targets int32()"},
		{try([]uint8{1, 2, 3}, []int{0}, data.Info{Input: shape.F32(2)}), "3 elements are not a whole number of inputs float32(2)"},
		{try([]uint8{1}, []int{-1}, pixel), "example 0 has class -1; want 0 to 2147483647"},
		{try([]uint8{1, 2}, []int{0, 1 << 32}, pixel), "example 1 has class 4294967296"},
		{try([]uint8{1}, []int{2}, with(func(i *data.Info) { i.Classes = []string{"a", "b"} })), "has class 2; want 0 to 1"},
		{try(nil, nil, data.Info{Input: shape.F32(shape.N, 1)}), "input type float32(N,1)"},
		{try(nil, nil, data.Info{Input: shape.F64(1)}), "input type float64(1): want float32"},
		{try(nil, nil, data.Info{Input: shape.F32(1, 0)}), "float32(1,0): want from 1 to"},
		{try(nil, nil, data.Info{Input: shape.F32(1<<20, 1<<20)}), "want from 1 to"},
		{try(nil, nil, data.Info{Input: shape.F32(1, 1, 1, 1, 1, 1, 1, 1)}), "no axis is left"},
		{try(nil, nil, with(func(i *data.Info) { i.Classes = []string{"a", "b\xff"} })), `class 1, "b\xff", has a name that is not in UTF-8`},
		{try(nil, nil, with(func(i *data.Info) { i.Preprocess.Image = "\xff" })), `preprocessing "\xff", a name that is not in UTF-8`},
		{try(nil, nil, with(func(i *data.Info) { i.Target = shape.F32() })), "target type float32(), but the targets are []int"},
		{try(nil, nil, with(func(i *data.Info) { i.Target = shape.I64() })), "target type int64()"},
		{try(nil, nil, with(func(i *data.Info) { i.Preprocess.Mean = []float32{1} })), "1 means and 0 standard deviations"},
		{try(nil, nil, with(func(i *data.Info) { i.Preprocess = data.Preprocess{Mean: []float32{1, 2}, Std: []float32{1, 2}} })), "preprocessing is for 2 channels"},
		{try(nil, nil, with(func(i *data.Info) { i.Preprocess = data.Preprocess{Mean: []float32{1}, Std: []float32{0}} })), "positive standard deviations"},
		{try(nil, nil, with(func(i *data.Info) { i.Preprocess = data.Preprocess{Mean: []float32{.5}, Std: []float32{1e-45}} })), "makes intensities in [0,1] infinite"},
		{try(nil, nil, with(func(i *data.Info) {
			i.Preprocess = data.Preprocess{Mean: []float32{float32(math.NaN())}, Std: []float32{1}}
		})), "finite means"},
	} {
		require.ErrorContains(t, c.err, "data: ")
		require.ErrorContains(t, c.err, c.want)
	}
	_, err := data.New([]float32{1}, []float32{1}, data.Info{Input: shape.F32(1), Classes: []string{"a"}})
	require.ErrorContains(t, err, "only int32 targets have classes")
}

func TestReadRefusesOtherExamplesAndSizes(t *testing.T) {
	ds := counting(t, 3)
	good := data.Example{X: make([]float32, 1), Labels: make([]int32, 1)}
	require.NoError(t, ds.Read(2, good))
	require.ErrorContains(t, ds.Read(3, good), "no example 3 among 3")
	require.ErrorContains(t, ds.Read(-1, good), "no example -1")
	require.ErrorContains(t, data.Limit(ds, 2).Read(2, good), "no example 2 among 2")
	require.ErrorContains(t, ds.Read(0, data.Example{X: good.X}), "room for 1 and 0 elements")
	require.ErrorContains(t, ds.Read(0, data.Example{Labels: good.Labels}), "room for 0 and 1 elements")
}

func TestLoaderRefusesWhatItCannotCut(t *testing.T) {
	_, err := data.NewLoader(counting(t, 3), data.Batching{})
	require.ErrorContains(t, err, "batch size 0; want at least 1")
	_, err = data.NewLoader(counting(t, 0), data.Batching{Size: 1})
	require.ErrorContains(t, err, "the dataset is empty")
	_, err = data.NewLoader(broken{counting(t, 1<<21), shape.F32(1 << 20)}, data.Batching{Size: 1 << 20})
	require.ErrorContains(t, err, "too large for examples of float32(1048576); want at most 1024")
	_, err = data.NewLoader(broken{counting(t, 1), shape.F64(1)}, data.Batching{Size: 1})
	require.ErrorContains(t, err, "input type float64(1)")
}

// broken is a dataset that says it has another type of input, and fails to read.
type broken struct {
	data.Dataset
	input shape.Type
}

var errUnreadable = errors.New("unreadable")

func (b broken) Info() data.Info {
	info := b.Dataset.Info()
	info.Input = b.input
	return info
}

func (b broken) Read(i int, e data.Example) error {
	if i == 5 {
		return errUnreadable
	}
	return b.Dataset.Read(i, e)
}

func TestAReadErrorEndsTheEpoch(t *testing.T) {
	l := loader(t, broken{counting(t, 9), shape.F32(1, 1, 1)}, data.Batching{Size: 2})
	var errs []error
	for _, err := range l.Epoch(0) {
		errs = append(errs, err)
	}
	require.Len(t, errs, 3)
	require.NoError(t, errs[1])
	require.ErrorIs(t, errs[2], errUnreadable)
	require.ErrorContains(t, errs[2], "data: example 5: unreadable")
}

// values returns the examples of ds made by counting.
func values(t *testing.T, ds data.Dataset) (v []int) {
	t.Helper()
	e := data.Example{X: make([]float32, 1), Labels: make([]int32, 1)}
	for i := range ds.Len() {
		require.NoError(t, ds.Read(i, e))
		v = append(v, int(e.X[0]))
	}
	return v
}

func TestSubsetAndLimit(t *testing.T) {
	ds := counting(t, 6)
	chosen := []int{4, 1, 4}
	some, err := data.Subset(ds, chosen)
	require.NoError(t, err)
	chosen[0] = 0 // is not looked at again
	require.Equal(t, []int{4, 1, 4}, values(t, some))
	require.Equal(t, []int{4, 1}, values(t, data.Limit(some, 2)))
	require.Equal(t, []int{0, 1, 2}, values(t, data.Limit(ds, 3)))
	require.Equal(t, ds, data.Limit(ds, 6))
	require.Empty(t, values(t, data.Limit(ds, -1)))
	for _, i := range []int{-1, 6} {
		_, err = data.Subset(ds, []int{0, i})
		require.ErrorContains(t, err, fmt.Sprintf("no example %d among 6", i))
	}
}

func TestSplitIsASeededPartition(t *testing.T) {
	ds := counting(t, 100)
	rest, chosen, err := data.Split(ds, 30, 7)
	require.NoError(t, err)
	a, b := values(t, rest), values(t, chosen)
	require.Len(t, b, 30)
	require.True(t, slices.IsSorted(a) && slices.IsSorted(b))
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	require.Equal(t, values(t, ds), all)

	_, again, err := data.Split(ds, 30, 7)
	require.NoError(t, err)
	require.Equal(t, b, values(t, again))
	_, other, err := data.Split(ds, 30, 8)
	require.NoError(t, err)
	require.NotEqual(t, b, values(t, other))

	for _, n := range []int{0, 100} {
		rest, chosen, err = data.Split(ds, n, 1)
		require.NoError(t, err)
		require.Equal(t, []int{100 - n, n}, []int{rest.Len(), chosen.Len()})
	}
	for _, n := range []int{-1, 101} {
		_, _, err = data.Split(ds, n, 1)
		require.ErrorContains(t, err, "of 100 examples")
	}
}

func TestMetadataRoundTrip(t *testing.T) {
	for _, info := range []data.Info{
		{Input: shape.F32(1, 28, 28), Target: shape.I32()},
		{Input: shape.F32(), Target: shape.F32(2, 3)},
		{
			Input: shape.F32(3, 227, 227), Target: shape.I32(), Classes: []string{"tench, \"Tinca\"", "größe", ""},
			Preprocess: data.Preprocess{Image: "crop", Mean: []float32{.485, 1e-30, -3}, Std: []float32{.229, .1307, 16777217}},
		},
	} {
		m, err := info.Metadata()
		require.NoError(t, err)
		m["model"] = "lenet" // what else is there does not matter
		got, err := data.ParseInfo(m)
		require.NoError(t, err)
		require.Equal(t, info, got)
	}
	_, err := data.Info{}.Metadata()
	require.ErrorContains(t, err, "data: input type")
}

func TestMalformedMetadataAreErrors(t *testing.T) {
	good, err := data.Info{Input: shape.F32(1, 2), Target: shape.I32(), Classes: []string{"a"}}.Metadata()
	require.NoError(t, err)
	for _, c := range []struct{ key, value, want string }{
		{"input", "", `metadata: "input" is ""`},
		{"input", "float32", `"input" is "float32"`},
		{"input", "float32(1,2", `"input" is "float32(1,2"`},
		{"input", "float32(1,,2)", `"input" is`},
		{"input", "float32(N,2)", `"input" is`},
		{"input", "float32(-1)", `"input" is`},
		{"input", "float32(99999999999)", `"input" is`},
		{"input", "float8(1)", `"input" is`},
		{"input", "float32(1,1,1,1,1,1,1,1,1,1)", "metadata: input type"},
		{"input", "float64(1)", "metadata: input type float64(1)"},
		{"target", "bool()", "metadata: target type bool()"},
		{"classes", `{"a":1}`, `metadata: "classes": json`},
		{"preprocess", "{", `metadata: "preprocess": unexpected end`},
		{"preprocess", `{"mean":[1]}`, "1 means and 0 standard deviations"},
		{"preprocess", `{"mean":[1],"std":[1e99]}`, `metadata: "preprocess": json`},
	} {
		m := maps.Clone(good)
		m[c.key] = c.value
		_, err := data.ParseInfo(m)
		require.ErrorContains(t, err, c.want)
	}
	delete(good, "preprocess")
	_, err = data.ParseInfo(good)
	require.ErrorContains(t, err, `no "preprocess"`)
}

func Example() {
	pixels := []uint8{0, 64, 128, 255, 9, 9} // three images of two pixels
	classes := []int{0, 1, 1}
	ds, err := data.New(pixels, classes, data.Info{Input: shape.F32(1, 1, 2), Classes: []string{"cat", "dog"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	batches, err := data.NewLoader(ds, data.Batching{Size: 2, Shuffle: true, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	for epoch := range 2 {
		for b, err := range batches.Epoch(epoch) {
			fmt.Println(epoch, b.Examples, b.X.Shape(), b.Y, err)
		}
	}
	// Output:
	// 0 [2 0] (2, 1, 1, 2) [1  0] <nil>
	// 0 [1] (1, 1, 1, 2) [1] <nil>
	// 1 [0 1] (2, 1, 1, 2) [0  1] <nil>
	// 1 [2] (1, 1, 1, 2) [1] <nil>
}

func BenchmarkEpoch(b *testing.B) {
	images, err := data.New(make([]uint8, 1000*784), make([]int, 1000), data.Info{Input: shape.F32(1, 28, 28)})
	require.NoError(b, err)
	l := loader(b, images, data.Batching{Size: 64, Shuffle: true})
	b.ReportAllocs()
	for i := range b.N {
		for _, err := range l.Epoch(i) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
