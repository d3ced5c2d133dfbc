package augment

import (
	"fmt"

	"github.com/plexaura/plexaura/data"
)

// Lighting changes the colour and intensity of the light: to each pixel it adds the principal
// components of red, green and blue over the training images, each times its eigenvalue and times a
// normally distributed number, drawn once per image (Krizhevsky, Sutskever and Hinton, "ImageNet
// classification with deep convolutional neural networks", 2012, section 4.1).
type Lighting struct {
	Std float64 // standard deviation of these numbers; 0 means 0.1, as published
	// Components are the components of intensities from 0 to 1; nil means ImageNet's. See
	// [Components].
	Components *PCA
}

// PCA is a principal component analysis of red, green and blue.
type PCA struct {
	Values  [3]float64    // eigenvalues of the covariance
	Vectors [3][3]float64 // unit vectors, one per row, in the order of the values
}

// imageNetPCA is the PCA of ImageNet's training images, as published with the residual networks of
// fb.resnet.torch (Gross and Wilber, "Training and investigating residual nets", 2016).
var imageNetPCA = PCA{
	Values: [3]float64{.2175, .0188, .0045},
	Vectors: [3][3]float64{
		{-.5675, -.5808, -.5836},
		{.7192, -.0045, -.6948},
		{.4009, -.8140, .4203},
	},
}

// Bind implements [data.Augmentation].
func (a Lighting) Bind(in data.Info) (data.Change, data.Info, error) {
	m, err := imageOf(in)
	if err != nil {
		return nil, in, err
	}
	if m.c != 3 {
		return nil, in, fmt.Errorf("the input is %v; want red, green and blue", in.Input)
	}
	if a.Std == 0 {
		a.Std = .1
	}
	if err := checkNumber("Std", a.Std, 0, 1e3); err != nil {
		return nil, in, err
	}
	pca := imageNetPCA
	if a.Components != nil {
		pca = *a.Components
	}
	black, white := m.levels(in, 0), m.levels(in, 1)
	return func(x []float32, r *data.Rand) []float32 {
		var light [3]float64
		for k, value := range pca.Values {
			size := r.Normal() * a.Std * value
			for c := range light {
				light[c] += size * pca.Vectors[k][c]
			}
		}
		for c, v := range light {
			add(x[c*m.h*m.w:][:m.h*m.w], float32(v)*(white[c]-black[c]))
		}
		return x
	}, in, nil
}

func add(x []float32, v float32) {
	for i := range x {
		x[i] += v
	}
}
