package augment

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/shape"
)

// each is every augmentation.
var each = List{
	RandomCrop{Height: 9, Width: 7, Pad: 2}, RandomResizedCrop{Height: 9}, HorizontalFlip{},
	Affine{Rotate: Within(30), Shear: Within(10), Scale: Range{.8, 1.2}, X: Within(.2), Y: Within(.2)},
	Elastic{Sigma: 2, Alpha: 8, Affine: Affine{Rotate: Within(10)}},
	ColorJitter{.4, .4, .4}, Lighting{}, CutOut{4},
}

func TestWhatIsNothingChangesNothing(t *testing.T) {
	in := normalised(11, 12)
	want := pattern(in.Input.Len())
	for _, a := range []data.Augmentation{
		List{}, RandomCrop{}, RandomResizedCrop{Area: Range{1, 1}, Aspect: Range{12. / 11, 12. / 11}}, HorizontalFlip{P: 1e-12},
		Affine{}, Elastic{Sigma: 4}, ColorJitter{}, Lighting{Std: 1e-12},
	} {
		require.InDeltaSlice(t, want, changed(t, a, in, 3), 1e-6, "%T", a)
	}
}

// The order of a list is that of the changes; each draws on from where the one before ended.
func TestListIsOneAfterTheOther(t *testing.T) {
	in := normalised(16, 16)
	x, r := pattern(in.Input.Len()), data.NewRand(1, 0, 5)
	info := in
	for _, a := range each {
		var change data.Change
		change, info = bind(t, a, info)
		x = change(x, r)
	}
	require.Equal(t, shape.F32(3, 9, 7), info.Input)
	require.Equal(t, x, changed(t, each, in, 5))
	_, out := bind(t, each, in)
	require.Equal(t, info, out)
}

func TestEachDependsOnTheExampleAlone(t *testing.T) {
	in := normalised(16, 16)
	for _, a := range each {
		change, _ := bind(t, a, in)
		run := func(seed uint64, epoch, example int) []float32 {
			return slices.Clone(change(pattern(in.Input.Len()), data.NewRand(seed, epoch, example)))
		}
		want := run(1, 2, 3)
		differs := 0
		for i := range 32 { // whatever comes between
			if !slices.Equal(want, run(1, 2, 4+i)) {
				differs++
			}
		}
		require.Positive(t, differs, "%T", a)
		require.Equal(t, want, run(1, 2, 3), "%T", a)
	}
}

func TestAnyNumberOfWorkersGivesTheSameImages(t *testing.T) {
	const n = 40
	ds, err := data.New(pattern(n*3*16*16), make([]int, n), normalised(16, 16))
	require.NoError(t, err)
	epoch := func(workers int) (all []float32) {
		l, err := data.NewLoader(ds, data.Batching{
			Size: 7, Shuffle: true, Seed: 1, Augment: each, Mix: MixUp{Classes: 1}, Workers: workers,
		})
		require.NoError(t, err)
		for b, err := range l.EpochFrom(context.Background(), 3, 0) {
			require.NoError(t, err)
			all = append(append(all, b.X.Float32s()...), b.Y.Float32s()...)
		}
		return all
	}
	want := epoch(0)
	require.Len(t, want, n*(3*9*7+1))
	for _, workers := range []int{1, 2, 5} {
		require.Equal(t, want, epoch(workers))
	}
}

func TestNothingIsAllocated(t *testing.T) {
	in := normalised(16, 16)
	x, r := pattern(in.Input.Len()), data.NewRand(1, 0, 0)
	change, _ := bind(t, each, in)
	require.Zero(t, allocs.PerRun(50, func() { change(x, r) }))
	in.Classes = []string{"a", "b"}
	mix, _, err := MixUp{}.Bind(in)
	require.NoError(t, err)
	b := data.Example{X: make([]float32, 4*in.Input.Len()), Labels: []int32{0, 1, 1, 0}, Targets: make([]float32, 8)}
	require.Zero(t, allocs.PerRun(50, func() { err = mix(4, b, r) }))
	require.NoError(t, err)
}

func TestRefused(t *testing.T) {
	nan := math.NaN()
	image := plain(3, 8, 8)
	for _, c := range []struct {
		a    data.Augmentation
		in   data.Info
		want string
	}{
		{List{nil}, image, "augmentation 0 of the list is nil"},
		{List{Affine{}, CutOut{}}, image, "augment.CutOut: Side is 0"},
		{RandomCrop{Height: 9}, image, "a part of 9 by 8 from 8 by 8"},
		{RandomCrop{Pad: -1}, image, "with -1 around"},
		{RandomCrop{Width: -1}, image, "a part of 8 by -1"},
		{RandomResizedCrop{Height: -1}, image, "-1 by 8"},
		{RandomResizedCrop{Area: Range{.5, 1.1}}, image, "Area is from 0.5 to 1.1"},
		{RandomResizedCrop{Aspect: Range{2, 1}}, image, "Aspect is from 2 to 1"},
		{HorizontalFlip{P: 1.5}, image, "P is 1.5"},
		{HorizontalFlip{P: nan}, image, "P is NaN"},
		{Affine{Rotate: Range{nan, nan}}, image, "Rotate is from NaN"},
		{Affine{Shear: Range{0, 90}}, image, "Shear is from 0 to 90"},
		{Affine{Scale: Range{-1, 1}}, image, "Scale is from -1"},
		{Affine{X: Range{0, 2}}, image, "X is from 0 to 2"},
		{Affine{Y: Range{1, 0}}, image, "Y is from 1 to 0"},
		{Elastic{}, image, "Sigma is 0"},
		{Elastic{Sigma: 4, Alpha: math.Inf(1)}, image, "Alpha is +Inf"},
		{Elastic{Sigma: 4, Affine: Affine{Y: Range{1, 0}}}, image, "Y is from 1 to 0"},
		{ColorJitter{Contrast: -1}, image, "Contrast is -1"},
		{ColorJitter{}, plain(2, 8, 8), "red, green and blue"},
		{Lighting{}, plain(1, 8, 8), "red, green and blue"},
		{Lighting{Std: -1}, image, "Std is -1"},
	} {
		_, _, err := c.a.Bind(c.in)
		require.ErrorContains(t, err, c.want)
	}
	for _, a := range each {
		_, _, err := a.Bind(data.Info{Input: shape.F32(784), Target: shape.I32()})
		require.ErrorContains(t, err, "want an image (C,H,W)", "%T", a)
	}
}

func TestRecipesFitTheirImages(t *testing.T) {
	for _, l := range []List{MNIST(), MNISTAffine(), FashionMNIST()} {
		_, out := bind(t, l, plain(1, 28, 28))
		require.Equal(t, shape.F32(1, 28, 28), out.Input)
	}
	_, out := bind(t, CIFAR(), plain(3, 32, 32))
	require.Equal(t, shape.F32(3, 32, 32), out.Input)
	for _, l := range []List{AlexNet(224), ImageNet(224)} {
		_, out = bind(t, l, plain(3, 256, 256))
		require.Equal(t, shape.F32(3, 224, 224), out.Input)
	}
}

// The comment says half as much; Scale is around 1.
func TestMNISTAffineIsHalfOfMNIST(t *testing.T) {
	whole, half := MNIST()[0].(Elastic).Affine, MNISTAffine()[0].(Affine)
	for name, r := range map[string][2]Range{
		"Rotate": {whole.Rotate, half.Rotate}, "Shear": {whole.Shear, half.Shear}, "X": {whole.X, half.X}, "Y": {whole.Y, half.Y},
		"Scale": {{whole.Scale.Min - 1, whole.Scale.Max - 1}, {half.Scale.Min - 1, half.Scale.Max - 1}},
	} {
		require.InDelta(t, r[0].Min/2, r[1].Min, 1e-12, name)
		require.InDelta(t, r[0].Max/2, r[1].Max, 1e-12, name)
	}
}

// A single pixel shows where an image went: to each of nine places, of the image and its mirror
// image, about equally often.
func TestFashionMNISTShiftsByAPixelAndFlips(t *testing.T) {
	const side, row, column, draws = 28, 10, 5, 9000
	change, _ := bind(t, FashionMNIST(), plain(1, side, side))
	met := map[int]int{}
	for example := range draws {
		x := make([]float32, side*side)
		x[row*side+column] = 1
		x = change(x, data.NewRand(1, 0, example))
		at := slices.Index(x, 1)
		require.NotEqual(t, -1, at)
		met[at]++
	}
	require.Len(t, met, 18)
	for _, left := range []int{column, side - 1 - column} {
		for i := range 9 {
			require.InEpsilon(t, draws/18, met[(row+i/3-1)*side+left+i%3-1], .2)
		}
	}
}

func BenchmarkChange(b *testing.B) {
	for _, c := range []struct {
		name string
		a    data.Augmentation
		in   data.Info
	}{
		{"28x28/affine", Affine{Rotate: Within(10)}, plain(1, 28, 28)},
		{"28x28/affine and elastic", MNIST(), plain(1, 28, 28)},
		{"3x32x32/cifar", CIFAR(), plain(3, 32, 32)},
		{"3x256x256/alexnet", AlexNet(224), plain(3, 256, 256)},
		{"3x256x256/imagenet", ImageNet(224), plain(3, 256, 256)},
	} {
		b.Run(c.name, func(b *testing.B) {
			change, _ := bind(b, c.a, c.in)
			x, i := pattern(c.in.Input.Len()), 0
			b.ReportAllocs()
			for b.Loop() {
				change(x, data.NewRand(1, 0, i))
				i++
			}
		})
	}
}

func ExampleList() {
	change, out, err := List{RandomCrop{Height: 2, Width: 2}, HorizontalFlip{}}.Bind(plain(1, 3, 3))
	if err != nil {
		fmt.Println(err)
		return
	}
	for example := range 2 {
		x := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}
		fmt.Println(out.Input, change(x, data.NewRand(7, 0, example)))
	}
	// Output:
	// float32(1,2,2) [1 2 4 5]
	// float32(1,2,2) [2 3 5 6]
}
