package augment

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/data"
)

// Components returns the principal components of the colours of all pixels of a dataset's images,
// (3,H,W), as intensities from 0 to 1. The largest component comes first. It reads every example.
func Components(ds data.Dataset) (*PCA, error) {
	if ds == nil {
		return nil, errors.New("augment: no dataset: it is nil")
	}
	info := ds.Info()
	m, err := imageOf(info)
	if err != nil {
		return nil, err
	}
	if m.c != 3 || ds.Len() == 0 {
		return nil, fmt.Errorf("augment: %d inputs %v; want some of red, green and blue", ds.Len(), info.Input)
	}
	x, plane := make([]float32, m.len()), m.h*m.w
	e := data.Example{X: x, Labels: make([]int32, info.Target.Len())}
	if info.Target.IsFloat() {
		e.Labels, e.Targets = nil, make([]float32, info.Target.Len())
	}
	var sum [3]float64
	var products [3][3]float64
	for i := range ds.Len() {
		if err := ds.Read(i, e); err != nil {
			return nil, fmt.Errorf("augment: example %d: %w", i, err)
		}
		info.Preprocess.Undo(x)
		for p := range plane {
			rgb := [3]float64{float64(x[p]), float64(x[plane+p]), float64(x[2*plane+p])}
			for a, v := range rgb {
				sum[a] += v
				for b, w := range rgb {
					products[a][b] += v * w
				}
			}
		}
	}
	n := float64(ds.Len() * plane)
	for a := range products {
		for b := range products {
			products[a][b] = products[a][b]/n - sum[a]/n*sum[b]/n
		}
	}
	return eigen(products)
}

// eigen decomposes a symmetric matrix by the method of Jacobi (1846): each rotation makes one
// off-diagonal element zero.
func eigen(m [3][3]float64) (*PCA, error) {
	v := [3][3]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}} // eigenvectors, one per row
	for range 32 {
		for _, at := range [][2]int{{0, 1}, {0, 2}, {1, 2}} {
			turn(&m, &v, at[0], at[1])
		}
	}
	order := []int{0, 1, 2}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(m[b][b], m[a][a]) })
	var p PCA
	for k, i := range order {
		p.Values[k], p.Vectors[k] = max(0, m[i][i]), v[i]
		if math.IsNaN(m[i][i]) {
			return nil, errors.New("augment: the images have intensities that are not numbers")
		}
	}
	return &p, nil
}

// turn rotates the axes a and b so that m[a][b] becomes zero.
func turn(m, v *[3][3]float64, a, b int) {
	if m[a][b] == 0 {
		return
	}
	sin, cos := math.Sincos(math.Atan(2*m[a][b]/(m[b][b]-m[a][a])) / 2)
	for k := range 3 {
		m[k][a], m[k][b] = cos*m[k][a]-sin*m[k][b], sin*m[k][a]+cos*m[k][b]
	}
	for k := range 3 {
		m[a][k], m[b][k] = cos*m[a][k]-sin*m[b][k], sin*m[a][k]+cos*m[b][k]
		v[a][k], v[b][k] = cos*v[a][k]-sin*v[b][k], sin*v[a][k]+cos*v[b][k]
	}
}
