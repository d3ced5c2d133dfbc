package augment

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/shape"
)

type resampled struct {
	Parameters []float64
	Result     []float32
}

func fixture(t *testing.T) (f struct{ Affine, Crop []resampled }) {
	t.Helper()
	b, err := os.ReadFile("testdata/pytorch.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &f))
	require.Len(t, f.Affine, 7)
	require.Len(t, f.Crop, 4)
	return f
}

func TestAffineIsThatOfPyTorch(t *testing.T) {
	at := func(v float64) Range { return Range{v, v} }
	for _, c := range fixture(t).Affine {
		p := c.Parameters
		a := Affine{Rotate: at(p[2]), Shear: at(p[3]), Scale: at(p[4]), X: at(p[5]), Y: at(p[6])}
		got := changed(t, a, plain(2, int(p[0]), int(p[1])), 0)
		require.InDeltaSlice(t, c.Result, got, 2e-5, "%v", p)
	}
}

func TestResizedCropIsThatOfPyTorch(t *testing.T) {
	for _, c := range fixture(t).Crop {
		p := make([]int, len(c.Parameters))
		for i, v := range c.Parameters {
			p[i] = int(v)
		}
		in := plain(2, p[0], p[1])
		s := newSampler(in, image{2, p[0], p[1]}, p[6], p[7])
		got := s.sample(pattern(in.Input.Len()), stretch(p[2], p[3], p[4], p[5], p[7], p[6]), nil)
		require.InDeltaSlice(t, c.Result, got, 1e-5, "%v", p)
	}
}

func TestAQuarterTurn(t *testing.T) {
	x := []float32{
		1, 2,
		3, 4,
	}
	for degrees, want := range map[float64][]float32{90: {2, 4, 1, 3}, -90: {3, 1, 4, 2}, 180: {4, 3, 2, 1}, 360: x} {
		change, _ := bind(t, Affine{Rotate: Range{degrees, degrees}}, plain(1, 2, 2))
		require.InDeltaSlice(t, want, change(append([]float32(nil), x...), data.NewRand(1, 0, 0)), 1e-5, "%v", degrees)
	}
}

// What comes in from outside is black, which normalised inputs have their own number for.
func TestOutsideIsBlack(t *testing.T) {
	in := normalised(6, 6)
	black := make([]float32, 3)
	in.Preprocess.Apply(black)
	for _, a := range []data.Augmentation{Affine{X: Range{1, 1}}, Affine{Scale: Range{.01, .01}, Y: Range{1, 1}}} {
		for i, v := range changed(t, a, in, 0) {
			require.Equal(t, black[i/36], v, "%v", a)
		}
	}
	for i, v := range changed(t, Affine{X: Range{.5, .5}}, in, 0) {
		want := black[i/36]
		if i%6 >= 3 {
			want = pattern(108)[i-3]
		}
		require.InDelta(t, want, v, 1e-6)
	}
}

// The displacements are Alpha*(G*U), each sum written out.
func TestElasticFieldIsASmoothedOne(t *testing.T) {
	for _, m := range []image{{1, 28, 28}, {1, 9, 14}} {
		for _, sigma := range []float64{.5, 4} {
			a := Elastic{Sigma: sigma, Alpha: 30}
			f := a.newField(simd.Best().Gemm, m)
			got := f.draw(data.NewRand(3, 0, 0))
			noise := make([]float32, 2*m.h*m.w)
			data.NewRand(3, 0, 0).Uniforms(noise)
			norm := 0.0 // of the Gaussian over all of the plane
			for y := -60; y <= 60; y++ {
				for x := -60; x <= 60; x++ {
					norm += math.Exp(-float64(x*x+y*y) / (2 * sigma * sigma))
				}
			}
			for i := range got {
				y, axis, x := i/(2*m.w), i/m.w%2, i%m.w
				want := 0.0
				for v := range m.h {
					for u := range m.w {
						d := float64((x-u)*(x-u) + (y-v)*(y-v))
						want += math.Exp(-d/(2*sigma*sigma)) / norm * (2*float64(noise[(2*v+axis)*m.w+u]) - 1)
					}
				}
				require.InDelta(t, a.Alpha*want, got[i], 1e-4)
			}
		}
	}
}

// Each pixel is taken where the field and the affine map say.
func TestElasticTakesPixelsWhereItSays(t *testing.T) {
	m, in := image{1, 12, 15}, plain(1, 12, 15)
	a := Elastic{Sigma: 2, Alpha: 12, Affine: Affine{Rotate: Range{20, 20}}}
	got := changed(t, a, in, 9)
	r := data.NewRand(1, 0, 9)
	p := a.Affine.draw(m, r)
	field := a.newField(simd.Best().Gemm, m).draw(r)
	x := pattern(in.Input.Len())
	pixel := func(px, py int) float64 {
		if px < 0 || py < 0 || px >= m.w || py >= m.h {
			return 0
		}
		return float64(x[py*m.w+px])
	}
	for i, v := range got {
		px, py := float64(i%m.w), float64(i/m.w)
		px, py = px+float64(field[2*(i/m.w)*m.w+i%m.w]), py+float64(field[(2*(i/m.w)+1)*m.w+i%m.w])
		sx := float64(p.xx)*px + float64(p.xy)*py + float64(p.x0)
		sy := float64(p.yx)*px + float64(p.yy)*py + float64(p.y0)
		left, top := math.Floor(sx), math.Floor(sy)
		fx, fy := sx-left, sy-top
		l, u := int(left), int(top)
		want := (1-fy)*((1-fx)*pixel(l, u)+fx*pixel(l+1, u)) + fy*((1-fx)*pixel(l, u+1)+fx*pixel(l+1, u+1))
		require.InDelta(t, want, v, 1e-4, "pixel %d", i)
	}
}

func TestElasticHasTheSpreadItSays(t *testing.T) {
	for _, c := range []struct {
		e    Elastic
		want float64 // Alpha/(2 sqrt(3 pi) Sigma) pixels
	}{
		{Elastic{Sigma: 4, Alpha: 34}, 1.385},
		{MNIST()[0].(Elastic), .815}, // strokes are two pixels wide
	} {
		m := image{1, 64, 64}
		f := c.e.newField(simd.Best().Gemm, m)
		sum, squares, n := 0.0, 0.0, 0.0
		for example := range 100 {
			for i, v := range f.draw(data.NewRand(1, 0, example)) {
				if y, x := i/(2*m.w), i%m.w; y < 16 || y >= 48 || x < 16 || x >= 48 {
					continue
				}
				sum, squares, n = sum+float64(v), squares+float64(v)*float64(v), n+1
			}
		}
		require.InDelta(t, 0, sum/n, .1)
		require.InEpsilon(t, c.want, math.Sqrt(squares/n), .04)
	}
}

// Every place is met about equally often, and shows what is there.
func TestRandomCrop(t *testing.T) {
	in := normalised(6, 7)
	x := pattern(in.Input.Len())
	black := make([]float32, 3)
	in.Preprocess.Apply(black)
	at := func(c, y, x0 int) float32 {
		if y < 0 || x0 < 0 || y >= 6 || x0 >= 7 {
			return black[c]
		}
		return x[(c*6+y)*7+x0]
	}
	change, out := bind(t, RandomCrop{Height: 5, Width: 9, Pad: 1}, in)
	require.Equal(t, shape.F32(3, 5, 9), out.Input)
	seen := map[[2]int]int{}
	for example := range 4000 {
		got := change(append([]float32(nil), x...), data.NewRand(1, 0, example))
		for top := -1; top <= 2; top++ {
			same := true
			for i, v := range got {
				same = same && v == at(i/45, i/9%5+top, i%9-1)
			}
			if same {
				seen[[2]int{top, -1}]++
			}
		}
	}
	require.Len(t, seen, 4)
	for _, n := range seen {
		require.InDelta(t, 1000, n, 130)
	}
}

func TestPartsOfResizedCrops(t *testing.T) {
	m := image{3, 70, 70}
	a := RandomResizedCrop{Area: Range{.1, .9}, Aspect: Range{.5, 2}}
	r := data.NewRand(1, 0, 0)
	sum := 0.0
	for range 5000 {
		left, top, w, h := a.part(m, r)
		require.True(t, 0 <= left && 0 <= top && 0 < w && 0 < h && left+w <= m.w && top+h <= m.h)
		area, aspect := float64(w*h)/4900, float64(w)/float64(h)
		require.InDelta(t, .5, area, .41)
		require.True(t, aspect > .48 && aspect < 2.1)
		sum += math.Log(aspect)
	}
	require.InDelta(t, 0, sum/5000, .03)

	m = image{3, 60, 80}
	for _, c := range []struct{ aspect, w, h float64 }{{4, 80, 20}, {.25, 15, 60}} { // none of ten fits
		a := RandomResizedCrop{Area: Range{1, 1}, Aspect: Range{c.aspect, c.aspect}}
		left, top, w, h := a.part(m, r)
		require.Equal(t, []int{int(80-c.w) / 2, int(60-c.h) / 2, int(c.w), int(c.h)}, []int{left, top, w, h})
	}
}

func TestHorizontalFlip(t *testing.T) {
	change, _ := bind(t, HorizontalFlip{P: .25}, plain(2, 1, 3))
	flips := 0
	for example := range 4000 {
		x := change([]float32{1, 2, 3, 4, 5, 6}, data.NewRand(1, 0, example))
		if x[0] == 3 {
			require.Equal(t, []float32{3, 2, 1, 6, 5, 4}, x)
			flips++
			continue
		}
		require.Equal(t, []float32{1, 2, 3, 4, 5, 6}, x)
	}
	require.InDelta(t, 1000, flips, 110)
}

// The square is a square, around every pixel about equally often, and all else stays.
func TestCutOut(t *testing.T) {
	const side, h, w = 4, 6, 9
	change, _ := bind(t, CutOut{side}, plain(2, h, w))
	covered := make([]int, h*w)
	for example := range 20_000 {
		x := make([]float32, 2*h*w)
		for i := range x {
			x[i] = 1
		}
		x = change(x, data.NewRand(1, 0, example))
		zeros := 0
		for i := range h * w {
			require.Equal(t, x[i], x[h*w+i])
			if x[i] == 0 {
				covered[i]++
				zeros++
			}
		}
		require.True(t, zeros >= 4 && zeros <= 16)
	}
	for i, n := range covered {
		y, x := i/w, i%w
		rows := min(y+side/2, h-1) - max(y-side/2+1, 0) + 1 // centres whose square covers the pixel
		columns := min(x+side/2, w-1) - max(x-side/2+1, 0) + 1
		p := float64(rows*columns) / (h * w)
		require.InDelta(t, 20_000*p, n, 5*math.Sqrt(20_000*p*(1-p))+1, "pixel (%d,%d)", x, y)
	}
}
