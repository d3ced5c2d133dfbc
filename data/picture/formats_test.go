package picture

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"image/color"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// pillowFile is a picture as Pillow wrote it, and its pixels as Pillow reads them.
type pillowFile struct {
	Name         string
	Worst        int
	Size         [2]int
	File, Pixels []byte
}

func storedPictures(t testing.TB) []pillowFile { return pillowFiles(t, "testdata/formats.json", 15) }

func pillowFiles(t testing.TB, path string, number int) (all []pillowFile) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &all))
	require.Len(t, all, number)
	return all
}

func TestPicturesOfAllFormatsAreThoseOfPillow(t *testing.T) {
	for _, c := range storedPictures(t) {
		c.compare(t)
	}
}

// WebP has the orientation in a chunk, TIFF in a tag.
func TestOrientationsAreThoseOfPillow(t *testing.T) {
	for _, c := range pillowFiles(t, "testdata/oriented.json", 54) {
		c.compare(t)
	}
}

func (c pillowFile) compare(t *testing.T) {
	t.Helper()
	img, err := Decode(bytes.NewReader(c.File))
	require.NoError(t, err, c.Name)
	require.Equal(t, c.Size, [2]int{img.Bounds().Dx(), img.Bounds().Dy()}, c.Name)
	for i := range len(c.Pixels) / 4 {
		got := color.NRGBAModel.Convert(img.At(img.Bounds().Min.X+i%c.Size[0], img.Bounds().Min.Y+i/c.Size[0])).(color.NRGBA)
		want := c.Pixels[4*i:]
		require.Equal(t, want[3], got.A, "%s, pixel %d", c.Name, i)
		if got.A == 0 {
			continue
		}
		for k, v := range []uint8{got.R, got.G, got.B} {
			require.InDelta(t, want[k], v, float64(c.Worst), "%s, pixel %d, colour %d", c.Name, i, k)
		}
	}
}

// Half a file is an error, and neither a picture nor a panic.
func TestHalfAPictureIsDamaged(t *testing.T) {
	for _, c := range storedPictures(t) {
		_, err := Decode(bytes.NewReader(c.File[:len(c.File)/2]))
		require.Error(t, err, c.Name)
	}
}

// A file of some bytes may claim any size; none of them is given memory for it.
func TestPicturesThatClaimToBeHuge(t *testing.T) {
	files := map[string][]byte{}
	for _, c := range storedPictures(t) {
		files[c.Name] = bytes.Clone(c.File)
	}
	bmp := files["bmp"]
	binary.LittleEndian.PutUint32(bmp[18:], 60000)
	binary.LittleEndian.PutUint32(bmp[22:], 60000)
	gif := files["gif"]
	binary.LittleEndian.PutUint16(gif[6:], 65535)
	binary.LittleEndian.PutUint16(gif[8:], 65535)
	lossless := files["webp, lossless"]
	binary.LittleEndian.PutUint32(lossless[21:], 0x0fffffff)
	// A canvas of the right size with a picture that is larger.
	extended := files["webp, lossy, transparent"]
	require.Equal(t, "VP8X", string(extended[12:16]))
	at := bytes.Index(extended, []byte("VP8 "))
	binary.LittleEndian.PutUint16(extended[at+14:], 0x3fff)
	binary.LittleEndian.PutUint16(extended[at+16:], 0x3fff)
	for name, file := range map[string][]byte{"bmp": bmp, "gif": gif, "webp": lossless, "extended webp": extended} {
		_, err := Decode(bytes.NewReader(file))
		require.ErrorContains(t, err, "is too large", name)
	}
}
