package viz

import "math"

// Diverging returns a map of values (H,W) in colour: red for positive values, blue for negative
// ones, white for 0. The greatest magnitude has the full colour; if scale is not 0, it is used
// instead.
func Diverging(v []float32, h, w int, scale float32) Tile {
	if scale == 0 {
		scale = greatest(v)
	}
	return colored(v, h, w, func(x float32) [3]float32 {
		t := share(x, scale)
		if t < 0 {
			return blend(white3, blue3, -t)
		}
		return blend(white3, red3, t)
	})
}

// Heat returns a map of values (H,W) in colour: from near black at 0 and below, over red and
// orange, to pale yellow at the greatest magnitude or, if scale is not 0, at scale.
func Heat(v []float32, h, w int, scale float32) Tile {
	if scale == 0 {
		scale = greatest(v)
	}
	return colored(v, h, w, func(x float32) [3]float32 { return hot(share(x, scale)) })
}

// Overlay returns a heat map (h,w), stretched linearly over a grey picture, with colours as in
// Heat: the picture where the heat is 0, its colour where it is greatest. The picture's values are
// from 0 to 1.
func Overlay(picture Tile, heat []float32, h, w int) Tile {
	if len(heat) != h*w || h < 1 || w < 1 || len(picture.Pix) != picture.C*picture.H*picture.W {
		return Tile{Caption: picture.Caption} // Render reports the mistake
	}
	most := float32(0)
	for _, x := range heat {
		most = max(most, x)
	}
	grey := picture.gray()
	out := Tile{Caption: picture.Caption, C: 3, H: picture.H, W: picture.W, Pix: make([]float32, 3*picture.H*picture.W)}
	plane := picture.H * picture.W
	for y := range picture.H {
		for x := range picture.W {
			t := share(sample(heat, h, w, (float64(y)+.5)/float64(picture.H), (float64(x)+.5)/float64(picture.W)), most)
			g := float32(clamp(float64(grey[y*picture.W+x]), 0, 1))
			c := blend([3]float32{g, g, g}, hot(.25+.75*t), .8*t)
			for k := range c {
				out.Pix[k*plane+y*picture.W+x] = c[k]
			}
		}
	}
	return out
}

var (
	white3 = [3]float32{1, 1, 1}
	red3   = [3]float32{.70, .09, .17}
	blue3  = [3]float32{.13, .40, .67}
	// heats are the colours of a heat map at equal distances.
	heats = [...][3]float32{{.05, .03, .10}, {.40, .07, .35}, {.80, .20, .25}, {.97, .55, .15}, {.99, .95, .70}}
)

// hot returns the colour of a fraction.
func hot(t float32) [3]float32 {
	at := clamp(float64(t), 0, 1) * float64(len(heats)-1)
	i := min(int(at), len(heats)-2)
	return blend(heats[i], heats[i+1], float32(at)-float32(i))
}

func blend(a, b [3]float32, t float32) (c [3]float32) {
	for i := range c {
		c[i] = a[i] + t*(b[i]-a[i])
	}
	return c
}

// share returns x as a fraction of scale, from -1 to 1; NaN stays NaN.
func share(x, scale float32) float32 {
	switch {
	case x != x:
		return x
	case scale <= 0:
		return 0
	}
	return float32(math.Round(levels*clamp(float64(x/scale), -1, 1)) / levels)
}

// levels is the number of colours on either side of 0. It is small enough for a picture with a
// palette.
const levels = 120

// greatest returns the greatest finite magnitude.
func greatest(v []float32) (most float32) {
	for _, x := range v {
		if m := float32(math.Abs(float64(x))); m > most && !math.IsInf(float64(m), 0) {
			most = m
		}
	}
	return most
}

// colored returns a tile with a colour for each value. NaN stays NaN, which is drawn as such.
func colored(v []float32, h, w int, color func(x float32) [3]float32) Tile {
	t := Tile{C: 3, H: h, W: w, Pix: make([]float32, 3*len(v))}
	for i, x := range v {
		c := color(x)
		for k := range c {
			if x != x {
				c[k] = x
			}
			t.Pix[k*len(v)+i] = c[k]
		}
	}
	return t
}

// gray returns the mean of the channels.
func (t Tile) gray() []float32 {
	plane := t.H * t.W
	g := make([]float32, plane)
	for i, v := range t.Pix {
		g[i%plane] += v / float32(t.C)
	}
	return g
}

// sample reads a map at a position from 0 to 1, linearly between the centres of its elements.
func sample(v []float32, h, w int, y, x float64) float32 {
	at := func(p float64, n int) (i, j int, t float32) {
		p = clamp(p*float64(n)-.5, 0, float64(n-1))
		i = int(p)
		return i, min(i+1, n-1), float32(p) - float32(i)
	}
	y0, y1, ty := at(y, h)
	x0, x1, tx := at(x, w)
	top := v[y0*w+x0] + tx*(v[y0*w+x1]-v[y0*w+x0])
	low := v[y1*w+x0] + tx*(v[y1*w+x1]-v[y1*w+x0])
	return top + ty*(low-top)
}
