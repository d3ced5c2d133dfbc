package augment

import (
	"math"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/gemm"
)

// Elastic distorts an image like a sheet of rubber: each pixel is displaced in x and in y by Alpha
// pixels times random numbers, uniform from -1 to 1 and 0 outside the image, which are smoothed by
// a Gaussian (Simard, Steinkraus and Platt, "Best practices for convolutional neural networks
// applied to visual document analysis", ICDAR 2003). The displacement has a standard deviation of
// about 0.16 Alpha/Sigma pixels.
type Elastic struct {
	Sigma float64 // standard deviation of the Gaussian in pixels
	Alpha float64
	// Affine is applied first, in the same resampling.
	Affine Affine
}

// Bind implements [data.Augmentation].
func (a Elastic) Bind(in data.Info) (data.Change, data.Info, error) {
	m, err := imageOf(in)
	if err != nil {
		return nil, in, err
	}
	if err := checkNumber("Sigma", a.Sigma, .1, 1000); err != nil {
		return nil, in, err
	}
	if err := checkNumber("Alpha", a.Alpha, 0, 1e5); err != nil {
		return nil, in, err
	}
	if err := a.Affine.check(); err != nil {
		return nil, in, err
	}
	k, err := simd.Chosen()
	if err != nil {
		return nil, in, err
	}
	s, f := newSampler(in, m, m.h, m.w), a.newField(k.Gemm, m)
	return func(x []float32, r *data.Rand) []float32 {
		p := a.Affine.draw(m, r)
		return s.sample(x, p, f.draw(r))
	}, in, nil
}

// field draws displacements: for each row those in x and then those in y, so that 2H rows of W
// numbers are also H rows of 2W. For random numbers U from 0 to 1 they are Alpha*V*(2U-1)*H, where
// the matrices V and H are the vertical and the horizontal Gaussian.
type field struct {
	kernels              *gemm.Kernels
	along, across        gemm.Op
	vertical, horizontal []float32 // V and 2*Alpha*H
	middle               []float32 // -Alpha*V*1*H
	noise, half, out     []float32
	scratch              []float32
}

func (a Elastic) newField(k *gemm.Kernels, m image) *field {
	n := 2 * m.h * m.w
	f := &field{
		kernels:  k,
		along:    gemm.Op{M: m.h, K: m.h, N: 2 * m.w},
		across:   gemm.Op{M: 2 * m.h, K: m.w, N: m.w, Add: true},
		vertical: gaussian(m.h, a.Sigma, 1), horizontal: gaussian(m.w, a.Sigma, 2*a.Alpha),
		noise: make([]float32, n), half: make([]float32, n), out: make([]float32, n),
	}
	f.scratch = make([]float32, max(gemm.Scratch[float32](k, f.along), gemm.Scratch[float32](k, f.across)))
	fill(f.noise, -.5)
	f.middle = make([]float32, n)
	f.smooth()
	copy(f.middle, f.out)
	return f
}

// draw returns new displacements, valid until the next call.
func (f *field) draw(r *data.Rand) []float32 {
	r.Uniforms(f.noise)
	f.smooth()
	return f.out
}

func (f *field) smooth() {
	copy(f.out, f.middle)
	gemm.Mul(f.kernels, nil, f.along, f.vertical, f.noise, f.half, nil, f.scratch)
	gemm.Mul(f.kernels, nil, f.across, f.half, f.horizontal, f.out, nil, f.scratch)
}

// gaussian returns the n by n matrix that smooths n numbers by a Gaussian of standard deviation
// sigma, times a factor, with zeros beyond the ends. Away from the ends the weights add up to the
// factor.
func gaussian(n int, sigma, factor float64) []float32 {
	weight := func(d int) float64 { return math.Exp(-float64(d*d) / (2 * sigma * sigma)) }
	sum := 1.0
	for d := 1; float64(d) < 10*sigma+1; d++ {
		sum += 2 * weight(d)
	}
	g := make([]float32, n*n)
	for i := range g {
		g[i] = float32(factor * weight(i/n-i%n) / sum)
	}
	return g
}
