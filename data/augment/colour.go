package augment

import (
	"slices"

	"github.com/plexaura/plexaura/data"
)

// ColorJitter changes brightness, contrast and saturation, in random order, each by a factor that
// is uniform from 1-v to 1+v, but not below 0. The factor mixes the image with black, with the mean
// of its luma, or with its luma, respectively. After each change, intensities are clamped to [0,1].
// Images are grey or red, green and blue.
type ColorJitter struct {
	Brightness, Contrast, Saturation float64 // v
}

// Bind implements [data.Augmentation].
func (a ColorJitter) Bind(in data.Info) (data.Change, data.Info, error) {
	m, err := colourOf(in)
	if err != nil {
		return nil, in, err
	}
	spread := [...]float64{brightness: a.Brightness, contrast: a.Contrast, saturation: a.Saturation}
	for i, name := range [...]string{"Brightness", "Contrast", "Saturation"} {
		if err := checkNumber(name, spread[i], 0, 100); err != nil {
			return nil, in, err
		}
	}
	j := &jitter{m, make([]float32, m.h*m.w)}
	return func(x []float32, r *data.Rand) []float32 {
		in.Preprocess.Undo(x)
		order := [...]property{brightness, contrast, saturation}
		for left := len(order); left > 0; left-- {
			i := r.IntN(left)
			p := order[i]
			order[i] = order[left-1]
			j.change(x, p, float32(r.Between(max(0, 1-spread[p]), 1+spread[p])))
		}
		in.Preprocess.Apply(x)
		return x
	}, in, nil
}

type property int

const (
	brightness property = iota
	contrast
	saturation
)

type jitter struct {
	image
	luma []float32
}

// change changes a property of the intensities x by a factor.
func (j *jitter) change(x []float32, p property, factor float32) {
	if factor == 1 {
		return
	}
	switch p {
	case brightness:
		clear(j.luma)
	case contrast:
		j.lumaOf(x)
		sum := 0.0
		for _, v := range j.luma {
			sum += float64(v)
		}
		fill(j.luma, float32(sum/float64(len(j.luma))))
	case saturation:
		j.lumaOf(x)
	}
	for plane := range slices.Chunk(x, len(j.luma)) {
		for i, v := range plane {
			plane[i] = min(max(j.luma[i]+factor*(v-j.luma[i]), 0), 1)
		}
	}
}

// lumaOf computes the luma by ITU-R BT.601.
func (j *jitter) lumaOf(x []float32) {
	if j.c == 1 {
		copy(j.luma, x)
		return
	}
	n := len(j.luma)
	red, green, blue := x[:n], x[n:2*n], x[2*n:3*n]
	for i := range j.luma {
		j.luma[i] = .299*red[i] + .587*green[i] + .114*blue[i]
	}
}
