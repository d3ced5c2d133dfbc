package augment

import (
	"math"

	"github.com/plexaura/plexaura/data"
)

// TrivialAugment changes each image by one operation, drawn from a list, with a strength, drawn from a
// wide range, both uniformly: there is nothing to tune (Müller and Hutter, "TrivialAugment:
// Tuning-free Yet State-of-the-Art Data Augmentation", 2021). The list and the 31 strengths are those
// of torchvision's TrivialAugmentWide: nothing, shear, shift and rotation, brightness, saturation,
// contrast, sharpness, fewer bits, inverted lights, stretched and equalised intensities. Images are
// resampled bilinearly, with black around them. They are grey or red, green and blue, with
// intensities from 0 to 1 before normalisation.
type TrivialAugment struct{}

// Bind implements [data.Augmentation].
func (TrivialAugment) Bind(in data.Info) (data.Change, data.Info, error) {
	m, err := colourOf(in)
	if err != nil {
		return nil, in, err
	}
	raw := in
	raw.Preprocess = data.Preprocess{} // black is 0
	t := &trivial{jitter: jitter{m, make([]float32, m.h*m.w)}, sampler: newSampler(raw, m, m.h, m.w), copied: make([]float32, m.h*m.w)}
	return func(x []float32, r *data.Rand) []float32 {
		op, bin, sign := trivialOp(r.IntN(int(trivialOps))), r.IntN(trivialBins), r.IntN(2)
		in.Preprocess.Undo(x)
		y := t.apply(x, op, op.strength(bin, sign == 1))
		copy(x, y)
		in.Preprocess.Apply(x)
		return x
	}, in, nil
}

type trivialOp int

const (
	identity trivialOp = iota
	shearX
	shearY
	translateX
	translateY
	rotate
	brighten
	colour
	contrasted
	sharpen
	posterize
	solarize
	autoContrast
	equalize
	trivialOps
)

// trivialBins is the number of strengths.
const trivialBins = 31

// strength returns the strength of a bin, from 0.
func (op trivialOp) strength(bin int, negative bool) float64 {
	part := float64(bin) / (trivialBins - 1)
	v := 0.
	switch op {
	case translateX, translateY:
		v = math.Trunc(32 * part)
	case rotate:
		v = 135 * part
	case posterize:
		return 8 - math.RoundToEven(6*part)
	case solarize:
		return 1 - part
	case shearX, shearY, brighten, colour, contrasted, sharpen:
		v = .99 * part
	}
	if negative {
		return -v
	}
	return v
}

type trivial struct {
	jitter
	sampler *sampler
	copied  []float32 // of a plane
}

// apply applies an operation to intensities, and returns them in x or in memory of its own.
func (t *trivial) apply(x []float32, op trivialOp, v float64) []float32 {
	switch op {
	case shearX, shearY, translateX, translateY, rotate:
		return t.sampler.sample(x, t.moved(op, v), nil)
	case brighten:
		t.change(x, brightness, float32(1+v))
	case colour:
		t.change(x, saturation, float32(1+v))
	case contrasted:
		t.change(x, contrast, float32(1+v))
	}
	for c := range t.c {
		plane := x[c*t.h*t.w:][:t.h*t.w]
		switch op {
		case sharpen:
			t.sharpen(plane, float32(1+v))
		case posterize:
			step := float32(math.Exp2(8 - v))
			for i, p := range plane {
				plane[i] = floor32(level(p)/step) * step / 255
			}
		case solarize:
			for i, p := range plane {
				if p >= float32(v) {
					plane[i] = 1 - p
				}
			}
		case autoContrast:
			stretched(plane)
		case equalize:
			equalized(plane)
		}
	}
	return x
}

// moved returns the places that pixels come from. Shears leave the upper left corner where it is.
func (t *trivial) moved(op trivialOp, v float64) places {
	p := t.anywhere()
	p.xx, p.yy = 1, 1
	switch op {
	case shearX:
		p.xy, p.x0 = float32(v), float32(v/2)
	case shearY:
		p.yx, p.y0 = float32(v), float32(v/2)
	case translateX:
		p.x0 = float32(-v)
	case translateY:
		p.y0 = float32(-v)
	case rotate:
		sin, cos := math.Sincos(v * math.Pi / 180)
		cx, cy := float64(t.w-1)/2, float64(t.h-1)/2
		p.xx, p.xy, p.x0 = float32(cos), float32(-sin), float32(cx-cos*cx+sin*cy)
		p.yx, p.yy, p.y0 = float32(sin), float32(cos), float32(cy-sin*cx-cos*cy)
	}
	return p
}

// sharpen mixes a plane with what a filter of 3 by 3 smooths; its edge stays.
func (t *trivial) sharpen(plane []float32, factor float32) {
	if t.h <= 2 || t.w <= 2 {
		return
	}
	copy(t.copied, plane)
	for y := 1; y < t.h-1; y++ {
		for x := 1; x < t.w-1; x++ {
			at := y*t.w + x
			sum := 4 * t.copied[at]
			for dy := -1; dy <= 1; dy++ {
				for _, v := range t.copied[at+dy*t.w-1:][:3] {
					sum += v
				}
			}
			smooth := sum / 13
			plane[at] = min(max(smooth+factor*(t.copied[at]-smooth), 0), 1)
		}
	}
}

// stretched scales a plane such that it reaches from 0 to 1.
func stretched(plane []float32) {
	lo, hi := plane[0], plane[0]
	for _, v := range plane {
		lo, hi = min(lo, v), max(hi, v)
	}
	if lo >= hi {
		return
	}
	for i, v := range plane {
		plane[i] = (v - lo) / (hi - lo)
	}
}

// equalized gives each of 256 levels of a plane about as many pixels.
func equalized(plane []float32) {
	var count, to [256]int
	last := 0
	for _, v := range plane {
		k := int(level(v))
		count[k]++
		last = max(last, k)
	}
	step := (len(plane) - count[last]) / 255
	if step == 0 {
		return
	}
	below := 0
	for k, n := range count {
		to[k] = min((below+step/2)/step, 255)
		below += n
	}
	for i, v := range plane {
		plane[i] = float32(to[int(level(v))]) / 255
	}
}

// level returns an intensity as one of 256 levels.
func level(v float32) float32 { return floor32(min(max(v, 0), 1)*255 + .5) }

func floor32(v float32) float32 { return float32(math.Floor(float64(v))) }
