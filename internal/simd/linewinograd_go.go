package simd

// The plain-Go twins of the transforms along lines.

var (
	// lineImage are the values of 8 pixels, and lineResult the 4 results of 8 values.
	lineImage = [lineValues][lineSide]float32{
		{1, 0, -21. / 4, 0, 21. / 4, 0, -1, 0},
		{0, 1, 1, -17. / 4, -17. / 4, 1, 1, 0},
		{0, -1, 1, 17. / 4, -17. / 4, -1, 1, 0},
		{0, 1. / 2, 1. / 4, -5. / 2, -5. / 4, 2, 1, 0},
		{0, -1. / 2, 1. / 4, 5. / 2, -5. / 4, -2, 1, 0},
		{0, 2, 4, -5. / 2, -5, 1. / 2, 1, 0},
		{0, -2, 4, 5. / 2, -5, -1. / 2, 1, 0},
		{0, -1, 0, 21. / 4, 0, -21. / 4, 0, 1},
	}
	lineResult = [lineTile][lineValues]float32{
		{1, 1, 1, 1, 1, 1, 1, 0},
		{0, 1, -1, 2, -2, 1. / 2, -1. / 2, 0},
		{0, 1, 1, 4, 4, 1. / 4, 1. / 4, 0},
		{0, 1, -1, 8, -8, 1. / 8, -1. / 8, 1},
	}
)

func lineWinoInGo(rows, n int, x *float32, xs int, v *float32, rs, vs int, sums *float32) uint32 {
	total := pixelAt(sums, 0)
	for i := range rows {
		for tile := range n {
			for e := range lineImage {
				to := pixelAt(v, i*rs+tile*lanePixel+e*vs)
				*to = [Lanes]float32{}
				for j, f := range lineImage[e] {
					for lane, p := range pixelAt(x, i*xs+(lineTile*tile+j)*lanePixel) {
						to[lane] = flush(to[lane] + f*flush(p))
						if e == 0 {
							total[lane] += flush(p) * flush(p)
						}
					}
				}
			}
		}
	}
	return 0
}

func lineWinoDyGo(rows, n, width int, dy *float32, v *float32, rs, vs int, sums *float32) uint32 {
	total := pixelAt(sums, 0)
	for i := range rows {
		for tile := range n {
			for e := range lineValues {
				to := pixelAt(v, i*rs+tile*lanePixel+e*vs)
				*to = [Lanes]float32{}
				for j := range min(lineTile, width-tile*lineTile) {
					for lane, d := range pixelAt(dy, (i*width+lineTile*tile+j)*lanePixel) {
						to[lane] = flush(to[lane] + lineResult[j][e]*flush(d))
						if e == 0 {
							total[lane] += flush(d) * flush(d)
						}
					}
				}
			}
		}
	}
	return 0
}

func lineWinoOutGo(filters, rows, n, width int, m *float32, ms, fs int, y *float32, ys int, bias *float32, flags int) uint32 {
	for f := range filters {
		for i := range rows {
			for tile := range n {
				for j := range min(lineTile, width-tile*lineTile) {
					var sum [Lanes]float32
					for e, factor := range lineResult[j] {
						for lane, p := range pixelAt(m, f*fs+(i*n+tile)*lanePixel+e*ms) {
							sum[lane] = flush(sum[lane] + factor*flush(p))
						}
					}
					finish(pixelAt(y, f*ys+(i*width+lineTile*tile+j)*lanePixel)[:], sum[:], bias, f, 0, flags)
				}
			}
		}
	}
	return 0
}
