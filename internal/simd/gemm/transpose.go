package gemm

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Transpose sets dst, of cols rows, to the transpose of src, of rows×cols elements. ldd and lds are
// the distances between their rows, in elements; 0 means without gap. dst must not overlap src.
// Values are copied bit by bit: denormals stay.
func Transpose[T isa.Float](k *Kernels, dst []T, ldd int, src []T, lds, rows, cols int) {
	ldd, lds = stride(ldd, rows), stride(lds, cols)
	checkMatrix("Transpose", "src", len(src), rows, cols, lds)
	checkMatrix("Transpose", "dst", len(dst), cols, rows, ldd)
	// Strips of columns keep the rows of dst that are being written in the cache.
	const strip = 256
	t := tilesOf[T](k)
	size := int(unsafe.Sizeof(T(0)))
	for j := 0; j < cols && rows > 0; j += strip {
		for i := 0; i < rows; i += t.Width {
			t.transpose(min(strip, cols-j), min(t.Width, rows-i),
				&src[i*lds+j], lds*size, &dst[j*ldd+i], ldd*size)
		}
	}
}
