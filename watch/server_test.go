package watch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/train"
)

// What changes something needs the token and a request of the page; other names than ours get
// nothing.
func TestOnlyThePageOfThisHostIsAnswered(t *testing.T) {
	r := NewRun(Options{})
	s := serve(t, r)
	url := strings.TrimSuffix(s.URL(), "/")
	host := strings.TrimPrefix(url, "http://")
	token := s.withToken()
	for _, row := range []struct {
		what, method, path string
		headers            []string
		status             int
	}{
		{"the page", "GET", "/", nil, 200},
		{"by the other name of this host", "GET", "/", []string{"Host: localhost:1234"}, 200},
		{"through a tunnel", "GET", "/", []string{"Host: [::1]:9"}, 200},
		{"a name that leads here", "GET", "/", []string{"Host: evil.example"}, 403},
		{"an address that is not of this interface", "GET", "/", []string{"Host: 192.0.2.1"}, 403},
		{"the stream, by such a name", "GET", "/api/events", []string{"Host: evil.example"}, 403},
		{"to stop, without the token", "POST", "/api/stop", nil, 403},
		{"to stop, with a wrong token", "POST", "/api/stop", []string{tokenHeader + ": " + strings.Repeat("A", 26)}, 403},
		{"to stop, with an empty token", "POST", "/api/stop", []string{tokenHeader + ": "}, 403},
		{"to stop, from another origin", "POST", "/api/stop", []string{token, "Origin: http://evil.example"}, 403},
		{"to stop, from another port", "POST", "/api/stop", []string{token, "Origin: http://127.0.0.1:1"}, 403},
		{"to stop, from a sandbox", "POST", "/api/stop", []string{token, "Origin: null"}, 403},
		{"to stop, from another site", "POST", "/api/stop", []string{token, "Sec-Fetch-Site: cross-site"}, 403},
		{"to stop, by another name", "POST", "/api/stop", []string{token, "Host: evil.example", "Origin: http://evil.example"}, 403},
		{"to stop, by GET", "GET", "/api/stop", []string{token}, 405},
		{"to predict, without the token", "POST", "/api/predict", nil, 403},
		{"something else", "GET", "/etc/passwd", nil, 404},
		{"above", "GET", "/..%2fserver.go", nil, 404},
		{"not an asset", "GET", "/README.md", nil, 404},
	} {
		status, _ := ask(t, row.method, url+row.path, "", row.headers...)
		require.Equal(t, row.status, status, row.what)
		require.False(t, r.Stopped(), row.what)
	}
	status, _ := ask(t, "POST", url+"/api/stop", "", token, "Origin: http://"+host, "Sec-Fetch-Site: same-origin")
	require.Equal(t, 200, status)
	require.True(t, r.Stopped())
	_, page := ask(t, "GET", url+"/", "")
	require.Contains(t, page, s.token)
	require.NotRegexp(t, `<script>|<style>|style="|\son[a-z]+="`, page, "the policy would refuse it")
}

// A run that is stopped makes no further step and is saved.
func TestTheStopButtonStopsAndSaves(t *testing.T) {
	c := config(t)
	c.Folder, c.Epochs = t.TempDir()+"/run", 1000
	r := NewRun(Options{})
	s := serve(t, r)
	steps := 0
	c.OnStep = func(train.Step) error {
		if steps++; steps == 9 {
			status, answer := ask(t, "POST", s.URL()+"api/stop", "", s.withToken())
			require.Equal(t, 200, status, answer)
		}
		return nil
	}
	result, err := fit(t, c, r)
	require.NoError(t, err)
	require.True(t, result.Saved)
	require.Equal(t, 9, steps)
	saved, err := train.LoadCheckpoint(c.Folder + "/" + train.CheckpointFile)
	require.NoError(t, err)
	require.Equal(t, 3, saved.Progress.Batch)
	status, answer := ask(t, "POST", s.URL()+"api/stop", "", s.withToken())
	require.Equal(t, 409, status)
	require.Equal(t, "the run is over: it is stopped", answer)
}

func TestAddressesThatCannotBeServedAreOneLine(t *testing.T) {
	r := NewRun(Options{})
	taken := serve(t, r)
	port := taken.listener.Addr().(*net.TCPAddr).Port
	for address, want := range map[string]string{
		fmt.Sprintf(":%d", port): fmt.Sprintf("watch: port %d of 127.0.0.1 is in use by another program; choose another, or 0 for any free port", port),
		"8080":                   `watch: "8080" is not [HOST]:PORT, such as :8080`,
		"":                       `watch: "" is not [HOST]:PORT, such as :8080`,
		":http":                  `watch: "http" is not a port; want a number from 1 to 65535, or 0 for any free port`,
		":70000":                 `watch: "70000" is not a port; want a number from 1 to 65535, or 0 for any free port`,
		":-1":                    `watch: "-1" is not a port; want a number from 1 to 65535, or 0 for any free port`,
	} {
		_, err := Serve(address, r)
		require.EqualError(t, err, want)
	}
	_, err := Serve("192.0.2.1:0", r) // an address that no machine has
	require.ErrorContains(t, err, "192.0.2.1")
	require.NotContains(t, err.Error(), "\n")
	_, err = Serve(":0", nil)
	require.Error(t, err)
}

func TestWithoutAHostItIsTheLoopbackInterface(t *testing.T) {
	s, err := Serve(":0", NewRun(Options{}))
	require.NoError(t, err)
	defer s.Close()
	require.True(t, s.listener.Addr().(*net.TCPAddr).IP.IsLoopback())
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/$`, s.URL())
}

func TestTooManyBrowsersAreTold(t *testing.T) {
	before := runtime.NumGoroutine()
	s, err := Serve(":0", NewRun(Options{}))
	require.NoError(t, err)
	for range maxReaders {
		<-listen(context.Background(), t, s) // it is there once it has been sent something
	}
	status, answer := ask(t, "GET", s.URL()+"api/events", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "16 browsers already show this page; close one", answer)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "again")
	noneLeft(t, before)
}

// thin is a picture of one bar, standing or lying, and the prepare function of the tests' model.
func thin(standing bool) []byte {
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	for i := range 8 {
		if standing {
			img.Set(3, i, color.White)
		} else {
			img.Set(i, 3, color.White)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func prepared(img image.Image, info data.Info) ([]float32, error) {
	if img.Bounds().Dx() != 8 || img.Bounds().Dy() != 8 {
		return nil, fmt.Errorf("a picture of %v; want 8 by 8 pixels", img.Bounds().Size())
	}
	var x []float32
	for i := range 64 {
		y, _, _, _ := img.At(i%8, i/8).RGBA()
		x = append(x, float32(y)/0xffff)
	}
	return x, nil
}

// What is tried gets the prediction of a Predictor.
func TestAPictureIsTriedOnTheTrainedModel(t *testing.T) {
	c := config(t)
	c.Epochs = 20
	r := NewRun(Options{Prepare: prepared})
	s := serve(t, r)
	status, answer := ask(t, "POST", s.URL()+"api/predict", string(thin(true)), s.withToken())
	require.Equal(t, 409, status)
	require.Equal(t, "pictures can be tried when the run is over", answer)

	result, err := fit(t, c, r)
	require.NoError(t, err)
	predictor, err := train.NewPredictor(c.Model, result.Checkpoint, c.Engine)
	require.NoError(t, err)
	for standing, class := range map[bool]string{true: "column", false: "row"} {
		status, answer = ask(t, "POST", s.URL()+"api/predict", string(thin(standing)), s.withToken())
		require.Equal(t, 200, status, answer)
		require.Contains(t, answer, `"top":[{"name":"`+class+`"`)
		img, err := png.Decode(bytes.NewReader(thin(standing)))
		require.NoError(t, err)
		x, err := prepared(img, data.Info{})
		require.NoError(t, err)
		p, err := predictor.Predict(context.Background(), x)
		require.NoError(t, err)
		want := predictor.Top(1, p)[0]
		require.Contains(t, answer, fmt.Sprintf(`"name":%q,"probability":%s`, want.Name, number(want.Probability).append(nil)))
	}

	for what, row := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"nothing":                     {"", 422, "this is not a picture that can be read"},
		"junk":                        {"junk", 422, "this is not a picture that can be read"},
		"cut off":                     {string(thin(true)[:50]), 422, ""},
		"a picture of another size":   {string(blank(5, 9)), 422, "a picture of (5,9); want 8 by 8 pixels"},
		"a picture that is huge":      {string(claims(100000, 100000)), 422, "a picture of 100000 by 100000 pixels; at most 16777216 can be tried"},
		"more bytes than are allowed": {strings.Repeat("x", maxUpload+1), 413, "the picture is larger than 16777216 bytes"},
	} {
		status, answer = ask(t, "POST", s.URL()+"api/predict", row.body, s.withToken())
		require.Equal(t, row.status, status, what)
		require.Contains(t, answer, row.want, what)
		require.NotContains(t, answer, "\n", what)
	}
}

func blank(w, h int) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// claims is the head of a PNG file that says how large it is.
func claims(w, h uint32) []byte {
	b := blank(1, 1)
	head := []byte("IHDR\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x00")
	for i := range 4 {
		head[4+i], head[8+i] = byte(w>>(24-8*i)), byte(h>>(24-8*i))
	}
	copy(b[12:], head)
	sum := crc32.ChecksumIEEE(head)
	copy(b[12+len(head):], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return b
}

// The files that are not ours are those that the page's README tells of.
func TestFilesOfUPlotAreAsPublished(t *testing.T) {
	readme, err := files.ReadFile("page/README.md")
	require.NoError(t, err)
	rows := regexp.MustCompile("`(uPlot[^`]+)` \\| `([0-9a-f]{64})`").FindAllStringSubmatch(string(readme), -1)
	require.Len(t, rows, 2)
	for _, row := range rows {
		b, err := files.ReadFile("page/" + row[1])
		require.NoError(t, err)
		require.Equal(t, row[2], fmt.Sprintf("%x", sha256.Sum256(b)), row[1])
	}
}
