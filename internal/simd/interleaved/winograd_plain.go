package interleaved

import (
	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// The plain-Go twins of the transforms along lines.

var (
	// imageMatrix are the values of 8 pixels, and resultMatrix the 4 results of 8 values.
	imageMatrix = [rowValues][abi.RowSide]float32{
		{1, 0, -21. / 4, 0, 21. / 4, 0, -1, 0},
		{0, 1, 1, -17. / 4, -17. / 4, 1, 1, 0},
		{0, -1, 1, 17. / 4, -17. / 4, -1, 1, 0},
		{0, 1. / 2, 1. / 4, -5. / 2, -5. / 4, 2, 1, 0},
		{0, -1. / 2, 1. / 4, 5. / 2, -5. / 4, -2, 1, 0},
		{0, 2, 4, -5. / 2, -5, 1. / 2, 1, 0},
		{0, -2, 4, 5. / 2, -5, -1. / 2, 1, 0},
		{0, -1, 0, 21. / 4, 0, -21. / 4, 0, 1},
	}
	resultMatrix = [abi.RowTile][rowValues]float32{
		{1, 1, 1, 1, 1, 1, 1, 0},
		{0, 1, -1, 2, -2, 1. / 2, -1. / 2, 0},
		{0, 1, 1, 4, 4, 1. / 4, 1. / 4, 0},
		{0, 1, -1, 8, -8, 1. / 8, -1. / 8, 1},
	}
)

func winogradInGo(rows, n int, x *float32, xs int, v *float32, rs, vs int, sums *float32) uint32 {
	total := pixelAt(sums, 0)
	for i := range rows {
		for tile := range n {
			for e := range imageMatrix {
				to := pixelAt(v, i*rs+tile*abi.PixelBytes+e*vs)
				*to = [Images]float32{}
				for j, f := range imageMatrix[e] {
					for lane, p := range pixelAt(x, i*xs+(abi.RowTile*tile+j)*abi.PixelBytes) {
						to[lane] = isa.Flush(to[lane] + f*isa.Flush(p))
						if e == 0 {
							total[lane] += isa.Flush(p) * isa.Flush(p)
						}
					}
				}
			}
		}
	}
	return 0
}

func winogradDyGo(rows, n, width int, dy *float32, v *float32, rs, vs int, sums *float32) uint32 {
	total := pixelAt(sums, 0)
	for i := range rows {
		for tile := range n {
			for e := range rowValues {
				to := pixelAt(v, i*rs+tile*abi.PixelBytes+e*vs)
				*to = [Images]float32{}
				for j := range min(abi.RowTile, width-tile*abi.RowTile) {
					for lane, d := range pixelAt(dy, (i*width+abi.RowTile*tile+j)*abi.PixelBytes) {
						to[lane] = isa.Flush(to[lane] + resultMatrix[j][e]*isa.Flush(d))
						if e == 0 {
							total[lane] += isa.Flush(d) * isa.Flush(d)
						}
					}
				}
			}
		}
	}
	return 0
}

func winogradOutGo(filters, rows, n, width int, m *float32, ms, fs int, y *float32, ys int, bias *float32, flags int) uint32 {
	for f := range filters {
		for i := range rows {
			for tile := range n {
				for j := range min(abi.RowTile, width-tile*abi.RowTile) {
					var sum [Images]float32
					for e, factor := range resultMatrix[j] {
						for lane, p := range pixelAt(m, f*fs+(i*n+tile)*abi.PixelBytes+e*ms) {
							sum[lane] = isa.Flush(sum[lane] + factor*isa.Flush(p))
						}
					}
					isa.Finish(pixelAt(y, f*ys+(i*width+abi.RowTile*tile+j)*abi.PixelBytes)[:], sum[:], bias, f, 0, flags)
				}
			}
		}
	}
	return 0
}
